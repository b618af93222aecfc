"""Figures: counted in each process for nothing, added up over processes, shown to who knows the token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from keys.usage.counter import counter
from portal import checks, metrics
from portal.celery import app
from portal.metrics import exposition, listener, sharing
from portal.metrics.counts import Counts, added, counts
from portal.metrics.names import ALL, BUCKETS, COUNTERS, GAUGES, HISTOGRAMS
from portal.wsgi import application

TOKEN = "a-token-for-metrics-that-is-long-enough"


@pytest.fixture
def shared(settings, tmp_path, monkeypatch):
    """Metrics are on, in a folder of their own, and nothing was counted yet."""
    settings.DATA_DIR, settings.METRICS_TOKEN = tmp_path, TOKEN
    (tmp_path / "metrics").mkdir()
    monkeypatch.setattr(sharing, "_sharer", sharing.Sharer("web", tmp_path / "metrics"))
    counts.forget()
    yield tmp_path / "metrics"
    counts.forget()


def values(text: bytes) -> dict[tuple[str, ...], float]:
    """Each sample: its name and its labels' values → its value."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def scrape(client: Client) -> dict[tuple[str, ...], float]:
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    return values(response.content)


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}é"])
@pytest.mark.django_db
def test_who_lacks_the_token_is_told_that_there_is_nothing(client, shared, header):
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 404


@pytest.mark.django_db
def test_without_a_token_nobody_gets_metrics(client, settings):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer"}).status_code == 404


@pytest.mark.django_db
def test_verdicts_are_counted_by_code(client, shared, server_token, key_token):
    counter.flush(send=lambda *_: None)
    before = scrape(client)
    for key in (key_token, key_token, "nonsense"):
        client.post(
            "/api/v1/keys/verify",
            {"key": key},
            content_type="application/json",
            headers={"Authorization": f"Bearer {server_token}"},
        )
        counter.flush(send=lambda *_: None)  # written or not, a verdict is counted once
    after = scrape(client)

    def more(code: str) -> float:
        name = ("latchkey_verdicts_total", code, "web")
        return after[name] - before.get(name, 0)

    assert (more("VALID"), more("MALFORMED")) == (2, 1)


@pytest.mark.django_db
def test_each_request_is_counted_with_its_time_and_kind(client, shared):
    started = []
    for path in ("/healthz/live", "/api/v1/keys/verify", "/api/v1/revocations"):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
                   "wsgi.input": sys.stdin.buffer, "wsgi.url_scheme": "http", "HTTP_HOST": "localhost"}  # fmt: skip
        application(environ, lambda status, headers: started.append(status))
    found = scrape(client)
    assert found["latchkey_request_seconds_count", "page", "web", "200"] == 1
    assert found["latchkey_request_seconds_count", "verify", "web", "405"] == 1
    assert found["latchkey_request_seconds_count", "api", "web", "401"] == 1
    assert found["latchkey_request_seconds_bucket", "page", "+Inf", "web", "200"] == 1


@pytest.mark.django_db
def test_the_state_of_things_is_told(client, shared, settings):
    found = scrape(client)
    assert found["latchkey_up", "database"] == 1
    assert found["latchkey_up", "worker"] == 0
    assert found["latchkey_queue_length", "webhooks"] == 0
    assert found["latchkey_webhooks_pending",] == 0
    assert found["latchkey_failed_tasks",] == 0
    assert found["latchkey_info", settings.VERSION] == 1
    assert {found["latchkey_scrape_failed", part] for part in ("health", "queues", "database")} == {0}


@pytest.mark.django_db
def test_a_wrong_password_is_counted_and_a_right_one_too(client, shared, owner):
    client.post("/accounts/login/", {"login": owner.email, "password": "wrong wrong wrong"})
    client.post("/accounts/login/", {"login": owner.email, "password": "a long passphrase"})
    found = scrape(client)
    assert found["latchkey_sign_in_failures_total", "web"] >= 1


def test_a_task_is_counted_by_its_outcome(shared):
    @app.task(name="tests.fails")
    def fails():
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        fails.apply(throw=True)
    rows = {tuple(labels): row for name, labels, row in counts.snapshot()["rows"] if name == "latchkey_task_seconds"}
    assert sum(rows["tests.fails", "failed"][:-1]) == 1


@pytest.mark.slow
def test_several_processes_are_added_up_and_what_ended_stays_counted(shared):
    script = (
        "import os, django; django.setup()\n"
        "from portal import metrics\nfrom portal.metrics import sharing\nsharing.share('web')\n"
        "metrics.add('latchkey_sign_ins_total', by=5)\nmetrics.observe('latchkey_feed_lag_seconds', 0.3)\n"
        "if os.fork() == 0:\n    metrics.add('latchkey_sign_ins_total', by=100)\n    sharing.share('web')\n"
        "    sharing.write_now()\n    os._exit(0)\n"
        "os.wait()\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", "LATCHKEY_DATA": str(shared.parent),
                   "LATCHKEY_METRICS_TOKEN": TOKEN}  # fmt: skip
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=60)
    metrics.add("latchkey_sign_ins_total")
    found = values(exposition.counted("web"))
    assert found["latchkey_sign_ins_total", "web"] == 211  # a child does not count again what its parent counted
    assert found["latchkey_feed_lag_seconds_count", "web"] == 2
    assert found["latchkey_feed_lag_seconds_bucket", "0.25", "web"] == 0
    assert found["latchkey_feed_lag_seconds_bucket", "0.5", "web"] == 2
    with sharing.locked(shared, exclusive=True):
        sharing.fold(shared, "web")
    assert len(list(shared.glob("*.json"))) == 2  # those that ended are one, and this process
    assert values(exposition.counted("web"))["latchkey_sign_ins_total", "web"] == 211
    assert exposition.counted("worker") == b""


def test_a_damaged_file_is_passed_over(shared):
    (shared / "web-1-aaaa.json").write_text("{")
    metrics.add("latchkey_sign_ins_total", by=3)
    assert values(exposition.counted("web"))["latchkey_sign_ins_total", "web"] == 3


def test_a_folder_that_cannot_be_written_harms_nobody(shared, monkeypatch):
    sharer = sharing.Sharer("web", Path("/proc/nothing"))
    sharer.write()
    monkeypatch.setattr(sharing.Sharer, "_run", lambda self: None)
    sharer.start()


def test_a_name_that_nobody_explained_cannot_be_counted():
    made = Counts()
    made.add("latchkey_made_up_total")
    with pytest.raises(KeyError):
        made.snapshot()
    made.forget()
    made.add("latchkey_verdicts_total")
    with pytest.raises(KeyError, match="labels"):
        made.snapshot()


def test_the_names_follow_prometheus():
    for name in COUNTERS:
        assert name.endswith("_total")
    assert not set(COUNTERS) & set(GAUGES) and not set(HISTOGRAMS) & set(GAUGES)
    assert list(BUCKETS) == sorted(BUCKETS)
    assert all(name.startswith("latchkey_") and metric.help for name, metric in ALL.items())


@pytest.mark.slow
def test_counting_costs_the_hot_path_next_to_nothing():
    """Three of these are counted for a verification, which takes a millisecond and more of a processor."""
    made = Counts()
    rounds = 20_000
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _number in range(rounds):
            made.observe("latchkey_request_seconds", 0.004, "verify", "200")
            made.add("latchkey_hotstore_lookups_total", "hit")
        best = min(best, (time.perf_counter() - began) / rounds)
    assert best < 10e-6


def test_sums_are_sums():
    one = {"counts": [["a", ["x"], 1]], "rows": [["h", [], [1, 0, 0.5]]]}
    two = {"counts": [["a", ["x"], 2], ["a", ["y"], 4]], "rows": [["h", [], [0, 2, 7]]]}
    assert added([one, two]) == {
        "counts": [["a", ["x"], 3], ["a", ["y"], 4]],
        "rows": [["h", [], [1, 2, 7.5]]],
    }


def test_the_workers_port_shows_the_workers_figures_and_no_more(shared, settings):
    settings.METRICS_PORT, settings.METRICS_HOST = 0, "127.0.0.1"
    assert listener.listen() is None
    sharing.Sharer("worker", shared).write()
    (shared / "worker-1-aaaa.json").write_text(json.dumps({"counts": [["latchkey_sign_ins_total", [], 9]], "rows": []}))
    settings.METRICS_PORT = _free_port()
    server = listener.listen()
    assert server
    try:
        url = f"http://127.0.0.1:{settings.METRICS_PORT}/metrics"
        for headers, path in (
            ({}, url),
            ({"Authorization": "Bearer x"}, url),
            ({"Authorization": f"Bearer {TOKEN}"}, url + "/x"),
        ):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(urllib.request.Request(path, headers=headers))
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        assert values(urllib.request.urlopen(asked).read())["latchkey_sign_ins_total", "worker"] == 9
    finally:
        server.shutdown()
        server.server_close()


def test_production_refuses_metrics_that_anybody_could_read(settings):
    settings.METRICS_TOKEN, settings.METRICS_PORT, settings.METRICS_HOST = "short", 0, "127.0.0.1"
    assert any("LATCHKEY_METRICS_TOKEN can be guessed" in problem for problem in checks.problems())
    settings.METRICS_TOKEN, settings.METRICS_PORT, settings.METRICS_HOST = "", 9100, "0.0.0.0"
    assert any("LATCHKEY_METRICS_HOST" in problem for problem in checks.problems())
    settings.METRICS_HOST = "::1"
    assert not any("METRICS" in problem for problem in checks.problems())


def _free_port() -> int:
    from tests.keys.throwaway import free_port

    return free_port()
