"""Alerts and dashboard name metrics that exist, and each alert's remedy stands in docs/operations.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from portal.metrics.gauges import PARTS
from portal.metrics.names import COUNTERS, GAUGES, HISTOGRAMS

ROOT = Path(__file__).resolve().parents[2]
RULES = yaml.safe_load((ROOT / "examples/grafana/alerts.yml").read_text())["groups"][0]["rules"]
BOARD = json.loads((ROOT / "examples/grafana/latchkey.json").read_text())
OPERATIONS = (ROOT / "docs/operations.md").read_text()
MCP = (ROOT / "keys/mcp/metrics.py").read_text()


def series() -> set[str]:
    """Every name that Prometheus knows."""
    histograms = set(HISTOGRAMS) | set(re.findall(r'"(latchkey_mcp_\w+_seconds)"', MCP))
    spread = {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}
    return set(COUNTERS) | set(GAUGES) | spread | set(re.findall(r'"(latchkey_mcp_\w+_total)"', MCP))


def labels() -> set[str]:
    found = {label for metric in (HISTOGRAMS | COUNTERS | GAUGES).values() for label in metric.labels}
    return found | {"process", "job", "le", "by", "status", "kind"}


def expressions() -> list[str]:
    return [rule["expr"] for rule in RULES] + [t["expr"] for panel in BOARD["panels"] for t in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_it_asks_for_what_is_counted(expression: str):
    asked = set(re.findall(r"\blatchkey_\w+", expression))
    assert asked <= series()
    assert set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|=|!=)\"", expression)) <= labels()


def test_components_that_alerts_name_are_those_of_health():
    named = set(re.findall(r'component="(\w+)"', " ".join(expressions())))
    health = (ROOT / "portal/health.py").read_text()
    assert all(f'components["{name}"]' in health or f'"{name}": _database()' in health for name in named)
    assert PARTS


def test_each_alert_has_a_remedy_and_each_remedy_an_alert():
    remedies = re.findall(r"^\| `(Latchkey\w+)` \| (.+) \| (.+) \|$", OPERATIONS, re.MULTILINE)
    assert {name for name, *_ in remedies} == {rule["alert"] for rule in RULES}
    assert all(len(means) > 20 and len(remedy) > 40 for _name, means, remedy in remedies)


def test_each_alert_says_how_urgent_it_is():
    assert all(rule["labels"]["severity"] in {"page", "ticket"} and rule["annotations"]["summary"] for rule in RULES)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_each_metric_is_explained():
    for name in [*HISTOGRAMS, *COUNTERS, *GAUGES]:
        assert f"`{name}`" in OPERATIONS, name


def test_panels_do_not_overlap_and_have_titles():
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]}
    assert len(places) == len(BOARD["panels"]) and all(panel["title"] for panel in BOARD["panels"])
