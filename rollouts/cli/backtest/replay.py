"""Asks Prometheus about the past: every metric of a run at its interval, as if it had been measured then.

Each query carries its moment as evaluation time (`time` of an instant query; `now()` of a range), and conditions are
judged at that moment. Templates whose measurements depend on earlier ones (comparisons) are replayed by `turns`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.assess import Task
from analysis.measure import ReadSecret, measure
from analysis.providers import Context, Provider
from analysis.rules import RuleError, check_run, check_texts
from analysis.spec import Measurement, Metric, RunSpec, RunStatus
from rollouts.cli.errors import CliError

AT_ONCE = 8
"""Questions asked at the same time."""
MOST = 20_000
"""Questions asked in all; a few per second are answered by a busy Prometheus."""
DEFAULT_INTERVAL = 60.0
"""Seconds between the measurements of a metric without an interval."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|Inf)|NaN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One metric over the range: its measurements, `interval` seconds apart, oldest first."""

    metric: str
    interval: float
    measurements: tuple[Measurement, ...]

    @property
    def numbers(self) -> tuple[float | None, ...]:
        """The first number of each value; None where there is none."""
        return tuple(first_number(item.value) for item in self.measurements)


def first_number(value: str | None) -> float | None:
    """`[0.97,1]` is 0.97; text without a number, NaN and infinities are None: they can't be drawn."""
    found = _NUMBER.search(value or "")
    if found is None or found[0] in ("NaN", "Inf", "+Inf", "-Inf"):
        return None
    with contextlib.suppress(ValueError, OverflowError):
        return float(found[0])
    return None


def intervals(spec: RunSpec, *, every: float | None) -> dict[str, float]:
    """Seconds between measurements, by metric. Raises CliError for what can't be replayed."""
    try:
        limits = check_run(spec)
        check_texts(spec)
    except RuleError as error:
        raise CliError(f"the template can't be run: {error}") from None
    others = [metric for metric in spec.metrics if metric.provider.prometheus is None]
    if others:
        kinds = ", ".join(others[0].provider.kinds)
        raise CliError(f'metric "{others[0].name}" asks {kinds}: only Prometheus can be asked about the past')
    return {metric.name: every or limits[metric.name].interval or DEFAULT_INTERVAL for metric in spec.metrics}


def moments(begin: datetime, end: datetime, interval: float) -> Iterator[datetime]:
    """Begin, and every interval after it, up to the end."""
    count = int((end - begin).total_seconds() // interval)
    return (begin + timedelta(seconds=interval * number) for number in range(count + 1))


async def replay(
    spec: RunSpec,
    *,
    begin: datetime,
    end: datetime,
    every: float | None,
    provider: Provider,
    read_secret: ReadSecret,
    run: Context,
) -> tuple[Track, ...]:
    """A track for each metric, in their order. Raises CliError for too long a range, and when all questions fail."""
    spans = intervals(spec, every=every)
    check_number(spans.values(), begin=begin, end=end)
    tracks = []
    for metric in spec.metrics:
        asker = _Asker(spec=spec, metric=metric, provider=provider, read_secret=read_secret, run=run)
        found = await asker.ask(tuple(moments(begin, end, spans[metric.name])))
        tracks.append(Track(metric=metric.name, interval=spans[metric.name], measurements=found))
    check_answers(tracks)
    return tuple(tracks)


def check_number(spans: Iterable[float], *, begin: datetime, end: datetime) -> None:
    """Whether questions so many seconds apart, one entry a metric, are not too many. Raises CliError."""
    asked = sum(int((end - begin).total_seconds() // span) + 1 for span in spans)
    if asked > MOST:
        raise CliError(f"that is {asked} questions to Prometheus", hint="Ask about less time, or with --every 10m.")


@dataclass(frozen=True, kw_only=True)
class _Asker:
    """Asks for one metric."""

    spec: RunSpec
    metric: Metric
    provider: Provider
    read_secret: ReadSecret
    run: Context

    async def ask(self, when: Sequence[datetime]) -> tuple[Measurement, ...]:
        found = list[Measurement]()
        for at in range(0, len(when), AT_ONCE):
            found += await asyncio.gather(*map(self._once, when[at : at + AT_ONCE]))
        return tuple(found)

    async def _once(self, moment: datetime) -> Measurement:
        (measured,) = await measure(
            [Task(metric=self.metric)],
            spec=self.spec,
            status=RunStatus(),
            providers={"prometheus": self.provider},
            read_secret=self.read_secret,
            run=self.run,
            clock=lambda: moment,
        )
        return measured.measurement


def check_answers(tracks: Sequence[Track]) -> None:
    """Nothing but errors means that Prometheus is away, or a query wrong: no replay at all. Raises CliError."""
    taken = [item for track in tracks for item in track.measurements]
    if taken and all(item.phase == "Error" for item in taken):
        raise CliError(
            f"no question was answered: {taken[0].message}", hint="Is it the right address? See --prometheus."
        )
