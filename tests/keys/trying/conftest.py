"""A small MCP server that behaves as a test wants, on a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from keys.models import Key, McpServer
from portal.accounts.models import User
from portal.companies.models import Company
from tests import factories
from tests.keys.trying.fake_mcp import FakeMcp

TOOLS = [
    {"name": "whoami", "title": "Who am I", "read_only": True},
    {"name": "delete_all", "title": "Delete all", "read_only": False},
]
Serve = Callable[..., FakeMcp]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts fakes, each with its own manners."""
    started: list[FakeMcp] = []

    def start(**manners: object) -> FakeMcp:
        started.append(FakeMcp(**manners))
        return started[-1]

    yield start
    for fake in started:
        fake.stop()


@pytest.fixture
def fake(serve: Serve) -> FakeMcp:
    """One that lets every key in that is sent as X-API-Key."""
    return serve()


@pytest.fixture
def own(company: Company, fake: FakeMcp) -> McpServer:
    """The company's own server: the fake."""
    return factories.make_server("stock", company=company, url=fake.url, tools=TOOLS)


@pytest.fixture
def own_key(company: Company, own: McpServer, owner: User) -> tuple[Key, str]:
    """A key for it, and its value."""
    key, token = factories.make_key(company, own, owner, name="Stock bot")
    return key, token.text
