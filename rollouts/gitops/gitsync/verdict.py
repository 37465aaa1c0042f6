"""What a pass may do with the plan it has made: carry it out, or why not. Pure: rows of `_ALWAYS` and `_BY_ITSELF`.

The first reason found counts, and it becomes what people read under WAITING. A command of a person sets aside the
rules about what happens by itself, but never those that protect from mistakes: a step back in history, a dependency
that is not ready.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from rollouts.api.gitsync import GitSyncSpec
from rollouts.gitops.gitsync import reading
from rollouts.gitops.gitsync.values import Mandate
from rollouts.gitops.objects import JSON

HEAL_FIRST = 2.0
HEAL_FACTOR = 3.0
HEAL_MOST = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A plan that waits for its verdict. `commit`, `inputs`: what it would apply; `content`: digest
    of what that renders to.

    `rewind`: the commit is an ancestor of the one applied now. `heals` and `healed_at`: how often in a row, and when
    last, drift was set back. `blockers`: dependencies that are not ready, in words. `deletions`: what a confirmation of
    the plan would have to name. `prunes_only`: nothing is applied, and that Git has
    something no more was never somebody else's change.
    """

    spec: GitSyncSpec
    status: JSON
    mandate: Mandate
    commit: str
    inputs: str
    now: datetime
    content: str = ""
    rewind: bool = False
    heals: int = 0
    healed_at: datetime | None = None
    blockers: tuple[str, ...] = ()
    name: str = ""
    deletions: str = ""
    prunes_only: bool = False

    @property
    def drift(self) -> bool:
        """Whether exactly this was applied completely before, so the difference came from elsewhere."""
        last = reading.last_applied(self.status)
        return (last.get("revision"), last.get("inputsDigest")) == (self.commit, self.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`waiting` empty: carry it out. `again`: when the verdict may change by itself. `refused`: nothing is
    done, even if there is nothing to do."""

    waiting: str = ""
    again: datetime | None = field(default=None)
    refused: bool = False


GO = Verdict()


def verdict(case: Case) -> Verdict:
    """Whether the plan may be carried out, and if not, why."""
    rules = _ALWAYS if case.mandate.explicit else (*_ALWAYS, *_BY_ITSELF)
    return next((found for rule in rules if (found := rule(case)) is not None), GO)


Rule = Callable[[Case], Verdict | None]


def _dry_run(case: Case) -> Verdict | None:
    return Verdict(waiting="this was a dry run", refused=True) if case.mandate.sync.get("dryRun") else None


def _confirmation(case: Case) -> Verdict | None:
    """R13: what was confirmed is exactly this, or it counts for nothing."""
    confirmed = case.mandate.sync.get("confirmPlan")
    if not confirmed or confirmed == case.deletions:
        return None
    return Verdict(
        waiting="what was confirmed is not what would be deleted now: Git or the cluster has changed, and nothing was "
        "done. Look again (`sync get`), and confirm that",
        refused=True,
    )


def _rewind(case: Case) -> Verdict | None:
    """R5: history goes forward, unless a person says otherwise."""
    sync = case.mandate.sync
    if not case.rewind or sync.get("allowRewind") or sync.get("historyID") is not None:
        return None
    applied = reading.short(str(reading.last_applied(case.status).get("revision")))
    return Verdict(
        waiting=f"the branch went back to {reading.short(case.commit)}, which {applied} already contains: "
        "`sync now --allow-rewind` if that is meant"
    )


def _dependencies(case: Case) -> Verdict | None:
    return Verdict(waiting=f"waiting for {', '.join(case.blockers)}") if case.blockers else None


def _suspended(case: Case) -> Verdict | None:
    return Verdict(waiting="suspended") if case.spec.suspend else None


def _manual(case: Case) -> Verdict | None:
    return None if reading.automated(case.spec) else Verdict(waiting="a person applies it: `sync now`")


def _held(case: Case) -> Verdict | None:
    """R30, R36: a revision that was rolled back or given up is not applied again by itself."""
    hold = case.status.get("hold") or {}
    if hold and hold.get("revision") == case.commit:
        what = "is held"
    elif reading.renders_to(hold, case.content):
        what = f"has nothing else than {reading.short(str(hold.get('revision')))}, which is held"
    else:
        return None
    return Verdict(
        waiting=f"{reading.short(case.commit)} {what} ({hold.get('reason')}) until another commit comes, or `resume`"
    )


def _failed_before(case: Case) -> Verdict | None:
    """R6: the same revision is not tried for ever."""
    state = case.status.get("operationState") or {}
    same = state.get("revision") == case.commit and state.get("phase") in ("Failed", "Error")
    if same and state.get("message") == reading.TERMINATED:
        return Verdict(waiting=f"{reading.short(case.commit)} was terminated: `sync now`, or another commit")
    if not same or case.mandate.attempt > int(state.get("retryCount") or 0):
        return None
    retry = reading.retry_of(case.spec, case.mandate.operation)
    attempt = int(state.get("retryCount") or 0)
    if not reading.retries_left(retry, attempt):
        return Verdict(waiting=f"given up after {attempt + 1} attempts: fix it in Git, or `sync now`")
    due = reading.after(reading.time_of(state.get("finishedAt")), reading.retry_pause(retry, attempt))
    return Verdict(waiting="the next attempt is due soon", again=due) if due is not None and case.now < due else None


def _drift(case: Case) -> Verdict | None:
    """R6: what others changed is set back only if that is wanted, with growing pauses."""
    if not case.drift or case.prunes_only:
        return None
    automated = reading.automated(case.spec)
    if automated is None or not automated.self_heal:
        return Verdict(waiting="somebody else changed it, and selfHeal is off")
    due = reading.after(case.healed_at, heal_pause(case.heals))
    if due is not None and case.now < due:
        return Verdict(waiting="it was changed again, and is set back a little later", again=due)
    return None


def heal_pause(heals: int) -> float:
    """Seconds between one self-heal and the next after so many in a row: 0, 2, 6, 18, …, 300."""
    return min(HEAL_FIRST * HEAL_FACTOR ** (heals - 1), HEAL_MOST) if heals else 0.0


_ALWAYS: tuple[Rule, ...] = (_dry_run, _confirmation, _rewind, _dependencies)
_BY_ITSELF: tuple[Rule, ...] = (_suspended, _manual, _held, _failed_before, _drift)
