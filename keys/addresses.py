"""IP allow lists: CIDR ranges of IPv4 and IPv6. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

MOST_RANGES = 50


class TooManyRanges(ValueError):
    """A list of more than MOST_RANGES; says how many."""


def normalize(ranges: Iterable[str]) -> list[str]:
    """`ranges` as networks in their usual form, sorted, without repetition. Raises ValueError, naming the wrong one;
    TooManyRanges.

    A single address is the range of itself; host bits (`10.0.0.7/8`) are cut off.
    """
    found = set()
    for text in ranges:
        try:
            found.add(str(ip_network(text.strip(), strict=False)))
        except ValueError:
            raise ValueError(text.strip()) from None
    if len(found) > MOST_RANGES:
        raise TooManyRanges(len(found))
    return sorted(found)


@lru_cache(maxsize=4096)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)


def permits(ranges: Iterable[str], address: str | None) -> bool:
    """Whether `address` lies in one of `ranges`. No ranges permit all; with ranges, an unknown address is denied."""
    ranges = list(ranges)
    if not ranges:
        return True
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found.version == (network := _network(text)).version and found in network for text in ranges)
