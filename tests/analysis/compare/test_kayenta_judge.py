"""Scores, from the `compare` block to the status of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.analysis.compare.test_sequential import Counter, Run
from tests.analysis.runs import metric

RANGE = {"start": 'now() - duration("30m")', "end": "now()", "step": "1m"}


def scored(names: list[str], **fields: Any) -> Any:
    metrics = [{"name": name, "canary": f"canary {name} x", "stable": f"stable {name} x"} for name in names]
    metrics = [{**item, **fields.pop(item["name"], {})} for item in metrics]
    return metric(
        provider={"prometheus": {"address": "http://p:9090", "rangeQuery": RANGE}},
        compare={"judge": "Kayenta", "metrics": metrics, **fields},
    )


def answers(**factors: float) -> Counter:
    rng = np.random.default_rng(6)
    numbers = {}
    for name, factor in factors.items():
        numbers[f"stable {name}"] = list(rng.normal(10, 1, 30))
        numbers[f"canary {name}"] = list(rng.normal(10 * factor, 1, 30))
    return Counter(numbers)


@pytest.mark.parametrize(
    ("factors", "fields", "phase", "value"),
    [
        ({"a": 1, "b": 1}, {}, "Successful", "100"),
        ({"a": 1, "b": 2}, {}, "Failed", "50"),
        ({"a": 1, "b": 2}, {"marginalScore": 40}, "Inconclusive", "50"),
        ({"a": 1, "b": 2}, {"marginalScore": 40, "passScore": 50}, "Successful", "50"),
        ({"a": 1, "b": 2}, {"groupWeights": {"b": 20}}, "Inconclusive", "80"),
        ({"a": 1, "b": 2}, {"b": {"direction": "Decrease"}}, "Successful", "100"),
        ({"a": 1, "b": 2}, {"b": {"muted": True}}, "Successful", "100"),
        ({"a": 1, "b": 2}, {"b": {"critical": True}, "marginalScore": 0}, "Failed", "0"),
        ({"a": 1, "b": 1.3}, {"b": {"effectSize": {"allowedIncrease": "1.5"}}}, "Successful", "100"),
    ],
)
async def test_scores(factors: dict[str, float], fields: dict[str, Any], phase: str, value: str) -> None:
    run = Run(scored(list(factors), **fields))
    assert (await run.to_the_end(answers(**factors))).phase == phase
    assert run.last.value == value


async def test_what_is_said() -> None:
    run = Run(scored(["latency", "errors"]))
    status = await run.to_the_end(answers(latency=2, errors=1))
    assert (status.message or "").endswith('"Error Message: score 50: latency is High"')
    assert run.last.metadata["groups"] == "errors 100, latency 0"
    assert run.last.metadata["metrics"].startswith("latency High (1.97 times), errors Pass")


async def test_no_data_waits() -> None:
    run = Run(scored(["a"]))
    status = await run.to_the_end(Counter({}))
    assert status.phase == "Inconclusive"
    assert "no score: 1 of 1 metrics have no data" in (status.message or "")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"canary": {"query": "x"}}, "compare.canary is not used by judge Kayenta: see metrics"),
        ({"falseAlarms": 5}, "compare.falseAlarms is not used by judge Kayenta"),
        ({"groupWeights": {"x": 10}}, "compare.groupWeights.x is the group of no metric"),
        ({"groupWeights": {"a": 10, "b": 20}}, "compare.groupWeights must add up to 100, not 30"),
        ({"marginalScore": 96}, "compare.marginalScore must be between 0 and passScore (95)"),
        ({"a": {"outlierFactor": "x"}}, 'compare.metrics.0.outlierFactor must be a number, not "x"'),
        ({"metrics": []}, "compare.metrics is required by judge Kayenta"),
    ],
)
async def test_faults(fields: dict[str, Any], said: str) -> None:
    run = Run(scored(["a", "b"], **fields))
    assert said in ((await run.to_the_end(Counter({}))).message or "")


async def test_a_range_is_needed() -> None:
    found = scored(["a"])
    config = found.provider.prometheus.model_copy(update={"range_query": None})
    found = found.model_copy(update={"provider": found.provider.model_copy(update={"prometheus": config})})
    assert "set provider.prometheus.rangeQuery" in ((await Run(found).to_the_end(Counter({}))).message or "")
