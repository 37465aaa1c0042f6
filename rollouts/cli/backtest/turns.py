"""Replays a template with comparisons: one run after the other over the past of a Prometheus.

A comparison remembers all it has seen since its run began, so its measurements cannot be shared among runs as those of
conditions can. Here each run is carried through by the same `assess`, `measure` and `record` as a real one, on a clock
of the past; the next begins one interval after its end. So every measurement shown is one that a run would have taken.

    12:00 ?✔✔✖  12:04 ?✔✔✖  12:08 ?✔✔✔✔      two runs failed after 3 m, a third went on
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analysis.assess import Task, assess
from analysis.measure import ReadSecret, measure
from analysis.providers import Context, Provider
from analysis.record import Measured, record
from analysis.spec import COMPLETED, Measurement, RunSpec, RunStatus
from rollouts.cli.backtest.outcomes import Outcome, unfinished
from rollouts.cli.backtest.replay import Track, check_answers, check_number, intervals


def remembers(spec: RunSpec) -> bool:
    """Whether the run's measurements depend on earlier ones."""
    return any(metric.compare is not None for metric in spec.metrics)


async def in_turn(
    spec: RunSpec,
    *,
    begin: datetime,
    end: datetime,
    every: float | None,
    provider: Provider,
    read_secret: ReadSecret,
    run: Context,
) -> tuple[tuple[Track, ...], tuple[Outcome, ...]]:
    """A track for each metric, in their order, and what each run came to; a last one that would still run is left out.

    `every`: seconds between measurements, instead of each metric's interval. Raises CliError as `replay` does.
    """
    spans = intervals(spec, every=every)
    check_number(spans.values(), begin=begin, end=end)
    past = _Past(spec=_paced(spec, every), end=end, provider=provider, read_secret=read_secret, run=run)
    found, now = list[Outcome](), begin
    while now <= end:
        outcome = await past.carry_through(now)
        if outcome is None:
            break
        found.append(outcome)
        now = outcome.ended + timedelta(seconds=min(spans.values()))
    tracks = [Track(metric=name, interval=span, measurements=past.of(name)) for name, span in spans.items()]
    check_answers(tracks)
    return tuple(tracks), tuple(found)


def _paced(spec: RunSpec, every: float | None) -> RunSpec:
    if every is None:
        return spec
    text = f"{every:.3f}s"
    metrics = [metric.model_copy(update={"interval": text}) if metric.interval else metric for metric in spec.metrics]
    return spec.model_copy(update={"metrics": metrics})


@dataclass(frozen=True, kw_only=True)
class _Past:
    """Carries runs through in the past, and keeps all that was measured."""

    spec: RunSpec
    end: datetime
    provider: Provider
    read_secret: ReadSecret
    run: Context
    taken: list[Measured] = field(default_factory=list)

    def of(self, name: str) -> tuple[Measurement, ...]:
        """All measurements of a metric."""
        return tuple(item.measurement for item in self.taken if item.metric == name)

    async def carry_through(self, begin: datetime) -> Outcome | None:
        """What a run begun then came to; None: it would still be running."""
        status, now = RunStatus(), begin
        while True:
            look = assess(spec=self.spec, status=status, now=now)
            status = look.status
            if status.phase in COMPLETED:
                return Outcome(begun=begin, ended=now, phase=str(status.phase), message=status.message or "")
            if look.due:
                status = record(spec=self.spec, status=status, measured=await self._measured(look.due, status, now))
            elif look.next_look is None or look.next_look > self.end:
                return unfinished(self.spec, status, begin, self.end)
            else:
                now = max(look.next_look, now + timedelta(milliseconds=1))

    async def _measured(self, due: Sequence[Task], status: RunStatus, now: datetime) -> tuple[Measured, ...]:
        found = await measure(
            due,
            spec=self.spec,
            status=status,
            providers={"prometheus": self.provider},
            read_secret=self.read_secret,
            run=self.run,
            clock=lambda: now,
        )
        self.taken.extend(found)
        return found
