"""Reports of whoever holds a whole token: one answer for all of them, after one time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from django.conf import settings

from keys import tokens
from keys.leaks.finding import find
from keys.leaks.models import Source
from keys.leaks.services import Incident, note_leak

MOST_TOKENS: Final = 20


def report(found: Iterable[tokens.Token]) -> None:
    """Do what the rules say about each token; tells nothing of what was found.

    A revocation takes longer than finding nothing. So every report takes as long as LEAK_REPORT_SECONDS, which is more
    than either needs.
    """
    began = time.monotonic()
    incident = Incident(Source.HOLDER)
    try:
        for token in found:
            if one := find(token):
                note_leak(found=one, source=Source.HOLDER, incident=incident)
    finally:
        time.sleep(max(0.0, settings.LEAK_REPORT_SECONDS - (time.monotonic() - began)))
