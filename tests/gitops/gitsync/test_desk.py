"""What a pass asks of its repository: whoever asks himself is not answered with what somebody was told before (R3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.parsing import parse
from rollouts.engine.errors import ApiError, ForbiddenError, NotFoundError, TooManyRequestsError, UnavailableError
from rollouts.gitops.errors import SourceError
from rollouts.gitops.gitsync.desk import Desk, Means, Surroundings
from rollouts.gitops.gitsync.sharing import Sharing
from rollouts.gitops.gitsync.values import Finding, Mandate
from tests.gitops.gitsync.world import NOW, sync

AROUND: dict[str, Any] = {
    "current": lambda: None,
    "blockers": tuple,
    "heals": lambda: (0, None),
    "news": lambda: False,
    "absorbed": lambda kind, answer: None,
}


@pytest.mark.parametrize(
    ("mandate", "asks"),
    [
        (Mandate(), False),
        (Mandate(explicit=True), True),
        (Mandate(fresh=True), True),
        (Mandate(stirred=True), False),
    ],
    ids=["poll", "a person", "a webhook or a request", "drift"],
)
async def test_who_asks_gets_a_fresh_answer_and_who_polls_may_share_one(
    mandate: Mandate, asks: bool, tmp_path: Path
) -> None:
    """R3."""
    means = Means(api=None, directory=tmp_path, sharing=Sharing(tmp_path))  # type: ignore[arg-type]
    asked = 0

    async def resolve() -> str:
        nonlocal asked
        asked += 1
        return f"{asked:040}"

    async def one(mandate: Mandate) -> str:
        model = parse(kinds.GIT_SYNC, sync()).model
        desk = Desk(sync(), model, Finding(mandate=mandate, began=NOW, at=NOW), means, Surroundings(**AROUND))
        desk.door = "door"
        return await desk.resolved(SimpleNamespace(resolve=resolve, tag=""))  # type: ignore[arg-type]

    first = await one(Mandate())
    await asyncio.sleep(0)
    second = await one(mandate)
    assert (asked, second != first) == ((2, True) if asks else (1, False))


@pytest.mark.parametrize(
    ("error", "says", "waiting"),
    [
        (NotFoundError("no", status=404), "there is no Secret key in team (spec.source.secretRef): make it", False),
        (ForbiddenError("no", status=403), "the controller needs the right to get it", False),
        (UnavailableError("gone", status=503), "Secret key (spec.source.secretRef) could not be read: gone", True),
        (TooManyRequestsError("later", status=429), "could not be read: later", True),
    ],
)
async def test_a_secret_that_can_not_be_read(error: ApiError, says: str, waiting: bool, tmp_path: Path) -> None:
    """What the API server has to do is nobody's to mend: it is tried again, and the GitSync is not Stalled."""

    async def get(*_: Any) -> Any:
        raise error

    means = Means(api=SimpleNamespace(get=get), directory=tmp_path, sharing=Sharing(tmp_path))  # type: ignore[arg-type]
    model = parse(kinds.GIT_SYNC, sync()).model
    desk = Desk(sync(), model, Finding(mandate=Mandate(), began=NOW, at=NOW), means, Surroundings(**AROUND))
    with pytest.raises(SourceError) as refused:
        await desk.secret("key", "spec.source.secretRef")
    assert says in str(refused.value)
    assert refused.value.retriable is waiting


@pytest.mark.parametrize("address", ["file:///srv/shop", "https://git.example/shop.git"])
async def test_a_repository_of_this_machine_is_opened_by_no_secret(address: str, tmp_path: Path) -> None:
    """One that is named all the same, as for the repository it was copied from, is not asked for."""
    read = []

    async def get(_: object, namespace: str, name: str) -> Any:
        read.append((namespace, name))
        return {"metadata": {"name": name}, "data": {"password": "eA=="}}

    api = SimpleNamespace(get=get)
    means = Means(api=api, directory=tmp_path, sharing=Sharing(tmp_path), allow_local=True)  # type: ignore[arg-type]
    obj = sync(source={"repoURL": address, "secretRef": {"name": "bad"}})
    model = parse(kinds.GIT_SYNC, obj).model
    desk = Desk(obj, model, Finding(mandate=Mandate(), began=NOW, at=NOW), means, Surroundings(**AROUND))
    async with desk.opened() as access:
        assert (access.authorization, read) == (
            ("", []) if "file" in address else ("Basic Z2l0Ong=", [("team", "bad")])
        )
