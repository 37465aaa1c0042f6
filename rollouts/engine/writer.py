"""Carries a plan out, request by request, and takes the answers into the store.

In order: writes, then the status patch, then events. The first request that fails ends it. `ConflictError` and
`NotFoundError` mean that the plan was made on an old world: the object in question is read afresh into the store before
they are passed on, so the next plan is better. A patch of the object the plan is about moves its resourceVersion on,
and the following ones go on from there, so nothing anybody wrote in between is overwritten unseen. A patch that would
change nothing, as far as the store knows, is not sent.

An answer may also bring what somebody else wrote just before. The watch will bring nothing newer than an answer, so
`absorbed(kind, obj, origin)` is told of each, and what is in it. The watch may also be quicker than the answer: `echo`
tells an event that is no more than what a patch under way asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from rollouts.api.kinds import Kind
from rollouts.api.loose import mapping
from rollouts.engine.client import Api
from rollouts.engine.errors import (
    AlreadyExistsError,
    ApiError,
    Attempt,
    ConflictError,
    NotFoundError,
    TooManyRequestsError,
)
from rollouts.engine.events import Recorder
from rollouts.engine.gate import Gate, Urgency
from rollouts.engine.store import Key, Store, controller_uid, key_of
from rollouts.plan import Create, Delete, Evict, Patch, Plan, Write

JSON = Mapping[str, Any]

EVICTION_RETRY_SECONDS = 30.0
SLOTS = 12
"""Writes under way at once: about what keeps a small API server busy."""


class Origin(Enum):
    """What an answer to a write holds."""

    OWN = auto()
    """The object the plan is about, as planned: who planned it knows."""
    OTHER = auto()
    """Another object, as planned."""
    NEWS = auto()
    """What somebody else wrote, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A patch under way: what it asks for, and what its answer will be."""

    body: JSON
    origin: Origin


class Writer:
    """Executes plans on the API server."""

    def __init__(
        self,
        *,
        api: Api,
        store: Store,
        recorder: Recorder,
        slots: int = SLOTS,
        absorbed: Callable[[Kind, JSON, Origin], None] = lambda _kind, _obj, _origin: None,
    ) -> None:
        self._absorbed = absorbed
        self._gate = Gate(slots)
        self._api = api
        self._store = store
        self._recorder = recorder
        self._under_way: dict[tuple[Kind, Key], _Sent] = {}

    async def execute(self, *, kind: Kind, obj: JSON, plan: Plan) -> float | None:
        """Carry out a plan about `obj`. Returns in how many seconds to look again (None: when something changes)."""
        version = obj["metadata"]["resourceVersion"]
        again = plan.requeue_after
        for write in plan.writes:
            own = isinstance(write, Patch) and write.kind == kind and key_of(obj) == Key(write.namespace, write.name)
            try:
                answer = await self._write(write, version=version if own else None, own=own)
            except TooManyRequestsError:
                if not isinstance(write, Evict):
                    raise
                again = min(again or EVICTION_RETRY_SECONDS, EVICTION_RETRY_SECONDS)
                continue
            if own and answer is not None:
                version = answer["metadata"]["resourceVersion"]
        if changes(obj, {"status": plan.status}):
            await self._write_status(kind, obj, plan.status, version)
        for event in plan.events:
            self._recorder.record(obj, event)
        return again

    async def carry_out(self, writes: Sequence[Write]) -> None:
        """Writes that belong to no plan about an object, in order; the first that fails ends it."""
        for write in writes:
            await self._write(write, version=None, own=False)

    async def _write_status(self, kind: Kind, obj: JSON, status: JSON, version: str) -> None:
        key = key_of(obj)
        body = {"metadata": {"resourceVersion": version}, "status": status}
        subresource = "status" if kind.status else None
        await self._send_patch(kind, key, body, subresource=subresource, urgency=Urgency.REPORT, own=True)

    async def _write(self, write: Write, *, version: str | None, own: bool) -> JSON | None:
        match write:
            case Create():
                return await self._create(write)
            case Patch():
                return await self._patch(write, version or write.resource_version, own=own)
            case Delete():
                await self._delete(write)
            case Evict():
                await self._evict(write)
        return None

    async def _create(self, write: Create) -> JSON:
        try:
            async with self._gate.enter(Urgency.CREATE):
                answer = await self._api.create(write.kind, write.namespace, write.body)
        except AlreadyExistsError as error:
            answer = await self._api.get(write.kind, write.namespace, write.body["metadata"]["name"])
            self._absorb(write.kind, answer, Origin.NEWS)
            if controller_uid(answer) != controller_uid(write.body):
                raise ConflictError(f"{error}; it belongs to somebody else", status=409) from error
        except ApiError as error:
            error.attempt = Attempt(verb="create", kind=write.kind.kind, name=write.body["metadata"].get("name", ""))
            raise
        else:
            self._absorb(write.kind, answer, Origin.OTHER)
        return answer

    async def _patch(self, write: Patch, version: str | None, *, own: bool) -> JSON | None:
        key = Key(write.namespace, write.name)
        known = self._known(write.kind, key)
        if known is not None and not changes(known, write.body):
            return None
        body = dict(write.body)
        if version:
            body["metadata"] = {**body.get("metadata", {}), "resourceVersion": version}
        urgency, subresource = Urgency.CHANGE, write.subresource
        try:
            return await self._send_patch(write.kind, key, body, subresource=subresource, urgency=urgency, own=own)
        except ApiError as error:
            error.attempt = Attempt(verb=_verb(known, write.body), kind=write.kind.kind, name=write.name)
            raise

    def echo(self, kind: Kind, obj: JSON) -> Origin | None:
        """What an event is if it only shows what a patch under way has made of the object as it was known, before the
        answer does; None for everything else."""
        sent, known = self._under_way.get((kind, key_of(obj))), self._known(kind, key_of(obj))
        if sent is None or known is None or changes(obj, sent.body) or brings_news(known, sent.body, obj):
            return None
        return sent.origin

    def _known(self, kind: Kind, key: Key) -> JSON | None:
        return self._store.get(kind, key) if self._store.keeps(kind) else None

    async def _send_patch(
        self, kind: Kind, key: Key, body: JSON, *, subresource: str | None, urgency: Urgency, own: bool
    ) -> JSON:
        origin = Origin.OWN if own else Origin.OTHER
        try:
            async with self._gate.enter(urgency):
                answer = await self._send(kind, key, body, subresource=subresource, origin=origin)
        except (ConflictError, NotFoundError):
            await self._refresh(kind, key)
            raise
        known = self._known(kind, key)
        news = known is not None and brings_news(known, body, answer)
        self._absorb(kind, answer, Origin.NEWS if news else origin)
        return answer

    async def _send(self, kind: Kind, key: Key, body: JSON, *, subresource: str | None, origin: Origin) -> JSON:
        asked = {name: part for name, part in body.items() if name != "metadata"}
        metadata = {name: part for name, part in (body.get("metadata") or {}).items() if name != "resourceVersion"}
        self._under_way[kind, key] = _Sent(body={**asked, "metadata": metadata}, origin=origin)
        try:
            return await self._api.patch(kind, key.namespace, key.name, body, subresource=subresource)
        finally:
            self._under_way.pop((kind, key), None)

    def _absorb(self, kind: Kind, answer: JSON, origin: Origin) -> None:
        if self._store.absorb(kind, answer):
            self._absorbed(kind, answer, origin)

    async def _refresh(self, kind: Kind, key: Key) -> None:
        try:
            self._absorb(kind, await self._api.get(kind, key.namespace, key.name), Origin.NEWS)
        except NotFoundError:
            self._store.drop(kind, key)

    async def _delete(self, write: Delete) -> None:
        known = {"metadata": {"namespace": write.namespace, "name": write.name, "uid": write.uid}}
        with contextlib.suppress(NotFoundError, ConflictError):  # a conflict: another object has that name by now
            async with self._gate.enter(Urgency.CHANGE):
                await self._api.delete(write.kind, write.namespace, write.name, uid=write.uid)
        if self._store.keeps(write.kind):
            self._store.shelf(write.kind).remove(known)

    async def _evict(self, write: Evict) -> None:
        with contextlib.suppress(NotFoundError, ConflictError):
            async with self._gate.enter(Urgency.CHANGE):
                await self._api.evict(write.namespace, write.name, uid=write.uid)


def _verb(known: JSON | None, body: JSON) -> str:
    """What a patch does, for people."""
    before, after = (mapping(mapping(obj).get("spec")).get("replicas") for obj in (known, body))
    if not isinstance(before, int) or not isinstance(after, int) or before == after:
        return "update"
    return "scale up" if after > before else "scale down"


_SERVERS_OWN: Final = frozenset({"resourceVersion", "generation", "managedFields"})


def brings_news(known: JSON, patch: JSON, answer: JSON) -> bool:
    """Whether the answer to a patch differs from what was known in anything the patch does not name."""
    for key in (known.keys() | answer.keys()) - _SERVERS_OWN:
        before, written, after = known.get(key), patch.get(key), answer.get(key)
        if before == after:
            continue
        if isinstance(written, Mapping) or (isinstance(before, Mapping) and isinstance(after, Mapping)):
            if brings_news(_mapping(before), _mapping(written), _mapping(after)):
                return True
        elif key not in patch:
            return True
    return False


def _mapping(value: Any) -> JSON:
    return value if isinstance(value, Mapping) else {}


def changes(obj: JSON, patch: JSON) -> bool:
    """Whether a JSON merge patch would change anything in an object."""
    for key, value in patch.items():
        if isinstance(value, Mapping):
            if changes(_mapping(obj.get(key)), value):
                return True
        elif value is None:
            if obj.get(key) is not None:
                return True
        elif key not in obj or obj[key] != value:
            return True
    return False
