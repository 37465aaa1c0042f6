"""Jobs as objects: the Job of a measurement as it is created, and what one that runs or ended tells. Pure.

Labels and annotations are the peer's, so that its dashboards and people's selectors find them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from analysis.providers.base import Context, Misconfigured
from analysis.spec import FAILED, SUCCESSFUL, Metric, Phase
from rollouts.api import kinds

JSON = Mapping[str, Any]

UID: Final = "analysisrun.argoproj.io/uid"
RUN_NAME: Final = "analysisrun.argoproj.io/name"
RUN_NAMESPACE: Final = "analysisrun.argoproj.io/namespace"
METRIC: Final = "analysisrun.argoproj.io/metric-name"
NO_IMAGE: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
LONGEST_NAME: Final = 63
"""Characters: Kubernetes puts a Job's name into a label of its pods."""
LEAST_TTL: Final = 10
"""Seconds a Job stays after its end at least: one that is deleted at once takes its verdict along."""
_ENDS: Final[Mapping[str, Phase]] = {"Complete": SUCCESSFUL, "Failed": FAILED}
TTL: Final = "ttlSecondsAfterFinished"
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def name_of(uid: str, metric: str, number: int) -> str:
    """`<uid>.<metric>.<number>`; a metric's name that is too long, or none for Kubernetes, is cut and gets a hash."""
    room = LONGEST_NAME - len(uid) - len(str(number)) - 2
    if len(metric) > room or not _SUBDOMAIN.fullmatch(metric):
        digest = hashlib.sha256(metric.encode()).hexdigest()[:8]
        plain = re.sub(r"[^a-z0-9]+", "-", metric.lower())[: max(0, room - len(digest) - 1)].strip("-")
        metric = f"{plain}-{digest}" if plain else digest
    return f"{uid}.{metric}.{number}"


def job_of(metric: Metric, context: Context, *, namespace: str, owned: bool) -> dict[str, Any]:
    """The Job of a measurement, as it is created. Raises Misconfigured."""
    config = metric.provider.job
    if config is None:
        raise Misconfigured(f'metric "{metric.name}" has no job provider')
    given = config.metadata or {}
    template = config.spec.get("template") or {}
    if not isinstance(template, Mapping) or not template.get("spec"):
        raise Misconfigured(f'metric "{metric.name}": provider.job.spec.template.spec is empty')
    marks = {RUN_NAME: context.run_name, RUN_NAMESPACE: context.run_namespace, METRIC: metric.name}
    metadata: dict[str, Any] = {
        "name": name_of(context.run_uid, metric.name, context.number),
        "namespace": namespace,
        "labels": {**(given.get("labels") or {}), UID: context.run_uid},
        "annotations": {**(given.get("annotations") or {}), **marks},
    }
    if owned:
        metadata["ownerReferences"] = [_owner(context)]
    return {
        "apiVersion": kinds.JOB.api_version,
        "kind": kinds.JOB.kind,
        "metadata": metadata,
        "spec": {**config.spec, **_time_to_live(config.spec), "template": _labelled(template, context.run_uid)},
    }


def _owner(context: Context) -> dict[str, Any]:
    return {
        "apiVersion": kinds.ANALYSIS_RUN.api_version,
        "kind": kinds.ANALYSIS_RUN.kind,
        "name": context.run_name,
        "uid": context.run_uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _time_to_live(spec: JSON) -> dict[str, Any]:
    ttl = spec.get(TTL)
    return {TTL: LEAST_TTL} if isinstance(ttl, int) and ttl < LEAST_TTL else {}


def _labelled(template: JSON, uid: str) -> dict[str, Any]:
    metadata = template.get("metadata") or {}
    return {**template, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), UID: uid}}}


def ended(job: JSON) -> tuple[Phase, str] | None:
    """How a Job ended, with Kubernetes' reason for a failure; None while it goes on."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        phase = _ENDS.get(condition.get("type"))
        if phase is not None and condition.get("status") == "True":
            told = [condition.get("reason"), condition.get("message")]
            return phase, ": ".join(filter(None, told)) if phase == FAILED else ""
    return None


def image_trouble(pods: Iterable[JSON]) -> str | None:
    """What to say about the first container whose image can't be had."""
    for container in _containers(pods):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in NO_IMAGE:
            detail = f": {waiting['message']}" if waiting.get("message") else ""
            return f'container "{container.get("name")}" cannot start: {waiting["reason"]}{detail}'
    return None


def _containers(pods: Iterable[JSON]) -> Iterator[JSON]:
    for pod in pods:
        status = pod.get("status") or {}
        yield from (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


def superfluous(jobs: Iterable[JSON], metric: str, keep: int) -> list[JSON]:
    """The Jobs of a metric that are older than the newest `keep`."""
    own = sorted(_of(jobs, metric), key=lambda job: _number(job["metadata"]["name"]))
    return own[: max(0, len(own) - keep)]


def going_on(jobs: Iterable[JSON], metric: str) -> list[JSON]:
    """The Jobs of a metric that have not ended and are not suspended."""
    return [job for job in _of(jobs, metric) if ended(job) is None and not (job.get("spec") or {}).get("suspend")]


def _of(jobs: Iterable[JSON], metric: str) -> Iterator[JSON]:
    return (job for job in jobs if (job["metadata"].get("annotations") or {}).get(METRIC) == metric)


def _number(name: str) -> int:
    last = name.rpartition(".")[2]
    return int(last) if last.isdecimal() else 0
