"""References of a Rollout to other objects: which there are, and which of them are missing.

Pure: the caller says what exists in the namespace. A missing object makes the Rollout invalid until it appears; the
words are the peer's, because people search for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from rollouts.api.canary import CanaryStrategy
from rollouts.api.errors import FieldError, Path, unique
from rollouts.api.rollout import Rollout
from rollouts.api.steps import RolloutAnalysis
from rollouts.api.validation import common

HASH_LABEL = "rollouts-pod-template-hash"
MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"
STRATEGY = Path.of("spec", "strategy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One object a Rollout names: its kind, its name, and the field that names it."""

    kind: str
    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """What there is in the Rollout's namespace (and, of cluster templates, in the cluster).

    `services`: raw Services by name. A set left None is not looked at.
    """

    services: Mapping[str, Mapping[str, Any]] | None = None
    templates: AbstractSet[str] | None = None
    cluster_templates: AbstractSet[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the pod template, when it comes from a workloadRef; else the Rollout's own are used."""


def references(rollout: Rollout) -> tuple[Reference, ...]:
    """All Services and analysis templates a Rollout names, in the order of its fields."""
    found = [*_services(rollout), *_templates(rollout)]
    return tuple(reference for reference in found if reference.name)


def missing(rollout: Rollout, existing: Existing) -> tuple[FieldError, ...]:
    """Errors for every object named that does not exist, or that can't serve this Rollout."""
    return unique(error for reference in references(rollout) for error in _errors(rollout, reference, existing))


def _services(rollout: Rollout) -> Iterator[Reference]:
    canary, blue_green = rollout.spec.canary, rollout.spec.blue_green
    named: list[tuple[Path, str | None]] = []
    if blue_green:
        path = STRATEGY / "blueGreen"
        named += [
            (path / "activeService", blue_green.active_service),
            (path / "previewService", blue_green.preview_service),
        ]
    if canary:
        path = STRATEGY / "canary"
        named += [(path / "stableService", canary.stable_service), (path / "canaryService", canary.canary_service)]
        if canary.ping_pong:
            named.append((path / "pingPong" / "pingService", canary.ping_pong.ping_service))
            named.append((path / "pingPong" / "pongService", canary.ping_pong.pong_service))
    yield from (Reference(kind="Service", name=name or "", path=path) for path, name in named)


def _templates(rollout: Rollout) -> Iterator[Reference]:
    canary, blue_green = rollout.spec.canary, rollout.spec.blue_green
    if blue_green:
        path = STRATEGY / "blueGreen"
        yield from _of_analysis(blue_green.pre_promotion_analysis, path / "prePromotionAnalysis")
        yield from _of_analysis(blue_green.post_promotion_analysis, path / "postPromotionAnalysis")
    if canary:
        path = STRATEGY / "canary"
        yield from _of_analysis(canary.analysis, path / "analysis")
        yield from _of_steps(canary, path / "steps")


def _of_steps(canary: CanaryStrategy, path: Path) -> Iterator[Reference]:
    for index, step in enumerate(canary.steps or ()):
        yield from _of_analysis(step.analysis, path / index / "analysis")
        runs = (step.experiment.analyses if step.experiment else None) or ()
        for position, run in enumerate(runs):
            place = path / index / "experiment" / "analyses" / position / "templateName"
            yield Reference(kind=_template_kind(run.cluster_scope), name=run.template_name, path=place)


def _of_analysis(use: RolloutAnalysis | None, path: Path) -> Iterator[Reference]:
    for index, reference in enumerate((use.templates if use else None) or ()):
        place = path / "templates" / index / "templateName"
        yield Reference(kind=_template_kind(reference.cluster_scope), name=reference.template_name or "", path=place)


def _template_kind(cluster_scope: bool | None) -> str:
    return "ClusterAnalysisTemplate" if cluster_scope else "AnalysisTemplate"


def _errors(rollout: Rollout, reference: Reference, existing: Existing) -> Iterator[FieldError]:
    if reference.kind == "Service":
        yield from _service_errors(rollout, reference, existing)
        return
    there = existing.cluster_templates if reference.kind == "ClusterAnalysisTemplate" else existing.templates
    if there is not None and reference.name not in there:
        yield _invalid(reference, f"{reference.kind} '{reference.name}' not found")


def _service_errors(rollout: Rollout, reference: Reference, existing: Existing) -> Iterator[FieldError]:
    if existing.services is None:
        return
    service = existing.services.get(reference.name)
    if service is None:
        yield _invalid(reference, f'service "{reference.name}" not found')
        return
    manager = _annotations(service).get(MANAGED_BY)
    if manager and manager != rollout.metadata.name:
        yield _invalid(reference, f'Service "{reference.name}" is managed by another Rollout, "{manager}"')
    yield from _selector_errors(rollout, reference, service, existing)


def _annotations(service: Mapping[str, Any]) -> Mapping[str, Any]:
    return common.mapping(common.mapping(service.get("metadata")).get("annotations"))


def _selector_errors(
    rollout: Rollout, reference: Reference, service: Mapping[str, Any], existing: Existing
) -> Iterator[FieldError]:
    """The Service must be able to select the Rollout's pods; the hash label is the controller's."""
    template = common.mapping(common.mapping(rollout.spec.template).get("metadata")).get("labels")
    labels = existing.labels or common.mapping(template)
    selector = common.mapping(common.mapping(service.get("spec")).get("selector"))
    wrong = [key for key, value in selector.items() if key != HASH_LABEL and labels.get(key) != value]
    for key in wrong if labels else ():
        words = f'Service "{reference.name}" has unmatch label "{key}" in rollout'
        yield _invalid(reference, f"{words}: it selects {key}={selector[key]}, which the pod template has not")


def _invalid(reference: Reference, why: str) -> FieldError:
    return reference.path.error(f"Invalid value: {json.dumps(reference.name)}: {why}")
