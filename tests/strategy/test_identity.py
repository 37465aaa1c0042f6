"""Which ReplicaSet stands for a template: by status, by hash, by an older hash, by meaning."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.strategy import identity, keys, podhash
from rollouts.strategy.podtemplate.defaults import with_defaults
from rollouts.strategy.podtemplate.images import default_pull_policy
from tests.strategy.test_podhash import RECORDED, TEMPLATES, objects

JSON = Mapping[str, Any]
TEMPLATE: JSON = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}]},
}
REQUIRED = {"requiredDuringSchedulingIgnoredDuringExecution": {}}
PREFERRED = {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 7}}


def changed(image: str = "web:1", **metadata: Any) -> dict[str, Any]:
    container = {**TEMPLATE["spec"]["containers"][0], "image": image}
    return {"metadata": {**TEMPLATE["metadata"], **metadata}, "spec": {"containers": [container]}}


def replica_set(template: JSON, digest: str, *, age: int = 0, ephemeral: JSON | None = None) -> dict[str, Any]:
    """A ReplicaSet as the API server gives it back. `age`: the greater, the older."""
    annotations = {} if ephemeral is None else {keys.EPHEMERAL_METADATA: json.dumps(ephemeral)}
    return {
        "metadata": {
            "name": f"web-{digest}",
            "labels": {keys.POD_HASH: digest},
            "annotations": annotations,
            "creationTimestamp": f"2026-01-01T00:00:{59 - age:02}Z",
        },
        "spec": {"template": with_defaults(identity.inject_hash_label(template, digest))},
    }


def found(*replica_sets: JSON, template: JSON = TEMPLATE, **arguments: Any) -> str | None:
    rs = identity.find_new(replica_sets, template, **arguments)
    return rs and rs["metadata"]["labels"][keys.POD_HASH]


@pytest.mark.parametrize("name", list(RECORDED))
def test_recorded_rollouts_find_the_replica_set_their_status_names(name: str) -> None:
    rollout, template = RECORDED[name]
    sets = [obj for obj in objects(name) if obj["kind"] == "ReplicaSet"]
    current = rollout["status"]["currentPodHash"]
    count = rollout["status"].get("collisionCount")
    for status_hash in (current, None, "gone"):
        assert found(*sets, template=template, collision_count=count, status_hash=status_hash) == current


def owned(name: str) -> list[dict[str, Any]]:
    """The ReplicaSets of a recording that belong to its Rollout, not to a Deployment or an Experiment."""
    sets = [obj for obj in objects(name) if obj["kind"] == "ReplicaSet"]
    return [rs for rs in sets if rs["metadata"]["ownerReferences"][0]["kind"] == "Rollout"]


@pytest.mark.parametrize("name", list(RECORDED))
def test_recorded_replica_sets_mean_the_template_they_were_made_from_and_no_other(name: str) -> None:
    rollout, template = RECORDED[name]
    alike = [
        rs["metadata"]["labels"][keys.POD_HASH]
        for rs in owned(name)
        if identity.same_template(rs["spec"]["template"], template, ephemeral=identity.ephemeral_metadata(rs))
    ]
    assert alike == [rollout["status"]["currentPodHash"]]


def test_the_status_decides_between_two_that_mean_the_same() -> None:
    own = podhash.pod_template_hash(TEMPLATE)
    pair = (replica_set(TEMPLATE, own), replica_set(TEMPLATE, "foreign"))
    assert found(*pair, status_hash="foreign") == "foreign"
    assert found(*pair, status_hash=None) == own


def test_the_status_is_not_believed_after_a_change() -> None:
    own = podhash.pod_template_hash(TEMPLATE)
    before = replica_set(changed("web:0"), "before")
    assert found(before, status_hash="before") is None
    assert found(before, replica_set(TEMPLATE, own), status_hash="before") == own


def test_a_legacy_hash_is_found_before_a_meaning() -> None:
    (legacy,) = podhash.legacy_hashes(TEMPLATE)
    mutated = replica_set(changed(annotations={"webhook": "was here"}), legacy)
    assert found(replica_set(TEMPLATE, "other", age=9), mutated) == legacy


def test_the_oldest_of_those_that_mean_the_same_is_taken() -> None:
    young, old = replica_set(TEMPLATE, "young"), replica_set(TEMPLATE, "old", age=5)
    assert found(young, old) == found(old, young) == "old"


def test_a_label_that_fits_is_trusted_whatever_a_webhook_did() -> None:
    own = podhash.pod_template_hash(TEMPLATE)
    assert found(replica_set(changed("mirror.example/web:1"), own)) == own


def test_nothing_fits() -> None:
    assert found() is None
    assert found(replica_set(changed("web:0"), "before")) is None


def test_collisions_are_counted_in() -> None:
    first = podhash.pod_template_hash(TEMPLATE)
    second = podhash.pod_template_hash(TEMPLATE, collision_count=1)
    pair = (replica_set(changed("web:0"), first), replica_set(TEMPLATE, second))
    assert found(*pair, collision_count=1) == second


@pytest.mark.parametrize("rule", [REQUIRED, PREFERRED])
def test_injected_anti_affinity_is_no_change(rule: JSON) -> None:
    made = identity.inject_anti_affinity(TEMPLATE, rule, stable_hash="abc", namespace="shop")
    assert made != TEMPLATE
    assert identity.same_template(with_defaults(made), TEMPLATE)
    assert identity.strip_anti_affinity(made) == TEMPLATE
    again = identity.inject_anti_affinity(made, rule, stable_hash="def", namespace="shop")
    assert again == identity.inject_anti_affinity(TEMPLATE, rule, stable_hash="def", namespace="shop")


def test_required_anti_affinity_as_the_peer_writes_it() -> None:
    made = identity.inject_anti_affinity(TEMPLATE, REQUIRED, stable_hash="abc", namespace="shop")
    (term,) = made["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term == {
        "labelSelector": {"matchExpressions": [{"key": keys.POD_HASH, "operator": "In", "values": ["abc"]}]},
        "namespaces": ["shop"],
        "topologyKey": "kubernetes.io/hostname",
    }


def test_preferred_anti_affinity_has_its_weight() -> None:
    made = identity.inject_anti_affinity(TEMPLATE, PREFERRED, stable_hash="abc", namespace="shop")
    (entry,) = made["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert entry["weight"] == 7
    assert entry["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"


def test_the_users_own_affinity_stays() -> None:
    own = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "zone"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [own]}}
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "affinity": affinity}}
    made = identity.inject_anti_affinity(template, REQUIRED, stable_hash="abc", namespace="shop")
    terms = made["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms[0] == own
    assert len(terms) == 2
    assert identity.strip_anti_affinity(made) == template
    assert not identity.same_template(made, TEMPLATE)


def test_without_a_stable_hash_nothing_is_injected() -> None:
    assert identity.inject_anti_affinity(TEMPLATE, REQUIRED, stable_hash="", namespace="shop") == TEMPLATE
    assert identity.inject_anti_affinity(TEMPLATE, None, stable_hash="abc", namespace="shop") == TEMPLATE


def test_metadata_of_a_role_is_no_change() -> None:
    stored = changed(labels={"app": "web", "role": "canary"}, annotations={"note": "x"})
    rs = replica_set(stored, "abc", ephemeral={"labels": {"role": "canary"}, "annotations": {"note": "x"}})
    assert found(rs) == "abc"
    rs["metadata"]["annotations"] = {}
    assert found(rs) is None


def test_unreadable_metadata_of_a_role_counts_as_none() -> None:
    rs = replica_set(TEMPLATE, "abc")
    for text in ("{", "[]", "null", ""):
        rs["metadata"]["annotations"] = {keys.EPHEMERAL_METADATA: text}
        assert identity.ephemeral_metadata(rs) == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
         {"resources": {"limits": {"memory": "1024Mi", "cpu": "1000m"}}}, True),
        ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "1001m"}}}, False),
        ({"command": []}, {}, True),
        ({"securityContext": {}}, {}, False),
        ({"imagePullPolicy": "IfNotPresent"}, {}, True),
        ({"imagePullPolicy": "Always"}, {}, False),
        ({"readinessProbe": {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1}},
         {"readinessProbe": {"failureThreshold": 3}}, True),
        ({"readinessProbe": {"periodSeconds": 9}}, {"readinessProbe": {}}, False),
        ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}, True),
        ({"env": [{"name": "A"}, {"name": "B"}]}, {"env": [{"name": "B"}, {"name": "A"}]}, False),
    ],
)  # fmt: skip
def test_what_counts_as_the_same(one: JSON, other: JSON, same: bool) -> None:
    def template(extra: JSON) -> JSON:
        return {"spec": {"containers": [{"name": "a", "image": "a:1", **extra}]}}

    assert identity.same_template(template(one), template(other)) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"serviceAccount": "robot"}, {"serviceAccountName": "robot"}, True),
        ({"serviceAccount": "other", "serviceAccountName": "robot"}, {"serviceAccountName": "robot"}, True),
        ({"serviceAccountName": "robot"}, {}, False),
        ({"terminationGracePeriodSeconds": 30}, {}, True),
        ({"terminationGracePeriodSeconds": 0}, {}, False),
        ({"enableServiceLinks": True}, {}, False),
        ({"hostNetwork": True, "containers": [{"name": "a", "ports": [{"containerPort": 1, "hostPort": 1}]}]},
         {"hostNetwork": True, "containers": [{"name": "a", "ports": [{"containerPort": 1}]}]}, True),
        ({"containers": [{"name": "a", "ports": [{"containerPort": 1, "hostPort": 1}]}]},
         {"containers": [{"name": "a", "ports": [{"containerPort": 1}]}]}, False),
        ({"volumes": [{"name": "v"}]}, {"volumes": [{"name": "v", "emptyDir": {}}]}, True),
    ],
)  # fmt: skip
def test_what_counts_as_the_same_in_a_pod_spec(one: JSON, other: JSON, same: bool) -> None:
    assert identity.same_template({"spec": one}, {"spec": other}) is same


@given(st.sampled_from([vector["template"] for vector in TEMPLATES]))
def test_defaulting_twice_is_defaulting_once(template: JSON) -> None:
    once = with_defaults(template)
    assert with_defaults(once) == once
    assert identity.same_template(once, template)


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.25", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        ("registry:5000/nginx:1", "IfNotPresent"),
        ("localhost/nginx", "Always"),
        ("team/nginx", "Always"),
        ("Team/nginx", "Always"),
        ("Nginx", "IfNotPresent"),
        ("registry.example/Team/nginx", "IfNotPresent"),
        ("", "IfNotPresent"),
        ("a" * 64, "IfNotPresent"),
        (f"nginx@sha256:{'0' * 64}", "IfNotPresent"),
        (f"nginx:latest@sha256:{'0' * 64}", "Always"),
        (f"nginx:latest@sha256:{'0' * 63}", "IfNotPresent"),
        ("[::1]:5000/nginx", "Always"),
        ("nginx:-bad", "IfNotPresent"),
        ("index.docker.io/nginx", "Always"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy


def test_the_name_of_a_replica_set() -> None:
    assert identity.replica_set_name("web", "5f5db89b74") == "web-5f5db89b74"


def test_the_hash_label_goes_in_and_out() -> None:
    made = identity.inject_hash_label({"spec": {}}, "abc")
    assert made["metadata"]["labels"] == {keys.POD_HASH: "abc"}
    assert identity.same_template(made, {"spec": {}})
