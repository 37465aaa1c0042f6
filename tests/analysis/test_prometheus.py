"""The Prometheus provider against a real Prometheus: kinds of results, verdicts, errors told apart."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

import analysis
from analysis.assess import Task
from analysis.measure import judge, measure, run_spec
from analysis.providers import Answer, Context, default_providers
from analysis.providers.base import Misconfigured, Refused, Unreachable
from analysis.providers.prometheus import ADDRESS_VARIABLE, PrometheusProvider
from analysis.spec import Measurement, RunSpec, RunStatus
from tests.analysis.runs import metric


@pytest.fixture
async def provider() -> AsyncIterator[PrometheusProvider]:
    found = PrometheusProvider(environment={})
    yield found
    await found.close()


def of(url: str, query: str, **fields: Any) -> Any:
    """A metric that asks a query; `fields` of the metric, `config` of the provider."""
    config = {"address": url, "query": query, **fields.pop("config", {})}
    return metric(provider={"prometheus": config}, consecutiveErrorLimit=0, **fields)


async def asked(provider: PrometheusProvider, url: str, query: str, **config: Any) -> Answer:
    found = await provider.run(of(url, query, config=config), context=Context(now=datetime.now(UTC)))
    assert isinstance(found, Answer)
    return found


@pytest.mark.parametrize(
    ("query", "result", "value"),
    [
        ("scalar(sum(weight))", 6.0, "6"),
        ("weight", [1.0, 2.0, 3.0], "[1,2,3]"),
        ("sum(weight) / 8", [0.75], "[0.75]"),
        ("weight > 100", [], "[]"),
        ("no_such_metric", [], "[]"),
        ('error_ratio{service="broken"}', [math.inf], "[+Inf]"),
        ("vector(1000000)", [1e6], "[1000000]"),
        ('"some text"', "some text", "some text"),
    ],
)
async def test_kinds_of_results(
    provider: PrometheusProvider, prometheus_url: str, query: str, result: Any, value: str
) -> None:
    found = await asked(provider, prometheus_url, query)
    assert (sorted(found.result) if isinstance(found.result, list) else found.result, found.value) == (result, value)


async def test_nan(provider: PrometheusProvider, prometheus_url: str) -> None:
    found = await asked(provider, prometheus_url, 'error_ratio{service="silent"}')
    assert math.isnan(found.result[0])
    assert found.value == "[NaN]"


async def test_a_matrix_is_all_samples(provider: PrometheusProvider, prometheus_url: str) -> None:
    found = await asked(provider, prometheus_url, 'weight{pod="b"}[1m]')
    assert len(found.result) >= 2
    assert set(found.result) == {2.0}


async def test_a_range(provider: PrometheusProvider, prometheus_url: str) -> None:
    times = {"start": 'now() - duration("10s")', "end": "now()", "step": "1s"}
    found = await asked(provider, prometheus_url, "vector(7)", rangeQuery=times)
    assert found.result == [7.0] * 11


@pytest.mark.parametrize(
    ("query", "condition", "phase", "fragment"),
    [
        ('error_ratio{service="good"}', "result[0] < 0.05", "Successful", ""),
        ('error_ratio{service="bad"}', "result[0] < 0.05", "Failed", "failed (1) > failureLimit (0)"),
        ("no_such_metric", "result[0] < 0.05", "Error", "the provider answered with no data ([])"),
        ("no_such_metric", "len(result) == 0 || result[0] < 0.05", "Successful", ""),
        ('error_ratio{service="silent"}', "result[0] < 0.05", "Failed", ""),
        ('error_ratio{service="silent"}', "isNaN(result[0]) || result[0] < 0.05", "Successful", ""),
        ("sum(weight", "true", "Error", "line 1, column 11: unclosed left parenthesis; query: sum(weight"),
        ("sum(\n  rate(weight[1m])) by (", "true", "Error", "line 2, column"),
        ("weight * on(pod) group_left error_ratio * on() weight", "true", "Error", "many-to-many"),
        ("scalar(sum(weight))", "result == '6'", "Error", "mismatched types float and string"),
    ],
)
async def test_verdicts(prometheus_url: str, query: str, condition: str, phase: str, fragment: str) -> None:
    status = await judge(run_spec(of(prometheus_url, query, successCondition=condition)))
    assert status.phase == phase
    assert fragment in (status.message or "")


async def test_both_conditions_false_is_inconclusive(prometheus_url: str) -> None:
    found = of(prometheus_url, "scalar(vector(0.5))", successCondition="result < 0.1", failureCondition="result > 0.9")
    status = await judge(run_spec(found))
    assert status.phase == "Inconclusive"
    assert status.message == 'Metric "m" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)'


async def test_arguments_and_the_query_as_sent(prometheus_url: str) -> None:
    wanted = of(prometheus_url, 'error_ratio{service="{{args.service}}"}', successCondition="result[0] < {{args.most}}")
    status = await judge(run_spec(wanted, args={"service": "bad", "most": "0.5"}))
    (result,) = status.metric_results or []
    assert (result.phase, result.metadata) == ("Successful", {"ResolvedPrometheusQuery": 'error_ratio{service="bad"}'})
    assert [item.value for item in result.measurements or ()] == ["[0.25]"]


def test_from_a_python_prompt(prometheus_url: str) -> None:
    query = 'error_ratio{service="good"}'
    status = analysis.judge(
        {
            "name": "errors",
            "count": 2,
            "interval": "10ms",
            "successCondition": "result[0] < 0.05",
            "provider": {"prometheus": {"address": prometheus_url, "query": query}},
        }
    )
    assert (status.phase, status.metric_results[0].count) == ("Successful", 2)  # type: ignore[index]


async def test_the_address_may_come_from_the_environment(prometheus_url: str) -> None:
    provider = PrometheusProvider(environment={ADDRESS_VARIABLE: f"{prometheus_url}/"})
    config = {"prometheus": {"query": "scalar(vector(1))"}}
    found = await provider.run(metric(provider=config), context=Context(now=datetime.now(UTC)))
    await provider.close()
    assert found.result == 1.0


@pytest.mark.parametrize(
    ("url", "kind", "fragment"),
    [
        ("http://127.0.0.1:1", Unreachable, "Prometheus at http://127.0.0.1:1 is unreachable: Connection refused"),
        ("prometheus:9090", Misconfigured, 'prometheus address "prometheus:9090" is not a URL'),
        ("", Misconfigured, "prometheus address is not configured"),
    ],
)
async def test_no_answer(provider: PrometheusProvider, url: str, kind: type[Exception], fragment: str) -> None:
    with pytest.raises(kind, match=fragment.replace("(", r"\(")):
        await asked(provider, url, "up")


@pytest.mark.parametrize(
    ("times", "fragment"),
    [
        ({"start": "now(", "end": "now()", "step": "1m"}, "rangeQuery.start: unexpected end of expression"),
        ({"start": "1", "end": "now()", "step": "1m"}, "rangeQuery.start: expected a time"),
        ({"end": "now()", "step": "1m"}, "rangeQuery.start is empty"),
        ({"start": "now()", "end": "now()", "step": "often"}, "rangeQuery.step: invalid duration"),
        ({"start": "now()", "end": 'now() - duration("1h")', "step": "1m"}, "end is before start"),
    ],
)
async def test_faulty_ranges(provider: PrometheusProvider, times: dict[str, str], fragment: str) -> None:
    with pytest.raises(Misconfigured, match=fragment.replace("(", r"\(")):
        await asked(provider, "http://127.0.0.1:1", "up", rangeQuery=times)


async def test_a_range_that_is_too_fine_is_refused(provider: PrometheusProvider, prometheus_url: str) -> None:
    times = {"start": 'now() - duration("24h")', "end": "now()", "step": "1s"}
    with pytest.raises(Refused, match="exceeded maximum resolution of 11,000 points"):
        await asked(provider, prometheus_url, "weight", rangeQuery=times)


async def test_many_at_once_share_connections(prometheus_url: str) -> None:
    metrics = [of(prometheus_url, f"scalar(vector({n}))", name=f"m{n}") for n in range(50)]
    providers = default_providers()
    tasks = [Task(metric=item) for item in metrics]
    found = await measure(tasks, spec=RunSpec(metrics=metrics), status=RunStatus(), providers=providers)
    await asyncio.gather(*(item.close() for item in providers.values()))
    assert [item.measurement.value for item in found] == [str(n) for n in range(50)]
    assert all(isinstance(item.measurement, Measurement) for item in found)
