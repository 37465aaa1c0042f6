"""Objects a Rollout names: all are found, and each that is missing or can't serve gives an error."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import check, explain
from rollouts.api.validation.references import Existing, missing, references
from tests.api.samples import recorded, rollout

USE = {"templates": [{"templateName": "t"}, {"templateName": "c", "clusterScope": True}]}


def service(labels: dict[str, str], **annotations: str) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations}, "spec": {"selector": labels}}


def errors(raw: dict[str, Any], existing: Existing) -> list[str]:
    return [str(error) for error in missing(check("Rollout", raw).model, existing)]


def test_every_reference_of_a_canary_is_found() -> None:
    experiment = {"templates": [], "analyses": [{"name": "a", "templateName": "e"}]}
    raw = rollout(
        canary={
            "stableService": "s",
            "canaryService": "k",
            "pingPong": {"pingService": "i", "pongService": "o"},
            "analysis": USE,
            "steps": [{"setWeight": 1}, {"analysis": USE}, {"experiment": experiment}],
        }
    )
    found = [(r.kind, r.name, str(r.path)) for r in references(check("Rollout", raw).model)]
    canary = "spec.strategy.canary"
    assert found == [
        ("Service", "s", f"{canary}.stableService"),
        ("Service", "k", f"{canary}.canaryService"),
        ("Service", "i", f"{canary}.pingPong.pingService"),
        ("Service", "o", f"{canary}.pingPong.pongService"),
        ("AnalysisTemplate", "t", f"{canary}.analysis.templates[0].templateName"),
        ("ClusterAnalysisTemplate", "c", f"{canary}.analysis.templates[1].templateName"),
        ("AnalysisTemplate", "t", f"{canary}.steps[1].analysis.templates[0].templateName"),
        ("ClusterAnalysisTemplate", "c", f"{canary}.steps[1].analysis.templates[1].templateName"),
        ("AnalysisTemplate", "e", f"{canary}.steps[2].experiment.analyses[0].templateName"),
    ]


def test_every_reference_of_blue_green_is_found() -> None:
    raw = rollout(
        blueGreen={
            "activeService": "a",
            "previewService": "p",
            "prePromotionAnalysis": USE,
            "postPromotionAnalysis": USE,
        }
    )
    names = [reference.name for reference in references(check("Rollout", raw).model)]
    assert names == ["a", "p", "t", "c", "t", "c"]


def test_missing_services_are_told_in_the_words_the_peer_uses() -> None:
    ((_, raw),) = recorded_invalid()
    existing = Existing(services={})
    found = missing(check("Rollout", raw).model, existing)
    assert [error.path for error in found] == [
        "spec.strategy.canary.stableService",
        "spec.strategy.canary.canaryService",
    ]
    assert explain(kind="Rollout", name="app", errors=found[:1]) == raw["status"]["conditions"][0]["message"]


def recorded_invalid() -> list[tuple[str, dict[str, Any]]]:
    return [(name, raw) for name, raw in recorded("Rollout") if name.startswith("invalid")]


UNMATCHED = 'Service "a" has unmatch label "app" in rollout: it selects app=b, which the pod template has not'


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (service({"app": "app"}), []),
        (service({"app": "app", "rollouts-pod-template-hash": "x"}), []),
        (service({}), []),
        (service({"app": "b"}), [UNMATCHED]),
        (
            service({"app": "app"}, **{"argo-rollouts.argoproj.io/managed-by-rollouts": "other"}),
            ['Service "a" is managed by another Rollout, "other"'],
        ),
        (service({"app": "app"}, **{"argo-rollouts.argoproj.io/managed-by-rollouts": "app"}), []),
        ({"metadata": None, "spec": None}, []),
    ],
)
def test_a_service_must_fit_the_rollout(there: dict[str, Any], expected: list[str]) -> None:
    place = 'spec.strategy.blueGreen.activeService: Invalid value: "a": '
    raw = rollout(blueGreen={"activeService": "a"})
    assert errors(raw, Existing(services={"a": there})) == [place + text for text in expected]


def test_missing_templates() -> None:
    raw = rollout(canary={"analysis": USE})
    assert errors(raw, Existing(templates={"t"}, cluster_templates={"c"})) == []
    place = "spec.strategy.canary.analysis.templates"
    assert errors(raw, Existing(templates=set(), cluster_templates=set())) == [
        f"{place}[0].templateName: Invalid value: \"t\": AnalysisTemplate 't' not found",
        f"{place}[1].templateName: Invalid value: \"c\": ClusterAnalysisTemplate 'c' not found",
    ]


def test_what_was_not_looked_up_is_not_missing() -> None:
    assert errors(rollout(canary={"analysis": USE, "stableService": "s"}), Existing()) == []
