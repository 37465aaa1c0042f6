"""Comparisons of gauges, from the `compare` block to the status of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis.compare.judges.ranks import MOST_VALUES
from analysis.spec.compare import STATE
from tests.analysis.compare.test_sequential import Counter, Run
from tests.analysis.runs import metric


def comparison(count: int | None = 60, **fields: Any) -> Any:
    compare = {"judge": "MannWhitney", "canary": {"query": "canary x"}, "stable": {"query": "stable x"}, **fields}
    provider = {"prometheus": {"address": "http://p:9090"}}
    return metric(interval="60s", **({"count": count} if count else {}), provider=provider, compare=compare)


def gauges(factor: float, *, seed: int = 4, sd: float = 0.2) -> Callable[[int], dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return lambda look: {
        "canary": [0.2 * factor * math.exp(sd * rng.normal())],
        "stable": [0.2 * math.exp(sd * rng.normal())],
    }


@pytest.mark.parametrize(
    ("factor", "direction", "phase"),
    [
        (1.0, "Increase", "Successful"),
        (2.0, "Increase", "Failed"),
        (0.5, "Increase", "Successful"),
        (0.5, "Decrease", "Failed"),
        (2.0, "Decrease", "Successful"),
        (2.0, "Either", "Failed"),
        (0.5, "Either", "Failed"),
        (1.0, "Either", "Successful"),
    ],
)
async def test_gauges(factor: float, direction: str, phase: str) -> None:
    run = Run(comparison(direction=direction))
    assert (await run.to_the_end(Counter(gauges(factor)))).phase == phase


async def test_what_is_said() -> None:
    run = Run(comparison())
    status = await run.to_the_end(Counter(gauges(2.0)))
    assert "the canary is higher than stable: " in (status.message or "")
    assert (run.result.count or 0) < 30
    assert set(run.last.metadata) == {"verdict", "ratio", "sample", "evidence"}
    assert 1.5 < float(run.last.value) < 2.6


async def test_too_few_values_wait() -> None:
    run = Run(comparison(count=9))
    status = await run.to_the_end(Counter(gauges(5.0)))
    assert (status.phase, run.result.inconclusive) == ("Inconclusive", None)
    assert "there are 9 values of the canary and 9 of stable: each side needs 10" in (status.message or "")


async def test_a_whole_range_at_once() -> None:
    rng = np.random.default_rng(2)
    values = {"canary": list(rng.normal(3, 0.3, 30)), "stable": list(rng.normal(1, 0.3, 30))}
    run = Run(comparison(count=1))
    assert (await run.to_the_end(Counter(values))).phase == "Failed"
    assert run.last.metadata["sample"].startswith("30 and 30 values")


async def test_values_kept_are_bounded() -> None:
    run = Run(comparison(count=None))
    await run.to_the_end(Counter(gauges(1.0)), looks=500)
    text = (run.result.metadata or {})[STATE]
    assert len(text) < 2 * 12 * MOST_VALUES
    assert run.last.metadata["verdict"] == "no worse"


async def test_a_side_without_data_waits() -> None:
    run = Run(comparison(count=20))
    status = await run.to_the_end(Counter({"canary": [], "stable": [1.0]}))
    assert status.phase == "Inconclusive"


async def test_a_field_of_another_judge() -> None:
    run = Run(comparison(weight=20))
    assert "compare.weight is not used by judge MannWhitney" in ((await run.to_the_end(Counter({}))).message or "")
