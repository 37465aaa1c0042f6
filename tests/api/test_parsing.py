"""Reading objects: every fault is reported with its place, nothing raises, nothing is invented."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.api import check, explain, parse
from rollouts.api.errors import FieldError, Path
from rollouts.api.kinds import ANALYSIS_RUN, ROLLOUT
from rollouts.api.parsing import MODELS
from tests.api.samples import recorded, rollout, with_spec, with_step

RECORDED = recorded(*MODELS)


def said(errors: tuple[FieldError, ...]) -> list[str]:
    return [str(error) for error in errors]


def test_a_good_rollout_has_no_errors() -> None:
    found = check(ROLLOUT, rollout())
    assert found.ok
    assert found.model.spec.canary.steps[0].set_weight == 20
    assert found.model.spec.replicas is None
    assert found.model.spec.effective_progress_deadline_seconds == 600


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (None, "must be an object, not null"),
        ([], "must be an object, not a list"),
        ("x", 'must be an object, not the text "x"'),
        ({}, "spec: is required"),
        ({"spec": None}, "spec: is required"),
        ({"spec": []}, "spec: must be an object, not a list"),
        (with_spec(replicas="3"), 'spec.replicas: must be a whole number, not the text "3"'),
        (with_spec(replicas=True), "spec.replicas: must be a whole number, not a boolean true"),
        (with_spec(replicas=1.5), "spec.replicas: must be a whole number, not a number 1.5"),
        (with_spec(replicas=2**31), "spec.replicas: must be a whole number that fits 32 bits, not a number 2147483648"),
        (with_spec(paused="yes"), 'spec.paused: must be true or false, not the text "yes"'),
        (with_spec(restartAt="noon"), "spec.restartAt: must be a time such as 2026-01-02T03:04:05Z"),
        (with_spec(restartAt="2026-13-01T00:00:00Z"), "spec.restartAt: month must be in 1..12"),
        (with_spec(replica=1), 'spec.replica: unknown field "replica", did you mean "replicas"?'),
        (
            with_spec(min_ready_seconds=1),
            'spec.min_ready_seconds: unknown field "min_ready_seconds", did you mean "minReadySeconds"?',
        ),
        (with_spec(zzz=1), 'spec.zzz: unknown field "zzz", remove it'),
        (
            with_spec(selector={"matchLabels": {"a": 1}}),
            "spec.selector.matchLabels.a: must be a string (quote it), not a number 1",
        ),
        (
            with_spec(selector={"matchLabels": {"a.b/c": 1}}),
            "spec.selector.matchLabels[a.b/c]: must be a string (quote it), not a number 1",
        ),
        (
            with_step({"setWeigth": 1}),
            'spec.strategy.canary.steps[0].setWeigth: unknown field "setWeigth", did you mean "setWeight"?',
        ),
        (
            with_step({"pause": {"duration": []}}),
            "spec.strategy.canary.steps[0].pause.duration: must be a whole number or a string, not a list",
        ),
        (
            with_spec(workloadRef={"name": "x", "scaleDown": "now"}),
            'spec.workloadRef.scaleDown: must be one of never, onsuccess or progressively, not the text "now"',
        ),
        (
            with_step({"setHeaderRoute": {"match": [{"headerName": "a"}]}}),
            "spec.strategy.canary.steps[0].setHeaderRoute.match[0].headerValue: is required",
        ),
    ],
)
def test_faults_of_the_shape(raw: Any, error: str) -> None:
    found = parse("Rollout", raw)
    assert found.model is None
    assert said(found.errors) == [error]


def test_an_unknown_kind_is_an_error() -> None:
    assert said(parse("Deployment", {}).errors)[0].startswith('kind: "Deployment" is none of Rollout')


def test_all_faults_are_reported_at_once_and_hide_no_broken_rule() -> None:
    raw = with_step({"setWeight": 150}, maxSurg=1)
    raw["spec"] |= {"replicas": "many", "progressDeadlineSeconds": 5, "minReadySeconds": 9}
    assert said(check("Rollout", raw).errors) == [
        'spec.replicas: must be a whole number, not the text "many"',
        'spec.strategy.canary.maxSurg: unknown field "maxSurg", did you mean "maxSurge"?',
        "spec.progressDeadlineSeconds: must be greater than minReadySeconds (9), not 5; "
        "no pod could become available in time",
        "spec.strategy.canary.steps[0].setWeight: SetWeight needs to be between 0 and 100, not 150",
    ]


def test_a_fault_is_not_reported_again_as_a_broken_rule() -> None:
    raw = with_step({"setWeigth": 10})
    assert [error.path for error in check("Rollout", raw).errors] == ["spec.strategy.canary.steps[0].setWeigth"]


def test_explain_reads_like_the_peers_message() -> None:
    errors = check("Rollout", with_step({"setWeight": 101})).errors
    assert explain(kind="Rollout", name="app", errors=errors) == (
        'The Rollout "app" is invalid: spec.strategy.canary.steps[0].setWeight: '
        "SetWeight needs to be between 0 and 100, not 101"
    )
    assert explain(kind="Rollout", name="app", errors=[*errors, FieldError("spec", "b")]).endswith("not 101, spec: b]")


def test_paths_are_spelled_as_in_the_api() -> None:
    assert str(Path.of("spec", "steps", 2, "a.b/c", "x")) == "spec.steps[2][a.b/c].x"


def test_null_is_unset_and_status_keys_of_others_are_ignored() -> None:
    raw = rollout() | {"status": {"canary": None, "stableRS": "abc", "HPAReplicas": 3, "fromTheFuture": {"a": 1}}}
    found = parse(ROLLOUT, raw)
    assert found.ok
    assert (found.model.status.stable_rs, found.model.status.hpa_replicas) == ("abc", 3)
    assert found.model.status.canary.weights is None


@pytest.mark.parametrize(("name", "raw"), RECORDED, ids=[f"{name}-{raw['kind']}" for name, raw in RECORDED])
def test_what_the_peer_leaves_in_a_cluster_is_valid_and_read_without_loss(name: str, raw: dict[str, Any]) -> None:
    found = check(raw["kind"], raw)
    assert found.errors == ()
    written = found.model.to_api()
    assert written["spec"] == raw["spec"]
    assert {key: value for key, value in written.get("status", {}).items() if value} == {
        key: value for key, value in raw.get("status", {}).items() if value
    }


def test_recordings_hold_each_kind_that_the_peer_makes() -> None:
    assert {raw["kind"] for _, raw in RECORDED} == {"Rollout", "AnalysisRun", "AnalysisTemplate", "Experiment"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=12,
)
KIND = st.sampled_from(sorted(MODELS))
SAMPLES = st.sampled_from([(raw["kind"], raw) for _, raw in RECORDED[::3]] + [("Rollout", rollout())])


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, inner in pairs for place in places(inner, (*at, key)))]


def replaced(value: Any, place: tuple[Any, ...], by: Any) -> Any:
    changed = copy.deepcopy(value)
    if not place:
        return by
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = by
    return changed


@settings(deadline=None)
@given(KIND, JSON)
def test_nothing_raises_on_any_json(kind: str, raw: Any) -> None:
    assert check(kind, raw).errors


@settings(max_examples=300, deadline=None)
@given(SAMPLES, JSON, st.data())
def test_nothing_raises_on_a_good_object_with_one_bad_place(
    sample: tuple[str, dict[str, Any]], bad: Any, data: st.DataObject
) -> None:
    kind, raw = sample
    found = check(kind, replaced(raw, data.draw(st.sampled_from(places(raw))), bad))
    assert all(isinstance(error.message, str) and error.message for error in found.errors)
    assert found.model is not None or found.errors


def test_nothing_raises_on_endless_nesting() -> None:
    loop: dict[str, Any] = {}
    loop["spec"] = loop
    assert check(ANALYSIS_RUN, loop).errors
    raw = rollout()
    raw["spec"]["template"]["spec"]["x"] = raw["spec"]["template"]
    assert parse(ROLLOUT, raw).ok
