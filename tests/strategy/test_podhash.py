"""Pod-template and step hashes are the peer's, bit by bit.

The vectors come from Kubernetes' own Go types; `tests/data/recordings` from a running Argo Rollouts.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rollouts.api.steps import CanaryStep
from rollouts.api.validation import steps as rules
from rollouts.cli import text
from rollouts.strategy import podhash
from rollouts.strategy.podtemplate import quantity
from rollouts.strategy.podtemplate.gojson import EncodingError
from rollouts.strategy.steps import STEPS

DATA = Path(__file__).parent.parent / "data"
VECTORS = json.loads((DATA / "podhash-vectors.json").read_text())
TEMPLATES = VECTORS["templates"]
# `undo` wrote the ReplicaSet's template, defaults and all, into the Rollout: found by meaning, not by hash.
UNDONE = "canary-7-undone"


def objects(name: str) -> list[dict[str, Any]]:
    return [obj for obj in yaml.safe_load_all((DATA / "recordings" / f"{name}.yaml").read_text()) if obj]


def template_of(rollout: Mapping[str, Any], others: list[dict[str, Any]]) -> Mapping[str, Any]:
    reference = rollout["spec"].get("workloadRef")
    if reference is None:
        return rollout["spec"]["template"]
    (workload,) = [o for o in others if o["kind"] == reference["kind"] and o["metadata"]["name"] == reference["name"]]
    return workload["spec"]["template"]


def recorded() -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Name → (Rollout, its pod template) of every recording with a hash in the status."""
    found = {}
    for path in sorted((DATA / "recordings").glob("*.yaml")):
        everything = objects(path.stem)
        for rollout in everything:
            if rollout["kind"] == "Rollout" and rollout["status"].get("currentPodHash"):
                found[path.stem] = (rollout, template_of(rollout, everything))
    return found


RECORDED = recorded()


@pytest.mark.parametrize("vector", TEMPLATES, ids=lambda vector: vector["hash"])
def test_hashes_what_go_would_write(vector: Mapping[str, Any]) -> None:
    assert podhash.pod_template_hash(vector["template"]) == vector["hash"]
    assert podhash.pod_template_hash(vector["template"], collision_count=3) == vector["hashAfter3Collisions"]


@pytest.mark.parametrize(
    "vector", [v for v in TEMPLATES if "legacyHash" in v], ids=lambda vector: str(vector["legacyHash"])
)
def test_legacy_hash_is_that_of_older_libraries(vector: Mapping[str, Any]) -> None:
    assert vector["legacyHash"] in podhash.legacy_hashes(vector["template"])


@pytest.mark.parametrize(("text", "expected"), VECTORS["quantities"])
def test_quantities_are_written_as_go_writes_them(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(quantity.QuantityError):
            quantity.canonical(text)
    else:
        assert quantity.canonical(text) == expected


@given(st.integers(0, 2**63 - 1), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi", "e3", "E-2"]))
def test_writing_a_quantity_keeps_its_value(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    size = quantity.parse(text).value
    if size < 10**21:  # above E there is no suffix, see the module
        assert quantity.parse(quantity.canonical(text)).value == size


@pytest.mark.parametrize("name", [name for name in RECORDED if name != UNDONE])
def test_recorded_rollouts_have_our_pod_hash(name: str) -> None:
    rollout, template = RECORDED[name]
    count = rollout["status"].get("collisionCount")
    assert podhash.pod_template_hash(template, collision_count=count) == rollout["status"]["currentPodHash"]


@pytest.mark.parametrize("name", [name for name, (r, _) in RECORDED.items() if "currentStepHash" in r["status"]])
def test_recorded_rollouts_have_our_step_hash(name: str) -> None:
    rollout, _ = RECORDED[name]
    steps = rollout["spec"]["strategy"]["canary"]["steps"]
    assert podhash.step_hash(steps) == rollout["status"]["currentStepHash"]


def test_step_hash_of_a_known_vector() -> None:
    steps = [{"setWeight": 20}, {"pause": {"duration": 1}}, {"setWeight": 60}, {"pause": {"duration": 1}}]
    assert podhash.step_hash(steps) == "54c46859b9"


OWN, CLUSTER = ({"templateName": "a", "clusterScope": whole} for whole in (False, True))
BASE = {"name": "b", "specRef": "stable"}
MEASURED = {"duration": "1h", "templates": [BASE], "analyses": [{"name": "n", **OWN}]}
SHORT = {"templates": [{"name": "b", "specRef": "canary", "weight": 5}], "scaleDownDelaySeconds": 3}
RUNS = {"dryRun": [{"metricName": "m"}], "analysisRunMetadata": {"labels": {"a": "b"}}}
BY_VERSION = [
    ({"analysis": {"templates": [OWN]}}, "7bc455fdc9", "655dbddb5d", "655dbddb5d"),
    (
        {"analysis": {"templates": [CLUSTER], "args": [{"name": "x", "value": "1"}]}},
        "547554679b", "6bf8bf975d", "6bf8bf975d",
    ),
    ({"experiment": MEASURED}, "c9d98bf49", "5d75db65d8", "7747f8c9c8"),
    ({"experiment": {**SHORT, **RUNS}}, "586b4ffbfc", "7d4d458474", "68c4d666f6"),
    ({"pause": {"duration": "1m"}}, "7dbf69769c", "7dbf69769c", "7dbf69769c"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "now", "before_9", "before_7"), BY_VERSION)
def test_steps_as_older_versions_hashed_them(step: dict[str, Any], now: str, before_9: str, before_7: str) -> None:
    """As `ComputeStepHash` of v1.10.1, v1.8.3 and v1.6.6 answered; those that are no experiment come after a weight."""
    steps = [step] if "experiment" in step else [{"setWeight": 20}, step]
    assert podhash.step_hash(steps) == now
    assert podhash.legacy_step_hashes(steps) == (before_9, before_7)


def test_step_order_of_keys_and_unknown_keys_do_not_matter() -> None:
    one = [{"setCanaryScale": {"replicas": 1, "weight": 2}}]
    other = [{"setCanaryScale": {"weight": 2, "invented": True, "replicas": 1, "matchTrafficWeight": False}}]
    assert podhash.step_hash(one) == podhash.step_hash(other)


@pytest.mark.parametrize("key", STEPS)
def test_a_change_of_any_kind_of_step_changes_the_hash(key: str) -> None:
    """A kind missing in `podtemplate/steps.json` would be edited without anybody noticing."""
    fields = json.loads((Path(podhash.__file__).parent / "podtemplate" / "steps.json").read_text())
    assert key in [name for name, _, _ in fields["steps.CanaryStep"]]


@pytest.mark.parametrize("key", STEPS)
def test_every_kind_of_step_has_rules_and_words(key: str) -> None:
    assert key in text.STEPS
    assert key in [CanaryStep.model_fields[name].alias for name in rules.KINDS]


def test_steps_missing_and_empty_are_told_apart() -> None:
    assert podhash.step_hash(None) != podhash.step_hash([])


def test_no_collision_yet_is_not_zero_collisions() -> None:
    template = TEMPLATES[3]["template"]
    assert podhash.pod_template_hash(template) != podhash.pod_template_hash(template, collision_count=0)


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"image": 7}, r"^spec\.containers\[1\]\.image: must be a string, not 7; quote it$"),
        (
            {"resources": {"limits": {"cpu": "much"}}},
            r"^spec\.containers\[1\]\.resources\.limits\.cpu: 'much' is not a quantity",
        ),
        ({"ports": {"containerPort": 80}}, r"^spec\.containers\[1\]\.ports: must be a list"),
        ({"ports": [{"containerPort": "80"}]}, r"ports\[0\]\.containerPort: must be a whole number, not \"80\"$"),
        ({"tty": "yes"}, r"tty: must be true or false, not \"yes\"$"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(container: Mapping[str, Any], message: str) -> None:
    with pytest.raises(EncodingError, match=message):
        podhash.pod_template_hash({"spec": {"containers": [{"name": "a"}, container]}})


@pytest.mark.parametrize("text", ["", "a", "foobar"])
def test_fnv1a_against_published_values(text: str) -> None:
    published = {"": 0x811C9DC5, "a": 0xE40C292C, "foobar": 0xBF9CF968}
    assert podhash.fnv1a(text.encode()) == published[text]
