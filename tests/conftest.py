"""Three people: owner, colleague and stranger; and staff. What they own is named after them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management.commands import flush
from django.db import connection
from django.test import Client
from django.utils import translation

from keys import limits
from keys.api import throttling
from keys.models import Key, McpServer
from keys.usage.counter import counter
from portal.accounts.models import User
from portal.celery import app as celery
from portal.companies.models import Company
from tests import factories, migrated
from tests.scheduling import pytest_xdist_make_scheduler  # noqa: F401 (a hook of pytest-xdist)

SLOWER = "not slow and not browser and not processes and not services"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the tests of a run that names none, and give each of several test processes a Redis database of its own.

    What takes long is left out then; what needs services of its own (`make reliability`) runs only when it is named.
    """
    if not config.option.markexpr:
        whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
        config.option.markexpr = SLOWER if whole and not config.option.keyword else "not services"
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if settings.REDIS_URL and worker:
        settings.REDIS_URL = f"{settings.REDIS_URL.rsplit('/', 1)[0]}/{int(worker.removeprefix('gw')) + 1}"
        settings.CACHES["default"]["LOCATION"] = settings.REDIS_URL
    settings.USAGE_FLUSH_SECONDS = 0  # the counter is emptied by hand
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WHITENOISE_AUTOREFRESH = True  # otherwise each of many browsers reads all static files when it begins
    # Nobody asks for content types and permissions after a transactional test has emptied the tables.
    flush.emit_post_migrate_signal = lambda *_, **__: None


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through all that was imported, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the processes of this run had in common."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        migrated.drop(config._tmp_path_factory)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One of several test processes migrates, and all begin with copies. One alone migrates its own database.

    A fixture of pytest-django, which asks for it before it makes the test database.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        migrated.use_for_tests(connection, tmp_path_factory)


@pytest.fixture(autouse=True)
def _as_new() -> Iterator[None]:
    """No cache, limit, count or language of an earlier test. Celery's tasks run where they are sent."""
    cache.clear()
    translation.deactivate()  # a request leaves its language behind in this thread
    celery.conf.update(task_always_eager=True, task_eager_propagates=True)
    limits.limiter().clear()
    throttling.forget()
    yield
    cache.clear()
    counter.flush(send=lambda *_: None)


@pytest.fixture(autouse=True)
def _erasable_audit(request: pytest.FixtureRequest) -> Iterator[None]:
    """A transactional test empties its tables at its end: on SQLite the append-only trigger must stand aside then."""
    marker = request.node.get_closest_marker("django_db")
    flushed = bool(marker and marker.kwargs.get("transaction")) or "transactional_db" in request.fixturenames
    flushed = flushed or "live_server" in request.fixturenames
    if connection.vendor != "sqlite" or not flushed:
        yield
        return
    request.getfixturevalue("_django_db_helper")  # which empties the tables, after this fixture has ended
    blocker = request.getfixturevalue("django_db_blocker")
    with blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_no_delete'")
        row = cursor.fetchone()
        _triggers.update({"audit_no_delete": row[0]} if row else {})
        if not row:
            cursor.execute(_triggers["audit_no_delete"])
    yield
    with blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER IF EXISTS audit_no_delete")


_triggers: dict[str, str] = {}


@pytest.fixture
def owner(db: None) -> User:
    """Owns `company`."""
    return factories.make_user("Olivia Owner", "owner@example.com")


@pytest.fixture
def colleague(db: None) -> User:
    """A developer of `company`."""
    return factories.make_user("Colin Colleague", "colleague@example.com")


@pytest.fixture
def stranger(db: None) -> User:
    """Owns `other_company`."""
    return factories.make_user("Stella Stranger", "stranger@example.com")


@pytest.fixture
def staff(db: None) -> User:
    """Works for the operator, as an administrator."""
    return factories.make_staff("Sam Staff", "staff@example.com")


@pytest.fixture
def company(owner: User, colleague: User) -> Company:
    """An active company of `owner` and `colleague`."""
    return factories.make_company("Acme", owner=owner, developer=colleague)


@pytest.fixture
def other_company(stranger: User) -> Company:
    """An active company of `stranger`."""
    return factories.make_company("Stranger's", owner=stranger)


@pytest.fixture
def server(db: None) -> McpServer:
    """The portal's own MCP server, open to every company."""
    return factories.make_server("growerp-system", is_portal=True, title="GrowERP system")


@pytest.fixture
def server_token(server: McpServer) -> str:
    """The clear text of a credential of `server`."""
    return factories.make_credential(server)[1].text


@pytest.fixture
def made_key(company: Company, server: McpServer, owner: User) -> tuple[Key, str]:
    """A key of `owner` for everything on `server`, and its clear text."""
    key, token = factories.make_key(company, server, owner, name="Owner's key")
    return key, token.text


@pytest.fixture
def key(made_key: tuple[Key, str]) -> Key:
    """A key of `owner` for everything on `server`."""
    return made_key[0]


@pytest.fixture
def key_token(made_key: tuple[Key, str]) -> str:
    """The clear text of `key`."""
    return made_key[1]


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner_client(owner: User, company: Company) -> Client:
    """A browser in which `owner` is signed in."""
    return _signed_in(owner)


@pytest.fixture
def colleague_client(colleague: User, company: Company) -> Client:
    """A browser in which `colleague` is signed in."""
    return _signed_in(colleague)


@pytest.fixture
def stranger_client(stranger: User, other_company: Company) -> Client:
    """A browser in which `stranger` is signed in."""
    return _signed_in(stranger)


@pytest.fixture
def staff_client(staff: User) -> Client:
    """A browser in which `staff` is signed in."""
    return _signed_in(staff)
