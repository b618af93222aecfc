"""Requests to addresses that a stranger chose: no private address, no redirect, bounded time and size.

The host is resolved once, at connect; every address it has must be allowed; the connection goes to an address that
was checked, while TLS and the Host header carry the name. A resolver that changes its answer (DNS rebinding) thus
gains nothing. Proxies of the environment are not used: they would resolve again.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore
import httpx
from django.utils.translation import gettext as _

from keys.webhooks.errors import AddressUnusable

TIMEOUT = 15.0
LARGEST_ANSWER = 1024
# What Python's table of special addresses leaves out, depending on its version (IANA's registries for special
# purposes), and what leads inside although no registry says so: Azure's platform services; Teredo and 6to4, which
# wrap IPv4 addresses and are out of use (RFC 7526); IPv4-compatible IPv6; a NAT64 prefix of one's own (RFC 8215).
_REFUSED = [
    ip_network(text)
    for text in (
        "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
    )
]  # fmt: skip
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits


class AddressRefused(Exception):
    """The host has an address that requests must not go to. Nothing was sent."""


class UnknownHost(Exception):
    """The host name has no address."""


class HandshakeFailed(Exception):
    """TLS could not be agreed on, or the certificate is not the host's. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the body as far as it was read, and the headers by lower-case name."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def is_public(address: str) -> bool:
    """Whether `address` is one of the public internet, also when IPv6 wraps an IPv4 address (mapped, NAT64)."""
    ip: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _REFUSED)


def checked_url(text: str, *, private_allowed: bool) -> str:
    """`text` in normal form, if requests can go there. Raises AddressUnusable, saying what is wrong.

    `private_allowed` permits plain http and addresses that are not public; names are resolved only at connect.
    """
    if any(character.isspace() or not character.isprintable() for character in text):
        raise AddressUnusable
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise AddressUnusable from None
    if url.scheme not in {"http", "https"} or not url.host or not 0 < (url.port or 443) < 65536:
        raise AddressUnusable
    if url.userinfo:
        raise AddressUnusable(_("Leave user name and password out of the address; the signature is the proof."))
    if url.fragment:
        raise AddressUnusable(_("Leave out the # and what follows it."))
    if not private_allowed:
        if url.scheme != "https":
            raise AddressUnusable(_("Use https: events are not sent unencrypted."))
        if _is_private_name(url.host):
            raise AddressUnusable(_("Use a public address: events are not sent into private networks."))
    return str(url)


def _is_private_name(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        return host.rstrip(".").lower().rpartition(".")[2] in {"localhost", "local", "internal"}


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes = b"",
    private_allowed: bool,
    timeout: float = TIMEOUT,
    largest: int = LARGEST_ANSWER,
    enough: Callable[[bytes], bool] = lambda _body: False,
) -> Answer:
    """Make one request and read at most `largest` bytes of the answer, all within `timeout` seconds.

    `enough` may say that what was read will do: a stream of events need not end.

    Raises AddressUnusable, AddressRefused, UnknownHost, HandshakeFailed, and httpcore's TimeoutException,
    NetworkError and ProtocolError. A redirect is an answer like any other.
    """
    parsed = httpx.URL(checked_url(url, private_allowed=private_allowed))
    backend = _CheckedBackend(private_allowed, time.monotonic() + timeout)
    with (
        httpcore.ConnectionPool(ssl_context=_ssl_context(), network_backend=backend) as pool,
        pool.stream(
            method,
            httpcore.URL(
                scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path
            ),
            headers=[("Host", parsed.netloc.decode("ascii")), *headers.items()],
            content=content,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout)},
        ) as response,
    ):  # fmt: skip
        body = bytearray()
        for part in response.iter_stream():
            body += part
            if len(body) >= largest or enough(bytes(body)):
                break
        heads = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(response.status, bytes(body[:largest]), heads)


@lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


@dataclass
class _CheckedBackend(httpcore.NetworkBackend):
    """Connects only to addresses that were checked, and lets nothing last longer than `deadline`."""

    private_allowed: bool
    deadline: float
    plain: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to one of the addresses of `host`, in the resolver's order, after all were checked."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UnknownHost from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self.private_allowed and not all(map(is_public, addresses)):
            raise AddressRefused
        failure: Exception = UnknownHost()
        for tried, address in enumerate(addresses):
            # An address that drops packets leaves time for the next one.
            timeout = _left(self.deadline) / (len(addresses) - tried)
            try:
                stream = self.plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self.deadline)
        raise failure

    def connect_unix_socket(self, *_args: Any, **_options: Any) -> httpcore.NetworkStream:
        """Never: a socket file is as private as an address can be."""
        raise AddressRefused


@dataclass
class _TimedStream(httpcore.NetworkStream):
    """A stream whose reads and writes end at `deadline`: a receiver that sends a byte now and then holds up nobody."""

    stream: httpcore.NetworkStream
    deadline: float

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As httpcore's."""
        return self.stream.read(max_bytes, _left(self.deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As httpcore's."""
        self.stream.write(buffer, _left(self.deadline))

    def close(self) -> None:
        """As httpcore's."""
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """As httpcore's; the name in the certificate is the host's, whatever address was connected to."""
        try:
            stream = self.stream.start_tls(ssl_context, server_hostname, _left(self.deadline))
        except httpcore.ConnectError as error:
            raise HandshakeFailed from error
        return _TimedStream(stream, self.deadline)

    def get_extra_info(self, info: str) -> Any:
        """As httpcore's."""
        return self.stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("The time is up.")
    return left
