"""Telling people why pods don't come up: in the Progressing condition, the phase's message, ReplicaFailure, an event.

    Progressing    ReplicaSet "web-5f6c" is progressing. Not coming up: container web: ImagePullBackOff: …
    message        more replicas need to be updated: container web: ImagePullBackOff: …
    event          Warning PodsNotComingUp, once, when the words are new
    Reconciling    CanaryPauseStep. Not coming up: …, while paused: then message and Progressing are the pause's

The words are kept where they are written, in the condition's message: a controller that has just started, and has not
looked at pods yet, repeats them as long as pods are missing. They never move a condition's times, which the progress
deadline counts from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from rollouts.plan import Event
from rollouts.strategy import conditions, kstatus, trouble
from rollouts.strategy.conditions import Condition
from rollouts.strategy.progressing import MARK
from rollouts.strategy.situation import Situation

JSON = Mapping[str, Any]

_TELLING: Final = (conditions.PROGRESSING, kstatus.RECONCILING)
REASON: Final = "PodsNotComingUp"


def troubles(at: Situation) -> tuple[trouble.Trouble, ...]:
    """What is wrong with the new ReplicaSet's pods as far as anybody has looked, the hopeless first."""
    if at.revisions.new is None or at.intent.reset:
        return ()
    looked = (at.snapshot.troubles or ()) if trouble.short(at.revisions.new.raw) else ()
    return (*looked, *trouble.failures(at.revisions.new.raw))


def words(at: Situation) -> str:
    """The same in one line; before anybody has looked, what was said last, while pods are missing."""
    said = trouble.summary(troubles(at))
    new = at.revisions.new
    if said or at.snapshot.troubles is not None or new is None or at.intent.reset or not trouble.short(new.raw):
        return said
    return said_before(at.recorded.raw.get("conditions") or ())


def said_before(written: Iterable[JSON], kinds: Collection[str] = _TELLING) -> str:
    """What the conditions of a list, or some of them, say does not come up."""
    said = (str(c.get("message") or "").partition(MARK)[2] for c in written if c.get("type") in kinds)
    return next(filter(None, said), "")


def aside(phase: str, text: str, said: str) -> str:
    """The message of the condition Reconciling: that of the phase, with the words where the phase has no room."""
    return f"{text}.{MARK}{said}" if said and phase == "Paused" else text


def message(phase: str, text: str, said: str) -> str:
    """The message of a phase: of one in which pods are waited for, with what is wrong with them."""
    return f"{text}: {said}" if said and phase == "Progressing" else text


def replica_failure(at: Situation) -> list[Condition]:
    """The condition ReplicaFailure of the new ReplicaSet, or else of any other, as it is there."""
    every = [rs.raw for rs in (at.revisions.new, *at.revisions.all) if rs is not None]
    found = next(filter(None, map(trouble.replica_failure, every)), None)
    if found is None:
        return []
    reason, text = str(found.get("reason") or ""), str(found.get("message") or "")
    return [Condition(type=conditions.REPLICA_FAILURE, status="True", reason=reason, message=text)]


def events(at: Situation, status: JSON) -> Iterator[Event]:
    """An event when a status patch says something new about pods."""
    said = said_before(status.get("conditions") or ())
    if said and said != said_before(at.recorded.raw.get("conditions") or ()):
        name = at.revisions.new.name if at.revisions.new else at.revisions.name
        yield Event(reason=REASON, message=f'Pods of ReplicaSet "{name}" do not come up: {said}', type="Warning")
