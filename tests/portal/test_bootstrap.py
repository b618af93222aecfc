from __future__ import annotations

import json
import os
import re
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from portal import bootstrap

ROOT = Path(__file__).resolve().parent.parent.parent


def fake_interpreter(path: Path, version: tuple[int, int], lacking: list[str] | None = None, code: int = 0) -> Path:
    """A program that answers the probe as a Python of `version` would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    answer = json.dumps([list(version), lacking or []])
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Python but the old one that runs this: its PATH is `bin`, its home `home`."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LATCHKEY_PYTHON", raising=False)
    monkeypatch.delenv("UV_PYTHON_INSTALL_DIR", raising=False)
    old = fake_interpreter(tmp_path / "old" / "python3.8", (3, 8))
    monkeypatch.setattr(sys, "_base_executable", str(old))
    monkeypatch.setattr(bootstrap.glob, "glob", lambda pattern: only_in(tmp_path, pattern))
    return tmp_path


def only_in(folder: Path, pattern: str) -> list[str]:
    return [str(p) for p in folder.glob(str(Path(pattern).relative_to(folder)))] if str(folder) in pattern else []


def test_every_file_that_an_old_python_reads_is_readable_by_python_3_8():
    import ast

    for name in ("manage.py", "portal/__init__.py", "portal/bootstrap.py"):
        ast.parse((ROOT / name).read_text(), feature_version=(3, 8))


def test_bootstrap_imports_the_standard_library_only():
    code = "import portal.bootstrap, sys; print([n for n in sys.modules if n.split('.')[0] in {'django', 'celery'}])"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_newest_interpreter_on_the_path_is_found(machine: Path):
    fake_interpreter(machine / "bin" / "python3.11", (3, 11))
    newer = fake_interpreter(machine / "bin" / "python3.13", (3, 13))
    assert bootstrap.find_interpreter(has_uv=False) == (str(newer), (3, 13), False)


def test_an_interpreter_that_only_stands_on_the_path_is_passed_over(machine: Path):
    shim = machine / "bin" / "python3.13"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    good = fake_interpreter(machine / "bin" / "python3.12", (3, 12))
    assert bootstrap.find_interpreter(has_uv=False)[0] == str(good)


@pytest.mark.parametrize(
    "place",
    [".pyenv/versions/3.12.1/bin/python3", ".local/share/uv/python/cpython-3.12.4-linux-x86_64-gnu/bin/python3"],
)
def test_an_interpreter_of_a_version_manager_is_found(machine: Path, place: str):
    good = fake_interpreter(machine / "home" / place, (3, 12))
    assert bootstrap.find_interpreter(has_uv=False)[0] == str(good)


def test_an_interpreter_without_venv_is_passed_over_for_a_whole_one(machine: Path):
    fake_interpreter(machine / "bin" / "python3.13", (3, 13), ["ensurepip"])
    whole = fake_interpreter(machine / "bin" / "python3.11", (3, 11))
    assert bootstrap.find_interpreter(has_uv=False)[0] == str(whole)


def test_an_interpreter_without_ensurepip_will_do_where_uv_installs(machine: Path):
    path = fake_interpreter(machine / "bin" / "python3.11", (3, 11), ["ensurepip"])
    assert bootstrap.find_interpreter(has_uv=True) == (str(path), (3, 11), True)


def test_where_only_ensurepip_is_missing_the_package_is_named(machine: Path):
    fake_interpreter(machine / "bin" / "python3.11", (3, 11), ["ensurepip"])
    with pytest.raises(SystemExit, match=r"lacks ensurepip \(on Debian and Ubuntu: apt install python3\.11-venv\)"):
        bootstrap.find_interpreter(has_uv=False)


def test_an_interpreter_whose_ssl_does_not_load_is_passed_over(machine: Path):
    fake_interpreter(machine / "bin" / "python3.12", (3, 12), code=1)
    with pytest.raises(SystemExit, match="a working ssl or sqlite3"):
        bootstrap.find_interpreter(has_uv=False)


def test_where_no_python_is_recent_enough_one_sentence_says_what_to_install(machine: Path):
    fake_interpreter(machine / "bin" / "python3", (3, 10))
    fake_interpreter(machine / "bin" / "python", (3, 15))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 to 3\.14 and found none: install one .*apt install"):
        bootstrap.find_interpreter(has_uv=False)


def test_a_wished_interpreter_is_taken_or_refused_but_never_replaced(machine: Path, monkeypatch: pytest.MonkeyPatch):
    fake_interpreter(machine / "bin" / "python3.13", (3, 13))
    wished = fake_interpreter(machine / "mine", (3, 11))
    monkeypatch.setenv("LATCHKEY_PYTHON", str(wished))
    assert bootstrap.find_interpreter(has_uv=False)[0] == str(wished)
    monkeypatch.setenv("LATCHKEY_PYTHON", "/nowhere/python")
    with pytest.raises(SystemExit, match="LATCHKEY_PYTHON is /nowhere/python, which is no working"):
        bootstrap.find_interpreter(has_uv=False)


# --- Making the environment: real interpreters, a lock file without packages ---


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "keys" / "verifier" / "latchkey").mkdir(parents=True)
    (root / "keys" / "verifier" / "latchkey" / "__init__.py").touch()
    for lock in (bootstrap.RUN, bootstrap.TEST):
        (root / lock).write_text("# nothing\n")
    return root


@pytest.mark.slow
def test_an_environment_is_made_once_and_anew_when_the_lock_changes(project: Path, capsys: pytest.CaptureFixture[str]):
    bootstrap.make_environment(str(project), bootstrap.RUN)
    assert "The environment is ready" in capsys.readouterr().err
    python = bootstrap.environment_python(str(project))
    subprocess.run([python, "-c", "import latchkey"], check=True, cwd="/")  # the verifier is on its path

    bootstrap.make_environment(str(project), bootstrap.RUN)
    assert capsys.readouterr().err == ""

    (project / bootstrap.RUN).write_text("# something\n")
    bootstrap.make_environment(str(project), bootstrap.RUN)
    assert "The environment is ready" in capsys.readouterr().err


@pytest.mark.slow
def test_a_half_made_environment_is_made_again(project: Path, capsys: pytest.CaptureFixture[str]):
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (project / ".venv" / bootstrap.UNFINISHED).touch()
    bootstrap.make_environment(str(project), bootstrap.RUN)
    assert "Making the environment" in capsys.readouterr().err
    subprocess.run([bootstrap.environment_python(str(project)), "-c", ""], check=True)
    assert not (project / ".venv" / bootstrap.UNFINISHED).exists()


@pytest.mark.slow
def test_two_starts_at_the_same_time_make_one_environment(project: Path):
    code = "import sys; from portal import bootstrap; bootstrap.make_environment(sys.argv[1], bootstrap.RUN)"
    starts = [
        subprocess.Popen([sys.executable, "-c", code, str(project)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [start.communicate(timeout=120)[1] for start in starts]
    assert [start.returncode for start in starts] == [0, 0]
    assert sum("The environment is ready" in text for text in told) == 1


@pytest.mark.slow
def test_packages_that_cannot_be_installed_are_told_with_the_installers_last_lines(project: Path):
    (project / bootstrap.RUN).write_text("./missing-package.whl --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(SystemExit, match=r"(?s)could not be installed.*missing-package"):
        bootstrap.make_environment(str(project), bootstrap.RUN)
    assert (project / ".venv" / bootstrap.UNFINISHED).exists()  # the next start begins again


def test_a_folder_where_no_environment_can_be_made_is_told_in_a_sentence(tmp_path: Path):
    (tmp_path / "project").touch()  # not even root can make a folder in a file
    with pytest.raises(SystemExit, match=r"The environment .* cannot be made .*: make this folder writable"):
        bootstrap.make_environment(str(tmp_path / "project"), bootstrap.RUN)


def test_a_data_folder_that_is_a_file_is_refused_with_the_variable_to_set(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"cannot be written .* set LATCHKEY_DATA"):
        bootstrap.check_data_folder(str(tmp_path / "file"))
    with pytest.raises(SystemExit, match="set LATCHKEY_DATA"):
        bootstrap.check_data_folder(str(tmp_path / "file" / "below"))


def test_a_new_data_folder_is_for_this_user_alone(tmp_path: Path):
    bootstrap.check_data_folder(str(tmp_path / "data"))
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


# --- manage.py ---


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_a_wrong_variable_is_one_sentence_and_no_stack_trace(tmp_path: Path):
    done = manage("check", PORT="web", LATCHKEY_DATA=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.strip() == "PORT is 'web': use a whole number of at least 1."


@pytest.mark.slow
def test_test_passes_pytests_exit_code_and_closing_line_on(tmp_path: Path):
    good, bad = tmp_path / "test_good.py", tmp_path / "test_bad.py"
    good.write_text("def test_it(): pass\n")
    bad.write_text("def test_it(): assert False\n")
    options = ("-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:django")
    done = manage("test", *options, str(good), LATCHKEY_DATA=str(tmp_path))
    assert (done.returncode, done.stdout.splitlines()[-1].strip("= ")[:8]) == (0, "1 passed")
    done = manage("test", *options, str(bad), LATCHKEY_DATA=str(tmp_path))
    assert done.returncode == 1
    assert "1 failed" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("given", "spread"),
    [([], True), (["-q"], True), (["-x"], False), (["tests/keys"], False), (["-n0"], False), (["-k", "card"], False)],
)
def test_the_whole_suite_is_spread_over_the_processors(given: list[str], spread: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert bootstrap.pytest_arguments(given) == (["-n", "2", *given] if spread else given)
    assert bootstrap.pytest_arguments(["--all", *given]) == [*(["-n", "2"] * spread), "-m", "not services", *given]


def test_the_guard_costs_less_than_a_tenth_of_a_second_when_nothing_is_to_do():
    def seconds(code: str) -> float:
        """Processor time, which other processes of a busy machine do not add to."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    guard = "import portal.bootstrap as b; b._is_stamped(b.ROOT, b.RUN); b._inside(b.TEST)"
    assert min(seconds(guard) for _ in range(5)) - min(seconds("") for _ in range(5)) < 0.1


def test_the_test_lock_holds_the_very_packages_of_the_run_lock():
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9._-]+==\S+)", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins(bootstrap.RUN)
    assert pins(bootstrap.RUN) <= pins(bootstrap.TEST)


def test_lock_files_hold_hashes_and_no_addresses():
    for lock in (bootstrap.RUN, bootstrap.TEST):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        for requirement in re.split(r"\n(?=[a-z0-9])", text):
            if "==" in requirement:
                assert "--hash=sha256:" in requirement, requirement
