"""Carrying a plan out: stage after stage, then, only if all of it succeeded, the prunes.

Within a stage a failure does not stop the siblings, so that one report names all of them; the next stage is not begun.
After the first stage that brings kinds or namespaces the sync waits until they can be used. A steered object that
changed since it was examined (409 on its resourceVersion) is examined again and sent once more: the controller's newer
value wins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import tenacity

from rollouts.api.kinds import Kind
from rollouts.engine.errors import ApiError, ConflictError
from rollouts.gitops import health
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.errors import ClusterError, RefusedError, SyncError, redact
from rollouts.gitops.examine import refusal
from rollouts.gitops.normalise import KindKey, key_of
from rollouts.gitops.objects import JSON, Manifest, Ref
from rollouts.gitops.plan import Action, Examined, Prune, SyncPlan
from rollouts.gitops.running import DONE, Progress
from rollouts.gitops.seen import Mark, mark

_ESTABLISHED = 30.0
_GONE = 60.0
_SETTLED = 10.0
_BRING = frozenset({"CustomResourceDefinition", "Namespace"})

Reexamine = Callable[[Examined], Awaitable[Examined]]
GoOn = Callable[[], Awaitable[str]]
Ready = Callable[[tuple[Examined, ...]], Awaitable[Progress]]
"""Asked before each stage: whether it may begin, else what it waits for, or has waited for too long."""


async def _at_once(stage: tuple[Examined, ...]) -> Progress:
    return DONE


async def _now() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was done. `errors` empty means all of the plan is done; otherwise nothing was pruned, or not all of it."""

    applied: tuple[Examined, ...] = ()
    pruned: tuple[Ref, ...] = ()
    errors: tuple[str, ...] = ()
    uids: Mapping[Ref, str] = field(default_factory=dict)
    seen: Mapping[Ref, Mark] = field(default_factory=dict)
    """The objects applied, as the API server answered."""
    healths: Mapping[Ref, health.Health | None] = field(default_factory=dict)
    stopped: str = ""
    """Why it was stopped between two stages, empty when it was not."""
    waiting: str = ""
    """What the next stage waits for, empty when there is none left."""
    wave: int | None = None
    """The wave that could not begin yet; None when none waits."""


async def execute(
    cluster: Cluster,
    plan: SyncPlan,
    *,
    kinds: Mapping[KindKey, Kind],
    reexamine: Reexamine,
    go_on: GoOn,
    propagation: str = "Background",
    ready: Ready = _at_once,
    prunable: Callable[[], Awaitable[str]] = _now,
) -> Outcome:
    """Apply the stages and prune. Never raises for a single object: its error is in the outcome.

    `go_on` is asked between waves, and before the prunes: those are the safe points to stop at (R4).
    `prunable` is asked before the prunes: empty when they may begin, else what they wait for (R15).
    """
    outcome = Outcome()
    for index, stage in enumerate(plan.stages):
        stopped = await go_on() if index and _begins_a_wave(plan, index) else ""
        if stopped:
            return replace(outcome, stopped=stopped)
        found = await ready(stage)
        if not found.done:
            wave = plan.waves.get(stage[0].manifest.ref, 0) if found.waiting else None
            return replace(outcome, stopped=found.error, waiting=found.waiting, wave=wave)
        outcome = await _stage(cluster, stage, kinds=kinds, reexamine=reexamine, so_far=outcome)
        if outcome.errors:
            return outcome
    stopped = await go_on() if plan.prunes and plan.stages else ""
    if stopped:
        return replace(outcome, stopped=stopped)
    waiting = await prunable() if plan.prunes else ""
    if waiting:
        return replace(outcome, waiting=waiting)
    return await _prune_all(cluster, plan.prunes, outcome, propagation=propagation)


def _begins_a_wave(plan: SyncPlan, index: int) -> bool:
    before, now = (plan.waves.get(plan.stages[at][0].manifest.ref, 0) for at in (index - 1, index))
    return before != now


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    item: Examined
    uid: str = ""
    seen: Mark | None = None
    state: health.Health | None = None
    error: str = ""


async def _stage(
    cluster: Cluster,
    stage: tuple[Examined, ...],
    *,
    kinds: Mapping[KindKey, Kind],
    reexamine: Reexamine,
    so_far: Outcome,
) -> Outcome:
    async def one(item: Examined) -> _Done:
        return await _apply(cluster, item, kind=kinds[key_of(item.manifest)], reexamine=reexamine)

    done = await in_parallel(stage, one)
    return replace(
        so_far,
        applied=so_far.applied + tuple(row.item for row in done if not row.error),
        errors=so_far.errors + tuple(row.error for row in done if row.error),
        uids={**so_far.uids, **{row.item.manifest.ref: row.uid for row in done if row.uid}},
        seen={**so_far.seen, **{row.item.manifest.ref: row.seen for row in done if row.seen}},
        healths={**so_far.healths, **{row.item.manifest.ref: row.state for row in done if row.seen}},
    )


async def _apply(cluster: Cluster, item: Examined, *, kind: Kind, reexamine: Reexamine) -> _Done:
    manifest = item.manifest
    try:
        if item.action is Action.AWAIT:
            kind = await _served(cluster, kind, manifest)
        if item.action is Action.AWAIT and item.uid:
            item = await _examined_again(item, reexamine)
        if item.action is Action.KEEP:
            return _Done(item=item, uid=item.uid, seen=item.seen)
        done = await _send(cluster, item, kind=kind, reexamine=reexamine)
        if kind.kind in _BRING:
            await _usable(cluster, kind, manifest.ref)
    except ApiError as error:
        return _Done(item=item, error=f"{manifest.place}: {manifest.ref.label}: {refusal(error, manifest)}")
    except SyncError as error:
        return _Done(item=item, error=f"{manifest.place}: {error}")
    return done


async def _send(cluster: Cluster, item: Examined, *, kind: Kind, reexamine: Reexamine) -> _Done:
    def done(body: JSON) -> _Done:
        return _Done(item=item, uid=str(body["metadata"]["uid"]), seen=mark(kind, body), state=health.assess(body))

    try:
        return done(await _written(cluster, item, kind=kind))
    except ConflictError:
        if item.guard is None and item.takeover is None:
            raise
    fresh = await reexamine(item)
    if fresh.action is Action.KEEP:
        return _Done(item=item, uid=fresh.uid, seen=fresh.seen, state=fresh.health)
    return done(await _written(cluster, fresh, kind=kind))


async def _written(cluster: Cluster, item: Examined, *, kind: Kind) -> JSON:
    """The object as it is afterwards. Whatever comes first (an earlier tool's fields become ours, an object that can't
    be changed is deleted): killed after it, a later pass finds that done, and applies."""
    guard = item.guard
    if item.action is Action.REPLACE and item.before is not None:
        return await cluster.replace(kind, item.manifest, live=item.before)
    if item.action is Action.RECREATE:
        await cluster.delete(kind, item.manifest.ref, uid=item.uid)
        await _gone(cluster, kind, item)
    if item.takeover is not None:
        moved = await cluster.take_over(kind, item.manifest.ref, item.takeover)
        guard = guard and str(moved["metadata"]["resourceVersion"])
    return await cluster.apply(kind, item.manifest, guard=guard)


async def _examined_again(item: Examined, reexamine: Reexamine) -> Examined:
    """An object that its kind refused before the kind's definition changed: what is steered in it is sent as it is.

    The server takes a moment to go by a new definition.
    """
    async for attempt in _patiently(_SETTLED, RefusedError):
        with attempt:
            return await reexamine(item)
    raise AssertionError("tenacity either returns or raises")


def _patiently(seconds: float, error: type[SyncError] = ClusterError) -> tenacity.AsyncRetrying:
    return tenacity.AsyncRetrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_exponential(multiplier=0.05, max=1),
        retry=tenacity.retry_if_exception_type(error),
        reraise=True,
    )


async def _served(cluster: Cluster, kind: Kind, manifest: Manifest) -> Kind:
    """The kind as the cluster serves it, once it does (R18): it comes with this commit, or soon after."""
    key = key_of(manifest)
    async for attempt in _patiently(_ESTABLISHED):
        with attempt:
            found = (await cluster.kinds([key])).get(key)
            if found is None:
                cluster.forget_kinds()
                raise ClusterError(
                    f"{manifest.ref.label}: the cluster had no kind {kind.kind} in {kind.api_version} within "
                    f"{_ESTABLISHED:g} s: check the spelling, or install its CRD"
                )
            if found.namespaced is not kind.namespaced:
                raise SyncError(
                    f"{manifest.ref.label}: its kind has come only now; it is applied with the next attempt"
                )
            return found
    raise AssertionError("tenacity either returns or raises")


async def _gone(cluster: Cluster, kind: Kind, item: Examined) -> None:
    """Wait until the object that makes room is gone."""
    async for attempt in _patiently(_GONE):
        with attempt:
            live = await cluster.live(kind, item.manifest.ref)
            if live is not None and live["metadata"].get("uid") == item.uid:
                raise ClusterError(f"{item.manifest.ref.label} is to be made anew, but was not gone within {_GONE:g} s")


async def _usable(cluster: Cluster, kind: Kind, ref: Ref) -> None:
    """Wait until a namespace is active, or a new kind is established and discovery is asked anew."""
    async for attempt in _patiently(_ESTABLISHED):
        with attempt:
            state = health.assess(await cluster.live(kind, ref) or {"apiVersion": "v1", "kind": "", "metadata": {}})
            if state is None or state.status is not health.Status.HEALTHY:
                raise ClusterError(f"{ref.label} did not become usable within {_ESTABLISHED:g} s: {state}")
    cluster.forget_kinds()  # not before: whoever asked meanwhile was told the kind is not there


async def _prune_all(cluster: Cluster, prunes: tuple[Prune, ...], so_far: Outcome, *, propagation: str) -> Outcome:
    """One after the other, in the plan's order: what others need goes last."""
    outcome = so_far
    for prune in prunes:
        error = await _prune(cluster, prune, propagation=propagation)
        if error:
            return replace(outcome, errors=(*outcome.errors, error))
        outcome = replace(outcome, pruned=(*outcome.pruned, prune.ref))
    return outcome


async def _prune(cluster: Cluster, prune: Prune, *, propagation: str) -> str:
    key = (prune.api_version, prune.ref.kind)
    try:
        kind = (await cluster.kinds([key])).get(key)
        if kind is None:
            return f"{prune.ref.label} was not pruned: the cluster does not know its kind now"
        await cluster.delete(kind, prune.ref, uid=prune.uid, propagation=propagation)
    except (ApiError, ClusterError) as error:
        return f"{prune.ref.label} could not be pruned: {redact(str(error))}"
    return ""
