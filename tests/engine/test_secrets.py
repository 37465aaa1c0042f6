"""Secrets for measurements: read once for many, anew after a while, and failures never kept."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from analysis.providers.base import Missing, Refused
from analysis.spec import SecretKeyRef
from rollouts.api import kinds
from rollouts.engine.client import Request
from rollouts.engine.secrets import KEPT_SECONDS, Secrets, home_namespace
from tests.engine.memory import MemoryApi, refusal

WHERE = "GET /api/v1/namespaces/ns/secrets/keys"


def secret(**data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"metadata": {"name": "keys", "namespace": "ns"}, "data": encoded}


class Bench:
    def __init__(self, **data: str) -> None:
        self.api = MemoryApi()
        if data:
            self.api.put(kinds.SECRET, secret(**data))
        self.now = 100.0
        self.secrets = Secrets(api=self.api, home="home", clock=lambda: self.now)


async def test_many_at_once_are_one_request() -> None:
    bench = Bench(token="t")
    found = await asyncio.gather(*(bench.secrets.account("ns", "keys") for _ in range(50)))
    assert found == [{"token": "t"}] * 50
    assert bench.api.log == [WHERE]


async def test_a_rotated_key_is_used_soon() -> None:
    bench = Bench(token="old")
    assert await bench.secrets.argument("ns", SecretKeyRef(name="keys", key="token")) == "old"
    bench.api.put(kinds.SECRET, secret(token="new"))
    bench.now += KEPT_SECONDS
    assert await bench.secrets.argument("ns", SecretKeyRef(name="keys", key="token")) == "old"
    bench.now += 0.1
    assert await bench.secrets.argument("ns", SecretKeyRef(name="keys", key="token")) == "new"
    assert bench.api.log == [WHERE, WHERE]


async def test_a_secret_that_comes_late_is_found_at_once() -> None:
    bench = Bench()
    with pytest.raises(Missing, match="secret keys does not exist in namespace ns"):
        await bench.secrets.account("ns", "keys")
    bench.api.put(kinds.SECRET, secret(token="t"))
    assert await bench.secrets.account("ns", "keys") == {"token": "t"}


async def test_one_that_gives_up_takes_no_other_along() -> None:
    bench = Bench(token="t")
    first = asyncio.ensure_future(bench.secrets.account("ns", "keys"))
    second = asyncio.ensure_future(bench.secrets.account("ns", "keys"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == {"token": "t"}
    assert first.cancelled()


async def test_rights_that_do_not_suffice() -> None:
    bench = Bench(token="t")

    def refuse(request: Request) -> None:
        raise refusal(403, request)

    bench.api.before = refuse
    with pytest.raises(Refused, match="secret keys in namespace ns cannot be read: GET"):
        await bench.secrets.account("ns", "keys")


def test_it_does_not_show_what_it_keeps() -> None:
    assert "_kept" not in repr(Bench(token="t").secrets)


def test_home(tmp_path: Path) -> None:
    mounted = tmp_path / "namespace"
    assert home_namespace({}, file=mounted) == "argo-rollouts"
    mounted.write_text("team\n")
    assert home_namespace({}, file=mounted) == "team"
    assert home_namespace({"POD_NAMESPACE": "own"}, file=mounted) == "own"
