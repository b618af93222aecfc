"""`latchkey scan`: every real token is found, nothing else is, and none is printed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from fake_portal import new_token
from latchkey.cli import main
from latchkey.cli.scan import LARGEST_LINE, scan

KINDS = ["live", "test", "srv", "mgt", "oat", "ort"]


def found(text, path="x"):
    return list(scan(io.BytesIO(text if isinstance(text, bytes) else text.encode()), path))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "around", ["{}", "KEY={}", '"api_key": "{}",', "Authorization: Bearer {}\r\n", "+{}", "https://x/?k={}&y=1", "'{}'"]
)
def test_a_token_is_found_wherever_it_stands(kind, around):
    token = new_token(kind)
    (one,) = found("first line\n" + around.format(token))
    assert one.line == 2
    assert one.token == token[: 4 + len(kind) + 12] + "_…"


def test_what_only_looks_like_a_token_is_none():
    token = new_token()
    typo = token[:-1] + ("0" if token[-1] != "0" else "1")
    swapped = token[:25] + token[26] + token[25] + token[27:]
    texts = [typo, token[:-1], token + "x", "x" + token, "_" + token, token.upper(), token.replace("lk_", "sk_")]
    texts += [swapped] if swapped != token else []
    texts += ["lk_live_" + "a" * 12 + "_" + "b" * 38, "lk_live_", "lk_demo_" + token[8:], ""]
    for text in texts:
        assert found(text) == [], text


def test_allowed_lines_and_examples_are_passed_over():
    token = new_token()
    assert found(f"{token}  # latchkey:allow") == []
    assert len(found(f"{token}  # latchkey:allow\n{token}")) == 1
    assert found("lk_test_EXAMPLE00000_000000000000000000000000000000000AyICJ") == []


def test_long_lines_and_binary_files_are_read_too():
    token = new_token().encode()
    assert [one.line for one in found(b"\x00\xff" + b"\n" + b"\x00" + token + b"\xfe\x00")] == [2]
    for place in (LARGEST_LINE - 30, LARGEST_LINE, LARGEST_LINE - len(token), 2 * LARGEST_LINE - 5):
        assert len(found(b" " * place + token + b" " * 500)) == 1


def test_folders_are_walked_and_nothing_secret_is_printed(tmp_path, capsys):
    token = new_token("srv")
    (tmp_path / "a").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "settings.json").write_text(f'{{"key": "{token}"}}')
    (tmp_path / ".git" / "x").write_text(token)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "settings.json")
    assert main(["scan", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 1
    assert "settings.json:1: server credential lk_srv_" in shown.out
    assert token[20:] not in shown.out + shown.err
    assert main(["scan", "--json", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out)[0]["line"] == 1


def test_clean_files_are_zero_and_a_missing_one_is_an_error(tmp_path, capsys):
    (tmp_path / "clean").write_text("nothing here")
    assert main(["scan", str(tmp_path / "clean")]) == 0
    assert main(["scan", str(tmp_path / "missing")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_it_reads_standard_input_as_a_git_hook_gives_it():
    token = new_token()
    run = [sys.executable, "-m", "latchkey", "scan", "-"]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    dirty = subprocess.run(run, input=f"+key = {token}\n", capture_output=True, text=True, env=environment, check=False)
    clean = subprocess.run(run, input="+key = env\n", capture_output=True, text=True, env=environment, check=False)
    assert (dirty.returncode, clean.returncode) == (1, 0)
    assert token not in dirty.stdout
