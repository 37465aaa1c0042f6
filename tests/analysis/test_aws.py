"""AWS signatures on Prometheus and web requests: whose they are, of which service, and roles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.providers.aws import endpoint, service_of
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.web import WebProvider
from tests.analysis.asking import error, value
from tests.analysis.sigv4 import signed_by
from tests.analysis.wire import Reply, Request, prometheus_answer, wire

KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ROLE_KEY, ROLE_TOKEN = "the-secret-key-of-the-role/+", "the-session-token-of-the-role"
ROLE = "arn:aws:iam::123456789012:role/metrics"
SIGV4 = {"authentication": {"sigv4": {"region": "eu-west-1"}}}


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody, in the environment alone."""
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1", "aps"),
        ("https://abc123.execute-api.us-east-1.amazonaws.com/prod/x", "execute-api"),
        ("https://abc.lambda-url.us-gov-west-1.on.aws/", "lambda"),
        ("https://search-x.es.cn-north-1.amazonaws.com.cn/", "es"),
        ("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity", "fallback"),
        ("https://secretsmanager.eu-west-1.amazonaws.com/", "fallback"),
        ("https://metrics.example.com/x", "fallback"),
        ("http://127.0.0.1:9090", "fallback"),
        ("https://amazonaws.com.example.com", "fallback"),
    ],
)
def test_the_service_is_read_from_the_address(url: str, service: str) -> None:
    assert service_of(url, default="fallback") == service


@pytest.mark.parametrize(
    ("region", "environment", "address"),
    [
        ("eu-west-1", {}, "https://sts.eu-west-1.amazonaws.com"),
        ("cn-north-1", {}, "https://sts.cn-north-1.amazonaws.com.cn"),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "http://a/"}, "http://a"),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_STS": "http://b"}, "http://b"),
    ],
)
def test_endpoints(region: str, environment: dict[str, str], address: str) -> None:
    assert endpoint("sts", region, environment, prefix="sts") == address


async def test_prometheus_queries_are_signed() -> None:
    provider = PrometheusProvider(environment={})
    with wire(lambda _: prometheus_answer("0.5")) as server:
        config = {"prometheus": {"address": f"{server.url}/workspaces/ws-1", "query": 'up{a="b c"}', **SIGV4}}
        await value(provider, config, "result == 0.5")
        (request,) = server.seen
    await provider.close()
    assert signed_by(request, secret_key=KEY, region="eu-west-1", service="aps")
    assert not signed_by(request, secret_key="another", region="eu-west-1", service="aps")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_web_requests_are_signed(method: str) -> None:
    provider = WebProvider()
    body = {"jsonBody": {"a": "ä"}} if method == "POST" else {}
    with wire(lambda _: Reply(body="1")) as server:
        url = f"{server.url}/a%20b/c?z=1&a=x%2By&e="
        account = {"authentication": {"sigv4": {"region": "eu-central-1"}}}
        await value(provider, {"web": {"url": url, "method": method, **body, **account}}, "result == 1")
        (request,) = server.seen
    await provider.close()
    assert signed_by(request, secret_key=KEY, region="eu-central-1", service="execute-api")


async def test_a_profile(tmp_path: Path) -> None:
    text = "[team]\naws_access_key_id = AKIDTEAM\naws_secret_access_key = the-key-of-the-team\n"
    (tmp_path / "credentials").write_text(text)
    provider = PrometheusProvider(environment={"AWS_REGION": "eu-west-1"})
    with wire(lambda _: prometheus_answer()) as server:
        account = {"authentication": {"sigv4": {"profile": "team"}}}
        await value(provider, {"prometheus": {"address": server.url, "query": "up", **account}}, "result == 1")
        (request,) = server.seen
    await provider.close()
    assert signed_by(request, secret_key="the-key-of-the-team", region="eu-west-1", service="aps")


# -- roles -------------------------------------------------------------------------------------------------------------


def sts(answer: Reply) -> Callable[[Request], Reply]:
    return lambda request: answer if "Action=AssumeRole" in request.body else prometheus_answer("0.5")


def assumed(expires: str = "2099-01-01T00:00:00Z") -> Reply:
    return Reply(
        body=f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
        <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>{ROLE_KEY}</SecretAccessKey>
        <SessionToken>{ROLE_TOKEN}</SessionToken><Expiration>{expires}</Expiration>
        </Credentials></AssumeRoleResult></AssumeRoleResponse>"""
    )


def by_role(url: str) -> dict[str, Any]:
    account = {"authentication": {"sigv4": {"region": "eu-west-1", "roleArn": ROLE}}}
    return {"prometheus": {"address": url, "query": "up", **account}}


async def asked_twice(server_answer: Reply) -> list[Request]:
    with wire(sts(server_answer)) as server:
        provider = PrometheusProvider(environment={"AWS_ENDPOINT_URL_STS": server.url})
        for _ in range(2):
            await value(provider, by_role(server.url), "result == 0.5")
        await provider.close()
        return server.seen


async def test_a_role_is_assumed_once() -> None:
    first, *queries = await asked_twice(assumed())
    assert signed_by(first, secret_key=KEY, region="eu-west-1", service="sts")
    assert (first.form["RoleArn"], first.form["RoleSessionName"]) == (ROLE, "rollouts")
    assert len(queries) == 2
    for query in queries:
        assert signed_by(query, secret_key=ROLE_KEY, region="eu-west-1", service="aps")
        assert query.headers["X-Amz-Security-Token"] == ROLE_TOKEN


async def test_a_role_that_expires_is_assumed_again() -> None:
    seen = await asked_twice(assumed(expires="2020-01-01T00:00:00Z"))
    assert ["AssumeRole" in request.body for request in seen] == [True, False, True, False]


DENIED = Reply(
    code=403, body="<ErrorResponse><Error><Message>not authorized to AssumeRole</Message></Error></ErrorResponse>"
)


@pytest.mark.parametrize(
    ("reply", "fragment"),
    [
        (DENIED, f"AWS: role {ROLE} cannot be assumed: not authorized to AssumeRole"),
        (Reply(body="<html>"), "STS answered without credentials"),
        (Reply(code=500, body="boom"), "cannot be assumed: 500 Internal Server Error"),
    ],
)
async def test_a_role_that_cannot_be_assumed(reply: Reply, fragment: str) -> None:
    with wire(sts(reply)) as server:
        provider = PrometheusProvider(environment={"AWS_ENDPOINT_URL_STS": server.url})
        assert fragment in await error(provider, by_role(server.url))
        await provider.close()


async def test_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    provider = PrometheusProvider(environment={"AWS_REGION": "eu-west-1"})
    config = {"prometheus": {"address": "http://127.0.0.1:1", "query": "up", **SIGV4}}
    said = await error(provider, config)
    await provider.close()
    assert said.startswith("AWS: no credentials found (environment, service account or instance)")
