"""From any Python to the project's environment: find an interpreter, make `.venv`, install the lock file, hand over.

Standard library only, and readable by Python 3.8: it runs before there is anything else. `enter` costs a few
milliseconds once the environment is there.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
import subprocess  # nosec B404
import sys
import tempfile
import time
from importlib.util import find_spec
from typing import Dict, Iterator, List, NoReturn, Optional, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST, NEWEST = (3, 11), (3, 14)
RUN, TEST = "requirements.lock", "requirements-dev.lock"
# Enough to tell an environment that somebody made by hand from an interpreter that has nothing to do with us.
PACKAGES: Dict[str, Tuple[str, ...]] = {RUN: ("django", "allauth", "celery", "granian", "mcp")}
PACKAGES[TEST] = (*PACKAGES[RUN], "pytest", "pytest_django", "xdist")
STAMP, UNFINISHED = "latchkey.json", "latchkey-unfinished"
# What an interpreter must show by running: pyenv's shims are on PATH and exit with 127, Debian's Python may come
# without ensurepip, a self-built one without sqlite3.
PROBE = """
import importlib.util as u, json, sys
print(json.dumps([sys.version_info[:2], [n for n in ("venv", "ensurepip", "ssl", "sqlite3") if not u.find_spec(n)]]))
import ssl, sqlite3
"""


def enter(argv: List[str]) -> None:
    """Return if this process can run `argv` (a manage.py command line); otherwise become one that can.

    `test` never returns: it becomes pytest. Ends the process with a sentence when no environment can be made.
    """
    command = argv[1] if len(argv) > 1 else "help"
    lock = TEST if command == "test" else RUN
    if not _inside(lock):
        python = environment_python(ROOT)
        handmade = os.path.exists(python) and not _is_ours(ROOT) and not _is_running(ROOT)
        if not handmade and not _is_stamped(ROOT, lock):
            make_environment(ROOT, lock)
        _become([python, os.path.join(ROOT, "manage.py"), *argv[1:]])
    if os.environ.get("LATCHKEY_ENV") != "production":
        check_data_folder(os.environ.get("LATCHKEY_DATA") or os.path.join(ROOT, "var"))
    if command == "test":
        os.chdir(ROOT)
        _become([sys.executable, "-m", "pytest", *pytest_arguments(argv[2:])])


def environment_python(root: str) -> str:
    """Where the interpreter of the environment under `root` is, or would be."""
    return os.path.join(root, ".venv", "bin", "python")


def pytest_arguments(given: List[str]) -> List[str]:
    """`given`, spread over the processors when it asks for the whole suite and says nothing of it.

    `--all` asks for everything that needs no services of its own: browsers, real processes and what takes long.
    """
    chosen = any(argument in {"-x", "--pdb", "--lf"} or argument.startswith(("-n", "-p", "-k", "--dist"))
                 or not argument.startswith("-") for argument in given)  # fmt: skip
    processors = min(os.cpu_count() or 1, 4)
    spread = [] if chosen or processors < 2 else ["-n", str(processors)]
    everything = ["-m", "not services"] if "--all" in given else []
    return [*spread, *everything, *(argument for argument in given if argument != "--all")]


def check_data_folder(folder: str) -> None:
    """End the process with a sentence if `folder` cannot be made or written."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # it holds secrets
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        sys.exit(
            f"The data folder {os.path.abspath(folder)} cannot be written ({error.strerror}): "
            "set LATCHKEY_DATA to a folder that you may write to."
        )


# --- Is it there? ---


def _inside(lock: str) -> bool:
    """Whether this interpreter has what `lock` asks for: ours and stamped, or a virtual environment made by hand."""
    if sys.prefix == sys.base_prefix or sys.version_info[:2] < OLDEST:
        return False
    if _is_running(ROOT) and _is_ours(ROOT):
        return _is_stamped(ROOT, lock)
    return all(find_spec(name) for name in PACKAGES[lock])


def _is_running(root: str) -> bool:
    return os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(root, ".venv"))


def _is_ours(root: str) -> bool:
    """Whether this module made `.venv`, or began to."""
    return any(os.path.exists(os.path.join(root, ".venv", name)) for name in (STAMP, UNFINISHED))


def _is_stamped(root: str, lock: str) -> bool:
    """Whether `.venv` is whole and holds what `lock` says now."""
    if not os.path.exists(environment_python(root)) or os.path.exists(os.path.join(root, ".venv", UNFINISHED)):
        return False
    return _stamps(root).get(lock) == lock_hash(root, lock)


def _stamps(root: str) -> Dict[str, str]:
    try:
        with open(os.path.join(root, ".venv", STAMP), encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return {}


def lock_hash(root: str, lock: str) -> str:
    """SHA-256 of a lock file: the environment is made anew when it changes."""
    with open(os.path.join(root, lock), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


# --- Making it ---


def make_environment(root: str, lock: str) -> None:
    """Make `.venv` under `root`, or bring it up to date, from `lock`. Safe against a second one at the same time."""
    with _alone(root):
        if _is_stamped(root, lock):
            return  # the one before us did it
        folder = os.path.join(root, ".venv")
        began = time.monotonic()
        try:
            version, _ = probe(environment_python(root))
            if version is None or version < OLDEST or os.path.exists(os.path.join(folder, UNFINISHED)):
                _create(folder)
            _touch(os.path.join(folder, UNFINISHED))
        except OSError as error:
            sys.exit(
                f"The environment {folder} cannot be made ({error.strerror}): make this folder writable, or clone the "
                "repository into one that is."
            )
        _install(root, folder, lock)
        for site in glob.glob(os.path.join(folder, "lib", "python3*", "site-packages")):
            with open(os.path.join(site, "latchkey.pth"), "w", encoding="utf-8") as file:
                # Relative to site-packages, so that the folder of the project can be moved.
                file.write(os.path.relpath(os.path.join(root, "keys", "verifier"), site) + "\n")
        made = {name: lock_hash(root, name) for name in {RUN, lock}}  # the test lock holds the run lock's packages
        with open(os.path.join(folder, STAMP), "w", encoding="utf-8") as file:
            json.dump(made, file)
        os.unlink(os.path.join(folder, UNFINISHED))
        _say(f"The environment is ready ({time.monotonic() - began:.0f} s).")


def _create(folder: str) -> None:
    has_uv = shutil.which("uv") is not None
    python, version, lacks_pip = find_interpreter(has_uv)
    _say(f"Making the environment .venv with Python {version[0]}.{version[1]} ({python})")
    if os.path.islink(folder) or os.path.isfile(folder):
        os.unlink(folder)
    elif os.path.isdir(folder):
        shutil.rmtree(folder)
    os.makedirs(folder)
    _touch(os.path.join(folder, UNFINISHED))
    command = [python, "-m", "venv", *(["--without-pip"] if lacks_pip else []), folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_clean(), check=False)
    if done.returncode:
        _fail(f"{python} could not make the environment.", done.stdout.decode(errors="replace"))


def _install(root: str, folder: str, lock: str) -> None:
    python = environment_python(root)
    with open(os.path.join(root, lock), encoding="utf-8") as file:
        count = sum(1 for line in file if line[:1].isalnum())
    _say(f"Installing {count} packages from {lock}, once; this takes about a minute")
    # The lock is complete. Left to look for dependencies too, an older pip asks for those that bring an extra (such as
    # pydantic[email]) a second time, takes the newest of them and refuses it for want of a hash.
    arguments = ["install", "--quiet", "--require-hashes", "--no-deps", "-r", os.path.join(root, lock)]
    ways = []
    if uv := shutil.which("uv"):
        ways.append([uv, "pip", *arguments, "--python", python])
    if subprocess.run([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      env=_clean(), check=False).returncode == 0:  # fmt: skip
        ways.append([python, "-m", "pip", *arguments, "--disable-pip-version-check", "--no-input"])
    output = "There is neither pip in it nor uv on this machine."
    for way in ways:
        done = subprocess.run(way, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_clean(), check=False)
        if done.returncode == 0:
            return
        output = done.stdout.decode(errors="replace")
    _fail("The packages could not be installed; is the Python package index reachable? The last lines said:", output)


def find_interpreter(has_uv: bool) -> Tuple[str, Tuple[int, int], bool]:
    """The first interpreter that is recent enough and whole: its path, its version, whether it lacks pip.

    One without ensurepip will do when uv can install into the environment. Ends the process, saying what to
    install, if there is none; and if `LATCHKEY_PYTHON` names one that will not do.
    """
    wished = os.environ.get("LATCHKEY_PYTHON")
    faults: List[str] = []
    for path in [wished] if wished else candidates():
        version, lacking = probe(path)
        if version is None or not OLDEST <= version <= NEWEST:
            continue
        lacks_pip = "ensurepip" in lacking
        lacking = [name for name in lacking if not (has_uv and name == "ensurepip")]
        if not lacking:
            return path, version, lacks_pip
        package = f"python{version[0]}.{version[1]}-venv"
        fix = f" (on Debian and Ubuntu: apt install {package})" if {"venv", "ensurepip"} & set(lacking) else ""
        faults.append(f"{path} lacks {' and '.join(lacking)}{fix}.")
    wanted = f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    if wished and not faults:
        sys.exit(f"LATCHKEY_PYTHON is {wished}, which is no working {wanted}.")
    if faults:
        sys.exit(f"Latchkey needs {wanted} with venv. {faults[0]}")
    sys.exit(
        f"Latchkey needs {wanted} and found none: install one (Debian 12: apt install python3.11 python3.11-venv; "
        "macOS: brew install python@3.13; with uv: uv python install 3.13), or set LATCHKEY_PYTHON to its path."
    )


def candidates() -> Iterator[str]:
    """Paths that may be interpreters, the likeliest first, each once."""
    home, versions = os.path.expanduser("~"), [f"3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    patterns = [os.path.join(home, ".pyenv", "versions", f"{version}*", "bin", "python3") for version in versions]
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(home, ".local", "share", "uv", "python")
    patterns += [os.path.join(uv, f"cpython-{version}*", "bin", "python3") for version in versions]
    for prefix in ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"):
        patterns += [f"{prefix}/opt/python@{version}/bin/python{version}" for version in versions]
    patterns += [f"/Library/Frameworks/Python.framework/Versions/{version}/bin/python3" for version in versions]
    names = [f"python{version}" for version in versions] + ["python3", "python"]
    on_path = (shutil.which(name) for name in names)
    this = getattr(sys, "_base_executable", None) or sys.executable  # not a virtual environment's: that may go
    found = [this, *on_path, *(path for pattern in patterns for path in sorted(glob.glob(pattern)))]
    return iter(dict.fromkeys(path for path in found if path))


def probe(path: str) -> Tuple[Optional[Tuple[int, int]], List[str]]:
    """Run the interpreter: its version, and which needed parts of the library it lacks. (None, []) if it fails."""
    try:
        done = subprocess.run([path, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, timeout=20, env=_clean(), check=False)  # fmt: skip
        (major, minor), lacking = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None, []
    broken = ["a working ssl or sqlite3"] if done.returncode and not lacking else []
    return (major, minor), lacking + broken


@contextlib.contextmanager
def _alone(root: str) -> Iterator[None]:
    """Hold the lock of the folder `root`, so that two starts do not make the same environment."""
    try:
        import fcntl

        handle = os.open(root, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another start is making the environment; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _clean() -> Dict[str, str]:
    """The environment for interpreters and installers, without what would lead them elsewhere."""
    leading = {"PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in leading}


def _touch(path: str) -> None:
    with open(path, "w", encoding="utf-8"):
        pass


def _become(command: List[str]) -> NoReturn:
    sys.stdout.flush()
    os.environ.pop("PYTHONHOME", None)
    os.execv(command[0], command)  # nosec B606


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(sentence: str, output: str) -> NoReturn:
    lines = [line for line in output.splitlines() if line.strip()][-12:]
    sys.exit("\n".join([sentence, *("  " + line for line in lines)]))
