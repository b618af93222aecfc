from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from portal.management.commands.up import require_free
from portal.probe import answers
from portal.supervisor import AlreadyRunning, CannotStart, Process, Supervisor, hold, rotate

ROOT = Path(__file__).resolve().parent.parent.parent


def wait_until(happened: Callable[[], object], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- Ports and folders ---


def test_a_taken_port_is_told_with_the_variable_that_chooses_another():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"Port {port} is taken .* MCP_PORT={port + 1} python3 manage\.py up"):
            require_free("MCP_PORT", port, "127.0.0.1")


def test_a_free_port_is_accepted_and_left_free(free_port: int):
    require_free("PORT", free_port, "127.0.0.1")
    socket.create_server(("127.0.0.1", free_port)).close()


def test_an_address_of_another_machine_is_told(free_port: int):
    with pytest.raises(SystemExit, match=r"LATCHKEY_LISTEN is '192\.0\.2\.1', which is no address of this"):
        require_free("PORT", free_port, "192.0.2.1")


def test_a_folder_is_held_by_one_process_and_free_when_that_ends(tmp_path: Path):
    code = (
        "import sys, pathlib; from portal.supervisor import hold\n"
        "held = hold(pathlib.Path(sys.argv[1]), 'process 7, http://localhost:8000'); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert other.stdout is not None
    other.stdout.readline()
    with pytest.raises(AlreadyRunning, match="process 7, http://localhost:8000"):
        hold(tmp_path, "me")
    other.kill()
    other.communicate()
    hold(tmp_path, "me").close()


# --- Supervision, with small processes ---


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervise(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Supervisor]]:
    monkeypatch.setattr("portal.supervisor.signal.signal", lambda number, handler: None)
    with ExitStack() as stack:

        def make(code: str, healthy: Callable[[], bool] = lambda: True) -> Supervisor:
            process = Process("worker", [sys.executable, "-c", code], healthy)
            supervisor = Supervisor([process], tmp_path / "logs", tmp_path, said.append)
            stack.callback(supervisor.stop)
            return supervisor

        yield make


def watching(supervisor: Supervisor) -> threading.Thread:
    thread = threading.Thread(target=supervisor.watch)
    thread.start()
    return thread


def test_a_process_that_stops_at_once_is_told_with_the_end_of_its_log(supervise: Callable[..., Supervisor]):
    supervisor = supervise("import sys; sys.exit('The pepper is missing.')", lambda: False)
    with pytest.raises(CannotStart, match=r"(?s)worker stopped at once \(exit 1\).*The pepper is missing\."):
        supervisor.start(20)


def test_a_process_that_does_not_get_healthy_is_told_after_the_limit(supervise: Callable[..., Supervisor]):
    supervisor = supervise("import time; print('waiting for the moon', flush=True); time.sleep(60)", lambda: False)
    with pytest.raises(CannotStart, match=r"(?s)worker was not healthy within 1 seconds.*waiting for the moon"):
        supervisor.start(1)


def test_a_process_that_dies_is_started_again_and_it_is_said(
    supervise: Callable[..., Supervisor], said: list[str], tmp_path: Path
):
    supervisor = supervise("import time; time.sleep(60)")
    supervisor.start(20)
    first = supervisor.processes[0].running
    assert first is not None
    thread = watching(supervisor)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: (now := supervisor.processes[0].running) is not None and now.pid != first.pid)
    supervisor.stopping = True
    thread.join()
    assert any("worker stopped (SIGKILL); it is started again in 1 s" in line for line in said)


@pytest.mark.slow
def test_a_process_that_dies_again_and_again_ends_all(supervise: Callable[..., Supervisor], monkeypatch):
    monkeypatch.setattr("portal.supervisor.LONGEST_PAUSE", 0.0)
    supervisor = supervise("import sys; sys.exit('no queue')")
    with pytest.raises(CannotStart, match=r"(?s)worker stopped .*no queue"):
        supervisor.start(20)
        supervisor.watch()


def test_errors_in_a_log_are_shown_and_other_lines_are_not(supervise: Callable[..., Supervisor], said: list[str]):
    supervisor = supervise(
        "import time; print('12:00:00 INFO keys all is well')\n"
        "print('12:00:01 ERROR keys the disk is full', flush=True); time.sleep(60)"
    )
    supervisor.start(20)
    thread = watching(supervisor)
    wait_until(lambda: said)
    supervisor.stopping = True
    thread.join()
    assert said == ["worker: 12:00:01 ERROR keys the disk is full"]


def test_stopping_asks_first_and_kills_what_stays_with_all_its_children(
    supervise: Callable[..., Supervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("portal.supervisor.STOP_SECONDS", 1.0)
    supervisor = supervise(
        "import os, signal, subprocess, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *a: open({str(tmp_path / 'asked')!r}, 'w').close())\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid) + '.')\n"
        "while True: time.sleep(1)",
        lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().endswith("."),
    )
    supervisor.start(20)
    child = int((tmp_path / "child").read_text().rstrip("."))
    assert is_alive(child)
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 5
    assert (tmp_path / "asked").exists()
    wait_until(lambda: not is_alive(child))


def test_logs_of_the_last_three_starts_are_kept(tmp_path: Path):
    log = tmp_path / "web.log"
    for start in range(5):
        rotate(log)
        log.write_text(str(start))
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"web.log": "4", "web.1.log": "3", "web.2.log": "2", "web.3.log": "1"}


# --- The real thing ---


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `manage.py up` on a data folder and free ports of its own."""
    folder = tmp_path_factory.mktemp("up")
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], two.getsockname()[1]
    unwanted = ("LATCHKEY_", "DATABASE_", "REDIS_", "DJANGO_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environment |= {"LATCHKEY_DATA": str(folder), "PORT": str(ports[0]), "MCP_PORT": str(ports[1])}
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        started.append(process)
        return process

    start.portal, start.mcp = (f"http://127.0.0.1:{port}" for port in ports)  # type: ignore[attr-defined]
    yield start
    for process in started:
        process.kill()
        process.wait()


def read_screen(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops all" in line:
            break
    return "".join(lines)


def children_of(process: subprocess.Popen[str]) -> list[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines())}
    found = [process.pid]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


@pytest.mark.processes
def test_one_command_starts_everything_shows_where_it_is_and_ctrl_c_stops_all(run):
    process = run()
    shown = read_screen(process)
    assert "Latchkey is running" in shown, shown
    assert re.search(r"Portal +http://localhost:\d+/", shown)
    assert re.search(r"MCP server +http://localhost:\d+/rest/s1/mcp/protocol", shown)
    assert re.search(r"test@example\.com +qqqqqq9!", shown)
    assert answers(f"{run.portal}/healthz/ready")
    assert answers(f"{run.mcp}/rest/s1/mcp/health")

    second = run()
    told = second.communicate(timeout=30)[0]
    assert second.returncode == 1
    assert re.search(r"already runs on the data folder .* \(process \d+, http://localhost:\d+\)", told)
    assert "Traceback" not in told

    children = children_of(process)
    assert len(children) >= 3
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    rest = process.communicate(timeout=15)[0]
    assert time.monotonic() - began < 10
    assert process.returncode == 0
    assert rest.splitlines()[-1] == "Stopped."
    assert not [pid for pid in children if is_alive(pid)]


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with a killed parent")
def test_a_second_run_keeps_the_data_and_leaves_no_orphan_even_when_killed(run):
    process = run()
    shown = read_screen(process)
    assert "Loading demo data" not in shown
    assert "Latchkey is running" in shown, shown
    children = children_of(process)
    assert len(children) >= 3
    process.kill()
    process.communicate()
    wait_until(lambda: not [pid for pid in children if is_alive(pid)], 10)


@pytest.mark.processes
def test_a_taken_port_ends_up_with_one_sentence(run):
    port = int(run.mcp.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.1", port)):
        process = run()
        told = process.communicate(timeout=30)[0]
    assert process.returncode == 1
    assert told.strip() == (
        f"Port {port} is taken by another program: stop that, or choose another port, for example "
        f"MCP_PORT={port + 1} python3 manage.py up"
    )
