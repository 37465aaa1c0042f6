"""R33, R34: a live HTTPRoute of the Gateway API's own definition, whose weights and added rules belong to a release.

The router is played by hand, in the order in which a release moves: what counts here is what the sync makes of it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.local.traffic.gateway_api import ensure_crds
from rollouts.gitops import marks
from rollouts.gitops.report import Result
from tests.cluster.harness import Kubectl
from tests.cluster.onepass import Once
from tests.cluster.space import rollout
from tests.gitops.bare import Bare

Rules = list[dict[str, Any]]
HEADER: dict[str, Any] = {"name": "x-canary", "value": "yes"}


@pytest.fixture(autouse=True)
def _gateway_api(kubectl: Kubectl) -> None:
    definition = str(ensure_crds() / "gateway.networking.k8s.io_httproutes.yaml")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", definition)
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", definition)


def backend(name: str, weight: int) -> dict[str, Any]:
    return {"name": name, "port": 80, "weight": weight}


def steered(*, stable: int, canary: int, timeout: str = "5s") -> dict[str, Any]:
    return {"backendRefs": [backend("stable", stable), backend("canary", canary)], "timeouts": {"request": timeout}}


def plain(*, old: int, new: int) -> dict[str, Any]:
    """A rule that no Rollout has anything to do with."""
    path = {"path": {"type": "PathPrefix", "value": "/static"}}
    return {"matches": [path], "backendRefs": [backend("files", old), backend("more-files", new)]}


def added() -> dict[str, Any]:
    """A rule that a release adds: a managed route."""
    return {"name": "by-header", "matches": [{"headers": [HEADER]}], "backendRefs": [backend("canary", 1)]}


def route(*rules: dict[str, Any]) -> str:
    spec = {"parentRefs": [{"name": "web"}], "rules": list(rules)}
    return json.dumps(
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "web"}, "spec": spec}
    )


def release() -> str:
    """Its router is another controller's: ours would refuse it."""
    made = rollout(replicas=1)
    made["metadata"]["annotations"] = {marks.SYNC_OPTIONS: "Validate=false"}
    made["spec"]["strategy"]["canary"] = {
        "canaryService": "canary",
        "stableService": "stable",
        "trafficRouting": {
            "managedRoutes": [{"name": "by-header"}],
            "plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}},
        },
    }
    return json.dumps(made)


def live(kubectl: Kubectl) -> Rules:
    rules: Rules = kubectl.json("get", "httproute", "web")["spec"]["rules"]
    return rules


def weights(kubectl: Kubectl) -> list[list[int]]:
    return [[row["weight"] for row in rule["backendRefs"]] for rule in live(kubectl)]


def routed(kubectl: Kubectl, rules: Rules) -> None:
    """What a router does: the rules as a whole, as another field manager."""
    patch = json.dumps({"spec": {"rules": rules}})
    kubectl("patch", "httproute", "web", "--type=merge", "--field-manager=rollouts", "-p", patch)


async def test_a_release_keeps_its_weights_and_rules_while_the_rest_follows_git(
    bare: Bare, once: Once, kubectl: Kubectl
) -> None:
    files = {"web.json": release(), "route.json": route(steered(stable=100, canary=0), plain(old=9, new=1))}
    bare.commit(files)
    assert (await once()).errors == ()
    assert (await once()).result is Result.CURRENT

    first, second = live(kubectl)
    stable, canary = first["backendRefs"]
    moved = {**first, "backendRefs": [{**stable, "weight": 80}, {**canary, "weight": 20}]}
    routed(kubectl, [added(), moved, second])
    assert (await once()).result is Result.CURRENT, "a step of a release is no drift"

    third = {"backendRefs": [backend("docs", 1)], "matches": [{"path": {"type": "Exact", "value": "/docs"}}]}
    rules = (steered(stable=100, canary=0, timeout="7s"), plain(old=5, new=5), third)
    bare.commit({"route.json": route(*rules)})
    assert (await once()).errors == ()
    assert weights(kubectl) == [[1], [80, 20], [5, 5], [1]]
    assert [rule.get("name") for rule in live(kubectl)] == ["by-header", None, None, None]
    assert live(kubectl)[1]["timeouts"] == {"request": "7s"}

    drifted = live(kubectl)
    drifted[1]["timeouts"] = {"request": "1s"}
    drifted[2]["backendRefs"][0]["weight"] = 77
    routed(kubectl, drifted)
    assert (await once()).changed, "what the release does not steer is set back in the middle of it"
    assert weights(kubectl) == [[1], [80, 20], [5, 5], [1]]
    assert live(kubectl)[1]["timeouts"] == {"request": "7s"}

    ended = live(kubectl)[1:]
    ended[0]["backendRefs"][0]["weight"], ended[0]["backendRefs"][1]["weight"] = 100, 0
    routed(kubectl, ended)
    assert (await once()).result is Result.CURRENT
    assert weights(kubectl) == [[100, 0], [5, 5], [1]]


async def test_without_a_rollout_the_weights_are_those_of_git(bare: Bare, once: Once, kubectl: Kubectl) -> None:
    bare.commit({"route.json": route(steered(stable=100, canary=0))})
    assert (await once()).errors == ()
    (only,) = live(kubectl)
    only["backendRefs"][0]["weight"] = 50
    routed(kubectl, [added(), only])
    assert (await once()).changed
    assert weights(kubectl) == [[100, 0]]


ACTION = "alb.ingress.kubernetes.io/actions.stable"


def ingress(weights: str, *, team: str) -> str:
    metadata = {"name": "balanced", "annotations": {ACTION: weights, "team": team}}
    backend = {"service": {"name": "stable", "port": {"name": "use-annotation"}}}
    spec = {"defaultBackend": backend}
    return json.dumps({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec})


async def test_the_weights_of_an_alb_are_kept_in_its_annotation(bare: Bare, once: Once, kubectl: Kubectl) -> None:
    made = json.loads(release())
    made["spec"]["strategy"]["canary"]["trafficRouting"] = {"alb": {"ingress": "balanced", "servicePort": 80}}
    bare.commit({"web.json": json.dumps(made), "ingress.json": ingress("100/0", team="a")})
    assert (await once()).errors == ()

    kubectl("annotate", "ingress", "balanced", f"{ACTION}=80/20", "--overwrite", "--field-manager=rollouts")
    assert (await once()).result is Result.CURRENT, "a step of a release is no drift"

    bare.commit({"ingress.json": ingress("100/0", team="b")})
    assert (await once()).errors == ()
    annotations = kubectl.json("get", "ingress", "balanced")["metadata"]["annotations"]
    assert (annotations[ACTION], annotations["team"]) == ("80/20", "b")

    kubectl("annotate", "ingress", "balanced", f"{ACTION}=100/0", "--overwrite", "--field-manager=rollouts")
    assert (await once()).result is Result.CURRENT
