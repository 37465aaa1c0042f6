"""The CRDs on a real API server: accepted, strict where a typo would cost, and true to what the peer stored."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.samples import recorded, rollout

CRDS = Path(__file__).parent.parent.parent / "crds"
COUNT = 6
GROUPS = ("argoproj.io", "gitops.rollouts.dev")
STORIES = ("canary-6", "bluegreen-4", "istio-3", "analysis-2", "experiment-1", "workloadref-2")
Kubectl = Any


def full(raw: dict[str, Any], kind: str = "Rollout", name: str = "app") -> str:
    return json.dumps({**raw, "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name}})


def apply(kubectl: Kubectl, raw: dict[str, Any], *words: str) -> str:
    printed: str = kubectl("apply", *words, "-f", "-", stdin=full(raw))
    return printed


def refusal(kubectl: Kubectl, raw: dict[str, Any]) -> str:
    """What kubectl says when the object is refused; fails when it is taken."""
    with pytest.raises(AssertionError) as refused:
        apply(kubectl, raw)
    return str(refused.value)


def test_plain_client_side_apply_takes_every_crd(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", str(CRDS))
    wanted = ("wait", "--for=condition=Established", "--timeout=20s", "-f", str(CRDS))
    assert kubectl(*wanted).count("condition met") == COUNT
    assert kubectl("apply", "-f", str(CRDS)).count("unchanged") == COUNT


def test_no_crd_breaks_a_rule_of_structural_schemas(kubectl: Kubectl) -> None:
    ours = [crd for crd in kubectl.json("get", "crd")["items"] if crd["spec"]["group"] in GROUPS]
    conditions = {condition["type"] for crd in ours for condition in crd["status"]["conditions"]}
    assert len(ours) == COUNT
    assert conditions == {"NamesAccepted", "Established"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda raw: pod(raw)["containers"][0].update(imag="x"), "spec.template.spec.containers[0].imag"),
        (lambda raw: pod(raw)["containers"][0]["ports"][0].update(nam="x"), "containers[0].ports[0].nam"),
        (lambda raw: steps(raw)[0].update(setWeigth=5), "spec.strategy.canary.steps[0].setWeigth"),
        (lambda raw: raw["spec"].update(replica=5), "spec.replica"),
    ],
)
def test_a_typo_is_refused(kubectl: Kubectl, change: Callable[[dict[str, Any]], None], field: str) -> None:
    raw = rollout()
    change(raw)
    said = refusal(kubectl, raw)
    assert "unknown field" in said
    assert field in said


def pod(raw: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = raw["spec"]["template"]["spec"]
    return spec


def steps(raw: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = raw["spec"]["strategy"]["canary"]["steps"]
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw["spec"].update(strategy={}), "set exactly one of canary and blueGreen"),
        (lambda raw: steps(raw)[0].update(pause={}), "a step has exactly one of setWeight"),
        (lambda raw: raw["spec"].update(replicas="3"), "must be of type integer"),
    ],
)
def test_a_broken_rule_is_refused(kubectl: Kubectl, change: Callable[[dict[str, Any]], None], message: str) -> None:
    raw = rollout()
    change(raw)
    assert message in refusal(kubectl, raw)


def test_the_selector_can_not_change(kubectl: Kubectl) -> None:
    raw = rollout()
    apply(kubectl, raw)
    raw["spec"]["selector"]["matchLabels"]["app"] = "other"
    assert "selector is immutable" in refusal(kubectl, raw)


def test_server_side_apply_merges_containers_by_name_and_ports_by_number(kubectl: Kubectl) -> None:
    raw = rollout()
    apply(kubectl, raw, "--server-side", "--field-manager=team")
    sidecar = {"name": "sidecar", "image": "example/sidecar:1"}
    port = {"containerPort": 9090, "protocol": "TCP"}
    addition = {"spec": {"template": {"spec": {"containers": [sidecar, {"name": "app", "ports": [port]}]}}}}
    apply(kubectl, addition, "--server-side", "--field-manager=mesh")
    stored = pod(kubectl.json("get", "rollout", "app"))["containers"]
    assert {container["name"]: container["image"] for container in stored} == {
        "app": "example/app:1",
        "sidecar": "example/sidecar:1",
    }
    ports = {p["containerPort"] for container in stored for p in container.get("ports", ())}
    assert ports == {8080, 9090}


def test_amounts_may_be_numbers_as_in_kubernetes(kubectl: Kubectl) -> None:
    raw = rollout()
    pod(raw)["containers"][0]["resources"] = {"limits": {"cpu": 0.5, "memory": "64Mi"}, "requests": {"cpu": 1}}
    apply(kubectl, raw)
    stored = pod(kubectl.json("get", "rollout", "app"))["containers"][0]["resources"]
    assert stored == {"limits": {"cpu": 0.5, "memory": "64Mi"}, "requests": {"cpu": 1}}


def chosen() -> list[Any]:
    found = [
        pytest.param(raw, id=f"{name}-{raw['kind']}")
        for name, raw in recorded("Rollout", "AnalysisRun", "AnalysisTemplate", "Experiment")
        if name.startswith(STORIES)
    ]
    assert found
    return found


@pytest.mark.parametrize("raw", chosen())
def test_what_the_peer_stored_is_stored_unchanged(kubectl: Kubectl, raw: dict[str, Any]) -> None:
    """Taking over must change nothing: a field that is pruned or filled in would change the pod hash."""
    kind, status = raw["kind"], copy.deepcopy(raw.get("status"))
    made = json.loads(kubectl("create", "--validate=strict", "-o", "json", "-f", "-", stdin=full(raw, kind)))
    assert made["spec"] == raw["spec"]
    if status is None:
        return
    status["fromTheFuture"] = {"kept": True}
    where = ["--subresource=status"] if kind == "Rollout" else []
    patch = json.dumps({"status": status})
    assert kubectl.json("patch", kind, "app", "--type=merge", *where, "-p", patch)["status"] == status


def test_kubectl_shows_and_scales_a_rollout(kubectl: Kubectl) -> None:
    apply(kubectl, rollout())
    kubectl("scale", "rollout", "app", "--replicas=3")
    header, row = kubectl("get", "ro").splitlines()
    assert header.split() == ["NAME", "DESIRED", "CURRENT", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:2] == ["app", "3"]


def test_kubectl_explains_every_field(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "rollout.spec.strategy.canary.maxSurge")
    assert "Pods above spec.replicas during an update" in " ".join(shown.split())
