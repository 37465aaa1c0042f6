"""The sequential judge of error counts, and the default: four counts, an e-process, and a guard of the router's weight.

too few requests on a side                     Inconclusive, waits for more
the canary is shown to fail more often         Failed, whatever the router did: shares do not matter to this
another share of requests than the weight      Inconclusive: the router did not apply the weight
provenIncrease set and not shown yet           Inconclusive, waits for more
otherwise                                      Successful
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from analysis.compare.asking import count
from analysis.compare.faults import QUERIES
from analysis.compare.judgement import (
    NO_WORSE,
    NOT_APPLIED,
    WORSE,
    Judgement,
    Looked,
    e_value,
    percent,
    plain,
    spread,
)
from analysis.compare.settings import Settings
from analysis.providers.base import Misconfigured, Refused
from analysis.spec.compare import NOT_PROVEN, TOO_LITTLE, Compare
from analysis.statistics.counts import CountJudge, Finding, StateError
from analysis.statistics.evidence import Counts, counts
from analysis.statistics.share import ShareFinding, ShareJudge

SIDES = ("canary", "stable")
FIELDS = QUERIES["Sequential"]
_SLACK = 1.5
"""So many times more errors than requests are put down to extrapolation of `increase`; more is a wrong query."""


class Sequential:
    """Judges error counts."""

    def queries(self, compare: Compare) -> dict[str, str]:
        """Errors and totals of both sides."""
        sides = {"canary": compare.canary, "stable": compare.stable}
        return {
            f"{name}.{field}": side.queries[field]
            for name, side in sides.items()
            if side is not None
            for field in FIELDS
        }

    def judged(self, compare: Compare, looked: Looked) -> Judgement:
        """Judge one look."""
        before = Memory.read(looked)
        found = _counted(looked)
        after = before.after(found, looked.settings)
        return _judged(after, looked)


def _counted(looked: Looked) -> Counts:
    found = {name: count(answer, name) for name, answer in looked.answers.items()}
    for side in SIDES:
        errors, total = found[f"{side}.errors"], found[f"{side}.total"]
        if errors > _SLACK * total + 1:
            raise Refused(
                f"compare.{side}: {plain(errors)} errors in {plain(total)} requests: "
                "does total count the same requests?"
            )
        found[f"{side}.errors"] = min(errors, total)
    return counts(*(found[f"{side}.{field}"] for side in SIDES for field in FIELDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered between looks: the counts, and the shares where a weight is given.

    `weight`: what a weight that may change was at the last look. Whether the router applied one says nothing about the
    next, so shares are counted anew with each; and a look within which it changed is held against neither.
    """

    judge: CountJudge
    share: ShareJudge | None
    weight: float | None = None

    @classmethod
    def read(cls, looked: Looked) -> Memory:
        """From an earlier look, or the beginning. Raises Misconfigured."""
        allowed, guarded = looked.settings.allowed, looked.settings.guarded
        if looked.state is None:
            return cls(judge=CountJudge.new(allowed=allowed), share=ShareJudge.new() if guarded else None)
        try:
            judge = CountJudge.restore(looked.state["counts"], allowed=allowed)
            share = ShareJudge.restore(looked.state["share"]) if guarded else None
            weight = looked.state.get("weight")
        except (StateError, KeyError, TypeError) as error:
            raise Misconfigured(f"{error}; begin a new run") from error
        return cls(judge=judge, share=share, weight=weight)

    def after(self, found: Counts, settings: Settings) -> Memory:
        """With one more look."""
        share, weight = self.share, settings.weight
        if share is not None and settings.follows and weight != self.weight:
            share = ShareJudge.new()
        elif share is not None and weight is not None:
            share = share.after(canary=found.canary_total, stable=found.stable_total, weight=weight)
        return Memory(judge=self.judge.after(found), share=share, weight=weight if settings.follows else None)

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        kept: dict[str, Any] = {"counts": self.judge.state()}
        if self.share is not None:
            kept["share"] = self.share.state()
        return kept if self.weight is None else {**kept, "weight": self.weight}


def _judged(memory: Memory, looked: Looked) -> Judgement:
    settings = looked.settings
    found = memory.judge.finding(alpha=settings.alpha)
    share = memory.share.finding() if memory.share else None
    verdict, message = _verdict(found, share, looked)
    return Judgement(
        verdict=verdict,
        value="" if math.isnan(found.ratio) else plain(found.ratio),
        message=message,
        notes=_notes(found, share, settings.alpha, by_pods=settings.by_pods),
        state=memory.state(),
    )


def _verdict(found: Finding, share: ShareFinding | None, looked: Looked) -> tuple[str, str | None]:
    settings = looked.settings
    few = min(found.totals.canary_total, found.totals.stable_total)
    if few < settings.minimum and not (share and share.wrong):
        return TOO_LITTLE, f"{_sizes(found.totals)}: each side needs {plain(settings.minimum)}"
    if few >= settings.minimum and found.alarm:
        return WORSE, _worse(found)
    if share is not None and share.wrong:
        return NOT_APPLIED, _not_applied(share, by_pods=settings.by_pods)
    if settings.proven is not None and found.upper > settings.proven:
        wanted = f"at most {plain(settings.proven)} times as often as stable is wanted"
        return NOT_PROVEN, f"the canary may fail up to {plain(found.upper)} times as often as stable; {wanted}"
    return NO_WORSE, None


def _sizes(totals: Counts) -> str:
    return f"the canary has had {plain(totals.canary_total)} requests, stable {plain(totals.stable_total)}"


def _worse(found: Finding) -> str:
    return (
        f"the canary fails {plain(found.ratio)} times as often as stable, at least {plain(found.lower)} times: "
        f"{side_text(found.totals, 'canary')} against {side_text(found.totals, 'stable')}"
    )


def _not_applied(share: ShareFinding, *, by_pods: bool) -> str:
    got = f"the canary got {percent(share.canary, share.total)} of {plain(share.total)} requests where"
    wanted = percent(share.expected, 1)
    if by_pods:
        told = (
            f"requests do not follow the pods: {got} {wanted} of the ready pods are its own (long-lived connections?)"
        )
    else:
        told = f"the router did not apply the weight: {got} {wanted} was asked for"
    return f"{told}; nothing is said against the canary"


def side_text(totals: Counts, side: str) -> str:
    """Errors and requests of one side in words."""
    errors, total = getattr(totals, f"{side}_errors"), getattr(totals, f"{side}_total")
    return f"{plain(errors)} of {plain(total)} ({percent(errors, total)})"


def _notes(found: Finding, share: ShareFinding | None, alpha: float, *, by_pods: bool) -> dict[str, str]:
    notes = {
        "canary": side_text(found.totals, "canary"),
        "stable": side_text(found.totals, "stable"),
        "evidence": e_value(found.log_evidence, alpha),
        "sample": f"{plain(found.totals.total)} requests, worth {plain(found.effective)} independent ones",
    }
    if not math.isnan(found.ratio):
        notes["ratio"] = spread(found.ratio, found.lower, found.upper)
    if not found.totals.errors:
        notes["note"] = "no error on either side so far: if that is strange, check the errors queries"
    if share is not None and share.total > 0:
        expected = f"{percent(share.expected, 1)} of ready pods" if by_pods else f"weight {percent(share.expected, 1)}"
        notes["share"] = f"{percent(share.canary, share.total)} of requests, {expected}"
    return notes
