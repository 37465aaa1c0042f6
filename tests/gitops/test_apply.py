"""Carrying a plan out, against a cluster that only takes notes: where it may stop, and what a failure leaves undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.api.kinds import Kind
from rollouts.engine.errors import ApiError, InvalidError
from rollouts.gitops.apply import Outcome, execute
from rollouts.gitops.inventory import Entry, Inventory
from rollouts.gitops.normalise import key_of
from rollouts.gitops.objects import Manifest, Ref
from rollouts.gitops.plan import Action, Examined, Leftover, Policy, SyncPlan, plan
from tests.gitops.test_plan import SYNC, leftover, ref

KINDS = ("ServiceAccount", "ConfigMap", "Service", "Job")


class Notes:
    """Takes every object but those that are `refused`."""

    def __init__(self, *refused: str) -> None:
        self.done: list[str] = []
        self.uids: list[str] = []
        self.refused = refused

    async def apply(self, kind: Kind, manifest: Manifest, *, guard: str | None = None) -> Mapping[str, Any]:
        if manifest.ref.name in self.refused:
            raise InvalidError("no")
        self.done.append(manifest.ref.name)
        return {**manifest.body, "metadata": {**manifest.body["metadata"], "uid": "u", "resourceVersion": "1"}}

    async def kinds(self, keys: Any) -> dict[Any, Kind]:
        return {key: _kind(*key) for key in keys}

    async def delete(self, kind: Kind, ref: Ref, *, uid: str, propagation: str) -> None:
        if ref.name in self.refused:
            raise ApiError("no")
        self.done.append(f"-{ref.name}")
        self.uids.append(uid)


def _kind(api_version: str, name: str) -> Kind:
    return Kind(group="", version=api_version, kind=name, plural=f"{name.lower()}s")


def wanted(name: str, kind: str, wave: str = "0") -> Examined:
    metadata = {"name": name, "namespace": "shop", "annotations": {"argocd.argoproj.io/sync-wave": wave}}
    body = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
    return Examined(manifest=Manifest(body=body, file="a", line=1), action=Action.CREATE)


def decided(*items: Examined, gone: tuple[Leftover, ...] = ()) -> SyncPlan:
    stored = Inventory.of([*(row.entry for row in gone), *(Entry(ref=ref(name), version="v1") for name in "efghij")])
    return plan(examined=items, inventory=stored, leftovers=gone, policy=Policy(sync=SYNC))


async def carried_out(found: SyncPlan, cluster: Notes, *, stops: tuple[str, ...] = ()) -> tuple[Outcome, int]:
    """The outcome, and how often it was asked whether to go on; `stops`: the answers."""
    asked = iter(range(100))
    answers = iter(stops)
    count = 0

    async def go_on() -> str:
        nonlocal count
        count = next(asked) + 1
        return next(answers, "")

    async def reexamine(item: Examined) -> Examined:
        raise AssertionError("nothing is steered")

    kinds = {key_of(item.manifest): _kind(*key_of(item.manifest)) for item in found.items}
    outcome = await execute(cluster, found, kinds=kinds, reexamine=reexamine, go_on=go_on)  # type: ignore[arg-type]
    return outcome, count


async def test_it_may_be_stopped_between_waves_and_never_inside_one() -> None:
    """R4: a wave has three stages here."""
    first = [wanted("account", "ServiceAccount"), wanted("service", "Service"), wanted("job", "Job")]
    found = decided(*first, wanted("late", "ConfigMap", "1"))
    assert len(found.stages) == 3
    cluster = Notes()
    outcome, asked = await carried_out(found, cluster, stops=("superseded",))
    assert (outcome.stopped, asked) == ("superseded", 1)
    assert cluster.done == ["account", "service", "job"]


async def test_it_may_be_stopped_before_anything_is_deleted() -> None:
    """R4."""
    cluster = Notes()
    found = decided(wanted("account", "ServiceAccount"), gone=(leftover(ref("x")),))
    outcome, _ = await carried_out(found, cluster, stops=("superseded",))
    assert (outcome.stopped, cluster.done) == ("superseded", ["account"])


@pytest.mark.parametrize("refused", ["one", "two"])
async def test_a_failure_stops_neither_siblings_nor_lets_anything_later_begin(refused: str) -> None:
    """R19: the wave ends there, and nothing is deleted."""
    cluster = Notes(refused)
    items = (wanted("one", "ConfigMap"), wanted("two", "ConfigMap"), wanted("late", "Job"), wanted("last", "Job", "1"))
    outcome, _ = await carried_out(decided(*items, gone=(leftover(ref("x")),)), cluster)
    assert len(outcome.errors) == 1
    assert cluster.done == [name for name in ("one", "two") if name != refused]


async def test_an_object_that_can_not_be_deleted_keeps_those_it_needs() -> None:
    """R15: deleting ends there: what comes later in the order is what others need."""
    cluster = Notes("x")
    gone = (leftover(ref("x", "Service")), leftover(ref("y", "ServiceAccount")))
    outcome, _ = await carried_out(decided(wanted("one", "ConfigMap"), gone=gone), cluster)
    assert (len(outcome.errors), cluster.done) == (1, ["one"])


async def test_deleted_is_exactly_the_object_that_was_looked_at() -> None:
    """R12."""
    cluster = Notes()
    await carried_out(decided(wanted("one", "ConfigMap"), gone=(leftover(ref("x")), leftover(ref("y")))), cluster)
    assert (cluster.done, cluster.uids) == (["one", "-y", "-x"], ["y", "x"])
