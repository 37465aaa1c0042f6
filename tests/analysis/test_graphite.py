"""Graphite: what becomes of the query, and of answers with gaps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from analysis.providers.base import Misconfigured
from analysis.providers.graphite import GraphiteProvider, parameters
from tests.analysis.asking import error, taken, value
from tests.analysis.wire import Reply, Wire, wire


@pytest.fixture
async def provider() -> AsyncIterator[GraphiteProvider]:
    found = GraphiteProvider()
    yield found
    await found.close()


def config(server: Wire, query: str = "target=errors.count") -> dict[str, Any]:
    return {"graphite": {"address": server.url, "query": query}}


def series(*values: Any) -> Reply:
    points = [[value, 1767323000 + at] for at, value in enumerate(values)]
    return Reply(body=json.dumps([{"target": "errors.count", "tags": {"name": "x"}, "datapoints": points}]))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("target=errors.count", {"target": "errors.count"}),
        ("target=a.b&from=-5min&until=now", {"target": "a.b", "from": "-5min", "until": "now"}),
        ("from=-5min&target=a.b", {"target": "a.b", "from": "-5min"}),
        (
            "target=summarize(\n  asPercent(a.*, b),\n  '5min',\n  'avg'\n)",
            {"target": "summarize(asPercent(a.*,b),'5min','avg')"},
        ),
        ("sumSeries(a.{b,c})", {"target": "sumSeries(a.{b,c})"}),
    ],
)
def test_queries(query: str, expected: dict[str, str]) -> None:
    assert parameters(query) == {**expected, "format": "json"}


@pytest.mark.parametrize(("query", "fragment"), [(" \n", "is empty"), ("target=a&target=b", "can be given once")])
def test_faulty_queries(query: str, fragment: str) -> None:
    with pytest.raises(Misconfigured, match=fragment):
        parameters(query)


async def test_points_without_a_value_are_left_out(provider: GraphiteProvider) -> None:
    with wire(lambda _: series(None, 90, "95.5", None)) as server:
        assert await value(provider, config(server), "result[0] >= 90 and len(result) == 2") == "[90,95.5]"
        (request,) = server.seen
    assert (request.method, request.path) == ("GET", "/render")
    assert request.form == {"target": "errors.count", "format": "json"}


async def test_an_address_with_a_path(provider: GraphiteProvider) -> None:
    with wire(lambda _: series(1)) as server:
        await taken(provider, {"graphite": {"address": f"{server.url}/graphite/", "query": "a"}})
        assert server.seen[0].path == "/graphite/render"


@pytest.mark.parametrize("reply", [Reply(body="[]"), series()])
async def test_no_values_is_an_error(provider: GraphiteProvider, reply: Reply) -> None:
    with wire(lambda _: reply) as server:
        assert "no values found" in await error(provider, config(server))


async def test_gaps_alone_are_for_the_condition(provider: GraphiteProvider) -> None:
    with wire(lambda _: series(None, None)) as server:
        assert await value(provider, config(server), "len(result) == 0 || result[0] > 1") == "[]"
        assert "no data ([])" in await error(provider, config(server), successCondition="result[0] > 1")


async def test_a_broken_target(provider: GraphiteProvider) -> None:
    with wire(lambda _: Reply(code=400, body="Invalid target: missing )")) as server:
        assert "(400 Bad Request): Invalid target: missing )" in await error(provider, config(server))


async def test_no_address(provider: GraphiteProvider) -> None:
    assert await error(provider, {"graphite": {"query": "a"}}) == "graphite address is empty"
