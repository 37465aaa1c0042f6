"""One pass over one commit: compared with the cluster (`compare.py`), and, if whoever called allows it, carried out.

The record is stored before the first write and after the last, so the process may be killed anywhere in between.
Between comparing and carrying out the caller may look at the plan and give a smaller one, or stop.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from rollouts.gitops import health
from rollouts.gitops.apply import Outcome, execute
from rollouts.gitops.claims import claims
from rollouts.gitops.cluster import in_parallel
from rollouts.gitops.compare import Comparing, Comparison
from rollouts.gitops.examine import Question, examine
from rollouts.gitops.hooks import Hook, Phase
from rollouts.gitops.inventory import Entry, Inventory, Record
from rollouts.gitops.normalise import key_of
from rollouts.gitops.objects import Ref
from rollouts.gitops.plan import Action, Examined, SyncPlan
from rollouts.gitops.report import Report, Result
from rollouts.gitops.running import Progress, Runner, patiently

FRESH = 10.0
"""Seconds for which what a comparison has seen of an object's health is not asked again."""

GoOn = Callable[[], Awaitable[str]]
"""Asked between stages: empty to go on, else the reason to stop there."""
Overdue = Callable[[int], bool]
"""Whether a wave has waited too long for what comes before it."""


async def _always() -> str:
    return ""


def _never(_wave: int) -> bool:
    return False


class Pipeline(Comparing):
    """Passes of one sync: what `Comparing` found, carried out."""

    async def carry_out(
        self,
        found: Comparison,
        chosen: SyncPlan | None = None,
        *,
        go_on: GoOn = _always,
        overdue: Overdue = _never,
        run: str = "",
    ) -> Report:
        """Do what the plan says (`chosen`: a smaller one). What went wrong with single objects is in the report.

        `run`: name of this run of the hooks; empty: without hooks. A report that is WAITING has done a part; the same
        call after another comparison goes on from there.
        """
        decided = found.plan if chosen is None else chosen
        runner = Runner(
            self.cluster,
            found.question.kinds,
            run=run,
            sync=self.terms.identity,
            known=found.record.hooks,
            records=self.records,
            late=found.question.brought_kinds,
        )
        hooks = found.hooks if run else ()
        before = await runner.phase(hooks, Phase.PRE)
        if before.done:
            outcome, final = await self._applied(found, decided, go_on, overdue)
            progress = await self._afterwards(found, outcome, runner, hooks)
        else:
            outcome, final, progress = Outcome(), found.record.inventory, before
        errors = outcome.errors or tuple(text for text in (outcome.stopped, progress.error) if text)
        waiting = "" if errors else outcome.waiting or progress.waiting
        if errors:
            await runner.begin(hooks, Phase.FAIL)
        if not waiting:
            await runner.tidy(hooks, failed=bool(errors))
        return await self._reported(found, decided, outcome, final, errors=errors, waiting=waiting)

    async def _applied(
        self, found: Comparison, decided: SyncPlan, go_on: GoOn, overdue: Overdue
    ) -> tuple[Outcome, Inventory]:
        """Stages and prunes; with them the inventory, stored before as what may be there, then as what is."""
        if not decided.empty:
            await self.records.save(replace(found.record, inventory=decided.during, attempted=found.commit))
        outcome = await self._execute(decided, found.question, go_on, overdue)
        done = not (outcome.errors or outcome.stopped or outcome.waiting)
        return outcome, _with_uids(decided.after if done else decided.during, outcome.uids)

    async def _afterwards(
        self, found: Comparison, outcome: Outcome, runner: Runner, hooks: tuple[Hook, ...]
    ) -> Progress:
        """The hooks after everything is applied."""
        if outcome.errors or outcome.stopped or outcome.waiting:
            return Progress()
        applied = await runner.phase(hooks, Phase.SYNC)
        if not applied.done or not any(Phase.POST in hook.phases for hook in hooks):
            return applied
        wanted = [item for stage in found.plan.stages for item in stage] + list(found.plan.unchanged)
        healthy = await patiently(lambda: self._healthy(wanted, found.question))
        return await runner.phase(hooks, Phase.POST) if healthy.done else healthy

    async def _reported(
        self,
        found: Comparison,
        decided: SyncPlan,
        outcome: Outcome,
        final: Inventory,
        *,
        errors: tuple[str, ...],
        waiting: str,
    ) -> Report:
        """Store the record of what is there now, then tell: what can't be looked at is applied all the same."""
        good = Result.CURRENT if decided.empty else Result.SYNCED
        result = Result.FAILED if errors else (Result.WAITING if waiting else good)
        applied = found.record.applied if errors or waiting else found.commit
        message = "; ".join(errors) or waiting or result.value
        await self.records.save(Record(inventory=final, attempted=found.commit, applied=applied, message=message))
        return Report(
            sync=self.terms.identity,
            result=result,
            commit=found.commit,
            subject=found.subject,
            applied=outcome.applied,
            unchanged=len(decided.unchanged),
            pruned=outcome.pruned,
            kept=decided.kept,
            errors=errors,
            step="apply" if errors else "",
            waiting=waiting,
            wave=outcome.wave if waiting else None,
            remarks=found.remarks,
            parts=await self.healths(final, known=_known(found, outcome)),
            inventory=final,
            seen=outcome.seen,
        )

    async def _healthy(
        self, items: Iterable[Examined], question: Question, *, also: frozenset[health.Status] = frozenset()
    ) -> Progress:
        """Whether all of them are healthy, or `also` what counts as such; if not, what is waited for."""
        found = await in_parallel(items, lambda item: self._not_healthy(item, question, also))
        texts = [text for text in found if text]
        return Progress(waiting=f"waiting for {', '.join(texts[:3])}" if texts else "")

    async def _not_healthy(self, item: Examined, question: Question, also: frozenset[health.Status]) -> str:
        """Which object is not healthy, and why; empty when it is. A release under way counts as R35 says."""
        manifest = item.manifest
        key = key_of(manifest)
        kind = (await self.cluster.kinds([key])).get(key) or question.kinds[key]
        live = await self.cluster.live(kind, manifest.ref)
        state = health.Health(status=health.Status.MISSING) if live is None else health.counted(live)
        going = (health.Status.SUSPENDED, health.Status.PROGRESSING)
        if state is None or state.status is health.Status.HEALTHY or state.status in also:
            return ""
        if manifest.ref.kind == "Rollout" and not self.terms.wait_for_rollouts and state.status in going:
            return ""
        return f"{manifest.ref.label}: {state}"

    async def healths(
        self, stored: Inventory, *, known: Mapping[Ref, health.Health | None] | None = None
    ) -> tuple[health.Part, ...]:
        """The health of every object in the inventory that has one. What is `known` is not read again."""
        states = known or {}
        rest = [entry for ref, entry in stored.entries.items() if ref not in states]
        parts = dict(zip((entry.ref for entry in rest), await in_parallel(rest, self._part), strict=True))
        found = (_told(ref, states[ref]) if ref in states else parts[ref] for ref in stored.entries)
        return tuple(part for part in found if part is not None)

    async def _execute(self, decided: SyncPlan, question: Question, go_on: GoOn, overdue: Overdue) -> Outcome:
        placed = [*decided.unchanged, *(item for stage in decided.stages for item in stage)]

        async def ready(stage: tuple[Examined, ...]) -> Progress:
            """A release takes the time it takes, or its people; what else comes before a wave has `spec.timeout`."""
            wave = decided.waves.get(stage[0].manifest.ref, 0)
            earlier = [item for item in placed if decided.waves.get(item.manifest.ref, 0) < wave]
            found = await patiently(lambda: self._healthy(earlier, question))
            if found.done or not overdue(wave):
                return found
            late = await self._healthy([item for item in earlier if item.manifest.ref.kind != "Rollout"], question)
            return (
                Progress(error=f"wave {wave} has waited too long (spec.timeout): {late.waiting}")
                if late.waiting
                else found
            )

        async def reexamine(item: Examined) -> Examined:
            neighbours = claims([*await self._neighbours([item.manifest]), item.manifest.body])
            return (await examine(self.cluster, [item.manifest], replace(question, claims=neighbours)))[0]

        async def prunable() -> str:
            """What is waited for before anything is deleted; what was healthy when compared is not asked again."""
            rest = [item for item in placed if not (item.seen and item.action is Action.KEEP and _fine(item.health))]
            found = await patiently(lambda: self._healthy(rest, question, also=_RESTING))
            return f"{found.waiting}, before {len(decided.prunes)} objects are pruned" if found.waiting else ""

        return await execute(
            self.cluster,
            decided,
            kinds=question.kinds,
            reexamine=reexamine,
            go_on=go_on,
            propagation=self.terms.propagation,
            ready=ready,
            prunable=prunable,
        )

    async def _part(self, entry: Entry) -> health.Part | None:
        kind = await self._kind(entry)
        body = None if kind is None else await self.cluster.live(kind, entry.ref)
        if body is None:
            return health.Part(ref=entry.ref, health=health.Health(status=health.Status.MISSING))
        return health.part_of(entry.ref, body)


_RESTING = frozenset({health.Status.SUSPENDED})
"""What somebody has suspended may stay so for ever."""


def _fine(state: health.Health | None) -> bool:
    return state is None or state.status is health.Status.HEALTHY or state.status in _RESTING


def _told(ref: Ref, state: health.Health | None) -> health.Part | None:
    return None if state is None else health.Part(ref=ref, health=state)


def _known(found: Comparison, outcome: Outcome) -> Mapping[Ref, health.Health | None]:
    """How the objects were a moment ago; nothing, if the pass has taken its time since."""
    if time.monotonic() - found.at > FRESH:
        return {}
    return {item.manifest.ref: item.health for item in found.plan.unchanged if item.seen} | dict(outcome.healths)


def _with_uids(stored: Inventory, uids: Mapping[Ref, str]) -> Inventory:
    return stored.with_entries(replace(entry, uid=uids[ref]) for ref, entry in stored.entries.items() if ref in uids)
