"""The job provider: a measurement is a Kubernetes Job; completed is a success, failed a failure.

    run        create `<uid of the run>.<metric>.<number>`, or take up the one that is there: a controller that died
               after creating it goes on with it
    resume     look at it, after a time that grows with its age: 1 s when it is young, 10 s after 100 s, 60 s at most
    terminate  delete it
    collect    delete what is older than the measurements kept
    sweep      when the run is over, delete what goes on: begun just before a crash, or before a write that was refused

A Job whose image can't be pulled will not end by itself: the measurement is Inconclusive, and the Job is suspended so
that it doesn't begin later, when nobody waits for it, but can be looked at. Jobs are owned by their AnalysisRun.

    ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE     where Jobs run; default: the run's namespace
    ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG    the cluster they run in; default: this one

A Job stays for 10 s after its end at least, whatever its ttlSecondsAfterFinished: its end must be seen. In another
namespace or cluster an owner can't be named; give such Jobs a ttlSecondsAfterFinished.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from analysis.providers.base import Context, Misconfigured, ProviderError, Refused, Unavailable
from analysis.spec import INCONCLUSIVE, RUNNING, Measurement, Metric, Phase
from rollouts.api import kinds
from rollouts.engine.client import Api, connect
from rollouts.engine.errors import (
    AlreadyExistsError,
    ApiError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
)
from rollouts.engine.jobobjects import TTL, UID, ended, going_on, image_trouble, job_of, superfluous

JSON = Mapping[str, Any]

NAME: Final = "job-name"
NAMESPACE: Final = "job-namespace"
REASON: Final = "reason"
"""Keys of a measurement's metadata; `reason` is Kubernetes' for a failed Job."""
KUBECONFIG_VARIABLE: Final = "ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG"
NAMESPACE_VARIABLE: Final = "ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE"


@dataclass(slots=True)
class JobProvider:
    """Runs Jobs. `api`: the cluster of the AnalysisRuns. One object serves any number of metrics."""

    api: Api
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _open: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _elsewhere: Api | None = None

    async def run(self, metric: Metric, *, context: Context) -> Measurement:
        """Create the Job of this measurement, or take up the one that is there. Raises ProviderError."""
        namespace = self.environment.get(NAMESPACE_VARIABLE) or context.run_namespace
        owned = namespace == context.run_namespace and not self._is_elsewhere
        job = job_of(metric, context, namespace=namespace, owned=owned)
        name = job["metadata"]["name"]
        api = await self._api()
        try:
            await api.create(kinds.JOB, namespace, job)
        except (AlreadyExistsError, UnavailableError) as error:
            await _take_up(api, namespace, name, context, error)
        except ApiError as error:
            raise _explained(error, f"job {namespace}/{name} cannot be created") from error
        return Measurement(
            phase=RUNNING,
            started_at=context.now,
            resume_at=_look_again(context.now, context.now),
            metadata={NAME: name, NAMESPACE: namespace},
        )

    async def resume(self, metric: Metric, measurement: Measurement, *, context: Context) -> Measurement:
        """Look how it goes. Raises ProviderError when the Job is gone or may not be seen."""
        namespace, name = _place(measurement, context)
        later = measurement.model_copy(update={"resume_at": _look_again(measurement.started_at, context.now)})
        api = await self._api()
        try:
            job = await api.get(kinds.JOB, namespace, name)
            pods = [] if ended(job) else await _pods(api, job)
        except (UnavailableError, TooManyRequestsError):
            return later  # the Job goes on meanwhile
        except ApiError as error:
            raise _explained(error, f"job {namespace}/{name} cannot be looked at") from error
        if (end := ended(job)) is not None:
            return _finished(measurement, context.now, end[0], reason=end[1])
        if (trouble := image_trouble(pods)) is not None:
            await _suspend(api, job)
            return _finished(measurement, context.now, INCONCLUSIVE, message=trouble)
        return _sooner(later, job, context.now)

    async def terminate(self, metric: Metric, measurement: Measurement, *, context: Context) -> Measurement:
        """Delete it. Raises ProviderError."""
        namespace, name = _place(measurement, context)
        await _delete(await self._api(), namespace, name)
        return measurement.model_copy(update={"finished_at": context.now})

    async def collect(self, metric: Metric, *, keep: int, context: Context) -> None:
        """Delete all but the newest `keep` Jobs of the metric. Raises ProviderError."""
        await self._delete_some(lambda jobs: superfluous(jobs, metric.name, keep), context)

    async def sweep(self, metric: Metric, *, context: Context) -> None:
        """Delete Jobs of the metric that go on although the run is over. Raises ProviderError."""
        await self._delete_some(lambda jobs: going_on(jobs, metric.name), context)

    async def _delete_some(self, choose: Callable[[list[JSON]], list[JSON]], context: Context) -> None:
        namespace = self.environment.get(NAMESPACE_VARIABLE) or context.run_namespace
        api = await self._api()
        try:
            found = await api.list(kinds.JOB, namespace, selector=f"{UID}={context.run_uid}")
        except ApiError as error:
            raise _explained(error, f"jobs in {namespace} cannot be listed") from error
        for job in choose(found["items"]):
            await _delete(api, namespace, job["metadata"]["name"])

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the connection to another cluster, if there is one."""
        self._elsewhere = None
        await self._open.aclose()

    @property
    def _is_elsewhere(self) -> bool:
        return bool(self.environment.get(KUBECONFIG_VARIABLE))

    async def _api(self) -> Api:
        if not self._is_elsewhere:
            return self.api
        if self._elsewhere is None:
            path = self.environment[KUBECONFIG_VARIABLE]
            try:
                self._elsewhere = await self._open.enter_async_context(connect(kubeconfig=path))
            except Exception as error:  # the library raises several kinds for what it can't read
                raise Misconfigured(f"{KUBECONFIG_VARIABLE}: {path} cannot be used: {error}") from error
        return self._elsewhere


def _look_again(started: datetime | None, now: datetime) -> datetime:
    age = max(1.0, (now - (started or now)).total_seconds())
    return now + timedelta(seconds=min(60.0, math.sqrt(age)))


def _sooner(later: Measurement, job: JSON, now: datetime) -> Measurement:
    """Twice in the time the Job stays after its end, if that is limited."""
    ttl = (job.get("spec") or {}).get(TTL)
    soon = now + timedelta(seconds=max(1.0, ttl / 2)) if ttl is not None else None
    return later.model_copy(update={"resume_at": soon}) if soon and soon < (later.resume_at or soon) else later


def _finished(
    measurement: Measurement, now: datetime, phase: Phase, *, message: str | None = None, reason: str = ""
) -> Measurement:
    metadata = {**(measurement.metadata or {}), **({REASON: reason} if reason else {})}
    changes = {"phase": phase, "message": message, "finished_at": now, "resume_at": now, "metadata": metadata}
    return measurement.model_copy(update=changes)


def _place(measurement: Measurement, context: Context) -> tuple[str, str]:
    metadata = measurement.metadata or {}
    if not metadata.get(NAME):
        raise Misconfigured(f"the measurement has no {NAME} in its metadata: its Job cannot be found")
    return metadata.get(NAMESPACE) or context.run_namespace, metadata[NAME]


def _explained(error: ApiError, what: str) -> ProviderError:
    """The error for people, by what the API server said."""
    if isinstance(error, NotFoundError):
        return Refused(f"{what}: it does not exist; was it deleted? ({error})")
    if isinstance(error, InvalidError):
        return Misconfigured(f"{what}, provider.job is not valid: {error}")
    if isinstance(error, ForbiddenError):
        return Refused(f"{what}, the controller's rights do not suffice: {error}")
    return Unavailable(f"{what}: {error}", retry_after=error.retry_after)


# -- requests ----------------------------------------------------------------------------------------------------------


async def _take_up(api: Api, namespace: str, name: str, context: Context, trouble: ApiError) -> None:
    """Nothing, if the Job is there and this run's. Raises ProviderError."""
    what = f"job {namespace}/{name} cannot be created"
    try:
        job = await api.get(kinds.JOB, namespace, name)
    except ApiError as error:
        raise _explained(trouble, what) from error
    if (job["metadata"].get("labels") or {}).get(UID) != context.run_uid:
        raise Refused(f"{what}: there is one of that name which is not this run's")


async def _pods(api: Api, job: JSON) -> list[JSON]:
    """The Job's pods, unless they are all fine."""
    status = job.get("status") or {}
    if not status.get("active") or status.get("ready"):
        return []
    metadata = job["metadata"]
    found = await api.list(kinds.POD, metadata["namespace"], selector=f"job-name={metadata['name']}")
    return list(found["items"])


async def _suspend(api: Api, job: JSON) -> None:
    """Keep it from beginning late; it stays for people to look at. Not being able to is no error of the measurement."""
    metadata = job["metadata"]
    with contextlib.suppress(ApiError):
        await api.patch(kinds.JOB, metadata["namespace"], metadata["name"], {"spec": {"suspend": True}})


async def _delete(api: Api, namespace: str, name: str) -> None:
    try:
        await api.delete(kinds.JOB, namespace, name)
    except NotFoundError:
        return
    except ApiError as error:
        raise _explained(error, f"job {namespace}/{name} cannot be deleted") from error
