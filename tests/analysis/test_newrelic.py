"""New Relic: NRQL through NerdGraph, rows as conditions see them, and the account's Secret."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from analysis.providers.newrelic import ADDRESSES, NewRelicProvider, _address
from tests.analysis.asking import Secrets, error, home, taken, value
from tests.analysis.wire import Reply, Wire, wire

NRQL = "FROM Transaction SELECT percentage(count(*), WHERE httpResponseCode != 500) AS successRate"
CONFIG = {"newRelic": {"query": NRQL}}


@pytest.fixture
async def provider() -> AsyncIterator[NewRelicProvider]:
    found = NewRelicProvider()
    yield found
    await found.close()


def account(server: Wire, name: str = "newrelic", **more: str) -> Secrets:
    address = f"{server.url}/graphql"
    return home(name, **{"personal_api_key": "NRAK-KEY", "account_id": "12345", "base_url_nerdgraph": address, **more})


def rows(*results: dict[str, Any]) -> Reply:
    return Reply(body=json.dumps({"data": {"actor": {"account": {"nrql": {"results": list(results)}}}}}))


async def test_one_row_is_its_values(provider: NewRelicProvider) -> None:
    with wire(lambda _: rows({"successRate": 99.5})) as server:
        found = await value(provider, CONFIG, "result.successRate >= 0.95", secrets=account(server))
        (request,) = server.seen
    assert found == '{"successRate":99.5}'
    assert (request.method, request.path, request.headers["API-Key"]) == ("POST", "/graphql", "NRAK-KEY")
    assert json.loads(request.body)["variables"] == {"account": 12345, "nrql": NRQL, "timeout": 5}


async def test_several_rows_are_a_list(provider: NewRelicProvider) -> None:
    with wire(lambda _: rows({"facet": "a", "rate": 0.01}, {"facet": "b", "rate": 0.02})) as server:
        await value(provider, CONFIG, "all(result, .rate < 0.05)", secrets=account(server))


async def test_the_profile_names_the_secret_and_the_timeout_goes_along(provider: NewRelicProvider) -> None:
    config = {"newRelic": {"query": NRQL, "profile": "other", "timeout": 20}}
    with wire(lambda _: rows({"x": 1})) as server:
        secrets = account(server, "other")
        found = await taken(provider, config, secrets=secrets, successCondition="result.x == 1")
        assert json.loads(server.seen[0].body)["variables"]["timeout"] == 20
    assert secrets.asked == ["argo-rollouts/other"]
    assert found.metadata == {"ResolvedNewRelicQuery": NRQL}


@pytest.mark.parametrize("reply", [rows(), rows({})])
async def test_no_result_is_an_error(provider: NewRelicProvider, reply: Reply) -> None:
    with wire(lambda _: reply) as server:
        said = await error(provider, CONFIG, secrets=account(server))
    assert said == f"no results returned from NRQL query: {NRQL}"


async def test_errors_of_the_query_win_over_partial_data(provider: NewRelicProvider) -> None:
    body = {"data": {"actor": {"account": None}}, "errors": [{"message": "NRQL Syntax Error: unexpected 'FORM'"}]}
    with wire(lambda _: Reply(body=json.dumps(body))) as server:
        said = await error(provider, CONFIG, secrets=account(server))
    assert "New Relic at" in said
    assert "cannot run the query: NRQL Syntax Error: unexpected 'FORM'" in said


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"personal_api_key": ""}, "needs personal-api-key and account-id"),
        ({"account_id": "acme"}, 'account-id "acme" is not a number'),
        ({"base_url_nerdgraph": "", "region": "mars"}, 'region "mars" is not one of us, eu, staging'),
        ({"base_url_nerdgraph": "nerdgraph"}, 'base-url-nerdgraph in secret newrelic "nerdgraph" is not a URL'),
    ],
)
async def test_faulty_accounts(provider: NewRelicProvider, changes: dict[str, str], fragment: str) -> None:
    with wire(lambda _: rows()) as server:
        assert fragment in await error(provider, CONFIG, secrets=account(server, **changes))


async def test_no_account(provider: NewRelicProvider) -> None:
    assert await error(provider, CONFIG) == "secret newrelic does not exist in namespace argo-rollouts"


@pytest.mark.parametrize(
    ("region", "address"), [("", ADDRESSES["us"]), ("EU", ADDRESSES["eu"]), ("staging", ADDRESSES["staging"])]
)
def test_regions(region: str, address: str) -> None:
    assert _address({"region": region}, "newrelic") == address
