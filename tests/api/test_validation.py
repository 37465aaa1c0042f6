"""The rules, each by an object that breaks it and the error it gives; and objects the peer takes, which we take too."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import check
from tests.api.broken import (
    BROKEN,
    CANARY,
    DEPLOYMENT,
    KNOWN,
    STEP,
    TWO_SERVICES,
    analysis_step,
    blue_green,
    routed,
)
from tests.api.samples import (
    CONTAINER,
    METRIC,
    ROUTED,
    TEMPLATE,
    rollout,
    template,
    with_container,
    with_pod,
    with_spec,
    with_step,
)


@pytest.mark.parametrize(
    ("raw", "path", "message"), BROKEN, ids=[f"{path}-{n}" for n, (_, path, _) in enumerate(BROKEN)]
)
def test_a_broken_rule_of_a_rollout(raw: dict[str, Any], path: str, message: str) -> None:
    found = check("Rollout", raw)
    assert found.model is not None
    assert [error.path for error in found.errors] == [path]
    assert message in found.errors[0].message


@pytest.mark.parametrize("router", TWO_SERVICES)
def test_routers_between_two_services_need_both(router: str) -> None:
    routing = {router: TWO_SERVICES[router]}
    assert check("Rollout", routed(routing)).errors == ()
    found = check("Rollout", rollout(canary={"trafficRouting": routing})).errors
    assert [error.path for error in found] == [f"{CANARY}.canaryService", f"{CANARY}.stableService"]


METRIC_PATH = "spec.metrics[0]"


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        ({"spec": {}}, "spec.metrics", "at least one metric is required"),
        ({"spec": {"metrics": [METRIC, METRIC]}}, "spec.metrics[1].name", '"errors" is there already'),
        ({"spec": {"templates": [{}]}}, "spec.templates[0].templateName", "is required"),
        (template(name=""), f"{METRIC_PATH}.name", "is required"),
        (template(interval="5"), f"{METRIC_PATH}.interval", 'invalid duration "5"'),
        (template(initialDelay="soon"), f"{METRIC_PATH}.initialDelay", 'invalid duration "soon"'),
        (template(count="two"), f"{METRIC_PATH}.count", 'must be a whole number, not "two"'),
        (template(count=-1), f"{METRIC_PATH}.count", "must be 0 or more"),
        (template(count=2), f"{METRIC_PATH}.interval", "is required to measure 2 times"),
        (template(count=2, interval="1s", failureLimit=3), f"{METRIC_PATH}.failureLimit", "more than count (2), not 3"),
        (template(failureLimit=-2), f"{METRIC_PATH}.failureLimit", "must be -1 or more"),
        (template(inconclusiveLimit="-1"), f"{METRIC_PATH}.inconclusiveLimit", "must be 0 or more"),
        (
            template(count=3, interval="1s", failureLimit=2, consecutiveSuccessLimit=2),
            f"{METRIC_PATH}.consecutiveSuccessLimit",
            "must not be more than count (3)",
        ),
        (template(provider={}), f"{METRIC_PATH}.provider", "set one of prometheus, web"),
        (
            template(provider={"prometheus": {}, "graphite": {}}),
            f"{METRIC_PATH}.provider",
            "set only one of prometheus, graphite",
        ),
        (
            template(provider={"web": {"url": "x", "body": "a", "jsonBody": {"a": 1}}}),
            f"{METRIC_PATH}.provider.web",
            "set only one of body, jsonBody",
        ),
        (
            {"spec": {"metrics": [METRIC], "args": [{"name": "a"}, {"name": "a"}]}},
            "spec.args[1].name",
            '"a" is there already',
        ),
    ],
)
def test_a_broken_rule_of_a_template(raw: dict[str, Any], path: str, message: str) -> None:
    errors = check("AnalysisTemplate", raw).errors
    assert [error.path for error in errors] == [path]
    assert message in errors[0].message
    assert check("ClusterAnalysisTemplate", raw).errors == errors


def test_arguments_without_a_value_are_for_templates_only() -> None:
    raw = {"spec": {"metrics": [METRIC], "args": [{"name": "a"}]}}
    assert check("AnalysisTemplate", raw).ok
    assert str(check("AnalysisRun", raw).errors[0]) == 'spec.args[0]: argument "a" needs a value'


def test_numbers_to_be_filled_in_are_not_judged() -> None:
    assert check(
        "AnalysisTemplate", template(count="{{args.c}}", failureLimit="{{ args.f }}", interval="{{args.i}}")
    ).ok


def experiment_step(*, analyses: list[Any] | None = None, **template: Any) -> dict[str, Any]:
    """An `experiment` step with one template `a`."""
    step = {"templates": [{"name": "a", "specRef": "canary", **template}]}
    return {"experiment": {**step, **({"analyses": analyses} if analyses else {})}}


def tagged(value: str) -> list[Any]:
    return [{"name": "r", "templateName": "t", "args": [{"name": "x", "value": value}]}]


HIDDEN = "analyses[0].args[0].value"


@pytest.mark.parametrize(
    ("step", "path", "words"),
    [
        (experiment_step(analyses=tagged("{{templates.b.podTemplateHash}}")), HIDDEN, "is not known; known are"),
        (experiment_step(analyses=tagged("{{experiment.finishedAt}}")), HIDDEN, "it needs a duration"),
        (experiment_step(metadata={"labels": {"app": "b"}}), "templates[0].metadata", "the selector must match"),
        (experiment_step(selector={"matchLabels": {"tier": "b"}}), "templates[0].selector", "the selector must match"),
    ],
)
def test_an_experiment_step_is_held_against_its_rollout(step: Any, path: str, words: str) -> None:
    (error,) = check("Rollout", with_step(step)).errors
    assert error.path == f"{STEP}.experiment.{path}"
    assert words in error.message


def test_a_service_for_pods_without_ports_is_refused_before_they_are_made() -> None:
    raw = with_step(experiment_step(service={}))
    assert check("Rollout", raw).ok
    del raw["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert [error.path for error in check("Rollout", raw).errors] == [f"{STEP}.experiment.templates[0].service"]


@pytest.mark.parametrize(
    "step",
    [
        experiment_step(analyses=tagged("{{ templates.a.podTemplateHash }}-{{templates.a.replicaset.name}}")),
        experiment_step(metadata={"labels": {"tier": "b"}}, selector={"matchLabels": {"tier": "b"}}),
    ],
)
def test_what_an_experiment_step_may_say(step: Any) -> None:
    assert check("Rollout", with_step(step)).ok


def test_tags_and_ports_of_an_experiment() -> None:
    bare = {"metadata": TEMPLATE["metadata"], "spec": {"containers": [{"name": "app", "image": "a"}]}}
    good = {"name": "a", "selector": {"matchLabels": {"app": "app"}}, "template": bare}
    raw = {"spec": {"templates": [{**good, "service": {}}], "analyses": tagged("{{templates.b.podTemplateHash}}")}}
    assert [error.path for error in check("Experiment", raw).errors] == ["spec.templates[0].service", f"spec.{HIDDEN}"]


def test_a_broken_rule_of_an_experiment() -> None:
    good = {"name": "a", "selector": {"matchLabels": {"app": "app"}}, "template": TEMPLATE}
    raw = {
        "spec": {
            "duration": "x",
            "templates": [good, {**good, "selector": {"matchLabels": {"app": "b"}}, "minReadySeconds": 700}],
            "analyses": [{"name": "r", "templateName": ""}],
        }
    }
    assert [error.path for error in check("Experiment", raw).errors] == [
        "spec.templates[1].name",
        "spec.templates[1].minReadySeconds",
        "spec.templates[1].template.metadata.labels",
        "spec.duration",
        "spec.analyses[0].templateName",
    ]


@pytest.mark.parametrize(
    "raw",
    [
        with_spec(template=None, selector=None, workloadRef=DEPLOYMENT),
        with_spec(
            template={"metadata": {"creationTimestamp": None}, "spec": {"containers": None}},
            selector=None,
            workloadRef={"apiVersion": "v1", "kind": "PodTemplate", "name": "d"},
        ),
        with_spec(replicas=0, paused=True, restartAt="2026-01-02T03:04:05Z", minReadySeconds=599),
        rollout(canary={}),
        rollout(canary={"maxSurge": "200%", "maxUnavailable": 0}),
        rollout(canary={"maxSurge": "25", "maxUnavailable": "0"}),
        rollout(canary={"trafficRouting": {"plugins": {"example/router": {"any": ["thing"]}}}}),
        rollout(
            canary={
                "trafficRouting": {
                    "istio": {
                        "virtualService": {"name": "v"},
                        "destinationRule": {"name": "d", "canarySubsetName": "c", "stableSubsetName": "s"},
                    }
                }
            }
        ),
        routed({"nginx": {"stableIngress": "i"}, "maxTrafficWeight": 1000}, steps=[{"setWeight": 1000}]),
        routed(
            {"nginx": {"stableIngress": "i"}, "maxTrafficWeight": 1000}, steps=[{"setCanaryScale": {"weight": 1000}}]
        ),
        with_step({"setCanaryScale": {"matchTrafficWeight": True}}, **ROUTED),
        with_step({"pause": {"duration": "90"}}),
        with_container(resources={"limits": {"cpu": 0.5, "memory": "1e9"}, "requests": {"memory": "1.5Gi"}}),
        with_pod(volumes=[{"name": "v", "emptyDir": {}}], containers=[{**CONTAINER, "volumeMounts": [{"name": "v"}]}]),
        with_container(ports=[{"containerPort": 1}, {"containerPort": 1, "protocol": "UDP"}]),
        analysis_step(args=[{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a.b/c']"}}}]),
        blue_green(previewService="preview", autoPromotionEnabled=False, maxUnavailable="50%"),
    ],
)  # fmt: skip
def test_what_the_peer_takes_is_valid(raw: dict[str, Any]) -> None:
    assert check("Rollout", raw).errors == ()


@pytest.mark.parametrize(("words", "raw", "path"), KNOWN, ids=[path for _, _, path in KNOWN])
def test_errors_begin_with_the_words_people_know(words: str, raw: dict[str, Any], path: str) -> None:
    assert [(error.path, error.message[: len(words)]) for error in check("Rollout", raw).errors] == [(path, words)]
