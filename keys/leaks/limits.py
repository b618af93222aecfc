"""How often one address may report tokens: each report costs a look-up, and nobody has many of other people's keys."""

from __future__ import annotations

import time
from typing import Final

from django.core.cache import cache
from django.http import HttpRequest

from portal.addresses import client_address

MOST: Final = 20
SECONDS: Final = 60


def wait(request: HttpRequest) -> int:
    """0, and the report counts against its address; or how many seconds it has to wait."""
    now = time.time()
    window = int(now // SECONDS)
    name = f"leak-reports:{window}:{client_address(request) or ''}"
    cache.add(name, 0, SECONDS * 2)
    try:
        number = cache.incr(name)
    except ValueError:  # evicted between the two calls
        return 0
    return 0 if number <= MOST else int((window + 1) * SECONDS - now) + 1
