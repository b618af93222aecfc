"""`python -m portal.probe URL`: exit 0 if URL answers 200, else 1. The health check of a container without curl."""

from __future__ import annotations

import sys
import urllib.request

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # a proxy has no business on loopback


def answers(url: str, timeout: float = 3.0) -> bool:
    """Whether `url` answers with 200 now."""
    try:
        with _open(url, timeout=timeout) as response:
            return bool(response.status == 200)
    except OSError:  # HTTPError is one too
        return False


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
