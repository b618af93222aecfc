"""docs/security.md names a test for every statement, or says what is not there yet; each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
ROWS = dict(re.findall(r"^\| (S?\d+) \| (.+) \|$", DOCUMENT, re.MULTILINE))


def test_every_statement_and_rule_is_there():
    assert list(ROWS) == [str(number) for number in range(1, 9)] + [f"S{number}" for number in range(1, 43)]


def test_every_row_names_a_test_or_says_what_is_missing():
    for name, row in ROWS.items():
        shown = row.split(" | ")[1]
        assert "::" in shown or "Not yet: " in shown or re.fullmatch(r"(S\d+(, )?)+", shown), name


def test_every_test_that_is_named_exists():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", DOCUMENT)
    assert len(named) > 100
    missing = [
        f"{path}::{test}"
        for path, test in named
        if not re.search(rf"^ *(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_what_is_not_there_yet_is_not_there():
    """The day that there is OAuth or a leak report, this page has to say so."""
    urls = "".join(path.read_text() for room in ("portal", "keys") for path in (ROOT / room).rglob("urls.py"))
    assert ("Not yet: there is no authorization server" in ROWS["S27"]) == ("oauth/" not in urls)
    assert ("Not yet: there is no endpoint" in ROWS["S42"]) == ("leak" not in urls)
