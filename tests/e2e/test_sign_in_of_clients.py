"""AI clients that people run, given an address and nothing else: each opens "a browser", and somebody there says yes.

The client is the real program; the page that it opens is the real consent page; the answer goes to its own callback.
Only the browser is ours (tests/e2e/browser.py). No model is needed: each is asked for its list of tools, or to connect.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Stack, program

pytestmark = pytest.mark.processes
SECONDS = 150


class Desk:
    """A home folder and a browser for one client."""

    def __init__(self, stack: Stack, node_tools: dict[str, str], folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.address = f"{stack.mcp}/mcp"
        self.browser_log = folder / "browser.log"
        script = folder / "xdg-open"
        script.write_text(
            f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m tests.e2e.browser "$@" >>{self.browser_log} 2>&1\n'
        )
        script.chmod(0o755)
        self.environment = node_tools | {
            "PATH": f"{folder}{os.pathsep}{node_tools['PATH']}",
            "HOME": str(folder),
            "BROWSER": str(script),
            "DISPLAY": ":0",
            "XDG_DATA_DIRS": str(folder / "empty"),  # or an installed Chromium is opened instead
            "XDG_CONFIG_HOME": str(folder / ".config"),
            "XDG_DATA_HOME": str(folder / ".local/share"),
            "PYTHONPATH": str(ROOT),
            "PERSON_EMAIL": stack.owner["email"],
            "PERSON_PASSWORD": stack.owner["password"],
            "CI": "",
        }
        self.work = folder / "work"
        self.work.mkdir()

    def run(self, *command: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """A program of the client, to its end."""
        done = subprocess.run(
            command, cwd=self.work, env=self.environment | environment, capture_output=True, text=True,
            timeout=SECONDS, **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}),
        )  # fmt: skip
        print(*command, done.stdout, done.stderr, self.seen(), sep="\n")
        return done

    def at_a_terminal(self, *command: str) -> subprocess.CompletedProcess[str]:
        """The same for a program that insists on a terminal."""
        return self.run("script", "-qec", " ".join(command), "/dev/null")

    def seen(self) -> str:
        """What happened in the browser."""
        return self.browser_log.read_text() if self.browser_log.exists() else ""


@pytest.fixture
def desk(stack: Stack, node_tools: dict[str, str], tmp_path: Path) -> Desk:
    return Desk(stack, node_tools, tmp_path)


def test_the_inspector_signs_in(desk: Desk):
    inspector = program("mcp-inspector", desk.environment)
    command = [inspector, "--cli", desk.address, "--transport", "http", "--method"]
    done = desk.run(*command, "tools/list", MCP_AUTO_OPEN_ENABLED="true")
    assert done.returncode == 0, done.stderr
    assert "get_companies" in done.stdout
    assert "answered at http://127.0.0.1:" in desk.seen()


class Lines:
    """A process that speaks JSON-RPC by lines."""

    def __init__(self, desk: Desk, *command: str) -> None:
        self.process = subprocess.Popen(
            command, cwd=desk.work, env=desk.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=(desk.folder / "stderr.log").open("wb"),
        )  # fmt: skip
        self.rest = b""

    def ask(self, number: int, method: str, **params: Any) -> Any:
        """The result of a call."""
        self.tell(method, id=number, **params)
        assert self.process.stdout
        chosen, deadline = selectors.DefaultSelector(), time.monotonic() + SECONDS
        chosen.register(self.process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            *lines, self.rest = self.rest.split(b"\n")
            for line in lines:
                message = json.loads(line) if line.startswith(b"{") else {}
                if message.get("id") == number and "method" not in message:
                    assert "result" in message, message
                    return message["result"]
            if chosen.select(timeout=1):
                part = os.read(self.process.stdout.fileno(), 65536)
                assert part, "it ended"
                self.rest += part
        raise AssertionError(f"no answer to {method}")

    def tell(self, method: str, **message: Any) -> None:
        """A message without waiting."""
        identifier = {"id": message.pop("id")} if "id" in message else {}
        assert self.process.stdin
        self.process.stdin.write(
            json.dumps({"jsonrpc": "2.0", "method": method, "params": message} | identifier).encode() + b"\n"
        )
        self.process.stdin.flush()

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def lines(desk: Desk) -> Iterator[Any]:
    started: list[Lines] = []

    def start(*command: str) -> Lines:
        started.append(Lines(desk, *command))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_mcp_remote_signs_in_and_calls_a_tool(desk: Desk, lines: Any):
    remote = lines(program("mcp-remote", desk.environment), desk.address)
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    assert remote.ask(1, "initialize", **about)["serverInfo"]["name"] == "growerp-system"
    remote.tell("notifications/initialized")
    result = remote.ask(2, "tools/call", name="get_companies", arguments={})
    assert desk.stack.owner["company"] in json.dumps(result)
    assert "answered at http://localhost:" in desk.seen()


def test_claude_code_signs_in(desk: Desk):
    claude = program("claude", desk.environment)
    desk.run(claude, "mcp", "add", "--transport", "http", "portal", desk.address)
    assert "Needs authentication" in desk.run(claude, "mcp", "list").stdout
    done = desk.at_a_terminal(claude, "mcp", "login", "portal")
    assert "Authenticated" in done.stdout, done.stdout
    assert "answered at http://localhost:" in desk.seen()
    assert "Connected" in desk.run(claude, "mcp", "list").stdout


def test_codex_signs_in_and_lists_the_tools(desk: Desk, lines: Any):
    codex = program("codex", desk.environment)
    (desk.folder / ".codex").mkdir()
    (desk.folder / ".codex/config.toml").write_text('mcp_oauth_credentials_store = "file"\n')
    done = desk.run(codex, "mcp", "add", "portal", "--url", desk.address)
    assert done.returncode == 0 and "answered at http://127.0.0.1:" in desk.seen(), done.stderr
    server = lines(codex, "app-server")
    server.ask(1, "initialize", clientInfo={"name": "test", "title": "test", "version": "1"})
    server.tell("initialized")
    found = server.ask(2, "mcpServerStatus/list")
    assert "get_companies" in json.dumps(found)


def test_opencode_signs_in(desk: Desk):
    opencode = program("opencode", desk.environment)
    settings = {"mcp": {"portal": {"type": "remote", "url": desk.address, "enabled": True}}}
    (desk.work / "opencode.json").write_text(json.dumps(settings))
    done = desk.at_a_terminal(opencode, "mcp", "auth", "portal")
    assert "answered at http://127.0.0.1:" in desk.seen(), done.stdout
    assert "connected" in desk.run(opencode, "mcp", "list").stdout


GEMINI = """
import { MCPOAuthProvider, MCPOAuthTokenStorage } from "%s";
await new MCPOAuthProvider(new MCPOAuthTokenStorage()).authenticate("portal", { enabled: true }, "%s");
process.exit(0);
"""


def test_gemini_cli_signs_in(desk: Desk):
    """`/mcp auth` needs a terminal and a model's account: its own code for it is called instead."""
    gemini = program("gemini", desk.environment)
    for folder in Path(gemini).resolve().parents:
        core = folder / "node_modules/@google/gemini-cli-core/dist/index.js"
        if core.exists():
            break
    else:
        pytest.skip("@google/gemini-cli-core is not beside gemini; install it at the same version")
    settings = desk.folder / ".gemini"
    settings.mkdir()
    servers = {"portal": {"httpUrl": desk.address}}
    (settings / "settings.json").write_text(json.dumps({"mcpServers": servers}))
    (settings / "trustedFolders.json").write_text(json.dumps({str(desk.work): "TRUST_FOLDER"}))
    script = desk.work / "auth.mjs"
    script.write_text(GEMINI % (core.as_uri(), desk.address))
    node = shutil.which("node", path=desk.environment["PATH"])
    assert node
    done = desk.run(node, str(script), stdin="y\n")
    assert done.returncode == 0 and "answered at http://localhost:" in desk.seen(), done.stderr
    listed = desk.run(gemini, "mcp", "list")
    assert "Connected" in listed.stdout + listed.stderr
