from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from portal import checks
from portal.management.commands import demo

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCTION = {
    "LATCHKEY_ENV": "production",
    "LATCHKEY_SECRET_KEY": "kT9mZ4vQ1xW7rB2nL8cJ5hG3fD6sA0pYeUiOqRtXwVzMbNyKjHgFdSaPl",
    "LATCHKEY_PEPPERS": "a:" + base64.b64encode(bytes(range(32))).decode(),
    "LATCHKEY_URL": "https://keys.example.com",
    "LATCHKEY_MCP_URL": "https://mcp.example.com",
    "LATCHKEY_TRUSTED_PROXIES": "1",
    "LATCHKEY_SMTP_HOST": "mail.example.com",
    "LATCHKEY_SECURITY_CONTACT": "security@example.com",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def manage(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """manage.py in production on an empty database, with `variables` changed; an empty one is unset."""
    wanted = {**PRODUCTION, "DATABASE_URL": f"sqlite://{tmp_path}/portal.sqlite3", **variables}
    bare = {n: v for n, v in os.environ.items() if not n.startswith(("LATCHKEY_", "DATABASE_", "REDIS_", "PORT"))}
    environment = {**bare, **{name: value for name, value in wanted.items() if value}, "LATCHKEY_DATA": str(tmp_path)}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_the_deployment_check_is_clean_under_production_settings(tmp_path: Path):
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "System check identified no issues" in done.stdout + done.stderr


@pytest.mark.slow
def test_the_deployment_check_names_all_that_production_must_not_have(tmp_path: Path):
    wrong = {
        "LATCHKEY_DEBUG": "1",
        "LATCHKEY_SECRET_KEY": "ab" * 40,
        "LATCHKEY_PEPPERS": "a:" + base64.b64encode(bytes(32)).decode(),
        "LATCHKEY_URL": "http://keys.example.com",
        "LATCHKEY_MCP_URL": "",
        "LATCHKEY_HOSTS": "*",
        "LATCHKEY_SMTP_HOST": "",
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **wrong)
    assert done.returncode != 0
    for told in (
        "LATCHKEY_DEBUG is on",
        "LATCHKEY_SECRET_KEY is too weak: make one with openssl rand",
        "pepper a in LATCHKEY_PEPPERS is no random value",
        "LATCHKEY_URL is http://keys.example.com: set the https://",
        "LATCHKEY_MCP_URL is http://localhost:8080",
        "LATCHKEY_HOSTS lets any host name in",
        "DATABASE_URL is not set",
        "LATCHKEY_SMTP_HOST is not set",
        "run one web process only",
    ):
        assert told in done.stderr


@pytest.mark.slow
def test_https_without_a_proxy_to_trust_is_a_warning(tmp_path: Path):
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", LATCHKEY_TRUSTED_PROXIES="")
    assert done.returncode != 0
    assert "LATCHKEY_TRUSTED_PROXIES is 0" in done.stderr


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"LATCHKEY_SECRET_KEY": ""}, "LATCHKEY_SECRET_KEY is not set. Make one with"),
        ({"LATCHKEY_PEPPERS": ""}, "LATCHKEY_PEPPERS is not set. Make one with"),
        ({"LATCHKEY_PEPPERS": "a:dG9vIHNob3J0"}, "at least 32 bytes"),
        ({"LATCHKEY_ENV": "prod"}, "LATCHKEY_ENV is 'prod': use development or production."),
    ],
)
def test_nothing_at_all_runs_without_the_secrets(tmp_path: Path, variables: dict[str, str], told: str):
    done = manage(tmp_path, "migrate", **variables)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_development_run_does_not_pass_the_deployment_check(tmp_path: Path):
    done = manage(tmp_path, "check", "--deploy", LATCHKEY_ENV="development")
    assert done.returncode != 0
    assert "LATCHKEY_ENV is not production" in done.stderr


@pytest.mark.slow
def test_the_web_process_does_not_start_on_them_and_lists_all_at_once(tmp_path: Path):
    environment = {**os.environ, **PRODUCTION, "LATCHKEY_DATA": str(tmp_path), "LATCHKEY_DEBUG": "1",
                   "LATCHKEY_URL": "http://keys.example.com", "DATABASE_URL": f"sqlite://{tmp_path}/p"}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", "import portal.wsgi"], env=environment, cwd=ROOT,
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode != 0
    assert "does not start in production until this is set right" in done.stderr
    assert "LATCHKEY_DEBUG is on" in done.stderr
    assert "LATCHKEY_URL is http://" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("process", [["worker", "--pool", "solo"], ["beat"]])
def test_worker_and_beat_do_not_start_on_them_either(tmp_path: Path, process: list[str]):
    environment = {**os.environ, **PRODUCTION, "REDIS_URL": "", "LATCHKEY_DATA": str(tmp_path), "LATCHKEY_DEBUG": "1"}
    command = [sys.executable, "-m", "celery", "--app", "portal.celery", *process]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "LATCHKEY_DEBUG is on" in done.stderr


@pytest.fixture
def production(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings of a sound production run."""
    settings.PRODUCTION = True
    settings.PORTAL_URL, settings.MCP_URL, settings.HTTPS = "https://keys.example.com", "https://mcp.example.com", True
    settings.SECRET_KEY, settings.EMAIL_HOST = PRODUCTION["LATCHKEY_SECRET_KEY"], "mail.example.com"
    settings.ALLOWED_HOSTS = ["keys.example.com"]
    monkeypatch.setenv("DATABASE_URL", "postgres://latchkey@db/latchkey")
    return settings


@pytest.mark.django_db
def test_sound_production_starts(production: Any):
    checks.refuse_unsafe_production()


@pytest.mark.django_db
def test_production_does_not_start_on_demo_data(production: Any, settings: Any):
    settings.PRODUCTION = False
    demo.load()
    settings.PRODUCTION = True
    with pytest.raises(ImproperlyConfigured, match=r"demo data, whose passwords are public \(test@example\.com\)"):
        checks.refuse_unsafe_production()


def test_the_demo_user_that_is_looked_for_is_the_one_that_demo_makes():
    assert demo.OWNER["email"] == checks.DEMO_EMAIL


@pytest.mark.django_db
def test_development_starts_on_demo_data():
    call_command("demo")
    checks.refuse_unsafe_production()


def test_a_missing_security_middleware_is_an_error(settings: Any):
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if not path.endswith("CsrfViewMiddleware")]
    assert [error.msg for error in checks.middleware(None)] == [
        "No middleware of settings.MIDDLEWARE is a CsrfViewMiddleware."
    ]
