"""The status that follows from a decision, and when to look again. Only what differs is written.

Pod counts are always given, also when they are 0: the peer's clients take them for required.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from rollouts.experiments import course
from rollouts.experiments.analyses import Analysis
from rollouts.experiments.decision import Decision
from rollouts.experiments.looks import Look
from rollouts.experiments.recorded import ERROR, FAILED, INCONCLUSIVE, PENDING, PROGRESSING, RUNNING, SUCCESSFUL
from rollouts.strategy import conditions, patching, times

JSON = Mapping[str, Any]

_SAYS: Final[Mapping[str, tuple[str, str, str]]] = {
    PENDING: ("True", "ReplicaSetUpdated", "is progressing."),
    RUNNING: ("True", "NewReplicaSetAvailable", "is running."),
    SUCCESSFUL: ("False", "ExperimentCompleted", "has successfully ran and completed."),
    FAILED: ("False", "ExperimentFailed", "has failed"),
    ERROR: ("False", "ExperimentError", "has ended with an error"),
    INCONCLUSIVE: ("False", "ExperimentInconclusive", "is inconclusive"),
}
_TIMED_OUT: Final = ("False", conditions.TIMED_OUT, "has timed out progressing")


def status(decision: Decision) -> JSON:
    """The merge patch for status."""
    now, before = decision.course, decision.recorded.raw
    after: dict[str, Any] = {
        "phase": now.phase,
        "message": now.message or None,
        "availableAt": times.text(now.available_at) if now.available_at else None,
        "templateStatuses": [_template(decision, each) for each in now.looks],
        "analysisRuns": [_analysis(each) for each in now.analyses] or None,
        "conditions": _conditions(decision),
    }
    return patching.difference(before, after)


def look_again(decision: Decision) -> float | None:
    """Seconds until something happens by itself; None when nothing will."""
    seconds = [(moment - decision.now).total_seconds() for moment in _moments(decision)]
    return max(min(seconds), 0.01) if seconds else None


def _moments(decision: Decision) -> Iterator[datetime]:
    spec = decision.model.spec
    deadline = timedelta(seconds=spec.effective_progress_deadline_seconds)
    for each in decision.wanted:
        if each.status == PROGRESSING and each.since is not None:
            yield each.since + deadline
    over = course.ends_at(spec, decision.course.available_at)
    if over is not None and not decision.course.ends and over > decision.now:
        yield over
    yield from (leave.until for _, leave in decision.leaves if leave.until is not None)


def _template(decision: Decision, each: Look) -> dict[str, Any]:
    rs, served = each.set, each in decision.served
    counts = {
        "replicas": rs.current if rs else 0,
        "updatedReplicas": rs.current if rs else 0,
        "readyReplicas": rs.ready if rs else 0,
        "availableReplicas": rs.available if rs else 0,
    }
    return _entry(
        each.before.raw,
        {
            "name": each.spec.name,
            **counts,
            "status": each.status,
            "message": each.message or None,
            "lastTransitionTime": times.text(each.since) if each.since else None,
            "collisionCount": each.collisions,
            "serviceName": each.service if served else None,
            "podTemplateHash": each.hash if served else None,
        },
    )


def _analysis(each: Analysis) -> dict[str, Any]:
    return _entry(
        each.before.raw,
        {"name": each.name, "analysisRun": each.run, "phase": each.status, "message": each.message or None},
    )


def _entry(before: JSON, after: JSON) -> dict[str, Any]:
    """Keys we don't know are kept."""
    return {key: value for key, value in {**before, **after}.items() if value is not None}


def _conditions(decision: Decision) -> list[JSON]:
    now = decision.course
    late = now.phase == FAILED and any(each.status == FAILED for each in now.looks)
    state, reason, words = _TIMED_OUT if late else _SAYS[now.phase]
    text = f'Experiment "{decision.name}" {words}'
    message = f"{text}: {now.message}" if now.message else text
    return conditions.merge(
        list(decision.recorded.raw.get("conditions") or ()),
        [conditions.Condition(type=conditions.PROGRESSING, status=state, reason=reason, message=message)],
        drop=frozenset({conditions.INVALID_SPEC}),
        now=decision.now,
    )
