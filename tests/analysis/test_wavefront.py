"""Wavefront: which points count, what the metadata tells, and the Secret of tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from analysis.providers.wavefront import WavefrontProvider
from tests.analysis.asking import NOW, Secrets, error, home, taken, value
from tests.analysis.wire import Reply, Wire, wire

AT = int(NOW.timestamp())


@pytest.fixture
async def provider() -> AsyncIterator[WavefrontProvider]:
    found = WavefrontProvider()
    yield found
    await found.close()


def config(server: Wire) -> dict[str, Any]:
    return {"wavefront": {"address": server.url, "query": 'sum(ts("errors"))'}}


def tokens(server: Wire) -> Secrets:
    return Secrets({"argo-rollouts/wavefront-api-tokens": {server.url.partition("://")[2]: "t0ken-of-wavefront"}})


def chart(*series: list[Any], **more: Any) -> Reply:
    lines = [{"label": "errors", "host": f"h{at}", "tags": {}, "data": data} for at, data in enumerate(series)]
    return Reply(body=json.dumps({"name": "q", "query": "q", "granularity": 1, "timeseries": lines, **more}))


async def test_one_series_is_a_number(provider: WavefrontProvider) -> None:
    with wire(lambda _: chart([[AT - 90, 0.9], [AT - 30, 0.01]])) as server:
        found = await taken(provider, config(server), secrets=tokens(server), successCondition="result < 0.05")
        (request,) = server.seen
    assert (found.measurement.phase, found.measurement.value) == ("Successful", "0.01")
    assert found.measurement.metadata == {"timestamps": str(AT - 30), "drift": "-30"}
    assert (request.path, request.headers["Authorization"]) == ("/api/v2/chart/api", "Bearer t0ken-of-wavefront")
    moment = str(AT * 1000)
    assert request.form == {
        "q": 'sum(ts("errors"))',
        "s": moment,
        "e": moment,
        "g": "s",
        "p": "1",
        "i": "true",
        "strict": "false",
    }


async def test_several_series_are_a_list(provider: WavefrontProvider) -> None:
    with wire(lambda _: chart([[AT, 1]], [], [[AT + 5, 2.5]], warnings="slow")) as server:
        found = await taken(provider, config(server), secrets=tokens(server), successCondition="result == [1, 2.5]")
    assert (found.measurement.phase, found.measurement.value) == ("Successful", "[1,2.5]")
    assert found.measurement.metadata == {"timestamps": f"[{AT},{AT + 5}]", "drift": "[0,5]", "warnings": "slow"}


async def test_not_a_number(provider: WavefrontProvider) -> None:
    with wire(lambda _: Reply(body=f'{{"timeseries":[{{"data":[[{AT},NaN]]}}]}}')) as server:
        assert await value(provider, config(server), "isNaN(result)", secrets=tokens(server)) == "NaN"


@pytest.mark.parametrize(
    ("reply", "fragment"),
    [
        (chart(), "no series found by the query"),
        (Reply(body='{"timeseries":null,"errorMessage":"unknown function"}'), "no series found by the query: unknown"),
        (Reply(code=401, body='{"status":{"message":"HTTP 401","code":401}}'), "check the credentials"),
        (Reply(body=f'{{"timeseries":[{{"data":[[{AT},true]]}}]}}'), "did not answer in the expected form"),
    ],
)
async def test_answers_without_a_value(provider: WavefrontProvider, reply: Reply, fragment: str) -> None:
    with wire(lambda _: reply) as server:
        assert fragment in await error(provider, config(server), secrets=tokens(server))


async def test_the_address_must_be_a_key_of_the_secret(provider: WavefrontProvider) -> None:
    secrets = home("wavefront-api-tokens", **{"example.wavefront.com": "t0ken"})
    said = await error(provider, {"wavefront": {"address": "other.example", "query": "q"}}, secrets=secrets)
    assert said == 'no token for the address "other.example" in secret wavefront-api-tokens: its keys are addresses'
    said = await error(provider, {"wavefront": {"address": "a", "query": ""}}, secrets=secrets)
    assert "query is empty" in said
