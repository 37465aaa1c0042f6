"""Rules on a run's metrics that relate fields to each other, checked once before anything is measured.

    count >= failureLimit + consecutiveSuccessLimit       a limit that can't be reached is a mistake
    count > 1 needs an interval                           or all measurements would be taken at once
    exactly one provider                                  none measures nothing, two contradict each other

All faults are reported, each with its path. `Limits` is a metric's numbers, read from int-or-string, defaults applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from analysis.compare.faults import faults as comparison_faults
from analysis.compare.scorefaults import mark_faults, weight_faults
from analysis.language import ConditionError, compile_condition
from analysis.spec import Metric, RunSpec, parse_duration
from analysis.spec.metric import (
    DEFAULT_CONSECUTIVE_ERROR_LIMIT,
    DEFAULT_CONSECUTIVE_SUCCESS_LIMIT,
    DEFAULT_FAILURE_LIMIT,
    DEFAULT_INCONCLUSIVE_LIMIT,
)
from analysis.spec.score import RunScore
from analysis.templating import TemplatingError, fill, fill_metric, plain_values, secret_refs

_UNKNOWN_VALUE = "x"
"""Stands for a secret while the rules are checked: secrets are fetched when something is measured, not before."""


class RuleError(Exception):
    """One or more faults of a run's spec; the message lists them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers of one metric. Seconds for times; `count` None: no end; `failures` None: any number tolerated."""

    count: int | None
    failures: int | None
    inconclusive: int
    errors: int
    successes: int
    interval: float | None
    delay: float


def matches(pattern: str, name: str, field: str) -> bool:
    """Whether an entry of dryRun or measurementRetention is of this metric: its name, or an expression found in it.

    The peer's dialect (RE2), and as there the expression need not cover the whole name: write `^…$` for that. `field`
    names the list for the error. Raises RuleError.
    """
    return pattern == name or _expression(pattern, field).search(name) is not None


@lru_cache(maxsize=256)
def _expression(pattern: str, field: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error, re2.error) else "not valid text"
        raise RuleError(f'{field}: "{pattern}" is not a regular expression: {reason}') from error


def check_run(spec: RunSpec) -> dict[str, Limits]:
    """The limits of every metric, by name. Raises RuleError with all faults found."""
    faults: list[str] = []
    limits: dict[str, Limits] = {}
    values = known_values(spec)
    if not spec.metrics:
        faults.append("metrics: no metrics specified")
    for index, metric in enumerate(spec.metrics):
        if metric.name in limits:
            faults.append(f'metrics[{index}]: duplicate name "{metric.name}"')
            continue
        found, wrong = _check(metric, values)
        faults.extend(f"metrics[{index}]{fault}" for fault in wrong)
        limits[metric.name] = found
    faults += (f"score.{field} {text}" for field, text in score_faults(spec.score, groups_of(spec.metrics)))
    if faults:
        raise RuleError("; ".join(faults))
    return limits


def groups_of(metrics: Iterable[Metric]) -> set[str]:
    """The groups that metrics count in."""
    return {group for metric in metrics for group in metric.groups or (metric.name,)}


def score_faults(score: RunScore | None, groups: set[str]) -> Iterator[tuple[str, str]]:
    """Everything wrong with the score over metrics of these groups: a field's path below `score`, and why."""
    if score is not None:
        yield from weight_faults(score.group_weights or {}, groups)
        yield from mark_faults(score.effective_pass, score.effective_marginal)


def check_texts(spec: RunSpec) -> None:
    """Whether all placeholders can be filled and all conditions be read. Raises RuleError with all faults found.

    Dearer than `check_run`, and needed only before the first measurement: a text that can't be read never will be.
    """
    values = known_values(spec)
    faults = [
        f"metrics[{index}]{fault}"
        for index, metric in enumerate(spec.metrics)
        for fault in _unreadable(metric, values, frozenset(secret_refs(spec.args)))
    ]
    if faults:
        raise RuleError("; ".join(faults))


def _unreadable(metric: Metric, values: dict[str, str], secrets: frozenset[str]) -> Iterator[str]:
    try:
        filled = fill_metric(metric, values)
    except TemplatingError as error:
        yield f": {error}"
        return
    if not secrets:
        yield from (f".compare{'.' * bool(field)}{field} {text}" for field, text in comparison_faults(filled))
    for field, text in (
        ("successCondition", filled.success_condition),
        ("failureCondition", filled.failure_condition),
    ):
        if text and not _mentions(metric, secrets):
            yield from _condition_faults(field, text)


def _mentions(metric: Metric, secrets: frozenset[str]) -> bool:
    """Whether a condition is made with a secret: then its text is known only when something is measured."""
    texts = f"{metric.success_condition} {metric.failure_condition}"
    return any(f"args.{name}" in texts for name in secrets)


def _condition_faults(field: str, text: str) -> Iterator[str]:
    try:
        compile_condition(text)
    except ConditionError as error:
        yield f".{field}: {error}"


def known_values(spec: RunSpec) -> dict[str, str]:
    """The arguments' values as far as they are known without fetching secrets (for which a stand-in is given)."""
    return {**dict.fromkeys(secret_refs(spec.args), _UNKNOWN_VALUE), **plain_values(spec.args)}


def limits_of(metric: Metric, values: dict[str, str]) -> Limits:
    """The limits of one metric. Raises RuleError."""
    found, faults = _check(metric, values)
    if faults:
        raise RuleError("; ".join(faults))
    return found


def _check(metric: Metric, values: dict[str, str]) -> tuple[Limits, list[str]]:
    faults: list[str] = []

    def read(name: str, value: int | str | None, default: int) -> int:
        try:
            return default if value is None else _number(value, values)
        except (ValueError, TemplatingError) as error:
            faults.append(f".{name}: {error}")
            return default

    def seconds(name: str, value: str | None) -> float | None:
        try:
            return None if not value else parse_duration(fill(value, values))
        except (ValueError, TemplatingError) as error:
            faults.append(f".{name}: {error}")
            return None

    interval = seconds("interval", metric.interval)
    count = read("count", metric.count, 0)
    failures = read("failureLimit", metric.failure_limit, DEFAULT_FAILURE_LIMIT)
    limits = Limits(
        count=count or (None if metric.interval else 1),
        failures=None if failures == -1 else failures,
        inconclusive=read("inconclusiveLimit", metric.inconclusive_limit, DEFAULT_INCONCLUSIVE_LIMIT),
        errors=read("consecutiveErrorLimit", metric.consecutive_error_limit, DEFAULT_CONSECUTIVE_ERROR_LIMIT),
        successes=read("consecutiveSuccessLimit", metric.consecutive_success_limit, DEFAULT_CONSECUTIVE_SUCCESS_LIMIT),
        interval=interval,
        delay=seconds("initialDelay", metric.initial_delay) or 0.0,
    )
    return limits, faults or list(_broken(metric, limits))


def _number(value: int | str, values: dict[str, str]) -> int:
    text = fill(str(value), values).strip()
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f'"{text[:60]}" is not a whole number') from error


def _broken(metric: Metric, limits: Limits) -> Iterator[str]:
    kinds = metric.provider.kinds
    if not kinds:
        yield ".provider: no provider specified"
    if len(kinds) > 1:
        yield f".provider: multiple providers specified: {', '.join(kinds)}"
    yield from (f": {reason}" for reason, holds in _RULES if not holds(limits))


def _reachable(limits: Limits, needed: Iterable[int | None]) -> bool:
    return limits.count is None or limits.count >= sum(value or 0 for value in needed)


_RULES: tuple[tuple[str, Callable[[Limits], bool]], ...] = (
    ("interval must be specified when count > 1", lambda it: it.interval is not None or (it.count or 0) <= 1),
    ("interval must be longer than 0", lambda it: it.interval is None or it.interval > 0),
    ("initialDelay must be >= 0", lambda it: it.delay >= 0),
    ("count must be >= 0", lambda it: (it.count or 0) >= 0),
    ("failureLimit must be >= 0, or -1 for no limit", lambda it: (it.failures or 0) >= 0),
    ("inconclusiveLimit must be >= 0", lambda it: it.inconclusive >= 0),
    ("consecutiveErrorLimit must be >= 0", lambda it: it.errors >= 0),
    ("consecutiveSuccessLimit must be >= 0", lambda it: it.successes >= 0),
    (
        "count must be >= failureLimit + consecutiveSuccessLimit",
        lambda it: _reachable(it, (it.failures, it.successes)),
    ),
    ("count must be >= inconclusiveLimit", lambda it: _reachable(it, (it.inconclusive,))),
)
"""What must hold, and what is said when it doesn't."""
