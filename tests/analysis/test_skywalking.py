"""SkyWalking: the query's duration, and the data as conditions see it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from analysis.providers.skywalking import SkyWalkingProvider
from tests.analysis.asking import error, value
from tests.analysis.wire import Reply, Wire, wire

QUERY = "query q($duration: Duration!) { service_apdex: readMetricsValues(duration: $duration) { values } }"
DATA = {"service_apdex": {"label": None, "values": {"values": [{"value": 10000}, {"value": "9900"}]}}}


@pytest.fixture
async def provider() -> AsyncIterator[SkyWalkingProvider]:
    found = SkyWalkingProvider()
    yield found
    await found.close()


def config(server: Wire, **more: Any) -> dict[str, Any]:
    return {"skywalking": {"address": f"{server.url}/", "query": QUERY, **more}}


@pytest.mark.parametrize(("interval", "start"), [(None, "2026-01-02 0259"), ("3h5m", "2026-01-01 2359")])
async def test_the_query_and_its_duration(provider: SkyWalkingProvider, interval: str | None, start: str) -> None:
    with wire(lambda _: Reply(body=json.dumps({"data": DATA}))) as server:
        condition = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"
        found = await value(provider, config(server, interval=interval), condition)
        (request,) = server.seen
    assert json.loads(found) == DATA
    assert (request.method, request.path) == ("POST", "/graphql")
    duration = {"start": start, "end": "2026-01-02 0304", "step": "MINUTE"}
    assert json.loads(request.body) == {"query": QUERY, "variables": {"duration": duration}}


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        (
            '{"errors":[{"message":"Validation error of type FieldUndefined"}]}',
            "cannot run the query: Validation error",
        ),
        ('{"data":null}', "no results returned from the query"),
        ("{}", "did not answer in the expected form"),
    ],
)
async def test_answers_without_data(provider: SkyWalkingProvider, body: str, fragment: str) -> None:
    with wire(lambda _: Reply(body=body)) as server:
        assert fragment in await error(provider, config(server))


async def test_what_cannot_work(provider: SkyWalkingProvider) -> None:
    assert "skywalking address is empty" in await error(provider, {"skywalking": {"query": QUERY}})
    assert "skywalking query is empty" in await error(provider, {"skywalking": {"address": "http://oap"}})
