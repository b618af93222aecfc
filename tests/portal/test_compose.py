"""The production shape, held against the code: there is no container engine where the suite runs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command, get_commands
from django.test import Client
from django.urls import resolve

from keys.models import McpServer, ServerCredential
from keys.selectors import find_by_token
from portal.celery import app

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = ("migrate", "web", "worker", "beat", "mcp")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE)["services"]


def variables_read() -> set[str]:
    """Every variable that the code reads through portal.env or keys.mcp.config, or hands to Granian."""
    found = set()
    for path in (
        *(ROOT / "portal/settings").glob("*.py"),
        ROOT / "keys/mcp/config.py",
        ROOT / "portal/management/commands/up.py",
    ):
        found |= set(re.findall(r'\b(?:env\.\w+|_\w+)\((?:environ, )?"([A-Z_]+)"', path.read_text()))
    return found | {"GRANIAN_WORKERS"}


def test_every_process_of_the_design_is_there_with_its_database_and_broker(services: dict[str, Any]):
    assert set(services) == {*OURS, "postgres", "redis"}


def test_every_variable_given_is_one_that_the_code_reads(services: dict[str, Any]):
    known = variables_read()
    assert {"LATCHKEY_PEPPERS", "MCP_HOST", "LATCHKEY_SMTP_HOST"} <= known
    for name in OURS:
        assert set(services[name]["environment"]) <= known, name


def test_production_cannot_start_without_what_it_needs(services: dict[str, Any]):
    required = set(re.findall(r"\$\{([A-Z_]+):\?[^}]+\}", COMPOSE))
    assert required == {
        "LATCHKEY_SECRET_KEY", "LATCHKEY_PEPPERS", "LATCHKEY_URL", "LATCHKEY_MCP_URL", "LATCHKEY_MAIL_FROM",
        "LATCHKEY_SMTP_HOST", "POSTGRES_PASSWORD",
    }  # fmt: skip
    assert services["web"]["environment"]["LATCHKEY_ENV"] == "production"


def test_the_example_names_every_variable_that_must_be_set_and_only_those_in_use():
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{([A-Z_]+)[:}]", COMPOSE))
    assert set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE)) <= example
    assert example <= used


def test_no_secret_stands_in_the_files():
    for text in (COMPOSE, DOCKERFILE, (ROOT / ".env.example").read_text()):
        assert not re.search(r"lk_(srv|live|test|mgt)_|SECRET_KEY=\S{20}|PASSWORD=\S", text)


def test_what_the_services_run_exists(services: dict[str, Any]):
    modules, commands = [], []
    for service in services.values():
        words = " ".join(service.get("command") or []) + " " + str(service.get("healthcheck", {}).get("test", ""))
        modules += re.findall(r"python,? '?-m,? '?'?([\w.]+)", words.replace("', '", " "))
        commands += re.findall(r"manage\.py (\w+)", words)
    assert {"celery", "keys.mcp", "portal.probe"} <= set(modules)
    for module in modules:
        assert importlib.util.find_spec(module), module
    assert set(commands) == {"migrate", "portal_server"}
    assert set(commands) <= set(get_commands())


def test_health_checks_ask_addresses_that_exist(services: dict[str, Any]):
    paths = re.findall(r"http://127\.0\.0\.1:8000(/[\w/]+)", DOCKERFILE)
    assert paths
    for path in paths:
        assert resolve(path)
    assert "/rest/s1/mcp/health" in str(services["mcp"]["healthcheck"])
    for name in ("postgres", "redis", "worker", "mcp"):
        assert services[name]["healthcheck"]["test"], name


def test_processes_wait_for_what_they_need(services: dict[str, Any]):
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["mcp"]["depends_on"] == {"web": {"condition": "service_healthy"}}


def test_containers_run_without_rights_they_do_not_need(services: dict[str, Any]):
    for name in OURS:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER latchkey$", DOCKERFILE, re.MULTILINE)
    for name in ("postgres", "redis"):
        assert "ports" not in services[name]
    assert all("${LATCHKEY_PUBLISH:-127.0.0.1}" in port for name in ("web", "mcp") for port in services[name]["ports"])


def test_metrics_are_for_who_has_the_token_and_the_workers_port_stays_inside(services: dict[str, Any]):
    for name in ("web", "worker", "mcp"):
        assert services[name]["environment"]["LATCHKEY_METRICS_TOKEN"] == "${LATCHKEY_METRICS_TOKEN:-}", name
    worker = services["worker"]
    assert worker["environment"]["LATCHKEY_METRICS_PORT"] == "${LATCHKEY_METRICS_TOKEN:+9100}"
    assert "ports" not in worker


def test_the_image_can_be_pinned_by_digest_and_every_image_names_its_version(services: dict[str, Any]):
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON_IMAGE}"] * 2
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim-trixie$", DOCKERFILE, re.MULTILINE)
    for name in ("postgres", "redis"):
        assert re.fullmatch(r"\w+:\d+(\.\d+)*-alpine", services[name]["image"])


def test_the_image_can_dump_the_database_that_compose_runs(services: dict[str, Any]):
    """`manage.py backup` needs pg_dump of the server's version or newer; the last stage is what runs."""
    client = re.search(r"postgresql-client-(\d+)", DOCKERFILE.rpartition("\nFROM ")[2])
    server = re.match(r"postgres:(\d+)", services["postgres"]["image"])
    assert client and server
    assert int(client[1]) >= int(server[1])


def test_the_worker_runs_the_queue_and_beat_alone_the_schedule(services: dict[str, Any]):
    assert "--beat" not in services["worker"]["command"]
    assert services["beat"]["command"][-6:].count("beat") == 1
    assert app.main == "latchkey"


def test_the_image_copies_what_there_is_and_leaves_the_rest_out():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for line in copied:
        for name in line.split():
            assert (ROOT / name).exists(), name
            assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines(), name
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_the_probe_tells_a_health_check_by_its_exit_code(live_server: Any, client: Client):
    client.get("/healthz/live")  # loads what the first request loads, which takes longer than a probe waits

    def probe(url: str) -> int:
        command = [sys.executable, "-m", "portal.probe", url]
        return subprocess.run(command, cwd=ROOT, check=False, timeout=20).returncode

    assert probe(live_server.url + "/healthz/live") == 0
    assert probe(live_server.url + "/healthz/nothing") == 1
    assert probe("http://127.0.0.1:1/") == 1


@pytest.mark.django_db
def test_the_portal_server_is_registered_once_and_kept_up_to_date(settings: Any):
    call_command("portal_server", stdout=StringIO())
    settings.MCP_URL = "https://mcp.example.com"
    call_command("portal_server", stdout=StringIO())
    server = McpServer.objects.get(is_portal=True)
    assert server.url == "https://mcp.example.com/rest/s1/mcp/protocol"
    assert server.tool_names


@pytest.mark.django_db
def test_a_credential_for_the_mcp_server_is_printed_alone_and_works():
    printed = StringIO()
    call_command("portal_server", "--credential", stdout=printed)
    token = printed.getvalue().strip()
    found = find_by_token(token)
    assert isinstance(found, ServerCredential)
    assert (found.server.is_portal, found.is_usable) == (True, True)
