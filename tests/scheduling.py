"""Which tests stay with one test process when several share a run."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/browser/test_first_run.py",
    "tests/e2e/",
    "tests/portal/test_backups.py",
    "tests/portal/test_up.py",
    "tests/portal/test_upgrade.py",
    "tests/security/test_raw_http.py",
)
"""Files, and folders of them, whose tests share what is slow to start: a running portal, a filled database."""


class TogetherScheduling(LoadScopeScheduling):
    """Hands tests out one by one, and those of a place in `TOGETHER` as one.

    The marks of `--dist loadgroup` never arrive with this version of pytest: xdist writes them into an attribute that
    pytest no longer reads, and the tests of a group part.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> TogetherScheduling:
    """Choose the scheduling of a run with several processes (a hook of pytest-xdist)."""
    return TogetherScheduling(config, log)
