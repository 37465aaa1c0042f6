"""The web provider against a small HTTP server: what it sends, what it picks, what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from analysis.measure import judge, run_spec
from analysis.providers import Answer, Context
from analysis.providers.base import Misconfigured, ProviderError, Refused, TimedOut, Unavailable, Unreachable
from analysis.providers.client import LARGEST_ANSWER
from analysis.providers.retries import ATTEMPTS
from analysis.providers.text import LONGEST_VALUE
from analysis.providers.web import WebProvider
from tests.analysis.runs import metric
from tests.analysis.wire import Reply, wire

BODY = {
    "data": {"ok": True, "ratio": 0.5, "items": [{"n": "a", "v": 1}, {"n": "b", "v": 2}]},
    "text": "fine",
    "none": None,
}


@pytest.fixture
async def provider() -> AsyncIterator[WebProvider]:
    found = WebProvider()
    yield found
    await found.close()


async def asked(provider: WebProvider, url: str, **config: Any) -> Answer:
    return await provider.run(metric(provider={"web": {"url": url, **config}}), context=Context(now=datetime.now(UTC)))


@pytest.mark.parametrize(
    ("path", "result", "value"),
    [
        ("{$.data.ok}", True, "true"),
        ("{$.data.ratio}", 0.5, "0.5"),
        ("$.text", "fine", "fine"),
        ("{.data.items[0]}", {"n": "a", "v": 1}, '{"n":"a","v":1}'),
        ("{$.data.items[*].v}", 1, "1"),
        ("{$.data.items[?(@.n=='b')].v}", 2, "2"),
        ("{$.data.items[-1].n}", "b", "b"),
        ("{$.none}", None, "null"),
        (None, BODY, json.dumps(BODY, separators=(",", ":"))),
    ],
)
async def test_what_is_picked(provider: WebProvider, path: str | None, result: Any, value: str) -> None:
    with wire(lambda request: Reply(body=json.dumps(BODY))) as server:
        found = await asked(provider, server.url, jsonPath=path)
    assert (found.result, found.value) == (result, value)


async def test_an_answer_that_is_no_json(provider: WebProvider) -> None:
    with wire(lambda request: Reply(body="It worked!")) as server:
        assert (await asked(provider, server.url)).result == "It worked!"
        with pytest.raises(Refused, match="did not answer with JSON: 'It worked!'"):
            await asked(provider, server.url, jsonPath="{$.x}")


async def test_a_long_answer_is_shortened_for_the_status_only(provider: WebProvider) -> None:
    with wire(lambda request: Reply(body="x" * 5000)) as server:
        found = await asked(provider, server.url)
    assert (len(found.result), len(found.value)) == (5000, LONGEST_VALUE + 1)


async def test_an_answer_that_is_too_large(provider: WebProvider) -> None:
    reply = Reply(body="x" * (LARGEST_ANSWER + 1))
    with wire(lambda request: reply) as server, pytest.raises(Refused, match="more than 4 MB"):
        await asked(provider, server.url)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_bodies(provider: WebProvider, method: str) -> None:
    with wire(lambda request: Reply(body="1")) as server:
        headers = [{"key": "X-Token", "value": "t"}]
        await asked(provider, f"{server.url}/a?b=c", method=method, jsonBody={"k": [1]}, headers=headers)
        await asked(provider, f"{server.url}/a", method=method, body="plain")
        first, second = server.seen
    assert (first.method, first.path, first.form["b"], json.loads(first.body)) == (method, "/a", "c", {"k": [1]})
    assert (first.headers["X-Token"], first.headers["Content-Type"]) == ("t", "application/json")
    assert second.body == "plain"


async def test_authentication(provider: WebProvider) -> None:
    with wire(lambda request: Reply(body='{"access_token":"t0ken","expires_in":3600}')) as server:
        oauth2 = {"tokenUrl": f"{server.url}/token", "clientId": "i", "clientSecret": "s"}
        for _ in range(2):
            await asked(provider, f"{server.url}/ask", authentication={"oauth2": oauth2})
        assert [request.path for request in server.seen] == ["/token", "/ask", "/ask"]
        assert server.seen[1].headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(("method", "times"), [("GET", ATTEMPTS), ("POST", 1)])
async def test_only_reading_is_tried_again(provider: WebProvider, method: str, times: int) -> None:
    with wire(lambda request: Reply(code=503, body="down")) as server:
        with pytest.raises(Unavailable, match=r"cannot answer now \(503 Service Unavailable\): down"):
            await asked(provider, server.url, method=method)
        assert len(server.seen) == times


async def test_no_answer_in_time(provider: WebProvider) -> None:
    with wire(lambda request: Reply(hold=True)) as server, pytest.raises(TimedOut, match="did not answer within 1 s"):
        await asked(provider, server.url, timeoutSeconds=1)


@pytest.mark.parametrize(
    ("config", "kind", "fragment"),
    [
        ({"url": "service/path"}, Misconfigured, "is not a URL"),
        ({"body": "x", "jsonBody": {}, "method": "POST"}, Misconfigured, "either body or jsonBody"),
        ({"body": "x"}, Misconfigured, "POST or PUT only"),
        ({}, Unreachable, "the web service at http://127.0.0.1:1/ is unreachable: Connection refused"),
    ],
)
async def test_what_cannot_work(
    provider: WebProvider, config: dict[str, Any], kind: type[ProviderError], fragment: str
) -> None:
    with pytest.raises(kind, match=fragment):
        await asked(provider, **{"url": "http://127.0.0.1:1/", **config})


@pytest.mark.parametrize(
    ("path", "kind", "fragment"),
    [("{$.data.}", Misconfigured, "cannot be used"), ("{$.data.gone}", Refused, "finds nothing in the answer")],
)
async def test_faulty_paths(provider: WebProvider, path: str, kind: type[ProviderError], fragment: str) -> None:
    with wire(lambda request: Reply(body=json.dumps(BODY))) as server, pytest.raises(kind, match=fragment):
        await asked(provider, server.url, jsonPath=path)


async def test_a_verdict() -> None:
    with wire(lambda request: Reply(body=json.dumps(BODY))) as server:
        wanted = metric(
            provider={"web": {"url": server.url, "jsonPath": "{$.data}"}},
            successCondition="result.ok && result.ratio <= 0.5 && all(result.items, .v >= 1)",
        )
        status = await judge(run_spec(wanted))
    assert status.phase == "Successful"
