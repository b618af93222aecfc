"""The documents: every link leads somewhere, and what they print runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from keys import tokens
from portal.management.commands import screens

ROOT = Path(__file__).resolve().parent.parent.parent
OWN = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "templates/README.md", "examples/*/README.md"]
DOCUMENTS = sorted({path for pattern in [*OWN, "docs/**/*.md"] for path in ROOT.glob(pattern)})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path):
    links = re.findall(r"\]\(([^)\s#]+)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


def test_every_decision_is_in_the_list():
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("*.md")} - {"README.md"}


def test_decisions_are_short():
    pages = (ROOT / "docs" / "decisions").glob("*.md")
    assert [page.name for page in pages if len(page.read_text().splitlines()) > 45] == []


def test_the_page_for_scanners_recognises_tokens_and_nothing_else():
    page = (ROOT / "docs" / "scanners.md").read_text()
    code = re.search(r"```python\n(.+?)```", page, re.DOTALL)
    assert code
    told: dict = {}
    exec(code[1], told)
    found = re.search(r"`(lk_test_EXAMPLE\w+)`", page)
    assert found
    rules = [re.search(r"^    (\\b.+\\b)$", page, re.MULTILINE), re.search(r"regex = '''(.+)'''", page)]
    for text in [found[1], *(tokens.generate(kind).text for kind in tokens.Kind for _ in range(20))]:
        assert told["is_token"](text)
        assert not told["is_token"](text[:-7] + ("0" if text[-7] != "0" else "1") + text[-6:])
        assert all(rule and re.search(rule[1], f'"api_key": "{text}"') for rule in rules)
        assert not any(rule and re.search(rule[1], text[:-1]) for rule in rules)


def test_commands_of_the_readme_exist():
    commands = set(re.findall(r"`(?:python3 )?manage\.py (\w+)", (ROOT / "README.md").read_text()))
    ours = {path.stem for path in (ROOT / "portal" / "management" / "commands").glob("[a-z]*.py")}
    assert commands - ours <= {"check", "test", "migrate"}
    assert ours <= commands


def test_the_pictures_are_those_that_the_command_takes():
    there = {path.stem for path in (ROOT / "docs" / "screens").glob("*.png")}
    assert there == screens.CHOSEN


def test_the_rule_for_gitleaks_finds_tokens_and_passes_over_what_is_allowed():
    rule = tomllib.loads((ROOT / "examples" / "scanners" / "gitleaks.toml").read_text())["rules"][0]
    allowed = rule["allowlists"][0]["regexes"]
    for kind in tokens.Kind:
        text = tokens.generate(kind).text
        found = re.search(rule["regex"], f'export KEY="{text}"')
        assert found and found[rule["secretGroup"]] == text
        assert any(word in text for word in rule["keywords"])
        assert not any(re.search(pattern, text) for pattern in allowed)
    for text in ("lk_live_short", "sk_live_" + "a" * 51, "lk_live_" + "a" * 12 + "_" + "b" * 37):
        assert not re.search(rule["regex"], text)
    assert any(re.search(pattern, f"{text}  # latchkey:allow") for pattern in allowed)
