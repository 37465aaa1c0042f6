"""The registry client: against a real registry, and against every way in which one may answer badly."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from rollouts.gitops.errors import ImageError, RegistryError
from rollouts.gitops.images.credentials import Login, logins
from rollouts.gitops.images.reference import DOCKER_HUB, Repository, repository
from rollouts.gitops.images.registry import Limits, Registry
from tests.gitops.images.registries import fake_registry, real_registry

SECRET = "p4ssword-of-the-registry"
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def test_tags_and_digests_of_a_real_registry(session: aiohttp.ClientSession, registry: Path) -> None:
    async with real_registry(registry) as real:
        tags = {f"1.0.{number}" for number in range(250)}
        first = await real.push("shop/web", tags)
        second = await real.push("shop/web", ["2.0.0"], content="another")
        client = Registry(session=session, insecure=frozenset({real.host}))
        name = repository(f"{real.host}/shop/web")
        assert await client.tags(name) == tags | {"2.0.0"}
        assert await client.digest(name, "1.0.7") == first
        assert await client.digest(name, "2.0.0") == second
        assert await client.digest(name, "3.0.0") is None
        with pytest.raises(ImageError, match="is not there"):
            await client.tags(repository(f"{real.host}/shop/nope"))


async def listed(session: aiohttp.ClientSession, handler: object, **limits: object) -> frozenset[str]:
    async with fake_registry(handler) as host:  # type: ignore[arg-type]
        client = Registry(session=session, insecure=frozenset({host}), limits=Limits(**limits))  # type: ignore[arg-type]
        return await client.tags(Repository(host=host, name="web"))


def page(tags: list[str], link: str = "") -> web.Response:
    headers = {"Link": f'<{link}>; rel="next"'} if link else {}
    return web.json_response({"name": "web", "tags": tags}, headers=headers)


ALL = [f"t{number:04}" for number in range(250)]


@pytest.mark.parametrize("style", ["link", "absolute link", "cut unasked", "ignores last", "null"])
async def test_every_way_of_paging(style: str, session: aiohttp.ClientSession) -> None:
    async def handler(request: web.Request) -> web.Response:
        after = request.query.get("last", "")
        left = [tag for tag in ALL if tag > after]
        if style == "null":
            return web.json_response({"name": "web", "tags": None})
        if style == "ignores last":
            return page(ALL)
        if style == "cut unasked":
            return page(left[:100])
        base = f"http://{request.host}" if style == "absolute link" else ""
        more = f"{base}/v2/web/tags/list?last={left[99]}" if len(left) > 100 else ""
        return page(left[:100], more)

    assert await listed(session, handler) == (set() if style == "null" else set(ALL))


@pytest.mark.parametrize(
    ("answers", "error", "fragment"),
    [
        pytest.param([page(ALL[:100], "/next"), web.Response(status=500)], RegistryError, "answers 500", id="lost"),
        pytest.param([page(ALL[:100], "https://evil.example.com/x")], RegistryError, "another", id="elsewhere"),
        pytest.param([page(ALL[:100], "//evil.example.com/x")], RegistryError, "another", id="in short"),
        pytest.param([web.Response(status=429, headers={"Retry-After": "7"})], RegistryError, "again in 7 s", id="429"),
        pytest.param([web.Response(text='{"tags": ["a"')], RegistryError, "not answer with JSON", id="half a body"),
        pytest.param([web.Response(text="[]")], RegistryError, "not answer with JSON", id="a list"),
        pytest.param([web.json_response({"tags": "abc"})], RegistryError, "a list of tags", id="text for tags"),
        pytest.param([web.Response(body=b"x" * 5_000_000)], RegistryError, "more than", id="a flood"),
        pytest.param([web.Response(status=302, headers={"Location": "http://x/"})], RegistryError, "302", id="302"),
        pytest.param([web.Response(status=403)], ImageError, "denied", id="denied"),
        pytest.param([web.Response(status=404)], ImageError, "is not there", id="not there"),
        pytest.param([web.Response(status=401)], RegistryError, "without saying how", id="401 and no word"),
        pytest.param(
            [web.Response(status=401, headers={"WWW-Authenticate": "Basic"})], ImageError, "for a login", id="in"
        ),
        pytest.param(
            [web.Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="https://evil.example.com/t"'})],
            ImageError, "'evil.example.com', which is not its own host", id="a realm elsewhere",
        ),
    ],
)  # fmt: skip
async def test_half_an_answer_is_none(
    answers: list[web.Response], error: type[ImageError], fragment: str, session: aiohttp.ClientSession
) -> None:
    left = list(answers)

    async def handler(_: web.Request) -> web.Response:
        found = left.pop(0)
        return web.Response(status=found.status, headers=dict(found.headers), body=found.body)

    with pytest.raises(error, match=fragment) as refused:
        await listed(session, handler)
    assert type(refused.value) is error


async def test_limits(session: aiohttp.ClientSession) -> None:
    async def endless(request: web.Request) -> web.Response:
        number = int(request.query.get("page", "0"))
        return page([f"t{number}-{index}" for index in range(100)], f"/v2/web/tags/list?page={number + 1}")

    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    with pytest.raises(RegistryError, match="more than 3 pages"):
        await listed(session, endless, pages=3)
    with pytest.raises(ImageError, match="more than 150 tags"):
        await listed(session, endless, tags=150)
    with pytest.raises(RegistryError, match=r"within 0\.2 s"):
        await listed(session, silent, seconds=0.2)


async def test_tags_that_could_break_a_file_are_left_out(session: aiohttp.ClientSession) -> None:
    async def handler(_: web.Request) -> web.Response:
        return page(["good", "-x", "a b", "a\nb", "a: b", "#", "x" * 129, ""])

    assert await listed(session, handler) == {"good"}


@pytest.mark.parametrize("way", ["basic", "bearer"])
async def test_logging_in(way: str, session: aiohttp.ClientSession) -> None:
    login = Login("ann", SECRET)
    seen: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        seen.append((request.path, given))
        if request.path == "/token":
            assert request.query["scope"] == "repository:web:pull"
            return web.json_response({"token": "ticket"} if given == login.basic else {}, status=200)
        if given == (login.basic if way == "basic" else "Bearer ticket"):
            return page(["v1"])
        realm = f'Bearer realm="http://{request.host}/token",service="s"' if way == "bearer" else 'Basic realm="x"'
        return web.Response(status=401, headers={"WWW-Authenticate": realm})

    async with fake_registry(handler) as host:
        client = Registry(session=session, insecure=frozenset({host}), logins={host: login})
        name = Repository(host=host, name="web")
        assert await client.tags(name) == {"v1"}
        assert await client.tags(name) == {"v1"}
        # neither is anything sent before it is asked for, nor is the token bought twice
        assert [path for path, _ in seen].count("/token") == (1 if way == "bearer" else 0)
        assert seen[0][1] == ""
        assert SECRET not in repr(client)


async def test_a_login_is_for_its_host_alone(session: aiohttp.ClientSession) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Authorization", ""))
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    async with fake_registry(handler) as host:
        client = Registry(session=session, insecure=frozenset({host}), logins={"other.example.com": Login("a", SECRET)})
        with pytest.raises(ImageError, match="asks for a login"):
            await client.tags(Repository(host=host, name="web"))
    assert asked == [""]


@pytest.mark.parametrize("host", ["169.254.169.254", "169.254.169.254:80", "localhost:5000", "127.0.0.1", "metadata"])
async def test_hosts_that_are_never_asked(host: str, session: aiohttp.ClientSession) -> None:
    with pytest.raises(ImageError, match=r"is no place|the controller itself"):
        await Registry(session=session).tags(Repository(host=host, name="web"))


async def test_a_digest_that_is_not_told_is_computed(session: aiohttp.ClientSession) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"" if request.method == "HEAD" else b"manifest")

    async with fake_registry(handler) as host:
        client = Registry(session=session, insecure=frozenset({host}))
        found = await client.digest(Repository(host=host, name="web"), "v1")
    assert found == "sha256:" + hashlib.sha256(b"manifest").hexdigest()


def test_logins_by_host() -> None:
    pair = base64.b64encode(f"bob:{SECRET}".encode()).decode()
    auths = {"https://index.docker.io/v1/": {"auth": pair}, "ghcr.io": {"username": "ann", "password": SECRET}}
    found = logins({".dockerconfigjson": json.dumps({"auths": auths}).encode()})
    assert {host: login.user for host, login in found.items()} == {DOCKER_HUB: "bob", "ghcr.io": "ann"}
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"auths": {"a": {"auth": "%%"}}}', '{"auths": {"a": {"auth": "eHg="}}}', SECRET]
)
def test_secrets_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ImageError) as refused:
        logins({".dockerconfigjson": text.encode()})
    assert SECRET not in str(refused.value)
