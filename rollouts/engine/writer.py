"""Carries a plan out, request by request, and takes the answers into the store.

In order: writes, then the status patch, then events. The first request that fails ends it; `ConflictError` asks for a
new plan from fresh state. A patch of the object the plan is about moves its resourceVersion on, and the following
ones go on from there, so nothing anybody wrote in between is overwritten unseen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.errors import AlreadyExistsError, ConflictError, NotFoundError, TooManyRequestsError
from rollouts.engine.events import Recorder
from rollouts.engine.store import Store, controller_uid
from rollouts.plan import Create, Delete, Evict, Patch, Plan, Write

JSON = Mapping[str, Any]

EVICTION_RETRY_SECONDS = 30.0


class Writer:
    """Executes plans on the API server."""

    def __init__(self, *, api: Api, store: Store, recorder: Recorder) -> None:
        self._api = api
        self._store = store
        self._recorder = recorder

    async def execute(self, *, kind: Kind, obj: JSON, plan: Plan) -> float | None:
        """Carry out a plan about `obj`. Returns in how many seconds to look again (None: when something changes)."""
        version = obj["metadata"]["resourceVersion"]
        again = plan.requeue_after
        for write in plan.writes:
            own = isinstance(write, Patch) and write.kind == kind and write.name == obj["metadata"]["name"]
            try:
                answer = await self._write(write, version=version if own else None)
            except TooManyRequestsError:
                if not isinstance(write, Evict):
                    raise
                again = min(again or EVICTION_RETRY_SECONDS, EVICTION_RETRY_SECONDS)
                continue
            if own and answer:
                version = answer["metadata"]["resourceVersion"]
        if plan.status:
            await self._write_status(kind, obj, plan.status, version)
        for event in plan.events:
            self._recorder.record(obj, event)
        return again

    async def _write_status(self, kind: Kind, obj: JSON, status: JSON, version: str) -> None:
        metadata = obj["metadata"]
        body = {"metadata": {"resourceVersion": version}, "status": status}
        answer = await self._api.patch(
            kind, metadata["namespace"], metadata["name"], body, subresource="status" if kind.status else None
        )
        self._store.absorb(kind, answer)

    async def _write(self, write: Write, *, version: str | None) -> JSON | None:
        match write:
            case Create():
                return await self._create(write)
            case Patch():
                return await self._patch(write, version or write.resource_version)
            case Delete():
                return await self._delete(write)
            case Evict():
                return await self._evict(write)

    async def _create(self, write: Create) -> JSON:
        try:
            answer = await self._api.create(write.kind, write.namespace, write.body)
        except AlreadyExistsError as error:
            answer = await self._api.get(write.kind, write.namespace, write.body["metadata"]["name"])
            self._store.absorb(write.kind, answer)
            if controller_uid(answer) != controller_uid(write.body):
                raise ConflictError(f"{error}; it belongs to somebody else", status=409) from error
        self._store.absorb(write.kind, answer)
        return answer

    async def _patch(self, write: Patch, version: str | None) -> JSON:
        body = dict(write.body)
        if version:
            body["metadata"] = {**body.get("metadata", {}), "resourceVersion": version}
        answer = await self._api.patch(write.kind, write.namespace, write.name, body, subresource=write.subresource)
        self._store.absorb(write.kind, answer)
        return answer

    async def _delete(self, write: Delete) -> None:
        known = {"metadata": {"namespace": write.namespace, "name": write.name, "uid": write.uid}}
        with contextlib.suppress(NotFoundError):
            await self._api.delete(write.kind, write.namespace, write.name, uid=write.uid)
        if self._store.keeps(write.kind):
            self._store.shelf(write.kind).remove(known)

    async def _evict(self, write: Evict) -> None:
        with contextlib.suppress(NotFoundError):
            await self._api.evict(write.namespace, write.name, uid=write.uid)
