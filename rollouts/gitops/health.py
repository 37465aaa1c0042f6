"""Whether an object does what it should, told from the object alone: pure, one row of `RULES` for each kind.

The names are those of the tools people know: Healthy, Progressing, Suspended, Degraded, Missing, Unknown. A paused
Rollout is **Suspended**, not hung, and says what it waits for. A kind without a row is judged by the common conditions
(`Ready`, `Reconciling`, `Stalled`) when it has them; a kind that has no such thing (a ConfigMap) has no health and
counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rollouts.gitops import marks
from rollouts.gitops.claims import dig
from rollouts.gitops.objects import JSON, Ref, annotation, ref_of
from rollouts.gitops.seen import version


class Status(StrEnum):
    """From best to worst."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"


_RANK = {status: rank for rank, status in enumerate(Status)}


def rank(status: Status) -> int:
    """Its place from best (0) to worst."""
    return _RANK[status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A status and, where there is something to say, why."""

    status: Status
    message: str = ""

    def __str__(self) -> str:
        return f"{self.status} ({self.message})" if self.message else str(self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The health of one object. `version`: its resourceVersion when it was looked at, 0 when nobody knows."""

    ref: Ref
    health: Health
    version: int = 0


def part_of(ref: Ref, body: JSON) -> Part | None:
    """The health of a live object, with its version; None for a kind that has none, and where it does not count."""
    state = counted(body)
    return None if state is None else Part(ref=ref, health=state, version=version(body))


HEALTHY = Health(status=Status.HEALTHY)
IGNORED = (f"{marks.PREFIX}ignore-healthcheck", "argocd.argoproj.io/ignore-healthcheck")
"""Annotations of objects whose health says nothing about their sync: no wave waits for them."""


def counted(body: JSON) -> Health | None:
    """The health of a live object as far as it counts for its sync: None also when it says that it doesn't."""
    return None if any(annotation(body, key) == "true" for key in IGNORED) else assess(body)


def assess(body: JSON) -> Health | None:
    """The health of a live object; None for a kind that has none."""
    if dig(body, "metadata").get("deletionTimestamp"):
        return _progressing("being deleted")
    ref = ref_of(body)
    return RULES.get((ref.group, ref.kind), _common)(body)


def overall(parts: Iterable[Part]) -> Health:
    """The worst of all, with the object it comes from; Healthy when there is nothing to judge."""
    worst = max(parts, key=lambda part: _RANK[part.health.status], default=None)
    if worst is None or worst.health.status is Status.HEALTHY:
        return HEALTHY
    message = worst.ref.label + (f": {worst.health.message}" if worst.health.message else "")
    return Health(status=worst.health.status, message=message)


def _progressing(message: str) -> Health:
    return Health(status=Status.PROGRESSING, message=message)


def _degraded(message: str) -> Health:
    return Health(status=Status.DEGRADED, message=message)


def _conditions(body: JSON) -> Mapping[str, JSON]:
    rows = dig(body, "status").get("conditions") or ()
    return {str(row.get("type")): row for row in rows if isinstance(row, Mapping)}


def _says(body: JSON, kind: str, value: str = "True") -> str | None:
    """The message of the condition when it has this value (maybe an empty text), else None."""
    condition = _conditions(body).get(kind)
    if condition is None or condition.get("status") != value:
        return None
    return str(condition.get("message") or condition.get("reason") or "")


def _observed(body: JSON) -> bool:
    """Whether the controller has seen the spec; a Rollout writes the number as text."""
    seen = str(dig(body, "status").get("observedGeneration", ""))
    generation = dig(body, "metadata").get("generation") or 0
    return int(seen) >= generation if seen.isdigit() else False


_PHASES = {
    "Healthy": Status.HEALTHY,
    "Degraded": Status.DEGRADED,
    "Paused": Status.SUSPENDED,
    "Progressing": Status.PROGRESSING,
}


def _rollout(body: JSON) -> Health:
    if not _observed(body):
        return _progressing("waiting for the controller to see the new spec")
    status = dig(body, "status")
    health = _PHASES.get(str(status.get("phase")), Status.PROGRESSING)
    return Health(status=health, message=_rollout_message(body, health))


_AT_A_STEP = "CanaryPauseStep"
"""What a Rollout says of a pause that is a step: it is told in other words already."""


def _rollout_message(body: JSON, health: Status) -> str:
    status = dig(body, "status")
    message = "" if health is Status.HEALTHY else str(status.get("message") or "")
    steps = dig(body, "spec", "strategy", "canary").get("steps") or ()
    index = status.get("currentStepIndex")
    if health is not Status.SUSPENDED or not isinstance(index, int) or index >= len(steps):
        return message
    lasts = dig(steps[index], "pause").get("duration") if isinstance(steps[index], Mapping) else None
    what = f"for {lasts}{'' if str(lasts)[-1:].isalpha() else 's'}" if lasts else "promote or abort"
    more = "" if message in ("", _AT_A_STEP) else f"; {message}"
    return f"paused at step {index + 1}/{len(steps)}, {what}{more}"


_RUN_PHASES = {
    "Successful": Status.HEALTHY,
    "Failed": Status.DEGRADED,
    "Error": Status.DEGRADED,
    "Inconclusive": Status.UNKNOWN,
}


def _run(body: JSON) -> Health:
    status = dig(body, "status")
    health = _RUN_PHASES.get(str(status.get("phase")), Status.PROGRESSING)
    return Health(status=health, message=str(status.get("message") or ""))


def _deployment(body: JSON) -> Health:
    spec, status = dig(body, "spec"), dig(body, "status")
    if spec.get("paused"):
        return Health(status=Status.SUSPENDED, message="the Deployment is paused")
    if not _observed(body):
        return _progressing("waiting for the new spec to be seen")
    late = _conditions(body).get("Progressing") or {}
    if late.get("reason") == "ProgressDeadlineExceeded":
        return _degraded(str(late.get("message") or "the progress deadline has passed"))
    return _counted(status, spec.get("replicas", 1), updated="updatedReplicas", ready="availableReplicas")


def _stateful_set(body: JSON) -> Health:
    spec, status = dig(body, "spec"), dig(body, "status")
    if not _observed(body):
        return _progressing("waiting for the new spec to be seen")
    if dig(spec, "updateStrategy").get("type") == "OnDelete":
        return HEALTHY
    held = dig(spec, "updateStrategy", "rollingUpdate").get("partition") or 0
    wanted = spec.get("replicas", 1)
    if status.get("readyReplicas", 0) < wanted:
        return _progressing(f"{status.get('readyReplicas', 0)} of {wanted} replicas are ready")
    return _enough("updated", status.get("updatedReplicas", 0), max(0, wanted - held))


def _daemon_set(body: JSON) -> Health:
    status = dig(body, "status")
    if not _observed(body):
        return _progressing("waiting for the new spec to be seen")
    if dig(body, "spec", "updateStrategy").get("type") == "OnDelete":
        return HEALTHY
    return _counted(
        status, status.get("desiredNumberScheduled", 0), updated="updatedNumberScheduled", ready="numberAvailable"
    )


def _replica_set(body: JSON) -> Health:
    if not _observed(body):
        return _progressing("waiting for the new spec to be seen")
    failure = _says(body, "ReplicaFailure")
    if failure is not None:
        return _degraded(failure)
    return _enough("available", dig(body, "status").get("availableReplicas", 0), dig(body, "spec").get("replicas", 1))


def _counted(status: JSON, wanted: int, *, updated: str, ready: str) -> Health:
    total = status.get("replicas", status.get("updatedNumberScheduled", 0))
    fresh = status.get(updated, 0)
    if fresh < wanted:
        return _enough("updated", fresh, wanted)
    if total > fresh:
        return _progressing(f"{total - fresh} old replicas are still there")
    return _enough("available", status.get(ready, 0), wanted)


def _enough(what: str, count: int, wanted: int) -> Health:
    return HEALTHY if count >= wanted else _progressing(f"{count} of {wanted} replicas are {what}")


_POD_PHASES = {"Succeeded": Status.HEALTHY, "Failed": Status.DEGRADED}


def _pod(body: JSON) -> Health:
    status = dig(body, "status")
    waiting = [dig(row, "state", "waiting") for row in status.get("containerStatuses") or ()]
    for row in waiting:
        reason = str(row.get("reason") or "")
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")):
            return _degraded(f"{reason}: {row.get('message') or 'no message'}")
    if _says(body, "Ready") is not None:
        return HEALTHY
    return Health(status=_POD_PHASES.get(str(status.get("phase")), Status.PROGRESSING))


def _job(body: JSON) -> Health:
    failed = _says(body, "Failed")
    if failed is not None:
        return _degraded(failed)
    if _says(body, "Suspended") is not None:
        return Health(status=Status.SUSPENDED, message="the Job is suspended")
    return HEALTHY if _says(body, "Complete") is not None else _progressing("the Job runs")


def _claim(body: JSON) -> Health:
    phase = dig(body, "status").get("phase")
    if phase == "Lost":
        return _degraded("the volume is lost")
    return HEALTHY if phase == "Bound" else _progressing("waiting for a volume")


def _service(body: JSON) -> Health:
    if dig(body, "spec").get("type") == "LoadBalancer" and not dig(body, "status", "loadBalancer").get("ingress"):
        return _progressing("waiting for a load balancer")
    return HEALTHY


def _definition(body: JSON) -> Health:
    refused = _says(body, "NamesAccepted", "False")
    if refused is not None:
        return _degraded(refused)
    return HEALTHY if _says(body, "Established") is not None else _progressing("waiting to be established")


def _namespace(body: JSON) -> Health:
    return HEALTHY if dig(body, "status").get("phase") == "Active" else _progressing("the namespace is not active")


def _common(body: JSON) -> Health | None:
    """Kinds without a row: the conditions most controllers share."""
    conditions = _conditions(body)
    stalled, working, waits = _says(body, "Stalled"), _says(body, "Reconciling"), _says(body, "Ready", "False")
    if stalled is not None:
        return _degraded(stalled)
    if working is not None or waits is not None:
        return _progressing(working or waits or "")
    if "Ready" not in conditions:
        return None
    return HEALTHY if _says(body, "Ready") is not None else _progressing("not ready")


Rule = Callable[[JSON], Health | None]
RULES: Mapping[tuple[str, str], Rule] = {
    ("argoproj.io", "Rollout"): _rollout,
    ("argoproj.io", "AnalysisRun"): _run,
    ("argoproj.io", "Experiment"): _run,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Namespace"): _namespace,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
