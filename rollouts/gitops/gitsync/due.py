"""When the next pass is due, and what it is for. Pure.

a command was taken up             at once, and again after a restart: passes may be repeated
never looked in this process       at once
a webhook, a request, a new spec   at once
another sync saw a new commit      2 s later
a dependency became ready          at once
an object is not what it was       a second later; again and again: after pauses that double, up to `interval`
a failed attempt, a self-heal      after its pause; of a command that says `retry`, the same command again
something is on its way            every 15 s, only to look
a status was written, says a watch within 5 s, only to look at that object
newer images                       every `imageUpdate.interval`
a commit to be taken back          at once, and after each comparison until that is done
else                               every `interval`, plus up to half of it
"""

from __future__ import annotations

from datetime import datetime, timedelta

from rollouts.api.gitsync import GitSync
from rollouts.gitops.gitsync import images, reading, reverting
from rollouts.gitops.gitsync.values import Facts, Mandate, Task
from rollouts.gitops.objects import JSON

LOOK_AGAIN = 15.0
SETTLE = 1.0
"""What is changed together is looked at together."""
FOLLOW = 2.0
"""The sync that was told of a commit goes first: it is likely to be the one that has something to do."""
REPORTED = 5.0
"""Between two looks at what controllers say of objects."""
RESTLESS = 2.0
"""The first pause when objects keep changing."""


def next_pass(obj: JSON, sync: GitSync, facts: Facts, now: datetime) -> tuple[Mandate | None, float | None]:
    """The pass that is due now, or None and the seconds until the next one."""
    status = reading.status_of(obj)
    state = status.get("operationState") or {}
    if state.get("phase") == "Running" and facts.again is not None and now < facts.again:
        return None, (facts.again - now).total_seconds()
    if state.get("phase") in ("Running", "Terminating"):
        return Mandate(operation=state.get("operation") or {}, explicit=True), None
    if sync.spec.suspend:
        return None, None
    freed = facts.blocked and not facts.blockers
    if facts.looked_at is None or facts.hinted or freed or _asked(obj, status):
        thorough = not facts.hinted or _asked(obj, status)
        return Mandate(attempt=_attempt(sync, state, facts, now), fresh=True, thorough=thorough), None
    moments = {
        Task.SYNC: _poll(sync, facts),
        Task.LOOK: min(_look(status, facts), _reported(facts)),
        Task.IMAGES: _images(sync, status, facts),
        **({} if (moment := reverting.due(sync, status, facts)) is None else {Task.REVERT: moment}),
    }
    moved = facts.moved and facts.moved + timedelta(seconds=FOLLOW)
    also = (_retry(sync, state, facts), facts.again, _stirred(sync, facts), moved)
    moments[Task.SYNC] = min(moment for moment in (moments[Task.SYNC], *also) if moment is not None)
    task, moment = min(moments.items(), key=lambda item: item[1])
    if moment > now:
        return None, (moment - now).total_seconds()
    if task is not Task.SYNC:
        return Mandate(task=task), None
    attempt = _attempt(sync, state, facts, now)
    if attempt > int(state.get("retryCount") or 0) and (state.get("operation") or {}).get("retry"):
        return Mandate(operation=state["operation"], explicit=True, attempt=attempt), None
    return Mandate(attempt=attempt, stirred=facts.stirred is not None), None


def _asked(obj: JSON, status: JSON) -> bool:
    asked = reading.requested(obj)
    changed = int(obj["metadata"].get("generation") or 0) != int(status.get("observedGeneration") or 0)
    return changed or bool(asked and asked != status.get("lastHandledReconcileAt"))


def _poll(sync: GitSync, facts: Facts) -> datetime:
    interval = reading.seconds(sync.spec.interval, reading.INTERVAL)
    last = facts.compared_at or facts.looked_at or datetime.min
    return last + timedelta(seconds=interval * (1 + facts.stagger / 2))


def _stirred(sync: GitSync, facts: Facts) -> datetime | None:
    """Soon, but an object that somebody writes all the time must not make us compare all the time."""
    if facts.stirred is None:
        return None
    interval = reading.seconds(sync.spec.interval, reading.INTERVAL)
    pause = min(interval, RESTLESS * 2 ** (facts.restless - 1)) if facts.restless else 0.0
    soon = facts.stirred + timedelta(seconds=SETTLE)
    return max(soon, (facts.looked_at or facts.stirred) + timedelta(seconds=pause))


def _look(status: JSON, facts: Facts) -> datetime:
    """Only while something is on its way."""
    moving = (status.get("health") or {}).get("status") in ("Progressing", "Missing")
    last = facts.looked_at or datetime.min
    return last + timedelta(seconds=LOOK_AGAIN) if moving else last + timedelta(days=1)


def _reported(facts: Facts) -> datetime:
    """A controller has written the status of an object: soon, but not for every word of it."""
    last = facts.looked_at or datetime.min
    if facts.reported is None:
        return last + timedelta(days=1)
    return max(facts.reported + timedelta(seconds=SETTLE), last + timedelta(seconds=REPORTED))


def _images(sync: GitSync, status: JSON, facts: Facts) -> datetime:
    """At once after the first comparison in this process. Never, unless images are followed; nor while a person holds
    a revision back: our commit on top of it would be the different one that ends the hold.
    """
    spec = sync.spec.image_update
    start = facts.looked_at or datetime.min
    if spec is None or (status.get("hold") or {}).get("reason") in ("Rollback", "Manual"):
        return start + timedelta(days=1)
    if facts.images_at is None:
        return start
    return facts.images_at + timedelta(
        seconds=reading.seconds(spec.interval, images.INTERVAL) * (1 + facts.stagger / 10)
    )


def _retry(sync: GitSync, state: JSON, facts: Facts) -> datetime | None:
    """When the next attempt at what failed is due; None when nothing failed, or no attempt is left.

    Its pause begins with the last pass of all, also with one that came to no end worth telling: never one on the other.
    """
    operation = state.get("operation") or {}
    wanted = operation.get("retry") or reading.automated(sync.spec) is not None
    if state.get("phase") not in ("Failed", "Error") or not wanted or state.get("message") == reading.TERMINATED:
        return None
    retry = reading.retry_of(sync.spec, operation)
    attempt = int(state.get("retryCount") or 0)
    if not reading.retries_left(retry, attempt):
        return None
    pause = reading.retry_pause(retry, attempt)
    moment = reading.after(reading.time_of(state.get("finishedAt")), pause)
    if moment is None or facts.compared_at is None:
        return moment
    return max(moment, facts.compared_at + timedelta(seconds=pause))


def _attempt(sync: GitSync, state: JSON, facts: Facts, now: datetime) -> int:
    """The number of the attempt a pass that begins now would be."""
    so_far = int(state.get("retryCount") or 0)
    moment = _retry(sync, state, facts)
    return so_far + 1 if moment is not None and moment <= now else so_far
