"""`status.duration`: when an update began and ended, how, and how long people kept it waiting."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollouts.strategy import times

JSON = Mapping[str, Any]


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
