"""Reads and writes of a sync: what is not there is an answer, what could not be asked is none."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.kinds import Kind
from rollouts.engine.client import Request
from rollouts.engine.errors import ApiError, ForbiddenError, NotFoundError, UnavailableError
from rollouts.gitops.cluster import CONFIG_MAP, Cluster
from rollouts.gitops.errors import DeniedError, UnreadError
from rollouts.gitops.objects import Manifest, Ref

REF = Ref(group="", kind="ConfigMap", namespace="shop", name="a")


class Answers:
    """An API that gives one answer to everything, and notes what was deleted."""

    def __init__(self, error: ApiError | None = None) -> None:
        self.error = error
        self.deleted: list[tuple[str, str | None]] = []

    async def get(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any]:
        return self._answer({"kind": kind.kind})

    async def list(self, kind: Kind, namespace: str) -> dict[str, Any]:
        return self._answer({"items": [{}]})

    async def send(self, request: Request) -> dict[str, Any]:
        return self._answer({"resources": []})

    async def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None, propagation: str = ""
    ) -> None:
        self._answer({})
        self.deleted.append((name, uid))

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.error:
            raise self.error
        return body


def cluster(error: ApiError | None = None) -> tuple[Cluster, Answers]:
    api = Answers(error)
    return Cluster(api), api  # type: ignore[arg-type]


async def test_exactly_the_object_of_the_uid_is_deleted() -> None:
    """R12: one that was made anew since it was looked at stays; one that is gone is no error."""
    found, api = cluster()
    await found.delete(CONFIG_MAP, REF, uid="u")
    assert api.deleted == [("a", "u")]
    gone, _ = cluster(NotFoundError("gone", status=404))
    await gone.delete(CONFIG_MAP, REF, uid="u")


@pytest.mark.parametrize("dry_run", [True, False])
async def test_applied_is_on_the_servers_side_and_as_one_manager(dry_run: bool) -> None:
    """R22: our values win, and nothing is noted down in the object but what Git has."""
    sent: list[Any] = []

    class Server:
        async def apply(self, kind: Kind, namespace: str | None, name: str, body: Any, **more: Any) -> Any:
            sent.append((namespace, name, body, more))
            return body

    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}
    await Cluster(Server()).apply(CONFIG_MAP, Manifest(body=body, file="a", line=1), dry_run=dry_run)  # type: ignore[arg-type]
    assert sent == [("shop", "a", body, {"manager": "rollouts-gitops", "force": True, "dry_run": dry_run})]


async def test_what_is_not_there_is_an_answer() -> None:
    found, _ = cluster(NotFoundError("no", status=404))
    assert await found.live(CONFIG_MAP, REF) is None
    assert await found.list(CONFIG_MAP, "shop") == []
    assert await found.kinds([("v1", "ConfigMap")]) == {}
    assert await found.serves("example.com") is False


@pytest.mark.parametrize(
    ("error", "expected"),
    [(UnavailableError("down", status=503), UnreadError), (ForbiddenError("no", status=403), DeniedError)],
)
async def test_what_could_not_be_asked_is_none(error: ApiError, expected: type[Exception]) -> None:
    """R12, R13: never taken for absent, or objects would be forgotten and lists would be short."""
    found, _ = cluster(error)
    with pytest.raises(expected, match="ConfigMap shop/a could not be read"):
        await found.live(CONFIG_MAP, REF)
    with pytest.raises(UnreadError, match="configmaps in shop could not be listed"):
        await found.list(CONFIG_MAP, "shop")
    with pytest.raises(UnreadError, match="the kinds of v1 could not be listed"):
        await found.kinds([("v1", "ConfigMap")])
    with pytest.raises(UnreadError, match=r"the group example\.com could not be looked up"):
        await found.serves("example.com")
