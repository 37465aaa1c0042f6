"""The Rollout as a whole: pods, deadlines, and exactly one strategy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.api.errors import FieldError, Path
from rollouts.api.rollout import Rollout, RolloutSpec, WorkloadRef
from rollouts.api.validation import bluegreen, canary, common, pods, words

SPEC = Path.of("spec")
_WORKLOADS = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "PodTemplate": "v1"}
_NON_NEGATIVE = ("replicas", "min_ready_seconds", "revision_history_limit", "progress_deadline_seconds")


def errors(rollout: Rollout) -> Iterator[FieldError]:
    """All errors of a Rollout."""
    spec = rollout.spec
    yield from _number_errors(spec)
    yield from _workload_errors(spec)
    yield from _strategy_errors(spec)


def _number_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    for name in _NON_NEGATIVE:
        yield from common.at_least(0, getattr(spec, name), SPEC / str(RolloutSpec.model_fields[name].alias))
    deadline, ready = spec.effective_progress_deadline_seconds, spec.effective_min_ready_seconds
    if deadline <= ready:
        yield (SPEC / "progressDeadlineSeconds").error(
            f"must be greater than minReadySeconds ({ready}), not {deadline}; no pod could become available in time"
        )
    history = spec.analysis
    if history:
        yield from common.at_least(
            0, history.successful_run_history_limit, SPEC / "analysis" / "successfulRunHistoryLimit"
        )
        yield from common.at_least(
            0, history.unsuccessful_run_history_limit, SPEC / "analysis" / "unsuccessfulRunHistoryLimit"
        )
    if spec.rollback_window:
        yield from common.at_least(0, spec.rollback_window.revisions, SPEC / "rollbackWindow" / "revisions")


def _workload_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    """Pods come from the template or from the workload referred to, never from both."""
    if spec.workload_ref is None:
        yield from _template_errors(spec)
        return
    yield from _reference_errors(spec.workload_ref, SPEC / "workloadRef")
    if spec.template and not _is_empty(spec.template):
        yield (SPEC / "template").error("must be empty with a workloadRef, which brings the pod template")


def _is_empty(template: Mapping[str, Any]) -> bool:
    """Go clients write an empty template as `{metadata: {creationTimestamp: null}, spec: {containers: null}}`."""
    metadata, spec = common.mapping(template.get("metadata")), common.mapping(template.get("spec"))
    return not (metadata.get("labels") or metadata.get("annotations") or spec.get("containers"))


def _template_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    yield from _selector_errors(spec)
    if spec.template is None:
        missing = words.MISSING.format(".spec.template")
        yield (SPEC / "template").error(f"{missing}: it is required (or a workloadRef to take the pods from)")
    else:
        yield from pods.template_errors(spec.template, SPEC / "template")


def _selector_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    path = SPEC / "selector"
    if spec.selector is None:
        missing = words.MISSING.format(".spec.selector")
        yield path.error(f"{missing}: it is required; it must match the labels of the pod template")
    elif common.is_empty(spec.selector):
        yield path.error(f"{words.SELECTS_ALL}: it must not be empty, or it would match every pod in the namespace")
    elif spec.template is not None:
        yield from pods.selector_errors(
            selector=spec.selector, template=spec.template, at=path, template_at=SPEC / "template"
        )


def _reference_errors(reference: WorkloadRef, path: Path) -> Iterator[FieldError]:
    if not reference.name:
        yield (path / "name").error("is required")
    wanted = _WORKLOADS.get(reference.kind or "")
    if wanted is None:
        yield (path / "kind").error(f'must be one of {", ".join(_WORKLOADS)}, not "{reference.kind or ""}"')
    elif reference.api_version != wanted:
        yield (path / "apiVersion").error(
            f'must be {wanted} for a {reference.kind}, not "{reference.api_version or ""}"'
        )


def _strategy_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    path = SPEC / "strategy"
    missing = words.MISSING.format(".spec.strategy.canary or .spec.strategy.blueGreen")
    if spec.strategy is None:
        yield path.error(f"{missing}: it is required: set one of canary, blueGreen")
        return
    yield from common.exactly_one(spec.strategy, path, words=words.ONE_STRATEGY if spec.canary else missing)
    if spec.canary:
        yield from canary.errors(spec, spec.canary, path / "canary")
    if spec.blue_green:
        yield from bluegreen.errors(spec, spec.blue_green, path / "blueGreen")
