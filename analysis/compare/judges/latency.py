"""The judge of latency from histograms: the share of requests slower than a bound, by the sequential test.

too few requests on a side                        Inconclusive, waits for more
at some bound more of the canary's are slower     Failed
otherwise                                         Successful
"""

from __future__ import annotations

import math

from analysis.compare.asking import numbers
from analysis.compare.faults import QUERIES
from analysis.compare.judgement import NO_WORSE, WORSE, Judgement, Looked, e_value, percent, plain, spread
from analysis.providers.base import Answer, Misconfigured, Refused
from analysis.spec import parse_duration
from analysis.spec.compare import TOO_LITTLE, Compare
from analysis.statistics.counts import Finding, StateError
from analysis.statistics.latency import LatencyJudge

SIDES = ("canary", "stable")
BOUND = "le"


class Latency:
    """Judges histograms."""

    def queries(self, compare: Compare) -> dict[str, str]:
        """One query a side, which gives a series for each bound."""
        sides = {"canary": compare.canary, "stable": compare.stable}
        (name,) = QUERIES["Latency"]
        return {f"{key}.{name}": side.queries[name] for key, side in sides.items() if side is not None}

    def judged(self, compare: Compare, looked: Looked) -> Judgement:
        """Judge one look."""
        canary, stable = (buckets(looked.answers[f"{side}.buckets"], f"{side}.buckets") for side in SIDES)
        only = parse_duration(compare.threshold) if compare.threshold else None
        try:
            after = _read(looked).after(canary, stable, minimum=looked.settings.minimum, only=only)
        except StateError as error:
            raise Misconfigured(f"{error}; begin a new run") from error
        except ValueError as error:
            raise Refused(f"compare: {error}") from error
        return _decided(after, looked) if after.judges else _waiting(after, looked.settings.minimum)


def buckets(answer: Answer, name: str) -> dict[float, float]:
    """Requests by bound. Raises Refused for series that are no buckets."""
    found = numbers(answer, name)
    if len(answer.labels) != len(found) or any(BOUND not in labels for labels in answer.labels):
        raise Refused(
            f"compare.{name}: the query must give a series by {BOUND}: sum by ({BOUND}) (increase(…_bucket[$window]))"
        )
    pairs = {_bound(labels[BOUND], name): count for labels, count in zip(answer.labels, found, strict=True)}
    if len(pairs) != len(found):
        raise Refused(
            f"compare.{name}: several series have the same {BOUND}: put sum by ({BOUND}) (…) around the query"
        )
    return pairs


def _bound(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise Refused(f"compare.{name}: {BOUND}={text[:30]!r} is no bound of a histogram") from error


def _read(looked: Looked) -> LatencyJudge:
    allowed = looked.settings.allowed
    if looked.state is None:
        return LatencyJudge.new(allowed=allowed)
    return LatencyJudge.restore(looked.state, allowed=allowed)


def _waiting(judge: LatencyJudge, minimum: float) -> Judgement:
    look = next(iter(judge.waiting.values()), None)
    canary, stable = (look.canary_total, look.stable_total) if look else (0.0, 0.0)
    sizes = f"the canary has had {plain(canary)} requests, stable {plain(stable)}"
    return Judgement(
        verdict=TOO_LITTLE, value="", message=f"{sizes}: each side needs {plain(minimum)}", state=judge.state()
    )


def _decided(judge: LatencyJudge, looked: Looked) -> Judgement:
    findings = judge.findings(alpha=looked.settings.alpha)
    worst = max(findings, key=lambda bound: findings[bound].log_evidence)
    found = findings[worst]
    return Judgement(
        verdict=WORSE if found.alarm else NO_WORSE,
        value="" if math.isnan(found.ratio) else plain(found.ratio),
        message=_message(worst, found) if found.alarm else None,
        notes=_notes(findings, worst, looked.settings.alpha),
        state=judge.state(),
    )


def _message(bound: float, found: Finding) -> str:
    totals = found.totals
    return (
        f"{percent(totals.canary_errors, totals.canary_total)} of the canary's requests take longer than {bound:g} s, "
        f"{percent(totals.stable_errors, totals.stable_total)} of stable's: {plain(found.ratio)} times as many, "
        f"at least {plain(found.lower)} times"
    )


def _notes(findings: dict[float, Finding], worst: float, alpha: float) -> dict[str, str]:
    found = findings[worst]
    ratios = {f"over {bound:g}s": _ratio(one) for bound, one in findings.items()}
    sample = f"{plain(found.totals.total)} requests, worth {plain(found.effective)} independent ones"
    return {**ratios, "evidence": e_value(found.log_evidence, alpha / len(findings)), "sample": sample}


def _ratio(found: Finding) -> str:
    return "none" if math.isnan(found.ratio) else spread(found.ratio, found.lower, found.upper)
