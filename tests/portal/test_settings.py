from __future__ import annotations

import base64
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import env

ROOT = Path(__file__).resolve().parent.parent.parent


def variables_read() -> set[str]:
    """Every variable that the code reads, by what it reads them with."""
    found = {"LATCHKEY_PYTHON"}  # portal/bootstrap.py
    for folder in ("portal", "keys"):
        for path in (ROOT / folder).rglob("*.py"):
            if "verifier" not in path.parts:
                found |= set(re.findall(r'\b(?:env\.[a-z]+\(|_[a-z]+\(environ, )"([A-Z][A-Z_]+)"', path.read_text()))
    return found


def variables_in_table(path: Path) -> set[str]:
    rows = [line.split("|")[1] for line in path.read_text().splitlines() if re.match(r"\| `[A-Z_]+`", line)]
    return {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}


def test_the_table_of_variables_is_that_of_the_code():
    assert variables_in_table(ROOT / "docs" / "operations.md") == variables_read()


def test_the_table_of_the_readme_is_that_of_the_code_too():
    assert variables_in_table(ROOT / "README.md") == variables_read()


def test_the_table_tells_the_defaults_of_the_code():
    table = (ROOT / "docs" / "operations.md").read_text()
    code = "\n".join(path.read_text() for path in (ROOT / "portal/settings").glob("*.py"))
    for name, default in re.findall(r'env\.integer\("([A-Z_]+)", (\d+)', code):
        row = next(line for line in table.splitlines() if line.startswith("| `") and f"`{name}`" in line)
        assert f"`{default}`" in row, name


@pytest.mark.parametrize(("value", "read"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("", False)])
def test_a_switch_is_read(monkeypatch: pytest.MonkeyPatch, value: str, read: bool):
    monkeypatch.setenv("SWITCH", value)
    assert env.boolean("SWITCH", not read) is read


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (lambda: env.boolean("WRONG", False), "maybe"),
        (lambda: env.integer("WRONG", 1), "-1"),
        (lambda: env.integer("WRONG", 1, least=1), "0"),
        (lambda: env.origin("WRONG", ""), "keys.example.com"),
        (lambda: env.origin("WRONG", ""), "https://keys.example.com/portal"),
        (lambda: env.origin("WRONG", ""), "ftp://keys.example.com"),
        (lambda: env.database("WRONG", ""), "mysql://db/latchkey"),
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_the_variable(monkeypatch: pytest.MonkeyPatch, reader, value: str):
    monkeypatch.setenv("WRONG", value)
    with pytest.raises(ImproperlyConfigured, match="WRONG"):
        reader()


def test_an_origin_loses_the_slash_at_its_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ADDRESS", "https://keys.example.com/")
    assert env.origin("ADDRESS", "") == "https://keys.example.com"


def test_a_value_can_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("VALUE", "from the environment")
    monkeypatch.setenv("VALUE_FILE", str(tmp_path / "secret"))
    assert env.text("VALUE") == "from a file"
    monkeypatch.setenv("VALUE_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match="VALUE_FILE points to"):
        env.text("VALUE")


def test_a_postgres_address_is_taken_apart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DB", "postgres://us%40er:p%2Fw@db.example.com:6432/latch%20key?sslmode=require")
    read = env.database("DB", "")
    assert (read["USER"], read["PASSWORD"], read["HOST"], read["PORT"]) == ("us@er", "p/w", "db.example.com", "6432")
    assert (read["NAME"], read["OPTIONS"]["sslmode"]) == ("latch key", "require")


def test_peppers_are_read_in_order_and_weak_ones_refused():
    one, two = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
    assert list(env.peppers(f"b:{two}, a:{one}")) == ["b", "a"]
    for wrong in ("a:c2hvcnQ=", f":{one}", "a", "a:not base64!", f"{'x' * 17}:{one}"):
        with pytest.raises(ImproperlyConfigured, match="LATCHKEY_PEPPERS"):
            env.peppers(wrong)


def test_development_secrets_are_made_once_for_this_user_alone(tmp_path: Path):
    first = env.development_secrets(tmp_path / "data")
    assert env.development_secrets(tmp_path / "data") == first
    assert stat.S_IMODE((tmp_path / "data" / "secrets.json").stat().st_mode) == 0o600
    assert env.development_secrets(tmp_path / "other") != first
    assert len(env.peppers(first["peppers"])["dev"]) == 32


def test_processes_that_start_together_agree_on_the_secrets(tmp_path: Path):
    code = "import sys, pathlib; from portal import env; print(env.development_secrets(pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    made = {process.communicate(timeout=60)[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert len(made) == 1
