"""How often one address may report tokens: each report costs a look-up, and nobody has many of other people's keys."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

from keys import windows
from portal.addresses import client_address

MOST: Final = 20
SECONDS: Final = 60


def wait(request: HttpRequest) -> int:
    """0, and the report counts against its address; or how many seconds it has to wait."""
    return windows.wait("leak-reports", client_address(request) or "", MOST, SECONDS)
