"""A portal that knows GitHub's key, and does not wait before it answers."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.keys.leaks.driving import listed


@pytest.fixture(autouse=True)
def _no_waiting(settings):
    settings.LEAK_REPORT_SECONDS = 0


@pytest.fixture
def github_key(settings):
    """GitHub's private key, of a portal that knows the public one by its id."""
    private = ec.generate_private_key(ec.SECP256R1())
    settings.GITHUB_KEYS = listed({"key-1": private})
    return private
