"""Datadog: both versions of its API, where the account comes from, and answers without data."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from analysis.providers.datadog import DatadogProvider
from tests.analysis.asking import HOME, Secrets, error, home, taken, value
from tests.analysis.wire import Reply, Wire, wire

BEGIN, END = 1767322745, 1767323045
"""Five minutes until NOW."""


@pytest.fixture
async def provider() -> AsyncIterator[DatadogProvider]:
    found = DatadogProvider(environment={})
    yield found
    await found.close()


def account(server: Wire) -> Secrets:
    return home("datadog", address=server.url, api_key="an-api-key", app_key="an-app-key")


def v1(*points: Any) -> Reply:
    series = {"metric": "m", "pointlist": list(points), "scope": "*", "expression": "avg:m{*}", "unit": None}
    return Reply(body=json.dumps({"status": "ok", "res_type": "time_series", "series": [series], "query": "avg:m{*}"}))


def v2(*values: Any) -> Reply:
    group = {"name": "service", "type": "group", "values": [["web"]]}
    column = {"name": "query", "type": "number", "values": list(values), "meta": {"unit": [None, None]}}
    return Reply(
        body=json.dumps({"data": {"type": "scalar_response", "attributes": {"columns": [group, column]}}, "errors": ""})
    )


async def test_v1_takes_the_newest_point(provider: DatadogProvider) -> None:
    config = {"datadog": {"query": "avg:m{env:{{args.env}}}".replace("{{args.env}}", "prod")}}
    with wire(lambda _: v1([1e12, 0.5], [2e12, 0.25], [3e12, None])) as server:
        assert await value(provider, config, "result == 0.25", secrets=account(server)) == "0.25"
        (request,) = server.seen
    assert (request.method, request.path) == ("GET", "/api/v1/query")
    assert request.form == {"query": "avg:m{env:prod}", "from": str(BEGIN), "to": str(END)}
    assert (request.headers["DD-API-KEY"], request.headers["DD-APPLICATION-KEY"]) == ("an-api-key", "an-app-key")


async def test_v2_asks_for_one_number(provider: DatadogProvider) -> None:
    config = {"datadog": {"apiVersion": "v2", "query": "sum:e{*}", "interval": "10m"}}
    with wire(lambda _: v2(3)) as server:
        assert await value(provider, config, "result == 3", secrets=account(server)) == "3"
        (request,) = server.seen
    assert (request.method, request.path) == ("POST", "/api/v2/query/scalar")
    assert json.loads(request.body)["data"] == {
        "type": "scalar_request",
        "attributes": {
            "formulas": [{"formula": "query"}],
            "from": (END - 600) * 1000,
            "to": END * 1000,
            "queries": [{"aggregator": "last", "data_source": "metrics", "name": "query", "query": "sum:e{*}"}],
        },
    }


async def test_v2_combines_queries_by_a_formula(provider: DatadogProvider) -> None:
    queries = {"a": "sum:errors{*}", "b": "sum:requests{*}"}
    config = {"datadog": {"apiVersion": "v2", "queries": queries, "formula": "a / b", "aggregator": "sum"}}
    with wire(lambda _: v2(0.01)) as server:
        await value(provider, config, "result < 0.05", secrets=account(server))
        sent = json.loads(server.seen[0].body)["data"]["attributes"]
    assert sent["formulas"] == [{"formula": "a / b"}]
    assert {one["name"]: (one["query"], one["aggregator"]) for one in sent["queries"]} == {
        name: (query, "sum") for name, query in queries.items()
    }


EMPTY = {
    "v1 no series": ("v1", Reply(body='{"status":"ok","series":[]}')),
    "v1 no points": ("v1", v1()),
    "v1 points without values": ("v1", v1([1e12, None])),
    "v2 no values": ("v2", v2()),
    "v2 null": ("v2", v2(None)),
    "v2 no columns": ("v2", Reply(body='{"data":{"attributes":{"columns":[]}}}')),
}


@pytest.mark.parametrize(("version", "reply"), EMPTY.values(), ids=EMPTY)
async def test_no_data_is_nil(provider: DatadogProvider, version: str, reply: Reply) -> None:
    config = {"datadog": {"apiVersion": version, "query": "q"}}
    with wire(lambda _: reply) as server:
        assert await value(provider, config, "default(result, 0) < 0.05", secrets=account(server)) == "null"
        said = await error(provider, config, secrets=account(server), successCondition="result < 0.05")
    assert said.startswith("the provider answered with nothing")


@pytest.mark.parametrize(
    ("reply", "fragment"),
    [
        (Reply(code=403, body='{"errors":["Forbidden"]}'), "(403 Forbidden): Forbidden; the credentials are not"),
        (Reply(code=400, body='{"errors":["Error parsing query: x"]}'), "Error parsing query: x"),
        (Reply(body='{"status":"error","error":"rate too old"}'), "cannot run the query: rate too old"),
        (Reply(code=429, headers={"X-RateLimit-Reset": "57"}), "it asks to wait 57 s, which is longer than"),
    ],
)
async def test_what_datadog_refuses(provider: DatadogProvider, reply: Reply, fragment: str) -> None:
    with wire(lambda _: reply) as server:
        said = await error(provider, {"datadog": {"query": "q"}}, secrets=account(server))
        assert len(server.seen) == 1
    assert fragment in said


@pytest.mark.parametrize(
    ("config", "fragment"),
    [
        ({}, "set either query or queries"),
        ({"query": "q", "queries": {"a": "q"}}, "set either query or queries"),
        ({"queries": {"a": "q"}}, "queries can be used with apiVersion v2 only"),
        ({"query": "q", "aggregator": "sum"}, "aggregator can be used with apiVersion v2 only"),
        ({"apiVersion": "v2", "queries": {"a": "q", "b": "q"}}, "several queries need a formula"),
        ({"query": "q", "interval": "5"}, 'datadog interval: invalid duration "5"'),
        ({"query": "q", "interval": "-5m"}, "datadog interval must be longer than 0"),
        ({"query": "q", "requestTimeout": "soon"}, "datadog requestTimeout: invalid duration"),
    ],
)
async def test_what_cannot_work(provider: DatadogProvider, config: dict[str, Any], fragment: str) -> None:
    keys = home("datadog", api_key="an-api-key", app_key="an-app-key", address="http://127.0.0.1:1")
    assert fragment in await error(provider, {"datadog": config}, secrets=keys)


# -- where the account comes from --------------------------------------------------------------------------------------


def keys(server: Wire, which: str) -> dict[str, str]:
    return {"api-key": f"api-{which}", "app-key": f"app-{which}", "address": server.url}


#: what there is besides; `secretRef`; which account is used
PLACES: dict[str, tuple[set[str], dict[str, Any] | None, str]] = {
    "named, of the run": ({"run", "home", "env", "default"}, {"name": "own", "namespaced": True}, "run"),
    "named, of the controller": ({"run", "home", "env", "default"}, {"name": "own"}, "home"),
    "named is missing": ({"env", "default"}, {"name": "own", "namespaced": True}, "env"),
    "environment": ({"run", "env", "default"}, None, "env"),
    "default": ({"default"}, None, "default"),
}


@pytest.mark.parametrize(("there", "ref", "used"), PLACES.values(), ids=PLACES)
async def test_where_the_account_comes_from(there: set[str], ref: dict[str, Any] | None, used: str) -> None:
    with wire(lambda _: v1([1e12, 1])) as server:
        places = {"run": "ns/own", "home": f"{HOME}/own", "default": f"{HOME}/datadog"}
        secrets = Secrets({place: keys(server, name) for name, place in places.items() if name in there})
        environment = {"DD_API_KEY": "api-env", "DD_APP_KEY": "app-env", "DD_ADDRESS": server.url}
        provider = DatadogProvider(environment=environment if "env" in there else {})
        await value(provider, {"datadog": {"query": "q", "secretRef": ref}}, secrets=secrets)
        await provider.close()
    assert server.seen[0].headers["DD-API-KEY"] == f"api-{used}"


async def test_an_account_of_the_environment_needs_all_three() -> None:
    provider = DatadogProvider(environment={"DD_API_KEY": "a", "DD_APP_KEY": "b"})
    said = await error(provider, {"datadog": {"query": "q", "secretRef": {"name": "own"}}})
    assert (
        said
        == "datadog: no api-key and app-key found in secret own, DD_API_KEY, DD_APP_KEY and DD_ADDRESS, secret datadog"
    )


async def test_an_account_that_is_half_there(provider: DatadogProvider) -> None:
    said = await error(provider, {"datadog": {"query": "q"}}, secrets=home("datadog", api_key="a-key-alone"))
    assert said.endswith("secret datadog")


async def test_its_own_timeout(provider: DatadogProvider) -> None:
    config = {"datadog": {"query": "q", "requestTimeout": "300ms"}}
    with wire(lambda _: Reply(hold=True)) as server:
        found = await taken(provider, config, secrets=account(server))
    assert "did not answer within 0.3 s" in (found.measurement.message or "")
