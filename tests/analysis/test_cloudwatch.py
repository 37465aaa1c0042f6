"""CloudWatch: the request in its own spelling, pages, and series that are not complete."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from analysis.providers.cloudwatch import CloudWatchProvider
from tests.analysis.asking import error, taken, value
from tests.analysis.sigv4 import signed_by
from tests.analysis.wire import Reply, Request, Wire, wire

KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
STAT = {
    "id": "errors",
    "metricStat": {
        "metric": {"namespace": "App", "metricName": "Errors", "dimensions": [{"name": "service", "value": "web"}]},
        "period": "60",
        "stat": "Sum",
        "unit": "Count",
    },
    "returnData": False,
}
RATE = {"id": "rate", "expression": "errors / 5", "label": "Rate", "period": 300}


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CloudWatchProvider]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    found = CloudWatchProvider(environment={})
    yield found
    await found.close()


def at(provider: CloudWatchProvider, server: Wire) -> CloudWatchProvider:
    provider.environment = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_CLOUDWATCH": server.url}
    return provider


def config(*queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"cloudWatch": {"metricDataQueries": list(queries or (RATE,)), **more}}


def series(name: str, *values: float, status: str = "Complete", **more: Any) -> dict[str, Any]:
    times = [1767323040 - 60 * at for at in range(len(values))]
    return {"Id": name, "Label": name, "StatusCode": status, "Timestamps": times, "Values": list(values), **more}


def data(*results: dict[str, Any], **more: Any) -> Reply:
    return Reply(body=json.dumps({"MetricDataResults": list(results), "Messages": [], **more}))


def in_turn(replies: Sequence[Reply]) -> Callable[[Request], Reply]:
    left = list(replies)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


async def test_the_request(provider: CloudWatchProvider) -> None:
    with wire(lambda _: data(series("rate", 0.005, 1.0))) as server:
        condition = "len(result[0].Values) == 2 and result[0].Values[0] <= 0.01 and result[0].StatusCode == 'Complete'"
        assert await value(at(provider, server), config(STAT, RATE, interval="10m"), condition) == "[[0.005,1]]"
        (request,) = server.seen
    assert json.loads(request.body) == {
        "StartTime": 1767322445,
        "EndTime": 1767323045,
        "MetricDataQueries": [
            {
                "Id": "errors",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "App",
                        "MetricName": "Errors",
                        "Dimensions": [{"Name": "service", "Value": "web"}],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                    "Unit": "Count",
                },
                "ReturnData": False,
            },
            {"Id": "rate", "Expression": "errors / 5", "Label": "Rate", "Period": 300},
        ],
    }
    assert (request.method, request.path) == ("POST", "/")
    assert request.headers["X-Amz-Target"] == "GraniteServiceVersion20100801.GetMetricData"
    assert request.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert signed_by(request, secret_key=KEY, region="eu-west-1", service="monitoring")


async def test_pages_are_put_together(provider: CloudWatchProvider) -> None:
    pages = [data(series("a", 3, 2), NextToken="more"), data(series("a", 1), series("b", 9))]
    with wire(in_turn(pages)) as server:
        found = await value(at(provider, server), config(), "result[0].Values == [3, 2, 1] && result[1].Id == 'b'")
        assert json.loads(server.seen[1].body)["NextToken"] == "more"
    assert found == "[[3,2,1],[9]]"


async def test_data_that_is_not_complete_says_so(provider: CloudWatchProvider) -> None:
    messages = [{"Code": "MaxMetricsExceeded", "Value": "too many"}]
    partial = series("a", 1, status="PartialData", Messages=[{"Code": "x", "Value": "more to come"}])
    with wire(lambda _: data(partial, Messages=messages)) as server:
        found = (await taken(at(provider, server), config())).measurement
    assert found.phase == "Successful"
    assert found.metadata == {"messages": "a: more to come; MaxMetricsExceeded: too many"}


async def test_no_data(provider: CloudWatchProvider) -> None:
    with wire(lambda _: data(series("a"))) as server:
        assert await value(at(provider, server), config(), "len(result[0].Values) == 0") == "[[]]"
        said = await error(at(provider, server), config(), successCondition="result[0].Values[0] < 1")
    assert "index out of range" in said


async def test_throttling_is_asked_again(provider: CloudWatchProvider) -> None:
    slow = Reply(code=400, body='{"__type":"com.amazonaws#ThrottlingException","message":"Rate exceeded"}')
    with wire(in_turn([slow, data(series("a", 1))])) as server:
        await value(at(provider, server), config(), "result[0].Values[0] == 1")
        assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("reply", "fragment"),
    [
        (Reply(code=403, body='{"__type":"AccessDenied","message":"not authorized to perform"}'), "not authorized to"),
        (Reply(code=400, body='{"__type":"ValidationError","message":"Error in expression"}'), "Error in expression"),
        (data(series("a", status="Forbidden")), 'CloudWatch could not read "a": Forbidden'),
        (data(series("a", status="InternalError")), 'CloudWatch could not read "a": InternalError'),
    ],
)
async def test_what_cloudwatch_refuses(provider: CloudWatchProvider, reply: Reply, fragment: str) -> None:
    with wire(lambda _: reply) as server:
        assert fragment in await error(at(provider, server), config())


@pytest.mark.parametrize(
    ("given", "fragment"),
    [
        (config(interval="x"), "cloudWatch interval: invalid duration"),
        ({"cloudWatch": {"metricDataQueries": []}}, "metricDataQueries is empty"),
        (config({"id": "a"}), "metricDataQueries[0]: set either expression or metricStat"),
        (config({**RATE, "period": "a minute"}), 'metricDataQueries[0].period: "a minute" is not a whole number'),
    ],
)
async def test_what_cannot_work(provider: CloudWatchProvider, given: dict[str, Any], fragment: str) -> None:
    provider.environment = {"AWS_REGION": "eu-west-1"}
    assert fragment in await error(provider, given)


async def test_no_region(provider: CloudWatchProvider) -> None:
    assert "is not an AWS region; set AWS_REGION for the controller" in await error(provider, config())
