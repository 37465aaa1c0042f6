"""Hooks as they run: made once for each run, looked at until they are done, deleted as they ask for.

How far a run is stands in the cluster: a hook's object carries the name of its run, so a pass that stopped to wait,
or a process that was killed, finds out. A pass waits a little while itself, for hooks that are quick; then it ends, and
the next pass goes on. Beside it the record of the sync says which hooks were made and seen to an end (`HookRun`): an
object that somebody, its delete policy, or its `ttlSecondsAfterFinished` deletes in between, or while no controller
runs, is not made again. Seen to its end, it counts as done; gone before that, it has failed (R26). It is written when a
hook was made or has ended, before anything that follows from that is done, and stays until the next run begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from analysis.spec.base import read_time
from rollouts.api.kinds import Kind
from rollouts.engine.errors import ApiError, InvalidError
from rollouts.gitops import health, marks
from rollouts.gitops.claims import dig
from rollouts.gitops.cluster import Cluster
from rollouts.gitops.examine import refusal
from rollouts.gitops.hooks import PASSIVE, RUN, Deletion, Hook, Phase
from rollouts.gitops.inventory import HookRun
from rollouts.gitops.normalise import KindKey, key_of
from rollouts.gitops.objects import JSON, Ref, annotation
from rollouts.gitops.records import Records

PATIENCE = 20.0
"""Seconds a pass waits itself."""
LOOK_EVERY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`waiting`: for what, in words. `error`: what failed. Both empty: done."""

    waiting: str = ""
    error: str = ""

    @property
    def done(self) -> bool:
        """Whether it may go on."""
        return not (self.waiting or self.error)


DONE = Progress()


async def patiently(look: Callable[[], Awaitable[Progress]], *, seconds: float = PATIENCE) -> Progress:
    """Look again and again until it is done or failed, or patience is at its end."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = await look()
        if not found.waiting or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(LOOK_EVERY)


class Runner:
    """Runs the hooks of one sync. `run` names this run; `sync` is whose marks the objects carry.

    `known` is how far the last run was, this one or another; `records` remembers how far this one is. `late`: kinds the
    cluster did not have when the commit was compared.
    """

    def __init__(
        self,
        cluster: Cluster,
        kinds: Mapping[KindKey, Kind],
        *,
        run: str,
        sync: str,
        known: HookRun,
        records: Records,
        late: frozenset[KindKey] = frozenset(),
    ) -> None:
        self._ran: dict[Ref, bool] = dict(known.hooks) if known.run == run else {}
        self._saved = dict(self._ran)
        self._records = records
        self._cluster = cluster
        self._kinds = dict(kinds)
        self._late = set(late)
        self._run = run
        self._sync = sync

    async def phase(self, hooks: Iterable[Hook], phase: Phase) -> Progress:
        """Run the hooks of a phase, wave after wave."""
        chosen = [hook for hook in hooks if phase in hook.phases]
        for _, wave in groupby(chosen, key=lambda hook: hook.wave):
            members = list(wave)
            found = await patiently(lambda members=members: self._wave(members))  # type: ignore[misc]
            if not found.done:
                return found
        return DONE

    async def begin(self, hooks: Iterable[Hook], phase: Phase) -> None:
        """Make the hooks of a phase, and don't wait for them: nobody would listen to how they end."""
        for hook in hooks:
            if phase in hook.phases:
                await self._look(hook)
        await self._remember()

    async def tidy(self, hooks: Iterable[Hook], *, failed: bool) -> None:
        """Delete what asks to be deleted now: the run has ended."""
        when = Deletion.FAILED if failed else Deletion.SUCCEEDED
        for hook in hooks:
            live = await self._live(hook) if when in hook.deletions else None
            if live is not None and annotation(live, RUN) == self._run and (_state(live).error != "") is failed:
                await self._delete(hook, live)

    async def _wave(self, hooks: list[Hook]) -> Progress:
        found = [await self._look(hook) for hook in hooks]
        await self._remember()
        errors = [one.error for one in found if one.error]
        waiting = [one.waiting for one in found if one.waiting]
        return Progress(error="; ".join(errors)) if errors else Progress(waiting=", ".join(waiting))

    async def _remember(self) -> None:
        if self._ran != self._saved:
            await self._records.save_hooks(HookRun(run=self._run, hooks=dict(self._ran)))
            self._saved = dict(self._ran)

    async def _look(self, hook: Hook) -> Progress:
        """Make the hook, or see how it is doing."""
        label = f"hook {hook.manifest.ref.label}"
        try:
            if (unknown := await self._unknown(hook)) is not None:
                return Progress(error=f"{hook.manifest.place}: {label}: {unknown}")
            live = await self._live(hook)
            if live is None:
                return await self._missing(hook, label)
            if annotation(live, RUN) != self._run:
                return await self._replace(hook, live, label)
        except ApiError as error:
            return Progress(error=f"{hook.manifest.place}: {label}: {refusal(error, hook.manifest)}")
        found = _state(live)
        if found.error:
            return Progress(error=f"{label} failed: {found.error}")
        if found.waiting and _age(live) > hook.timeout:
            return Progress(error=f"{label} did not end within {hook.timeout:g} s")
        self._ran[hook.manifest.ref] = found.done
        return Progress(waiting=f"{label} to end") if found.waiting else DONE

    async def _missing(self, hook: Hook, label: str) -> Progress:
        """It was not made yet; or somebody has deleted it, after it ended or before."""
        succeeded = self._ran.get(hook.manifest.ref)
        if succeeded is None:
            await self._create(hook)
            self._ran[hook.manifest.ref] = False
            return Progress(waiting=f"{label} to end")
        return DONE if succeeded else Progress(error=f"{label} was deleted before it was seen to end")

    async def _replace(self, hook: Hook, live: JSON, label: str) -> Progress:
        """An object of an earlier run makes room; one of somebody else does not."""
        if marks.tracked_by(live, hook.manifest.ref) != self._sync:
            return Progress(error=f"{label}: there is an object of that name that this sync has not made")
        going = bool(dig(live, "metadata").get("deletionTimestamp"))
        if not going and await self._kept(hook):
            return DONE
        if not going:
            await self._delete(hook, live)
        return Progress(waiting=f"{label} of an earlier run to be gone")

    async def _kept(self, hook: Hook) -> bool:
        """Whether the object of an earlier run could be made that of this one: of kinds that don't run, unless what has
        changed can't be changed."""
        if hook.manifest.ref.kind not in PASSIVE:
            return False
        try:
            await self._create(hook)
        except InvalidError:
            return False
        self._ran[hook.manifest.ref] = True
        return True

    async def _unknown(self, hook: Hook) -> str | None:
        """Why its kind can't be used, None when it can: it may come with the commit, or from elsewhere."""
        if key_of(hook.manifest) not in self._late:
            return None
        api_version, name = key_of(hook.manifest)
        self._cluster.forget_kinds()
        found = (await self._cluster.kinds([key_of(hook.manifest)])).get(key_of(hook.manifest))
        if found is None:
            return (
                f"the cluster has no kind {name} in {api_version} when this hook is to run: check the spelling, "
                "install its CRD before, or, if this commit brings it, let the hook run later (Sync or PostSync)"
            )
        self._kinds[key_of(hook.manifest)] = found
        self._late.discard(key_of(hook.manifest))
        return None

    async def _create(self, hook: Hook) -> None:
        written = hook.manifest.body["metadata"].get("annotations") or {}
        marked = hook.manifest.with_metadata(annotations={**written, RUN: self._run})
        await self._cluster.apply(self._kind(hook), marked)

    async def _live(self, hook: Hook) -> JSON | None:
        return await self._cluster.live(self._kind(hook), hook.manifest.ref)

    async def _delete(self, hook: Hook, live: JSON) -> None:
        await self._cluster.delete(self._kind(hook), hook.manifest.ref, uid=str(live["metadata"]["uid"]))

    def _kind(self, hook: Hook) -> Kind:
        return self._kinds[key_of(hook.manifest)]


def _state(live: JSON) -> Progress:
    """How a hook's object is doing. A Pod that runs is not done, however ready it is; a ConfigMap is done at once.

    One that ended and is being deleted by now has ended nevertheless.
    """
    if live.get("kind") == "Pod":
        phase = str(dig(live, "status").get("phase"))
        known = {"Succeeded": DONE, "Failed": Progress(error="the pod failed")}
        return known.get(phase, Progress(waiting="pod"))
    found = health.assess({**live, "metadata": {**live["metadata"], "deletionTimestamp": None}})
    if found is None or found.status is health.Status.HEALTHY:
        return DONE
    bad = found.status in (health.Status.DEGRADED, health.Status.UNKNOWN)
    return Progress(error=found.message or found.status.value) if bad else Progress(waiting=found.message or "it")


def _age(live: JSON) -> float:
    created = read_time(live["metadata"]["creationTimestamp"])
    return (datetime.now(UTC) - created).total_seconds()
