"""R8, R33, R34: what a controller steers is sent as it is, at exactly that path, and all else follows Git."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.gitops import marks
from rollouts.gitops.adopt import adopt, steered
from rollouts.gitops.claims import claims
from rollouts.gitops.diff import owned_fields

ROLLOUT: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "strategy": {
            "canary": {
                "stableService": "stable",
                "canaryService": "canary",
                "trafficRouting": {
                    "managedRoutes": [{"name": "by-header"}],
                    "plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "web"}},
                    "istio": {
                        "virtualService": {"name": "web"},
                        "destinationRule": {"name": "web", "canarySubsetName": "new", "stableSubsetName": "old"},
                    },
                },
            }
        }
    },
}
HASH = "rollouts-pod-template-hash"


def obj(kind: str, spec: Mapping[str, Any], *, group: str = "g/v1", name: str = "web", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", **more},
        "spec": dict(spec),
    }


def backends(stable: int, canary: int) -> list[dict[str, Any]]:
    return [{"name": "stable", "weight": stable}, {"name": "canary", "weight": canary}]


def scaler(kind: str, target: Mapping[str, str]) -> dict[str, Any]:
    return obj(kind, {"scaleTargetRef": target}, group="autoscaling/v2")


def test_weights_of_a_route_while_the_rest_follows_git() -> None:
    """A timeout edited in Git arrives, a weight does not; another backend's weight does."""
    other = {"name": "other", "weight": 5}
    wanted = obj("HTTPRoute", {"rules": [{"backendRefs": [*backends(100, 0), other], "timeout": "5s"}]})
    live = obj("HTTPRoute", {"rules": [{"backendRefs": [*backends(80, 20), {**other, "weight": 9}], "timeout": "2s"}]})
    sent = adopt(wanted, live, claims([ROLLOUT]))
    assert sent["spec"]["rules"] == [{"backendRefs": [*backends(80, 20), other], "timeout": "5s"}]


def test_rules_a_release_has_added_stay_in_front_and_those_git_added_arrive() -> None:
    added = {"name": "by-header", "backendRefs": [{"name": "canary", "weight": 100}]}
    wanted = obj("HTTPRoute", {"rules": [{"backendRefs": backends(100, 0)}, {"name": "new", "backendRefs": []}]})
    live = obj("HTTPRoute", {"rules": [added, {"backendRefs": backends(50, 50)}, {"name": "gone"}]})
    sent = adopt(wanted, live, claims([ROLLOUT]))
    assert sent["spec"]["rules"] == [added, {"backendRefs": backends(50, 50)}, {"name": "new", "backendRefs": []}]


def test_subsets_and_hosts_of_a_virtual_service() -> None:
    def route(old: int, new: int) -> list[dict[str, Any]]:
        return [
            {"destination": {"host": "web", "subset": "old"}, "weight": old},
            {"destination": {"host": "web", "subset": "new"}, "weight": new},
        ]

    wanted = obj("VirtualService", {"hosts": ["b"], "http": [{"route": route(100, 0)}]})
    live = obj("VirtualService", {"hosts": ["a"], "http": [{"route": route(70, 30)}]})
    assert adopt(wanted, live, claims([ROLLOUT]))["spec"] == {"hosts": ["b"], "http": [{"route": route(70, 30)}]}


def test_hashes_in_selectors_and_subsets() -> None:
    wanted = obj("Service", {"selector": {"app": "new"}}, group="v1", name="stable")
    live = obj("Service", {"selector": {"app": "old", HASH: "abc"}}, group="v1", name="stable")
    assert adopt(wanted, live, claims([ROLLOUT]))["spec"]["selector"] == {"app": "new", HASH: "abc"}
    wanted = obj("DestinationRule", {"subsets": [{"name": "new"}]}, group="networking.istio.io/v1")
    live = obj("DestinationRule", {"subsets": [{"name": "new", "labels": {HASH: "x"}}]}, group="networking.istio.io/v1")
    sent = adopt(wanted, live, claims([ROLLOUT]))
    assert sent["spec"]["subsets"] == [{"name": "new", "labels": {HASH: "x"}}]


WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


@pytest.mark.parametrize(
    ("steering", "kind", "steered"),
    [
        (scaler("HorizontalPodAutoscaler", WEB), "Deployment", True),
        (scaler("ScaledObject", {"name": "web"}), "Deployment", True),
        (scaler("HorizontalPodAutoscaler", {**WEB, "name": "other"}), "Deployment", False),
        (scaler("HorizontalPodAutoscaler", {**WEB, "kind": "StatefulSet"}), "Deployment", False),
        (ROLLOUT, "Deployment", False),
    ],
)
def test_replicas_belong_to_an_autoscaler(steering: dict[str, Any], kind: str, steered: bool) -> None:
    wanted = obj(kind, {"replicas": 1, "x": 2}, group="apps/v1")
    live = obj(kind, {"replicas": 7, "x": 1}, group="apps/v1")
    assert adopt(wanted, live, claims([steering]))["spec"] == {"replicas": 7 if steered else 1, "x": 2}


def test_replicas_of_a_deployment_that_a_rollout_has_taken_over() -> None:
    spec = {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": "onsuccess"}}
    rollout = obj("Rollout", spec, group="argoproj.io/v1alpha1")
    wanted, live = (obj("Deployment", {"replicas": count}, group="apps/v1") for count in (3, 0))
    assert adopt(wanted, live, claims([rollout]))["spec"] == {"replicas": 0}


@pytest.mark.parametrize(
    ("manager", "sent"), [("kubectl-patch", {"x": 1}), ("rollouts-gitops", {"x": 1, "paused": False})]
)
def test_a_pause_of_a_person_is_not_taken_back(manager: str, sent: dict[str, Any]) -> None:
    wanted = obj("Rollout", {"x": 1, "paused": False})
    owner = {"manager": manager, "fieldsV1": {"f:spec": {"f:paused": {}}}}
    live = obj("Rollout", {"x": 1, "paused": True}, managedFields=[owner])
    assert adopt(wanted, live, claims([]))["spec"] == sent


def test_what_nobody_steers_is_sent_as_git_has_it() -> None:
    """The same object, so that nothing needs a guard."""
    wanted = obj("HTTPRoute", {"rules": [{"backendRefs": [{"name": "a", "weight": 1}]}]}, name="other")
    live = obj("HTTPRoute", {"rules": [{"backendRefs": [{"name": "a", "weight": 9}]}]}, name="other")
    assert adopt(wanted, live, claims([ROLLOUT])) is wanted


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (obj("HTTPRoute", {}), {"rules"}),
        (obj("VirtualService", {}), {"http", "tls", "tcp"}),
        (obj("HTTPRoute", {}, name="other"), set()),
        (obj("Service", {}, group="v1", name="stable"), {"selector"}),
        (obj("Service", {}, group="v1", name="other"), set()),
        (obj("DestinationRule", {}, group="networking.istio.io/v1"), {"subsets"}),
        (obj("Deployment", {}, group="apps/v1"), {"replicas"}),
        (obj("StatefulSet", {}, group="apps/v1"), set()),
        (ROLLOUT, set()),
    ],
)
def test_in_which_fields_something_is_steered(wanted: dict[str, Any], keys: set[str]) -> None:
    assert steered(wanted, claims([ROLLOUT, scaler("HorizontalPodAutoscaler", WEB)])) == keys


ACTIONS = "alb.ingress.kubernetes.io/actions."


@pytest.mark.parametrize(
    ("alb", "key"),
    [
        ({"ingress": "web", "servicePort": 80}, f"{ACTIONS}stable"),
        ({"ingresses": ["other", "web"], "servicePort": 80, "rootService": "root"}, f"{ACTIONS}root"),
        ({"ingress": "web", "servicePort": 80, "annotationPrefix": "mine.io"}, "mine.io/actions.stable"),
    ],
)
def test_the_annotation_with_the_weights_of_an_alb_while_the_rest_follows_git(alb: dict[str, Any], key: str) -> None:
    canary = {"stableService": "stable", "canaryService": "canary", "trafficRouting": {"alb": alb}}
    steering = claims([{**ROLLOUT, "spec": {"strategy": {"canary": canary}}}])
    wanted = obj("Ingress", {"rules": ["new"]}, annotations={key: "100/0", "team": "new"})
    live = obj("Ingress", {"rules": ["old"]}, annotations={key: "80/20", "team": "old", "else": "x"})
    sent = adopt(wanted, live, steering)
    assert sent["metadata"]["annotations"] == {key: "80/20", "team": "new"}
    assert sent["spec"] == {"rules": ["new"]}
    assert steered(wanted, steering) == {key}
    assert adopt(wanted, obj("Ingress", {}), steering) == wanted


def test_whose_a_steered_annotation_is_makes_no_difference() -> None:
    def live(*annotations: str) -> dict[str, Any]:
        fields = {"f:metadata": {"f:annotations": {f"f:{name}": {} for name in annotations}}, "f:spec": {"f:rules": {}}}
        entry = {"manager": marks.FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
        return obj("Ingress", {}, managedFields=[entry])

    steered_ones = frozenset({"actions"})
    assert owned_fields(live("actions", "team"), but=steered_ones) == owned_fields(live("team"), but=steered_ones)
    assert owned_fields(live("actions", "team"), but=steered_ones) != owned_fields(live("actions"), but=steered_ones)
