"""The manifests of examples/kubernetes, held against the code; their schemas are checked by .ci/run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.urls import resolve

from keys.mcp.growerp import BASE
from tests.portal.test_compose import variables_read

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "kubernetes"
PARTS = ("web", "mcp", "worker", "beat", "migrate")


def objects() -> list[dict[str, Any]]:
    return [
        found
        for path in sorted((FOLDER / "base").glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for found in yaml.safe_load_all(path.read_text())
    ]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"].removeprefix("latchkey-"): found for found in objects() if found["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    return {name: found["spec"]["template"]["spec"] for name, found in (of_kind("Deployment") | of_kind("Job")).items()}


def test_every_process_is_there_and_every_file_is_named():
    assert set(pods()) == set(PARTS)
    for folder in ("base", "example"):
        listed = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text())["resources"]
        files = {path.name for path in (FOLDER / folder).glob("*.yaml")} - {"kustomization.yaml"}
        assert {name for name in listed if name != "../base"} == files


@pytest.mark.parametrize("name", PARTS)
def test_a_pod_has_no_right_that_it_does_not_need(name: str):
    pod = pods()[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert str(pod["securityContext"]["runAsUser"]) in (ROOT / "Dockerfile").read_text()
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"} and container["resources"]["limits"]


@pytest.mark.parametrize("name", PARTS)
def test_a_container_is_given_variables_that_the_code_reads_and_runs_what_exists(name: str):
    (container,) = pods()[name]["containers"]
    given = {entry["name"] for entry in container.get("env", [])}
    assert given <= variables_read()
    words = " ".join(container.get("command", []))
    for module in re.findall(r"-m ([\w.]+)", words):
        assert importlib.util.find_spec(module), module


def test_the_example_sets_variables_that_the_code_reads():
    text = (FOLDER / "example" / "kustomization.yaml").read_text()
    made = yaml.safe_load(text)["configMapGenerator"][0]["literals"]
    named = {line.partition("=")[0] for line in made} | set(
        re.findall(r"\b((?:LATCHKEY|DATABASE|REDIS)_[A-Z_]+)", text)
    )
    assert named <= variables_read()
    assert not any(re.search("SECRET|PEPPER|PASSWORD|TOKEN|CREDENTIAL|DATABASE", line) for line in made)


def test_probes_ask_addresses_that_exist():
    for name in ("web", "mcp"):
        (container,) = pods()[name]["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            assert path == f"{BASE}/health" if name == "mcp" else resolve(path)
    (web,) = pods()["web"]["containers"]
    # A database that is away takes no pod out of service for good: only the readiness looks at it.
    assert web["livenessProbe"]["httpGet"]["path"] == "/healthz/live"
    assert pods()["worker"]["containers"][0]["livenessProbe"]["exec"]


def test_drains_leave_one_and_load_brings_more():
    assert {"web", "mcp", "worker"} == set(of_kind("HorizontalPodAutoscaler"))
    for name, scaler in of_kind("HorizontalPodAutoscaler").items():
        assert scaler["spec"]["minReplicas"] >= 2, name
        assert of_kind("PodDisruptionBudget")[name]["spec"]["minAvailable"] == 1
        assert "replicas" not in of_kind("Deployment")[name]["spec"], "the autoscaler decides"
    beat = of_kind("Deployment")["beat"]["spec"]
    assert (beat["replicas"], beat["strategy"]["type"]) == (1, "Recreate")


def test_everything_that_selects_a_pod_selects_one_that_there_is():
    labels = [
        found["spec"]["template"]["metadata"]["labels"] for found in (of_kind("Deployment") | of_kind("Job")).values()
    ]
    selectors = [found["spec"]["selector"] for found in of_kind("Service").values()]
    for kind in ("Deployment", "PodDisruptionBudget"):
        selectors += [found["spec"]["selector"]["matchLabels"] for found in of_kind(kind).values()]
    selectors += [found["spec"]["podSelector"]["matchLabels"] for found in of_kind("NetworkPolicy").values()]
    for selector in selectors:
        assert any(selector.items() <= pod.items() for pod in labels), selector


def test_the_network_is_closed_but_for_what_is_named():
    policies = of_kind("NetworkPolicy")
    assert policies["deny"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policies["deny"]["spec"] and "ingress" not in policies["deny"]["spec"]
    for name in ("out", "web-out", "mcp-out"):
        (rule,) = policies[name]["spec"]["egress"]
        assert "169.254.0.0/16" in rule["to"][0]["ipBlock"]["except"], "the cloud's metadata service"


def test_no_secret_stands_in_the_files():
    for path in FOLDER.rglob("*"):
        if path.is_file():
            assert not re.search(r"lk_(srv|live|test|mgt)_|kind: Secret\b|postgres://\w+:\w", path.read_text())
