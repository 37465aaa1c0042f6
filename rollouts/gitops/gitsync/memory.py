"""What the controller remembers of one GitSync between its passes. It may be lost: it is learnt anew.

Only that which may be lost is here; what may not is in the status.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rollouts.engine.store import Key
from rollouts.gitops.gitsync import contest
from rollouts.gitops.gitsync.sharing import Question
from rollouts.gitops.gitsync.values import Finding, Mandate, Task
from rollouts.gitops.health import Part
from rollouts.gitops.objects import JSON, Ref

REST: Final = timedelta(minutes=5)
"""After so long without a changed object the next one is looked at quickly again."""


MUTE: Final = 3
"""So often an object is read because of its status before it counts as one that has no health."""
OUTCOMES: Final = ("unchanged", "applied", "waiting", "failed")


@dataclass(slots=True)
class Memory:
    """What is known of one GitSync. `stirred`: since when one of its objects is known to have changed.

    `parts`: how healthy its objects were; `mute`: how often one was found to have no health. `reported`: those whose
    controllers have written a status since, `reported_at` the first of them; `looking`: those that the look under way
    is about, none: about all.
    `webhook`: what is wrong with the Secret of its webhook, empty for nothing, None where it is not known.
    `follows`: what it asks of its repository; `moved`: when another sync that asks the same has seen a new commit.
    """

    uid: str
    key: Key
    task: asyncio.Task[None] | None = None
    mandate: Mandate | None = None
    finding: Finding | None = None
    looked_at: datetime | None = None
    compared_at: datetime | None = None
    images_at: datetime | None = None
    reverted_at: datetime | None = None
    hinted: bool = False
    moved: datetime | None = None
    follows: Question | None = None
    stagger: float = 0.0
    heals: int = 0
    healed_at: datetime | None = None
    seen: contest.Seen = field(default_factory=dict)
    contested: tuple[JSON, ...] | None = None
    again: datetime | None = None
    blocked: bool = False
    calm: Finding | None = None
    stirred: datetime | None = None
    stirred_before: datetime | None = None
    restless: int = 0
    parts: Mapping[Ref, Part] = field(default_factory=dict)
    reported: set[Ref] = field(default_factory=set)
    reported_at: datetime | None = None
    looking: frozenset[Ref] = frozenset()
    mute: Counter[Ref] = field(default_factory=Counter)
    passes: Counter[str] = field(default_factory=Counter)
    exceeded: Counter[str] = field(default_factory=Counter)
    healed: int = 0
    succeeded_at: datetime | None = None
    webhook: str | None = None

    def begins(self, mandate: Mandate, *, now: datetime) -> None:
        """A pass begins."""
        self.mandate, self.hinted = mandate, False
        if mandate.task in (Task.SYNC, Task.LOOK):
            self.looking = frozenset(self.reported) if mandate.task is Task.LOOK else frozenset()
            self.reported.clear()
        self.moved = None if mandate.task is Task.SYNC else self.moved
        if mandate.stirred:
            rested = self.stirred_before is None or now - self.stirred_before > REST
            self.restless = 1 if rested else self.restless + 1
            self.stirred, self.stirred_before = None, now

    def ended(self, finding: Finding, *, contested: tuple[JSON, ...]) -> None:
        """A pass has ended. `contested`: the fields fought over, as the status has them."""
        self.task = self.mandate = None
        self.finding = finding
        self.hinted = self.hinted or finding.pushed
        self.webhook = self.webhook if finding.webhook is None else finding.webhook
        if not finding.failed and finding.mandate.task in (Task.SYNC, Task.LOOK):
            self.parts = {part.ref: part for part in finding.parts}
            self.mute.update(self.looking - self.parts.keys())
        if finding.mandate.task is Task.IMAGES:
            self.images_at = finding.at
        elif finding.mandate.task is Task.REVERT:
            self.reverted_at = finding.at
        else:
            self.looked_at = finding.at
        if finding.mandate.task is Task.SYNC:
            self.compared_at = finding.at
            self.calm = finding if finding.calm and not (finding.failed or finding.waiting) else None
            self.again, self.blocked = finding.again, finding.blocked
            self._count(finding)
        self.stagger = random.random()  # noqa: S311
        self._note_heals(finding, contested)

    def may_have_health(self, ref: Ref) -> bool:
        """False of objects that were found to have none, whatever their controllers write."""
        return ref in self.parts or self.mute[ref] < MUTE

    def _count(self, finding: Finding) -> None:
        """For Prometheus."""
        self.passes[outcome_of(finding)] += 1
        if finding.budget:
            self.exceeded[finding.budget] += 1
        self.healed += 0 if finding.failed else len({heal.ref for heal in finding.heals})
        if not finding.failed:
            self.succeeded_at = finding.at

    def _note_heals(self, finding: Finding, contested: tuple[JSON, ...]) -> None:
        """R6: the count starts over after a quiet while; R7: the same field again and again is contested,
        until a person has all of it applied."""
        if self.healed_at is not None and finding.at - self.healed_at > contest.WITHIN:
            self.heals = 0
        if finding.mandate.settles and finding.compared and not (finding.failed or finding.waiting):
            self.seen, self.contested = {}, ()
            return
        self.seen = contest.noticed(self.seen, finding.heals, at=finding.at)
        if not finding.heals:
            return
        self.heals, self.healed_at = self.heals + 1, finding.at
        self.contested = contest.contested(self.seen, finding.heals, at=finding.at, known=contested)


def outcome_of(finding: Finding) -> str:
    """One of `OUTCOMES`."""
    if finding.failed:
        return "failed"
    if finding.waiting:
        return "waiting"
    return "applied" if finding.changed else "unchanged"
