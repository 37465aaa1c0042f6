"""Measures: runs the due tasks of a run through the providers, all at once, and judges the answers.

`measure` is the shell around `assess`, and all that waits. Whatever goes wrong with a task becomes a measurement of
phase Error that says what; nothing is raised, so one faulty metric never takes the others along.

How an answer is judged:

    no condition           Successful
    successCondition only  Successful where it holds, else Failed
    failureCondition only  Failed where it holds, else Successful
    both                   Failed where failureCondition holds, else Successful where successCondition does,
                           else Inconclusive
    compare                as its judge says (`analysis.compare`)
    a condition fails      Error
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TypeGuard

from analysis.assess import METRIC_TERMINATED, Measured, Task, assess, record, result_of
from analysis.compare.measuring import compare
from analysis.language import ConditionError, judge_condition
from analysis.providers import Answer, Context, Provider, ProviderError, Resumable, default_providers, provider_of
from analysis.providers.base import Collecting, Sweeping, TimedOut, seconds_allowed
from analysis.record import retention_of
from analysis.spec import (
    ERROR,
    FAILED,
    INCONCLUSIVE,
    SUCCESSFUL,
    Argument,
    Measurement,
    Metric,
    Phase,
    RunSpec,
    RunStatus,
    SecretKeyRef,
)
from analysis.spec.compare import STATE
from analysis.templating import (
    NO_SECRETS,
    Secrets,
    TemplatingError,
    fill_metric,
    plain_values,
    redact_measurement,
    secret_refs,
)

log = logging.getLogger(__name__)
SPARE_SECONDS = 15.0
"""Added to a provider's own timeout, for retries and for waiting for a free thread."""

ReadSecret = Callable[[SecretKeyRef], Awaitable[str]]
"""Fetches a secret's value; raises with a message for people when there is none."""
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, as an aware datetime."""
    return datetime.now(UTC)


async def _no_secrets(ref: SecretKeyRef) -> str:
    raise ProviderError(f"secret {ref.name} cannot be read here")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One task with all it needs."""

    task: Task
    context: Context
    values: Mapping[str, str]
    secrets: Secrets
    providers: Mapping[str, Provider]
    clock: Clock
    keep: int
    kept: str | None = None
    rivals: int = 1
    notes: dict[str, str] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)

    @property
    def known(self) -> Secrets:
        """What must not be seen: secret arguments, and what the provider has read or made of secrets since."""
        return Secrets(values={**self.secrets.values, **{f"#{at}": text for at, text in enumerate(self.hidden)}})


async def measure(
    tasks: Iterable[Task],
    *,
    spec: RunSpec,
    status: RunStatus,
    providers: Mapping[str, Provider],
    read_secret: ReadSecret = _no_secrets,
    run: Context | None = None,
    clock: Clock = utc_now,
) -> tuple[Measured, ...]:
    """Carry out tasks concurrently and return a measurement for each, in their order. Raises nothing.

    `run` tells providers which run this is (name, namespace, uid) and reads Secrets for them; its `now`, `number`,
    `started` and `hide` are set here. Values of secret arguments are read by `read_secret`, once per call. No secret,
    and nothing a provider hides, appears in any returned text.
    """
    tasks = tuple(tasks)
    context = run or Context(now=clock())
    values: dict[str, str] = plain_values(spec.args)
    try:
        found = {name: await read_secret(ref) for name, ref in secret_refs(spec.args).items()} if tasks else {}
    except Exception as error:  # whatever a reader of secrets raises
        return tuple(_failed(task, f"cannot read the secret of an argument: {error}", clock()) for task in tasks)
    secrets = Secrets(values=found) if found else NO_SECRETS
    jobs = [
        _Job(
            task=task,
            context=replace(context, now=clock(), number=_number(task, status), started=status.started_at),
            values={**values, **found},
            secrets=secrets,
            providers=providers,
            clock=clock,
            keep=retention_of(spec, task.name),
            kept=_kept(task, status),
            rivals=sum(metric.compare is not None for metric in spec.metrics),
        )
        for task in tasks
    ]
    return tuple(await asyncio.gather(*map(_measured, jobs)))


def _kept(task: Task, status: RunStatus) -> str | None:
    """What the metric's comparison has learnt so far."""
    result = result_of(status, task.name)
    return None if result is None else (result.metadata or {}).get(STATE)


def _number(task: Task, status: RunStatus) -> int:
    result = result_of(status, task.name)
    return 1 if result is None else (result.count or 0) + (result.error or 0) + 1


async def _measured(job: _Job) -> Measured:
    metadata: dict[str, str] = {}
    job = replace(job, context=replace(job.context, hide=job.hidden.append))
    try:
        metric = fill_metric(job.task.metric, job.values)
        provider = provider_of(metric, job.providers)
        metadata = {key: job.secrets.redact(text) for key, text in provider.metadata(metric).items()}
        measurement = await _within(seconds_allowed(metric) + SPARE_SECONDS, job, metric, provider)
    except (ProviderError, TemplatingError) as error:
        message = str(error)
    except Exception as error:  # a fault in a provider must not end the run's other measurements
        message = f"the provider failed unexpectedly: {type(error).__name__}: {error}"
    else:
        await _collected(job, metric, provider)
        shown = redact_measurement(measurement, job.known)
        return Measured(metric=job.task.name, measurement=shown, metadata={**metadata, **job.notes} or None)
    failed = _failed(job.task, job.known.redact(message), job.clock(), job.context.now)
    return replace(failed, metadata=metadata or None)


async def _collected(job: _Job, metric: Metric, provider: Provider) -> None:
    """Clear away what old measurements left. What can't be cleared now is tried again at the next measurement."""
    begun = job.task.measurement is None
    if begun and job.context.number > job.keep and _collects(provider):
        await _cleared(metric, partial(provider.collect, metric, keep=job.keep, context=job.context))


def _collects(provider: Provider) -> TypeGuard[Collecting]:
    return _is_subclass(type(provider), Collecting)


@lru_cache(maxsize=64)
def _is_subclass(kind: type, protocol: type) -> bool:
    """A look at a protocol's methods takes longer than most of what is done for a measurement: it is taken once."""
    return issubclass(kind, protocol)


async def sweep(spec: RunSpec, *, providers: Mapping[str, Provider], run: Context) -> None:
    """Before a run is said to be over: end whatever still goes on for it unknown. Raises nothing.

    A driver that is killed, or whose write is refused, after a measurement was begun does not know of it.
    """
    for metric in spec.metrics:
        provider = providers.get(next(iter(metric.provider.kinds), ""))
        if isinstance(provider, Sweeping):
            await _cleared(metric, partial(provider.sweep, metric, context=run))


async def _cleared(metric: Metric, work: Callable[[], Awaitable[None]]) -> None:
    """Clear away; what can't be is said in the log, without words of the provider's, which may hold a secret."""
    try:
        async with asyncio.timeout(SPARE_SECONDS):
            await work()
    except Exception as error:
        kinds = ", ".join(metric.provider.kinds)
        log.warning('metric "%s": %s could not clear away: %s', metric.name, kinds, type(error).__name__)


async def _within(limit: float, job: _Job, metric: Metric, provider: Provider) -> Measurement:
    try:
        async with asyncio.timeout(limit):
            return await _carried_out(job, metric, provider)
    except TimeoutError as error:
        raise TimedOut(f'metric "{metric.name}": no answer within {limit:g} s') from error


async def _carried_out(job: _Job, metric: Metric, provider: Provider) -> Measurement:
    earlier = job.task.measurement
    if metric.compare is not None:
        return await _compared(job, metric, provider)
    if earlier is None:
        found = await provider.run(metric, context=job.context)
    elif not isinstance(provider, Resumable):
        raise ProviderError(f"provider {', '.join(metric.provider.kinds)} cannot go on with a running measurement")
    elif job.task.terminate:
        return _terminated(await provider.terminate(metric, earlier, context=job.context), job.clock())
    else:
        found = await provider.resume(metric, earlier, context=job.context)
    return found if isinstance(found, Measurement) else _answered(job, metric, found)


async def _compared(job: _Job, metric: Metric, provider: Provider) -> Measurement:
    found = await compare(metric, provider, context=job.context, kept=job.kept, rivals=job.rivals)
    job.notes.update(found.metadata)
    judgement = found.judgement
    return Measurement(
        phase=judgement.phase,
        message=judgement.message,
        started_at=job.context.now,
        finished_at=job.clock(),
        value=judgement.value or None,
        metadata=judgement.metadata,
    )


def _terminated(measurement: Measurement, now: datetime) -> Measurement:
    finished = measurement.finished_at or now
    phase: Phase = measurement.phase if measurement.phase in (SUCCESSFUL, FAILED, INCONCLUSIVE) else INCONCLUSIVE
    message = measurement.message or METRIC_TERMINATED
    return measurement.model_copy(update={"finished_at": finished, "phase": phase, "message": message})


def _answered(job: _Job, metric: Metric, answer: Answer) -> Measurement:
    phase, message = judged(metric, answer, now=job.context.now)
    started = job.task.measurement.started_at if job.task.measurement else None
    return Measurement(
        phase=phase,
        message=message,
        started_at=started or job.context.now,
        finished_at=job.clock(),
        value=answer.value,
        metadata=dict(answer.metadata) or None,
    )


def _failed(task: Task, message: str, now: datetime, started: datetime | None = None) -> Measured:
    earlier = task.measurement or Measurement(started_at=started or now)
    measurement = earlier.model_copy(update={"phase": ERROR, "message": message, "finished_at": now})
    return Measured(metric=task.name, measurement=measurement)


def judged(metric: Metric, answer: Answer, *, now: datetime) -> tuple[Phase, str | None]:
    """Phase of an answer by the metric's conditions, and a message where they cannot be judged."""
    try:
        failed = _holds(metric.failure_condition, answer, now)
        succeeded = _holds(metric.success_condition, answer, now)
    except ConditionError as error:
        return ERROR, _explained(str(error), answer)
    return _VERDICTS[failed, succeeded], None


_VERDICTS: dict[tuple[bool | None, bool | None], Phase] = {
    (None, None): SUCCESSFUL,
    (None, True): SUCCESSFUL,
    (None, False): FAILED,
    (False, None): SUCCESSFUL,
    (True, None): FAILED,
    (True, True): FAILED,
    (True, False): FAILED,
    (False, True): SUCCESSFUL,
    (False, False): INCONCLUSIVE,
}
"""By what failureCondition and successCondition say (None: not set)."""


def _holds(condition: str | None, answer: Answer, now: datetime) -> bool | None:
    return judge_condition(condition, answer.result, now=now) if condition else None


_IF_NIL = "write `default(result, 0)` in place of `result`"
_IF_EMPTY = "begin the condition with `len(result) == 0 ||`"


def _explained(message: str, answer: Answer) -> str:
    """The message, with the usual cause put first when there was nothing to judge."""
    if answer.result is None or answer.result in ([], {}):
        shown, advice = ("nothing", _IF_NIL) if answer.result is None else (f"no data ({answer.value})", _IF_EMPTY)
        return (
            f"the provider answered with {shown}, which the condition does not expect: check that the query finds "
            f"something; only where no data is as good as success, {advice}: {message}"
        )
    return message


async def judge(
    spec: RunSpec,
    *,
    providers: Mapping[str, Provider] | None = None,
    read_secret: ReadSecret = _no_secrets,
    clock: Clock = utc_now,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    on_change: Callable[[RunStatus], None] = lambda status: None,
    run: Context | None = None,
    status: RunStatus | None = None,
) -> RunStatus:
    """Carry a run through to its end and return its final status; `on_change` sees each status on the way.

    `run` as for `measure`. `status` takes a run up again where it was left; with `spec.terminate` it is brought to its
    end, and what goes on elsewhere is told so.

    A metric with an interval and no count never ends: cancel, or give it a count.
    """
    used = default_providers() if providers is None else providers
    status = status or RunStatus()
    try:
        while True:
            look = assess(spec=spec, status=status, now=clock())
            on_change(look.status)
            if look.due:
                found = await measure(
                    look.due,
                    spec=spec,
                    status=look.status,
                    providers=used,
                    read_secret=read_secret,
                    run=run,
                    clock=clock,
                )
                status = record(spec=spec, status=look.status, measured=found)
            elif look.next_look is not None:
                status = look.status
                await sleep(max(0.0, (look.next_look - clock()).total_seconds()))
            else:
                await sweep(spec, providers=used, run=Context(now=clock()))
                return look.status
    finally:
        if providers is None:
            await asyncio.gather(*(provider.close() for provider in used.values()))


def run_spec(*metrics: Metric | Mapping[str, object], args: Mapping[str, str] | None = None) -> RunSpec:
    """A run of these metrics (models or plain mappings as in YAML), with arguments by name. Raises ValueError."""
    models = [metric if isinstance(metric, Metric) else Metric.model_validate(metric) for metric in metrics]
    return RunSpec(metrics=models, args=[Argument(name=name, value=value) for name, value in (args or {}).items()])
