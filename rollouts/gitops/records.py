"""Where the record of a sync is kept: a ConfigMap for `rollouts sync`, the status of a GitSync for the controller.

`load` and `save` are all the pipeline knows. Whatever the place, the record is written **before** objects are applied
and again after the pass, and an entry that can't be read ends the pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Protocol

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError, NotFoundError
from rollouts.gitops import inventory
from rollouts.gitops.cluster import CONFIG_MAP, Cluster
from rollouts.gitops.errors import InventoryError, RecordError, redact
from rollouts.gitops.inventory import HookRun, Record
from rollouts.gitops.objects import JSON, Manifest, Ref

IN_STATUS = 1000
"""So many entries fit into the status; more go into ConfigMaps, so that the object stays small (R23)."""
PER_CONFIG_MAP = 4000
MOST_HOOKS = 200
"""Of so many hooks of a run it is remembered how far they are; what is beyond may run again (R23)."""


class Records(Protocol):
    """A place for one record."""

    async def load(self) -> Record:
        """The record; an empty one when there is none. InventoryError when it can't be understood."""

    async def save(self, record: Record) -> None:
        """Keep it, but for its hooks. RecordError when that was not possible: then nothing may be applied."""

    async def save_hooks(self, run: HookRun) -> None:
        """Keep how far a run of the hooks is, in place of the run before. RecordError as above."""


class ConfigMapRecords:
    """One ConfigMap, `rollouts-sync-<name>`."""

    def __init__(self, *, cluster: Cluster, name: str, namespace: str) -> None:
        self._cluster = cluster
        self._name = name
        self._namespace = namespace
        self._ref = Ref(group="", kind="ConfigMap", namespace=namespace, name=inventory.name_of(name))
        self._hooks = HookRun()

    async def load(self) -> Record:
        """Read the ConfigMap."""
        return replace(inventory.read(await self._cluster.live(CONFIG_MAP, self._ref)), hooks=self._hooks)

    async def save_hooks(self, run: HookRun) -> None:
        """Remembered by the process: the next one of `rollouts sync` begins another run."""
        self._hooks = run

    async def save(self, record: Record) -> None:
        """Write it, unless it says so already."""
        body = inventory.body(record, sync=self._name, namespace=self._namespace)
        live = await self._cluster.live(CONFIG_MAP, self._ref)
        if live is not None and live.get("data") == body["data"]:
            return
        try:
            await self._cluster.apply(CONFIG_MAP, Manifest(body=body, file="", line=0))
        except ApiError as error:
            raise RecordError(f"the record {self._ref.label} could not be written: {error}") from error


class StatusRecords:
    """`status.inventory` of a GitSync. `owner`: the object; `absorbed` is told of each answer of the API server."""

    def __init__(self, *, api: Api, owner: JSON, absorbed: Callable[[Kind, JSON], object]) -> None:
        self._api = api
        self._metadata = owner["metadata"]
        self._absorbed = absorbed
        self._parts: list[str] = []
        self._stored = ""

    async def load(self) -> Record:
        """Read the GitSync afresh: the pass must not prune from an old list."""
        body = await self._ask(self._api.get(kinds.GIT_SYNC, self._metadata["namespace"], self._metadata["name"]))
        if body["metadata"]["uid"] != self._metadata["uid"]:
            raise InventoryError("the GitSync was deleted and made anew meanwhile")
        status = body.get("status") or {}
        stored = status.get("inventory") or {}
        rows = [_row(entry) for entry in stored.get("entries") or ()]
        self._parts = list(stored.get("configMaps") or ())
        self._stored = str(stored.get("digest") or "")
        for name in self._parts:
            rows += inventory.rows_of(await self._ask(self._api.get(CONFIG_MAP, self._metadata["namespace"], name)))
        return Record(
            inventory=inventory.of_rows(rows, digest=stored.get("digest")),
            attempted=status.get("lastAttemptedRevision") or "",
            applied=(status.get("history") or [{}])[-1].get("revision") or "",
            hooks=_hooks_of(status.get("hooks") or {}),
        )

    async def save(self, record: Record) -> None:
        """Write the inventory, if it is another; the rest of the status is the controller's to write."""
        rows = inventory.rows(record.inventory)
        digest = inventory.digest_of(rows)
        if digest == self._stored and record.inventory.trusted:
            return
        split = [rows[at : at + PER_CONFIG_MAP] for at in range(0, len(rows), PER_CONFIG_MAP)]
        names: list[str] = []
        if len(rows) > IN_STATUS:
            # Named by their content: the old list stays whole until the status points to the new one.
            names = [f"gitsync-{self._metadata['name'][:200]}-{digest[7:19]}-{at}" for at in range(len(split))]
            for name, part in zip(names, split, strict=True):
                await self._ask(self._apply(name, part))
        entries = [] if names else [{"id": ref, "v": version, "uid": uid} for ref, version, uid in rows]
        status = {"inventory": {"digest": digest, "entries": entries, "configMaps": names or None}}
        namespace, name = self._metadata["namespace"], self._metadata["name"]
        answer = await self._ask(
            self._api.patch(kinds.GIT_SYNC, namespace, name, {"status": status}, subresource="status")
        )
        self._absorbed(kinds.GIT_SYNC, answer)
        await self._forget(set(self._parts) - set(names))
        self._parts, self._stored = names, digest

    async def save_hooks(self, run: HookRun) -> None:
        """Write `status.hooks`."""
        namespace, name = self._metadata["namespace"], self._metadata["name"]
        body = {"status": {"hooks": _stored_hooks(run)}}
        self._absorbed(
            kinds.GIT_SYNC,
            await self._ask(self._api.patch(kinds.GIT_SYNC, namespace, name, body, subresource="status")),
        )

    async def _forget(self, names: Iterable[str]) -> None:
        """Delete lists that nothing points to any more. What can't be deleted goes with its owner."""
        for name in names:
            with contextlib.suppress(ApiError):
                await self._api.delete(CONFIG_MAP, self._metadata["namespace"], name)

    def _apply(self, name: str, part: list[inventory.Row]) -> Awaitable[JSON]:
        owner = {
            "apiVersion": kinds.GIT_SYNC.api_version,
            "kind": kinds.GIT_SYNC.kind,
            "name": self._metadata["name"],
            "uid": self._metadata["uid"],
        }
        body = inventory.config_map(part, name=name, namespace=self._metadata["namespace"], owner=owner)
        namespace = self._metadata["namespace"]
        return self._api.apply(CONFIG_MAP, namespace, name, body, manager="rollouts", force=True, dry_run=False)

    async def _ask(self, request: Awaitable[JSON]) -> JSON:
        try:
            return await request
        except NotFoundError as error:
            raise InventoryError(f"the record of this sync is gone: {redact(str(error))}") from error
        except ApiError as error:
            raise RecordError(f"the record could not be read or written: {redact(str(error))}") from error


def _row(entry: JSON) -> inventory.Row:
    return [str(entry.get("id")), str(entry.get("v") or ""), str(entry.get("uid") or "")]


def _stored_hooks(run: HookRun) -> JSON:
    """As it is stored. Those that succeeded come first: their objects may be gone."""
    ended = sorted(str(ref) for ref, done in run.hooks.items() if done)[:MOST_HOOKS]
    begun = sorted(str(ref) for ref, done in run.hooks.items() if not done)[: MOST_HOOKS - len(ended)]
    return {"run": run.run, "succeeded": ended or None, "begun": begun or None}


def _hooks_of(stored: JSON) -> HookRun:
    """The reverse. InventoryError when a reference makes no sense."""
    try:
        begun = {Ref.parse(str(text)): False for text in stored.get("begun") or ()}
        ended = {Ref.parse(str(text)): True for text in stored.get("succeeded") or ()}
    except ValueError as error:
        raise InventoryError(f"status.hooks is damaged ({error}); nothing was changed") from None
    return HookRun(run=str(stored.get("run") or ""), hooks=begun | ended)
