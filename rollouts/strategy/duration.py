"""`status.duration`: when an update began and ended, how, and how long people kept it waiting.

A template that goes back to the stable one in the middle of an update ends that update (`FastRolledBack`), it begins
none. One that goes on to a third version ends it as `Superseded`: that is never seen in the status, which tells of the
third from then on, only by what compares the status before and after (`ended`, for the metrics).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rollouts.strategy import times

JSON = Mapping[str, Any]

SUPERSEDED: Final = "Superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An update that is over. `status`: how it ended; `seconds` from begin to end; `waited`: seconds of that people
    were waited for."""

    status: str
    seconds: float
    waited: float


def unfinished(tracked: JSON) -> bool:
    """Whether an update is being tracked."""
    return bool(tracked.get("rolloutStartedAt")) and not tracked.get("finishedAt")


def ended(before: JSON, after: JSON, *, other_pods: bool = False) -> Iterator[Ended]:
    """The updates that ended between one value of the status and the next: mostly none, two at most. `other_pods`: the
    template changed in between; times have whole seconds, so two updates may begin at the same."""
    anew = before.get("rolloutStartedAt") != after.get("rolloutStartedAt")
    anew = anew or (other_pods and unfinished(after))
    if anew and unfinished(before):
        given_up = {"finishedAt": after.get("rolloutStartedAt"), "completionStatus": SUPERSEDED}
        yield from _over({**before, **given_up, **_paused_until(before, after.get("rolloutStartedAt"))})
    if after.get("finishedAt") and (anew or not before.get("finishedAt")):
        yield from _over(after)


def _paused_until(tracked: JSON, end: object) -> dict[str, Any]:
    stopped = dict(tracked)
    now = times.moment(end)
    if now is not None:
        _count_pause(stopped, now=now, waiting=False)
    return {"totalManualPauseDurationSeconds": stopped.get("totalManualPauseDurationSeconds") or 0}


def _over(tracked: JSON) -> Iterator[Ended]:
    began, end = times.moment(tracked.get("rolloutStartedAt")), times.moment(tracked.get("finishedAt"))
    if began is not None and end is not None:
        waited = float(tracked.get("totalManualPauseDurationSeconds") or 0)
        seconds = max((end - began).total_seconds(), 0.0)
        yield Ended(status=str(tracked.get("completionStatus") or ""), seconds=seconds, waited=min(waited, seconds))


def track(
    before: JSON, *, now: datetime, begins: bool, outcome: str | None, finished: bool, manual_pause: bool
) -> dict[str, Any]:
    """The next value. `begins`: an update or a retry starts; `outcome`: Promoted, FastPromoted, Aborted, RolledBack…,
    kept once set; `finished`: that outcome is reached; `manual_pause`: only a person can end the present pause."""
    result: dict[str, Any] = {"rolloutStartedAt": times.text(now)} if begins else dict(before)
    _count_pause(result, now=now, waiting=manual_pause)
    if outcome and not result.get("completionStatus"):
        result["completionStatus"] = outcome
    if finished and result.get("completionStatus") and not result.get("finishedAt"):
        result["finishedAt"] = times.text(now)
    return result


def _count_pause(duration: dict[str, Any], *, now: datetime, waiting: bool) -> None:
    since = times.moment(duration.get("manualPauseStartedAt"))
    if waiting and since is None:
        duration["manualPauseStartedAt"] = times.text(now)
    elif not waiting and since is not None:
        del duration["manualPauseStartedAt"]
        total = duration.get("totalManualPauseDurationSeconds", 0) + max(int((now - since).total_seconds()), 0)
        if total:
            duration["totalManualPauseDurationSeconds"] = total
