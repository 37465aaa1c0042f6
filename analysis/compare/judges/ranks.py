"""The judge of gauges: one number a side and look (or many, by a range query), compared by ranks.

    too few values on a side               Inconclusive, waits for more
    the canary is shown to be worse        Failed
    otherwise, and between looks           Successful

Values are collected over the run. A query that gives many at once (`rangeQuery` of the provider) brings the whole
sample, and nothing is collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from analysis.compare.asking import numbers
from analysis.compare.faults import QUERIES
from analysis.compare.judgement import NO_WORSE, WORSE, Judgement, Looked, plain, spread
from analysis.providers.base import Misconfigured
from analysis.spec.compare import TOO_LITTLE, Compare
from analysis.statistics.ranks import RankFinding, compare_ranks
from analysis.statistics.spending import Spent, spend

SIDES = ("canary", "stable")
MOST_VALUES = 200
"""Values kept a side; when there are more, neighbours are averaged."""
_SAMPLE = "{canary} and {stable} values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Values so far, and how much of the promise has been spent."""

    canary: tuple[float, ...] = ()
    stable: tuple[float, ...] = ()
    spent: Spent = field(default_factory=Spent)

    @classmethod
    def read(cls, state: Any) -> Memory:
        """From an earlier look, or the beginning. Raises Misconfigured."""
        if state is None:
            return cls()
        try:
            values = {side: tuple(map(float, state[side])) for side in SIDES}
            return cls(**values, spent=Spent(**state["spent"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Misconfigured(f"the values kept in the status cannot be read ({error!r}); begin a new run") from error

    def after(self, canary: Sequence[float], stable: Sequence[float]) -> Memory:
        """With what one look has brought."""
        if max(len(canary), len(stable)) > 1:
            return Memory(canary=tuple(canary), stable=tuple(stable), spent=self.spent)
        return Memory(canary=_kept(self.canary, canary), stable=_kept(self.stable, stable), spent=self.spent)

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        kept = {side: [float(f"{value:.6g}") for value in getattr(self, side)] for side in SIDES}
        return {**kept, "spent": asdict(self.spent)}


def _kept(before: tuple[float, ...], found: Sequence[float]) -> tuple[float, ...]:
    values = (*before, *found)
    if len(values) <= MOST_VALUES:
        return values
    pairs = [values[start : start + 2] for start in range(0, len(values), 2)]
    return tuple(sum(pair) / len(pair) for pair in pairs)


class Ranks:
    """Judges gauges by Mann and Whitney's test."""

    def queries(self, compare: Compare) -> dict[str, str]:
        """One query a side."""
        sides = {"canary": compare.canary, "stable": compare.stable}
        (name,) = QUERIES["MannWhitney"]
        return {f"{key}.{name}": side.queries[name] for key, side in sides.items() if side is not None}

    def judged(self, compare: Compare, looked: Looked) -> Judgement:
        """Judge one look."""
        found = {side: numbers(looked.answers[f"{side}.query"], f"{side}.query") for side in SIDES}
        memory = Memory.read(looked.state).after(found["canary"], found["stable"])
        if min(len(memory.canary), len(memory.stable)) < looked.settings.minimum:
            return _waiting(memory, looked.settings.minimum)
        return _decided(compare, memory, looked)


def _waiting(memory: Memory, minimum: float) -> Judgement:
    sizes = f"there are {len(memory.canary)} values of the canary and {len(memory.stable)} of stable"
    return Judgement(
        verdict=TOO_LITTLE, value="", message=f"{sizes}: each side needs {plain(minimum)}", state=memory.state()
    )


def _decided(compare: Compare, memory: Memory, looked: Looked) -> Judgement:
    settings, directions = looked.settings, _DIRECTIONS[compare.direction or "Increase"]
    level, spent = spend(memory.spent, number=looked.number, count=settings.count, alpha=settings.alpha)
    shown = (level or settings.alpha) / len(directions)
    finding = compare_ranks(memory.canary, memory.stable, level=shown)
    wrong = [text for name, text in directions.items() if level and _is_worse(finding, name, settings.allowed)]
    after = Memory(canary=memory.canary, stable=memory.stable, spent=spent)
    return Judgement(
        verdict=WORSE if wrong else NO_WORSE,
        value=plain(finding.ratio),
        message=_message(finding, wrong[0]) if wrong else None,
        notes=_notes(finding, memory, level, settings.alpha),
        state=after.state(),
    )


_DIRECTIONS: dict[str, dict[str, str]] = {
    "Increase": {"higher": "higher than"},
    "Decrease": {"lower": "lower than"},
    "Either": {"higher": "higher than", "lower": "lower than"},
}


def _is_worse(finding: RankFinding, direction: str, allowed: float) -> bool:
    return finding.lower > allowed if direction == "higher" else finding.upper < 1 / allowed


def _message(finding: RankFinding, how: str) -> str:
    bounds = f"{plain(finding.lower)} to {plain(finding.upper)}"
    return f"the canary is {how} stable: {plain(finding.ratio)} times its value, surely within {bounds} times"


def _notes(finding: RankFinding, memory: Memory, level: float, alpha: float) -> dict[str, str]:
    sizes = _SAMPLE.format(canary=len(memory.canary), stable=len(memory.stable))
    looking = f"look at level {plain(level)} of {plain(alpha)}" if level else "between two looks"
    return {
        "ratio": spread(finding.ratio, finding.lower, finding.upper),
        "sample": f"{sizes}, worth {plain(finding.worth)} independent ones a side",
        "evidence": looking,
    }
