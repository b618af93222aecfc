"""Mails of accounts, as if each of the portal's own transactions committed."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _commits_at_once(monkeypatch):
    """A test's own transaction never commits; mails go out as if each of the portal's did."""
    monkeypatch.setattr("portal.accounts.adapter.on_commit", lambda act: act())
