"""The wheel alone, in an environment that has nothing of the portal."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("latchkey-*.whl"))


def test_the_wheel_holds_the_package_its_types_and_its_command(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"latchkey/__init__.py", "latchkey/py.typed", "latchkey/cli/commands.py"} <= set(names)
    assert {name.split("/")[0] for name in names} == {"latchkey", names[-1].split("/")[0]}
    entry_points = next(name for name in names if name.endswith("entry_points.txt"))
    assert b"latchkey = latchkey.cli:main" in zipfile.ZipFile(wheel).read(entry_points)


def test_the_wheel_runs_without_django_and_the_mcp_sdk(wheel, tmp_path):
    """With httpx alone beside it: everything else that this environment has is hidden."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    hidden = ["django", "rest_framework", "mcp", "fastmcp", "starlette", "uvicorn", "portal", "keys"]
    import httpx

    program = (
        "import sys\n"
        f"sys.path[:0] = [{str(wheel)!r}, {str(Path(httpx.__file__).parents[1])!r}]\n"
        f"hidden = {hidden!r}\n"
        "sys.modules.update(dict.fromkeys(hidden))\n"
        "import latchkey, latchkey.asgi, latchkey.cli\n"
        f"assert {wheel.name!r} in latchkey.__file__\n"
        "latchkey.cli.main(['--version'])\n"
    )
    python = tmp_path / "env" / "bin" / "python"
    ran = subprocess.run([str(python), "-I", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("latchkey ")
