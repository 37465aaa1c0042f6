"""Runs for tests: made from few words, and driven on a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.assess import Assessment, Measured, assess, record
from analysis.spec import ERROR, Measurement, Metric, Phase, RunSpec, RunStatus

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LETTERS: dict[str, Phase] = {"S": "Successful", "F": "Failed", "E": "Error", "I": "Inconclusive", "R": "Running"}


def metric(name: str = "m", **fields: Any) -> Metric:
    """A Prometheus metric; fields as in the API."""
    provider = fields.pop("provider", {"prometheus": {"address": "http://p:9090", "query": "up"}})
    return Metric.model_validate({"name": name, "provider": provider, **fields})


def spec(*metrics: Metric, **fields: Any) -> RunSpec:
    """A run of these metrics."""
    return RunSpec.model_validate({"metrics": [item.to_api() for item in metrics], **fields})


def measurement(letter: str, at: datetime, message: str | None = None) -> Measurement:
    """A measurement by its letter: S, F, E, I, or R for running."""
    phase = LETTERS[letter]
    said = message or ("broken" if phase == ERROR else None)
    return Measurement(phase=phase, started_at=at, finished_at=None if letter == "R" else at, message=said)


class Driver:
    """Drives a run as a controller would: letters are what the provider answers, metric by metric."""

    def __init__(self, run: RunSpec, **letters: str) -> None:
        self.spec = run
        self.status = RunStatus()
        self.now = START
        self.taken: list[tuple[float, str]] = []
        self._answers: dict[str, Iterator[str]] = {name: iter(text) for name, text in letters.items()}

    def look(self) -> Assessment:
        """Assess now."""
        found = assess(spec=self.spec, status=self.status, now=self.now)
        self.status = found.status
        return found

    def turn(self) -> Assessment:
        """Assess, carry out what is due, assess again."""
        look = self.look()
        self.status = record(
            spec=self.spec, status=look.status, measured=[self._answer(task.name, task.terminate) for task in look.due]
        )
        return self.look()

    def _answer(self, name: str, terminate: bool) -> Measured:
        letter = "S" if terminate else next(self._answers.get(name, iter("")), "S")
        if not terminate:
            self.taken.append(((self.now - START).total_seconds(), name))
        return Measured(metric=name, measurement=measurement(letter, self.now))

    def run(self, *, turns: int = 1000) -> RunStatus:
        """Turn until the run is over or nothing is left to do, moving the clock to each next look."""
        for _ in range(turns):
            look = self.turn()
            if look.next_look is None and not look.due:
                return look.status
            self.now = look.next_look or self.now + timedelta(seconds=1)
        return self.status
