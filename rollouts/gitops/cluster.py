"""The cluster as the sync sees it: what kinds there are, what is live, and server-side apply with our field manager.

A thin layer over the engine's `Api`. It answers in the sync's own terms (`Ref`, `Manifest`) and keeps one distinction
everywhere: *not there* is an answer, *could not be asked* is an error that ends the pass. Nothing that failed to be
read is ever taken for absent, because absent objects get pruned from the inventory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rollouts.api.kinds import Kind
from rollouts.engine.client import Api, Request
from rollouts.engine.errors import ApiError, ForbiddenError, NotFoundError
from rollouts.gitops.errors import DeniedError, UnreadError, redact, role_advice
from rollouts.gitops.marks import FIELD_MANAGER
from rollouts.gitops.normalise import KindKey
from rollouts.gitops.objects import JSON, Manifest, Ref, group_of
from rollouts.gitops.takeover import Takeover

CONFIG_MAP = Kind(group="", version="v1", kind="ConfigMap", plural="configmaps")
CONCURRENCY = 8

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
"""One request for all kinds of all groups, instead of one for each group."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Cluster:
    """Reads and writes of one sync. Discovery is remembered until `forget_kinds`. `dry_runs`: how many may be under way
    at once, shared by all syncs: each costs the API server a whole admission."""

    def __init__(self, api: Api, *, dry_runs: asyncio.Semaphore | None = None) -> None:
        self.api = api
        self._dry_runs = dry_runs
        self._kinds: dict[str, dict[str, Kind]] = {}

    async def kinds(self, keys: Iterable[KindKey]) -> dict[KindKey, Kind]:
        """The kinds among `keys` that the cluster has. UnreadError when discovery could not be asked."""
        wanted = sorted(set(keys))
        for api_version in sorted({api_version for api_version, _ in wanted} - self._kinds.keys()):
            self._kinds[api_version] = await self._discover(api_version)
        found = {(api_version, kind): self._kinds[api_version].get(kind) for api_version, kind in wanted}
        return {key: kind for key, kind in found.items() if kind is not None}

    def forget_kinds(self) -> None:
        """Ask discovery anew from now on: a CRD may have come or gone."""
        self._kinds.clear()

    async def live(self, kind: Kind, ref: Ref) -> JSON | None:
        """The live object, None when there is none."""
        try:
            return await self.api.get(kind, ref.namespace or None, ref.name)
        except NotFoundError:
            return None
        except ApiError as error:
            kind_of = DeniedError if isinstance(error, ForbiddenError) else UnreadError
            raise kind_of(f"{ref.label} could not be read: {redact(str(error))}{role_advice(error)}") from error

    async def list(self, kind: Kind, namespace: str) -> list[JSON]:
        """The objects of a namespace; none when the cluster has no such kind."""
        try:
            return list((await self.api.list(kind, namespace)).get("items") or ())
        except NotFoundError:
            return []
        except ApiError as error:
            raise UnreadError(f"{kind.plural} in {namespace} could not be listed: {redact(str(error))}") from error

    async def apply(self, kind: Kind, manifest: Manifest, *, dry_run: bool = False, guard: str | None = None) -> JSON:
        """The object as it is (or would be) after applying. `guard`: fail when it is newer than this resourceVersion.

        Raises the engine's ApiError: what a refusal means depends on the step that asked.
        """
        ref = manifest.ref
        body = manifest.with_metadata(resourceVersion=guard).body if guard else manifest.body
        async with self._dry_runs if dry_run and self._dry_runs else contextlib.nullcontext():
            return await self.api.apply(
                kind, ref.namespace or None, ref.name, body, manager=FIELD_MANAGER, force=True, dry_run=dry_run
            )

    async def replace(self, kind: Kind, manifest: Manifest, *, live: JSON) -> JSON:
        """Send the object as a whole in place of `live`; ConflictError when that has changed since. Finalizers and
        owners stay as they are: they are others' business."""
        ref, metadata = manifest.ref, live["metadata"]
        theirs = {key: metadata[key] for key in ("finalizers", "ownerReferences") if key in metadata}
        written = manifest.body["metadata"]
        body = manifest.with_body(
            {**manifest.body, "metadata": {**theirs, **written, "resourceVersion": metadata["resourceVersion"]}}
        ).body
        path, params = kind.path(ref.namespace or None, ref.name), {"fieldManager": FIELD_MANAGER}
        return await self.api.send(Request(method="PUT", path=path, body=body, params=params))

    async def serves(self, group: str) -> bool:
        """Whether the cluster has any kind of this group. UnreadError when discovery could not be asked."""
        try:
            await self.api.send(Request(method="GET", path=f"/apis/{group}"))
        except NotFoundError:
            return False
        except ApiError as error:
            raise UnreadError(f"the group {group} could not be looked up: {redact(str(error))}") from error
        return True

    async def take_over(self, kind: Kind, ref: Ref, takeover: Takeover) -> JSON:
        """Move ownership of fields to us. ConflictError when the object has changed since it was looked at."""
        return await self.api.json_patch(kind, ref.namespace or None, ref.name, takeover.patch)

    async def delete(self, kind: Kind, ref: Ref, *, uid: str, propagation: str = "Background") -> None:
        """Delete exactly this object; that it is gone already is success."""
        try:
            await self.api.delete(kind, ref.namespace or None, ref.name, uid=uid, propagation=propagation)
        except NotFoundError:
            return

    async def capabilities(self) -> tuple[str, tuple[str, ...]]:
        """The version of the cluster, and every `group/version` and `group/version/Kind` it serves, sorted."""
        asking = Api(session=self.api.session, server=self.api.server)
        asking.requests, asking.headers = self.api.requests, {**self.api.headers, "Accept": _AGGREGATED}
        try:
            version = await self.api.send(Request(method="GET", path="/version"))
            lists = [await asking.send(Request(method="GET", path=path)) for path in ("/api", "/apis")]
        except ApiError as error:
            raise UnreadError(f"what the cluster serves could not be listed: {redact(str(error))}") from error
        served = {text for found in lists for item in found.get("items") or () for text in _served(item)}
        return str(version.get("gitVersion") or ""), tuple(sorted(served))

    async def _discover(self, api_version: str) -> dict[str, Kind]:
        path = f"/apis/{api_version}" if group_of(api_version) else f"/api/{api_version}"
        try:
            answer = await self.api.send(Request(method="GET", path=path))
        except NotFoundError:
            return {}
        except ApiError as error:
            raise UnreadError(f"the kinds of {api_version} could not be listed: {redact(str(error))}") from error
        rows = [row for row in answer.get("resources") or () if "/" not in row["name"]]
        return {row["kind"]: _kind(api_version, row) for row in rows}


def _served(item: JSON) -> Iterator[str]:
    group = item["metadata"].get("name") or ""
    for row in item.get("versions") or ():
        api_version = f"{group}/{row['version']}" if group else str(row["version"])
        yield api_version
        for resource in row.get("resources") or ():
            yield f"{api_version}/{resource['responseKind']['kind']}"


def _kind(api_version: str, row: JSON) -> Kind:
    group, _, version = api_version.rpartition("/")
    return Kind(group=group, version=version, kind=row["kind"], plural=row["name"], namespaced=bool(row["namespaced"]))


async def in_parallel(items: Iterable[Item], work: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """The results of `work` on every item, in order, a few at a time."""
    gate = asyncio.Semaphore(CONCURRENCY)

    async def one(item: Item) -> Result:
        async with gate:
            return await work(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return [await task for task in tasks]
    finally:
        await _cancel(tasks)


async def _cancel(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
