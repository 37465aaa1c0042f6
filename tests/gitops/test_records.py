"""Records in the status of a GitSync: small ones in place, large ones in ConfigMaps, damaged ones refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.errors import NotFoundError, UnavailableError
from rollouts.gitops import inventory as inventories
from rollouts.gitops.errors import ClusterError, InventoryError
from rollouts.gitops.inventory import Entry, HookRun, Inventory, Record
from rollouts.gitops.objects import Ref
from rollouts.gitops.records import IN_STATUS, MOST_HOOKS, PER_CONFIG_MAP, ConfigMapRecords, StatusRecords

OWNER = {"metadata": {"name": "shop", "namespace": "team", "uid": "u"}}


class Memory:
    """The few verbs that are needed, on a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Any] = {("GitSync", "shop"): {**OWNER, "status": {}}}
        self.down = False

    async def get(self, kind: Kind, namespace: str, name: str) -> Any:
        if self.down:
            raise UnavailableError("no answer")
        if (kind.kind, name) not in self.objects:
            raise NotFoundError(f"{kind.plural} {name} not found", status=404)
        return self.objects[kind.kind, name]

    async def patch(self, kind: Kind, namespace: str, name: str, body: Any, *, subresource: str) -> Any:
        found = self.objects[kind.kind, name]
        found["status"] = {**found["status"], **body["status"]}
        return found

    async def apply(self, kind: Kind, namespace: str, name: str, body: Any, **_: Any) -> Any:
        self.objects[kind.kind, name] = body
        return body

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        del self.objects[kind.kind, name]

    def config_maps(self) -> list[str]:
        return sorted(name for kind, name in self.objects if kind == "ConfigMap")


def records(memory: Memory) -> StatusRecords:
    return StatusRecords(api=memory, owner=OWNER, absorbed=lambda kind, obj: None)  # type: ignore[arg-type]


def inventory(count: Iterable[int]) -> Inventory:
    return Inventory.of(
        Entry(ref=Ref(group="", kind="ConfigMap", namespace="team", name=f"c{n}"), version="v1", uid=f"u{n}")
        for n in count
    )


@pytest.mark.parametrize(
    ("count", "parts"), [(0, 0), (1, 0), (IN_STATUS, 0), (IN_STATUS + 1, 1), (PER_CONFIG_MAP + 1, 2)]
)
async def test_what_was_saved_is_loaded(count: int, parts: int) -> None:
    """R23."""
    memory = Memory()
    await records(memory).save(Record(inventory=inventory(range(count))))
    found = await records(memory).load()
    assert (found.inventory.entries, found.inventory.trusted) == (inventory(range(count)).entries, True)
    assert len(memory.config_maps()) == parts
    stored = memory.objects["GitSync", "shop"]["status"]["inventory"]
    assert sorted(stored["configMaps"] or ()) == memory.config_maps()


def hook(number: int) -> Ref:
    return Ref(group="batch", kind="Job", namespace="team", name=f"j{number}")


async def test_hooks_are_remembered_of_one_run() -> None:
    """R26, R23: of very many, those that have ended, because their objects may be gone."""
    memory = Memory()
    few = HookRun(run="1", hooks={hook(0): True, hook(1): False})
    await records(memory).save_hooks(few)
    assert (await records(memory).load()).hooks == few
    many = HookRun(run="2", hooks={hook(number): number % 2 == 0 for number in range(2 * MOST_HOOKS)})
    await records(memory).save_hooks(many)
    found = (await records(memory).load()).hooks
    assert (found.run, len(found.hooks), all(found.hooks.values())) == ("2", MOST_HOOKS, True)


async def test_lists_that_nothing_points_to_are_deleted_after_the_new_one_is_in_place() -> None:
    memory = Memory()
    await records(memory).save(Record(inventory=inventory(range(2000))))
    (old,) = memory.config_maps()
    again = records(memory)
    await again.load()
    await again.save(Record(inventory=inventory(range(2001))))
    (new,) = memory.config_maps()
    assert new != old
    await again.save(Record(inventory=inventory(range(3))))
    assert memory.config_maps() == []


async def test_a_list_that_is_missing_or_cut_off_is_never_taken_for_a_short_one() -> None:
    """R12: an incomplete inventory must not look complete."""
    memory = Memory()
    await records(memory).save(Record(inventory=inventory(range(2000))))
    (name,) = memory.config_maps()
    whole = memory.objects["ConfigMap", name]
    memory.objects["ConfigMap", name] = {**whole, "data": {"inventory": '[["team_c0__ConfigMap","v1","u0"]]'}}
    assert (await records(memory).load()).inventory.trusted is False
    memory.objects["ConfigMap", name] = {**whole, "data": {}}
    with pytest.raises(InventoryError, match="holds no inventory"):
        await records(memory).load()
    del memory.objects["ConfigMap", name]
    with pytest.raises(InventoryError, match="is gone"):
        await records(memory).load()


async def test_an_inventory_that_was_emptied_is_not_trusted() -> None:
    memory = Memory()
    await records(memory).save(Record(inventory=inventory(range(3))))
    memory.objects["GitSync", "shop"]["status"]["inventory"]["entries"] = []
    assert (await records(memory).load()).inventory.trusted is False


async def test_a_server_that_does_not_answer_is_no_empty_record() -> None:
    memory = Memory()
    memory.down = True
    with pytest.raises(ClusterError):
        await records(memory).load()


async def test_a_namesake_has_its_own_record() -> None:
    memory = Memory()
    memory.objects["GitSync", "shop"] = {"metadata": {**OWNER["metadata"], "uid": "another"}, "status": {}}
    with pytest.raises(InventoryError, match="made anew"):
        await records(memory).load()
    assert kinds.GIT_SYNC.status


def test_a_config_map_that_was_edited_is_not_trusted() -> None:
    """R12: the record of `rollouts sync`."""
    body = inventories.body(Record(inventory=inventory(range(3))), sync="shop", namespace="team")
    assert inventories.read(body).inventory == inventory(range(3))
    shorter = inventories.body(Record(inventory=inventory(range(2))), sync="shop", namespace="team")["data"][
        "inventory"
    ]
    edited = {**body, "data": {**body["data"], "inventory": shorter}}
    assert not inventories.read(edited).inventory.trusted


async def test_what_is_stored_already_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """R25; but one that could not be trusted is, though it says the same."""
    memory, writes = Memory(), []
    patch = memory.patch

    async def counted(*arguments: Any, **more: Any) -> Any:
        writes.append(arguments)
        return await patch(*arguments, **more)

    monkeypatch.setattr(memory, "patch", counted)
    kept = records(memory)
    await kept.load()
    for _ in range(2):
        await kept.save(Record(inventory=inventory(range(3))))
    assert len(writes) == 1
    await kept.save(Record(inventory=Inventory(entries=inventory(range(3)).entries, trusted=False)))
    assert len(writes) == 2


async def test_nor_is_the_config_map_of_the_command() -> None:
    """R25."""

    class Kept:
        def __init__(self) -> None:
            self.there: Any = None
            self.writes = 0

        async def live(self, kind: Kind, ref: Ref) -> Any:
            return self.there

        async def apply(self, kind: Kind, manifest: Any) -> Any:
            self.there, self.writes = manifest.body, self.writes + 1

    cluster = Kept()
    kept = ConfigMapRecords(cluster=cluster, name="shop", namespace="team")  # type: ignore[arg-type]
    for count in (3, 3, 4):
        await kept.save(Record(inventory=inventory(range(count))))
    assert cluster.writes == 2
