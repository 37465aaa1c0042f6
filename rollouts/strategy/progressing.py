"""The Progressing condition: the one that tells a Rollout's story, and from which the progress deadline counts.

A table of (does it apply, what it says), first hit wins.

`NewReplicaSetCreated` and `FoundNewReplicaSet` are the peer's first words on a ReplicaSet, taken back in its next
status write, milliseconds later. Here they are in the patch that belongs to the creation anyway and stand until a patch
with a reason of its own tells of progress: nothing is written for their sake. So it is with `RolloutResumed` (Unknown),
the first word on a pause that a person ended: it is in the patch that tells of the step this completed. Where the next
step takes its time (an analysis, say), and nothing else will be written for long, `ReplicaSetUpdated` stands instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rollouts.strategy import conditions, times
from rollouts.strategy.conditions import Condition
from rollouts.strategy.recorded import Recorded

MARK: Final = " Not coming up: "
"""Between what the condition says anyway and what is wrong with pods."""
_DEADLINE_COUNTS = frozenset({*conditions.FIRST_WORDS, conditions.RETRY, conditions.NOT_AVAILABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the condition is made from. `created`: the new ReplicaSet is made by this very plan. `waiting`: a step that
    may take its time (pause, analysis) holds us. `promoted`: the new ReplicaSet is the stable one. `trouble`: what
    keeps pods from coming up, in words; `trouble_before`: what the condition says of that so far."""

    recorded: Recorded
    replica_set: str
    created: bool
    abort: str | None
    paused: bool
    retry: bool
    complete: bool
    progressed: bool
    short_of_pods: bool
    waiting: bool
    deadline: float
    now: datetime
    promoted: bool = False
    trouble: str = ""
    trouble_before: str = ""

    @property
    def before(self) -> str:
        """The reason the condition has had so far."""
        return str((self.recorded.condition(conditions.PROGRESSING) or {}).get("reason") or "")

    @property
    def resumed(self) -> bool:
        """Whether a person ended the pause it was in, by taking away what makes one."""
        return self.before == conditions.IS_PAUSED and not self.recorded.pauses

    @property
    def timed_out(self) -> bool:
        """Whether the progress deadline has passed without progress."""
        if self.progressed:
            return False
        if self.waiting:
            return False
        expires = expiry(self.recorded, deadline=self.deadline)
        return (expires is not None and self.now > expires) or self.before == conditions.TIMED_OUT


def expiry(recorded: Recorded, *, deadline: float) -> datetime | None:
    """When the progress deadline passes, going by the recorded condition; None when it does not count."""
    return expiry_of(recorded.raw.get("conditions") or (), deadline=deadline)


def expiry_of(written: Iterable[Mapping[str, Any]], *, deadline: float) -> datetime | None:
    """The same for a list of conditions."""
    condition = next((c for c in written if c.get("type") == conditions.PROGRESSING), {})
    last = times.moment(condition.get("lastUpdateTime"))
    if last is None or condition.get("reason") not in _DEADLINE_COUNTS:
        return None
    return last + timedelta(seconds=deadline)


def condition(facts: Facts) -> Condition | None:
    """The condition to write; None to leave the one there is."""
    rows = (
        (facts.abort is not None, _aborted),
        (facts.complete, _complete),
        (facts.retry and not facts.paused, _retry),
        (facts.paused and facts.promoted and facts.before == conditions.AVAILABLE_NOW, _kept),
        (facts.paused, _paused),
        (facts.created, _created),
        (facts.before == "", _found),
        (facts.resumed and not facts.waiting, _resumed),
        (facts.progressed, _updated),
        (facts.timed_out, _timed_out),
        (facts.before == conditions.IS_PAUSED, _resumed),
        (facts.before in {conditions.ABORTED, conditions.NOT_CREATED}, _updated),
        (facts.before == conditions.AVAILABLE_NOW and facts.short_of_pods, _short_of_pods),
        (facts.before == conditions.AVAILABLE_NOW, _updated),
        (facts.before in conditions.FIRST_WORDS and facts.trouble != facts.trouble_before, _updated),
        (facts.before == conditions.NOT_AVAILABLE and facts.trouble != facts.trouble_before, _short_of_pods),
    )
    return next((make(facts) for applies, make in rows if applies), None)


def _say(status: str, reason: str, message: str, *, touch: bool = False, trouble: str = "") -> Condition:
    text = message + (f"{MARK}{trouble}" if trouble else "")
    return Condition(
        type=conditions.PROGRESSING,
        status=status,
        reason=reason,
        message=text,
        touch=touch,
        still=bool(trouble) and not touch,
    )


def _aborted(facts: Facts) -> Condition:
    return _say("False", conditions.ABORTED, facts.abort or "")


def _retry(_: Facts) -> Condition:
    return _say("Unknown", conditions.RETRY, "Retrying Rollout after abort")


def _kept(_: Facts) -> None:
    """Nothing is being updated, so there is nothing to pause: the phase alone tells of `spec.paused`."""


def _paused(_: Facts) -> Condition:
    return _say("Unknown", conditions.IS_PAUSED, "Rollout is paused")


def _complete(facts: Facts) -> Condition:
    return _say("True", conditions.AVAILABLE_NOW, f'ReplicaSet "{facts.replica_set}" has successfully progressed.')


def _created(facts: Facts) -> Condition:
    return _say("True", conditions.CREATED, f'Created new replica set "{facts.replica_set}"', touch=True)


def _found(facts: Facts) -> Condition:
    return _say("True", conditions.FOUND, f'Found new replica set "{facts.replica_set}"', touch=True)


def _updated(facts: Facts) -> Condition:
    message = f'ReplicaSet "{facts.replica_set}" is progressing.'
    return _say("True", conditions.UPDATED, message, touch=facts.progressed, trouble=facts.trouble)


def _timed_out(facts: Facts) -> Condition:
    message = f'ReplicaSet "{facts.replica_set}" has timed out progressing.'
    return _say("False", conditions.TIMED_OUT, message, trouble=facts.trouble)


def _resumed(_: Facts) -> Condition:
    return _say("Unknown", conditions.RESUMED, "Rollout is resumed")


def _short_of_pods(facts: Facts) -> Condition:
    message = "Rollout does not have minimum availability"
    return _say("True", conditions.NOT_AVAILABLE, message, trouble=facts.trouble)
