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


def routed(routing: dict[str, Any], **canary: Any) -> dict[str, Any]:
    """A Rollout that routes so."""
    spec = {"stableService": "stable", "canaryService": "canary", **canary, "trafficRouting": routing}
    return {**ROLLOUT, "spec": {"strategy": {"canary": spec}}}


def destinations(old: int, new: int, *, domain: str = "") -> list[dict[str, Any]]:
    weights = (("stable", old), ("canary", new))
    return [{"destination": {"host": f"{name}{domain}"}, "weight": weight} for name, weight in weights]


def services(old: int, new: int) -> list[dict[str, Any]]:
    return [{"service": "stable", "weight": old}, {"service": "canary", "weight": new}]


GATEWAY = "argoproj-labs/gatewayAPI"
PING_PONG = {"pingPong": {"pingService": "stable", "pongService": "canary"}}


@pytest.mark.parametrize(
    ("rollout", "kind", "git", "live"),
    [
        (
            routed({"traefik": {"weightedTraefikServiceName": "web"}}),
            "TraefikService",
            {"weighted": {"services": backends(100, 0)}},
            {"weighted": {"services": backends(80, 20)}},
        ),
        (
            routed({"smi": {"trafficSplitName": "web"}}),
            "TrafficSplit",
            {"backends": services(100, 0)},
            {"backends": services(80, 20)},
        ),
        (
            routed({"istio": {"virtualServices": [{"name": "other"}, {"name": "web.shop"}]}}),
            "VirtualService",
            {"http": [{"route": destinations(100, 0, domain=".shop.svc.cluster.local")}]},
            {"http": [{"route": destinations(80, 20, domain=".shop.svc.cluster.local")}]},
        ),
        (
            routed({"istio": {"virtualService": {"name": "web"}}}),
            "VirtualService",
            {"tcp": [{"route": destinations(100, 0)}], "tls": [{"route": destinations(100, 0)}]},
            {"tcp": [{"route": destinations(80, 20)}], "tls": [{"route": destinations(80, 20)}]},
        ),
        *(
            (
                routed({"plugins": {GATEWAY: {f"{kind[:-5].lower()}Routes": [{"name": "other"}, {"name": "web"}]}}}),
                kind,
                {"rules": [{"backendRefs": backends(100, 0)}]},
                {"rules": [{"backendRefs": backends(80, 20)}]},
            )
            for kind in ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute")
        ),
        (
            routed({"plugins": {GATEWAY: {"httpRoute": "web"}}}, stableService=None, canaryService=None, **PING_PONG),
            "HTTPRoute",
            {"rules": [{"backendRefs": backends(100, 0)}]},
            {"rules": [{"backendRefs": backends(80, 20)}]},
        ),
    ],
)
def test_weights_of_every_kind_of_route(
    rollout: dict[str, Any], kind: str, git: dict[str, Any], live: dict[str, Any]
) -> None:
    """R34: by the names of backends, hosts or services; without the Rollout it is Git's."""
    wanted = obj(kind, {**git, "other": "git"})
    there = obj(kind, {**live, "other": "live"})
    assert adopt(wanted, there, claims([rollout]))["spec"] == {**live, "other": "git"}
    assert adopt(wanted, there, claims([])) is wanted


@pytest.mark.parametrize(
    "routing",
    [
        {"istio": {"virtualService": {"name": "web.other"}}},
        {"plugins": {GATEWAY: {"httpRoute": "web", "namespace": "other"}}},
    ],
)
def test_a_route_in_another_namespace(routing: dict[str, Any]) -> None:
    """R34: it is that one, and not the one of the same name beside the Rollout."""
    steering = claims([routed(routing)])
    assert [key[1:] for key in steering.routes] == [("other", "web")]


@pytest.mark.parametrize(
    ("git", "live", "sent"),
    [
        pytest.param(
            [{"name": "b", "backendRefs": backends(100, 0)}, {"name": "a", "backendRefs": backends(100, 0)}],
            [{"name": "a", "backendRefs": backends(50, 50)}, {"name": "b", "backendRefs": backends(80, 20)}],
            [{"name": "b", "backendRefs": backends(80, 20)}, {"name": "a", "backendRefs": backends(50, 50)}],
            id="rules with names, in another order",
        ),
        pytest.param(
            [{"backendRefs": [{"name": "other", "weight": 1}]}, {"backendRefs": backends(100, 0)}],
            [{"backendRefs": backends(80, 20)}, {"backendRefs": [{"name": "other", "weight": 9}]}],
            [{"backendRefs": [{"name": "other", "weight": 1}]}, {"backendRefs": backends(80, 20)}],
            id="without names, by their backends",
        ),
        pytest.param(
            [{"backendRefs": [*backends(100, 0), {"name": "extra", "weight": 3}]}],
            [{"backendRefs": backends(80, 20)}],
            [{"backendRefs": [*backends(80, 20), {"name": "extra", "weight": 3}]}],
            id="a backend that Git adds arrives",
        ),
        pytest.param(
            [{"backendRefs": backends(100, 0)}],
            [{"backendRefs": [*backends(80, 20), {"name": "gone", "weight": 3}]}],
            [{"backendRefs": backends(80, 20)}],
            id="one that Git removes goes",
        ),
        pytest.param(
            [{"name": "named", "backendRefs": backends(100, 0)}],
            [{"backendRefs": backends(80, 20)}],
            [{"name": "named", "backendRefs": backends(80, 20)}],
            id="a rule that Git gives a name",
        ),
        pytest.param(
            [{"backendRefs": backends(100, 0)}],
            [
                {"name": "by-header", "backendRefs": backends(0, 100)},
                {"name": "named", "backendRefs": backends(80, 20)},
            ],
            [{"name": "by-header", "backendRefs": backends(0, 100)}, {"backendRefs": backends(80, 20)}],
            id="a rule whose name Git drops, beside one that the release has added",
        ),
        pytest.param(
            [{"name": "by-header", "backendRefs": [{"name": "canary", "weight": 1}], "x": "git"}],
            [{"name": "by-header", "backendRefs": [{"name": "canary", "weight": 100}], "x": "live"}],
            [{"name": "by-header", "backendRefs": [{"name": "canary", "weight": 100}], "x": "git"}],
            id="a rule of a release that is in Git, too, comes once",
        ),
        pytest.param(
            [{"backendRefs": backends(100, 0), "x": 1}, {"backendRefs": backends(100, 0), "x": 2}],
            [{"backendRefs": backends(80, 20), "x": 0}, {"backendRefs": backends(70, 30), "x": 0}],
            [{"backendRefs": backends(80, 20), "x": 1}, {"backendRefs": backends(80, 20), "x": 2}],
            id="of two rules that can not be told apart the first one's",
        ),
        pytest.param(
            [{"backendRefs": backends(100, 0)}, {"backendRefs": [*backends(100, 0), {"name": "extra"}]}],
            [{"backendRefs": [*backends(70, 30), {"name": "extra"}]}, {"backendRefs": backends(80, 20)}],
            [{"backendRefs": backends(80, 20)}, {"backendRefs": [*backends(70, 30), {"name": "extra"}]}],
            id="one with the very same backends comes first",
        ),
        pytest.param(
            [{"backendRefs": backends(100, 0)}],
            [],
            [{"backendRefs": backends(100, 0)}],
            id="where there is nothing Git's are sent",
        ),
    ],
)
def test_which_rule_has_which_weights(git: list[Any], live: list[Any], sent: list[Any]) -> None:
    """R34: structural changes of Git arrive while the weights stay."""
    found = adopt(obj("HTTPRoute", {"rules": git}), obj("HTTPRoute", {"rules": live}), claims([ROLLOUT]))
    assert found["spec"] == {"rules": sent}


def test_of_a_virtual_service_only_the_routes_a_rollout_names() -> None:
    """R34: at exactly that path; the weights of the other routes are Git's."""
    service = {"name": "web", "routes": ["primary"]}
    git = [{"name": name, "route": destinations(100, 0)} for name in ("primary", "other")]
    live = [{"name": name, "route": destinations(80, 20)} for name in ("primary", "other")]
    for routing in ({"virtualService": service}, {"virtualServices": [service]}):
        found = adopt(
            obj("VirtualService", {"http": git}),
            obj("VirtualService", {"http": live}),
            claims([routed({"istio": routing})]),
        )
        assert found["spec"]["http"] == [live[0], git[1]]
    tls = [{"match": "x", "route": destinations(80, 20)}]
    there = obj("VirtualService", {"tls": tls})
    wanted = obj("VirtualService", {"tls": [{"match": "x", "route": destinations(100, 0)}]})
    named = routed({"istio": {"virtualService": service}})
    assert adopt(wanted, there, claims([named]))["spec"] == {"tls": tls}, "rules of tls have no names"
    all_of_them = routed({"istio": {"virtualService": {"name": "web"}}})
    both = adopt(
        obj("VirtualService", {"http": git}), obj("VirtualService", {"http": live}), claims([named, all_of_them])
    )
    assert both["spec"]["http"] == live


def test_kinds_of_rules_that_git_does_not_have_are_not_added() -> None:
    """R34: a release adds to lists that are there."""
    wanted = obj("VirtualService", {"http": [{"route": destinations(100, 0)}]})
    live = obj("VirtualService", {"http": [{"route": destinations(80, 20)}], "tls": [{"route": destinations(1, 2)}]})
    assert adopt(wanted, live, claims([ROLLOUT]))["spec"] == {"http": [{"route": destinations(80, 20)}]}


def test_two_rollouts_may_share_a_route() -> None:
    """R34: neither takes the other's claim away."""
    canary = {"stableService": "b-stable", "canaryService": "b-canary"}
    other = routed({"plugins": {GATEWAY: {"httpRoute": "web"}}}, **canary)

    def rules(old: int, new: int) -> list[dict[str, Any]]:
        second = [{"name": f"b-{row['name']}", "weight": row["weight"]} for row in backends(old, new)]
        return [{"backendRefs": backends(old, new)}, {"backendRefs": second}]

    found = adopt(
        obj("HTTPRoute", {"rules": rules(100, 0)}), obj("HTTPRoute", {"rules": rules(80, 20)}), claims([ROLLOUT, other])
    )
    assert found["spec"]["rules"] == rules(80, 20)


@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        ({"canary": {"stableService": "a", "canaryService": "b"}}, {"a", "b"}),
        ({"canary": {"pingPong": {"pingService": "a", "pongService": "b"}}}, {"a", "b"}),
        ({"blueGreen": {"activeService": "a", "previewService": "b"}}, {"a", "b"}),
        ({"canary": {}}, set()),
    ],
)
def test_whose_selectors_a_rollout_writes(strategy: dict[str, Any], names: set[str]) -> None:
    """R33."""
    assert {ref.name for ref in claims([{**ROLLOUT, "spec": {"strategy": strategy}}]).services} == names


def test_replicas_nobody_has_set_are_those_of_git() -> None:
    """R8: a kind that leaves the number out while an autoscaler is new; and a Deployment whose Rollout lets it run."""
    wanted, live = obj("Deployment", {"replicas": 3}, group="apps/v1"), obj("Deployment", {}, group="apps/v1")
    assert adopt(wanted, live, claims([scaler("HorizontalPodAutoscaler", WEB)])) is wanted
    there = obj("Deployment", {"replicas": 9}, group="apps/v1")
    for scale_down in ({}, {"scaleDown": "never"}):
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", **scale_down}
        rollout = obj("Rollout", {"workloadRef": reference}, group="argoproj.io/v1alpha1")
        assert adopt(wanted, there, claims([rollout])) is wanted
