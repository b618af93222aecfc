"""Latchkey's verifier: ask the portal whether a key is good, and remember the answer safely."""

from __future__ import annotations

from latchkey.aio import AsyncVerifier
from latchkey.context import current_verdict
from latchkey.sync import Verifier
from latchkey.verdicts import Company, RateLimit, User, Verdict
from latchkey.version import __version__

__all__ = [
    "AsyncVerifier",
    "Company",
    "RateLimit",
    "User",
    "Verdict",
    "Verifier",
    "__version__",
    "current_verdict",
]
