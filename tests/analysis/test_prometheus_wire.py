"""What the Prometheus provider sends, and how it takes answers that a healthy Prometheus gives rarely."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analysis.providers import Answer, Context
from analysis.providers.base import Misconfigured, Refused, TimedOut, Unavailable
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.retries import ATTEMPTS
from tests.analysis.runs import metric
from tests.analysis.wire import Reply, Request, prometheus_answer, wire


@pytest.fixture
async def provider() -> AsyncIterator[PrometheusProvider]:
    found = PrometheusProvider(environment={})
    yield found
    await found.close()


async def asked(provider: PrometheusProvider, url: str, **config: Any) -> Answer:
    wanted = metric(provider={"prometheus": {"address": url, "query": "up", **config}})
    return await provider.run(wanted, context=Context(now=datetime.now(UTC)))


def in_turn(replies: Sequence[Reply]) -> Callable[[Request], Reply]:
    """Each reply once, the last for ever."""
    left = list(replies)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


NOT_NOW = Reply(code=429, headers={"Retry-After": "0"}, body="slow down")


@pytest.mark.parametrize("reply", [NOT_NOW, Reply(code=503), Reply(code=502, body="<html>")])
async def test_an_answer_of_not_now_is_asked_again(provider: PrometheusProvider, reply: Reply) -> None:
    with wire(in_turn([reply, prometheus_answer("0.5")])) as server:
        assert (await asked(provider, server.url)).result == 0.5
        assert len(server.seen) == 2


async def test_not_now_for_too_long_is_an_error(provider: PrometheusProvider) -> None:
    with wire(in_turn([NOT_NOW])) as server:
        with pytest.raises(Unavailable, match=r"cannot answer now \(429 Too Many Requests\): slow down"):
            await asked(provider, server.url)
        assert len(server.seen) == ATTEMPTS


@pytest.mark.parametrize(
    ("reply", "fragment"),
    [
        (Reply(code=401), "check the credentials"),
        (Reply(code=404, body="404 page not found"), "404 page not found; check the address"),
        (Reply(code=400, body='{"status":"error","error":"1:5: parse error: x"}'), "line 1, column 5: x; query: up"),
        (Reply(body="<html>welcome</html>"), "did not answer as Prometheus does"),
        (Reply(body='{"status":"success","data":{"resultType":"table","result":[]}}'), "answered with a table"),
    ],
)
async def test_a_refusal_is_final(provider: PrometheusProvider, reply: Reply, fragment: str) -> None:
    with wire(in_turn([reply])) as server:
        with pytest.raises(Refused, match=fragment):
            await asked(provider, server.url)
        assert len(server.seen) == 1


async def test_no_answer_in_time(provider: PrometheusProvider) -> None:
    with wire(in_turn([Reply(hold=True)])) as server:
        with pytest.raises(TimedOut, match="did not answer within 1 s"):
            await asked(provider, server.url, timeout=1)
        assert len(server.seen) == 1


async def test_the_query_goes_in_the_body(provider: PrometheusProvider) -> None:
    with wire(in_turn([prometheus_answer()])) as server:
        await asked(provider, server.url, timeout=7, headers=[{"key": "X-Scope-OrgID", "value": "team-a"}])
        (request,) = server.seen
        assert (request.method, request.path, request.body) == ("POST", "/api/v1/query", "query=up&timeout=7s")
        assert request.headers["X-Scope-OrgID"] == "team-a"


async def test_servers_that_know_get_only(provider: PrometheusProvider) -> None:
    with wire(lambda request: prometheus_answer() if request.method == "GET" else Reply(code=405)) as server:
        assert (await asked(provider, server.url)).result == 1.0
        assert [request.method for request in server.seen] == ["POST", "GET"]
        assert server.seen[1].form == {"query": "up", "timeout": "30s"}


async def test_warnings_are_kept(provider: PrometheusProvider) -> None:
    body = json.loads(prometheus_answer().body) | {"warnings": ["PromQL warning: odd"]}
    with wire(in_turn([Reply(body=json.dumps(body))])) as server:
        assert (await asked(provider, server.url)).metadata == {"warnings": "PromQL warning: odd"}


async def test_basic_authentication(provider: PrometheusProvider) -> None:
    account = {"basicAuth": {"username": "u", "password": "p"}}
    with wire(in_turn([prometheus_answer()])) as server:
        await asked(provider, server.url, authentication=account)
        assert server.seen[0].headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


def oauth(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "oauth2": {
            "tokenUrl": f"{url}/token",
            "clientId": "id",
            "clientSecret": "hush",
            "scopes": ["a", "b"],
            **changes,
        }
    }


async def test_oauth2_fetches_a_token_once(provider: PrometheusProvider) -> None:
    def serve(request: Request) -> Reply:
        token = Reply(body='{"access_token":"t0ken","expires_in":3600}')
        return token if request.path == "/token" else prometheus_answer()

    with wire(serve) as server:
        account = oauth(server.url)
        await asked(provider, server.url, authentication=account)
        await asked(provider, server.url, authentication=account)
        await asked(provider, f"{server.url}/other", authentication=account)
        queries = [request for request in server.seen if request.path != "/token"]
        tokens = [request for request in server.seen if request.path == "/token"]
        assert {request.headers["Authorization"] for request in queries} == {"Bearer t0ken"}
        assert tokens[0].form == {"grant_type": "client_credentials", "scope": "a b"}
        assert tokens[0].headers["Authorization"] == "Basic " + base64.b64encode(b"id:hush").decode()
        assert (len(tokens), len(queries)) == (1, 3)


async def test_oauth2_that_is_refused(provider: PrometheusProvider) -> None:
    said = r"the token URL .* refused the request .*: invalid_client"
    reply = Reply(code=401, body='{"error":"invalid_client"}')
    with wire(in_turn([reply])) as server, pytest.raises(Refused, match=said):
        await asked(provider, server.url, authentication=oauth(server.url))


@pytest.mark.parametrize(
    ("account", "kind", "fragment"),
    [
        ({"sigv4": {"profile": "p"}}, Misconfigured, "is not an AWS region"),
        ({**oauth("http://x"), "basicAuth": {"username": "u"}}, Misconfigured, "choose one of"),
        (oauth("http://x", clientId=""), Misconfigured, "oauth2: clientId missing"),
    ],
)
async def test_faulty_authentication(
    provider: PrometheusProvider, account: dict[str, Any], kind: type[Exception], fragment: str
) -> None:
    with pytest.raises(kind, match=fragment):
        await asked(provider, "http://127.0.0.1:1", authentication=account)


async def test_proxies_come_from_the_environment_and_passwords_do_not(
    provider: PrometheusProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine prometheus.example login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with wire(in_turn([prometheus_answer("0.5")])) as server:
        monkeypatch.setenv("http_proxy", server.url)
        assert (await asked(provider, "http://prometheus.example:9090")).result == 0.5
        (request,) = server.seen
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(("at_moment", "sent"), [(False, None), (True, "1767323045.500")])
async def test_the_past_is_asked_about_with_its_time(at_moment: bool, sent: str | None) -> None:
    provider = PrometheusProvider(environment={}, at_moment=at_moment)
    moment = datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
    with wire(in_turn([prometheus_answer("0.5")])) as server:
        config = {"prometheus": {"address": server.url, "query": "up"}}
        await provider.run(metric(provider=config), context=Context(now=moment))
        assert server.seen[0].form.get("time") == sent
    await provider.close()
