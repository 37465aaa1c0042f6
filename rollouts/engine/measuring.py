"""The shell around `analysis` for one AnalysisRun: assess, measure what is due, record, assess again, patch.

The first pass only says Running, so that people see a run at work before its first answer. A run finished by its
metrics stays until its Rollout's history drops it, or until its own `ttlStrategy` deletes it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.assess import Assessment, assess, record
from analysis.measure import measure, sweep
from analysis.providers import Context, Provider
from analysis.spec import COMPLETED, ERROR, FAILED, SUCCESSFUL, RunStatus
from rollouts.api import kinds, parse
from rollouts.api.analysis import AnalysisRun
from rollouts.engine.client import Api
from rollouts.engine.secrets import Secrets, home_namespace
from rollouts.engine.weights import Weight
from rollouts.plan import Delete, Event, Plan
from rollouts.strategy import patching, times

JSON = Mapping[str, Any]


class Measuring:
    """Decides for AnalysisRuns; `decide` fits `reconcile.Controller`."""

    def __init__(
        self,
        *,
        api: Api,
        providers: Mapping[str, Provider],
        home: str | None = None,
        weight_of: Callable[[JSON], Weight | None] = lambda run: None,
    ) -> None:
        """`home` is the controller's namespace, where accounts of providers are read; default: this pod's.

        `weight_of` tells the share of requests a run's canary should get now, see `weights`.
        """
        self._providers = providers
        self._weight_of = weight_of
        self._secrets = Secrets(api=api, home=home or home_namespace(os.environ))

    async def decide(self, obj: JSON, now: datetime) -> Plan:
        """The plan for a run; measures on the way what is due."""
        if obj["metadata"].get("deletionTimestamp"):
            return Plan()
        parsed = parse(kinds.ANALYSIS_RUN, obj)
        if parsed.model is None:
            return _unreadable(obj, "; ".join(map(str, parsed.errors)), now)
        run: AnalysisRun = parsed.model
        before = run.status or RunStatus()
        if before.phase in COMPLETED:
            return _expiry(obj, run, before, now)
        look = assess(spec=run.spec, status=before, now=now)
        ended: datetime | None = None
        if before.phase is not None and look.due:
            status = await self._measured(obj, run, look, now)
            now = ended = datetime.now(UTC)
            look = assess(spec=run.spec, status=status, now=now)
        if before.phase is not None and look.status.phase in COMPLETED:
            await sweep(run.spec, providers=self._providers, run=self._context(obj["metadata"], now))
        return Plan(
            status=patching.difference(obj.get("status") or {}, look.status.to_api()),
            events=tuple(told(before, look.status)),
            requeue_after=_again(look, run, now, uid=obj["metadata"]["uid"], ended=ended),
        )

    async def _measured(self, obj: JSON, run: AnalysisRun, look: Assessment, now: datetime) -> RunStatus:
        namespace = obj["metadata"]["namespace"]
        measured = await measure(
            look.due,
            spec=run.spec,
            status=look.status,
            providers=self._providers,
            read_secret=lambda ref: self._secrets.argument(namespace, ref),
            run=self._weighted(obj, self._context(obj["metadata"], now)),
        )
        return record(spec=run.spec, status=look.status, measured=measured)

    def _weighted(self, obj: JSON, context: Context) -> Context:
        weight = self._weight_of(obj)
        return context if weight is None else replace(context, weight=weight.share, by_pods=weight.by_pods)

    def _context(self, metadata: JSON, now: datetime) -> Context:
        namespace, secrets = metadata["namespace"], self._secrets
        return Context(
            now=now,
            run_name=metadata["name"],
            run_namespace=namespace,
            run_uid=metadata["uid"],
            read_account=lambda name, namespaced: secrets.account(namespace if namespaced else secrets.home, name),
        )


def _unreadable(obj: JSON, message: str, now: datetime) -> Plan:
    if (obj.get("status") or {}).get("phase") in COMPLETED:
        return Plan()
    stamp = times.text(now)
    status = {"phase": ERROR, "message": f"Analysis spec invalid: {message}", "startedAt": stamp, "completedAt": stamp}
    return Plan(status=status, events=(_finished(ERROR),))


def _again(look: Assessment, run: AnalysisRun, now: datetime, *, uid: str, ended: datetime | None) -> float | None:
    """Seconds until the next measurement, or until a finished run's time is over. Nothing else brings a run back after
    what we wrote ourselves."""
    if look.due:
        return 0.0
    if look.status.phase in COMPLETED:
        return _seconds_kept(run, look.status, now)
    return _seconds(look.next_look, now, uid=uid, ended=ended)


def _seconds_kept(run: AnalysisRun, status: RunStatus, now: datetime) -> float | None:
    """Seconds until a finished run is to be deleted, never below 0; None: it is kept."""
    ttl = run.spec.ttl_strategy
    if ttl is None or status.completed_at is None:
        return None
    special = {SUCCESSFUL: ttl.seconds_after_success, FAILED: ttl.seconds_after_failure}.get(status.phase or "")
    seconds = special if special is not None else ttl.seconds_after_completion
    if seconds is None:
        return None
    return max(0.0, (status.completed_at + timedelta(seconds=seconds) - now).total_seconds())


def _expiry(obj: JSON, run: AnalysisRun, status: RunStatus, now: datetime) -> Plan:
    left = _seconds_kept(run, status, now)
    if left is None or left > 0:
        return Plan(requeue_after=left)
    metadata = obj["metadata"]
    gone = Delete(kind=kinds.ANALYSIS_RUN, namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"])
    return Plan(writes=(gone,))


def told(before: RunStatus, after: RunStatus) -> Iterator[Event]:
    finished = {result.name for result in before.metric_results or () if result.phase in COMPLETED}
    for result in after.metric_results or ():
        if result.phase in COMPLETED and result.name not in finished:
            message = f"Metric '{result.name}' Completed. Result: {result.phase}"
            yield Event(reason=f"Metric{result.phase}", message=message, type=_severity(result.phase))
    if after.phase in COMPLETED and after.phase is not None:
        yield _finished(after.phase)


def _finished(phase: str) -> Event:
    return Event(reason=f"AnalysisRun{phase}", message=f"Analysis Completed. Result: {phase}", type=_severity(phase))


def _severity(phase: str | None) -> str:
    return "Warning" if phase in {FAILED, ERROR} else "Normal"


def _seconds(moment: datetime | None, now: datetime, *, uid: str, ended: datetime | None) -> float | None:
    """Seconds until a moment, at the run's own fraction of a second.

    An object's times are whole seconds: all runs would be due as a second begins, hundreds at once. Measurements that
    have just `ended` in the second after the one they belong to are due as their second begins, or they would be a
    whole one late.
    """
    if moment is None:
        return None
    fraction = own_fraction(uid)
    over = ended is not None and ended.microsecond / 1e6 < fraction
    due = moment.replace(microsecond=0) + timedelta(seconds=0.0 if over else fraction)
    return max((due - now).total_seconds(), 0.01)


def own_fraction(uid: str) -> float:
    """From 0 to 0.75 s, always the same for a run. Not later: the end of a measurement should fall in the same second,
    or the next would be due one later."""
    return zlib.crc32(uid.encode()) / 2**32 * 0.75
