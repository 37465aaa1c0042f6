"""The event RolloutDeleted, once for each Rollout that is gone.

A deletion is heard of by a watch, found by a list, or both, in any order; our own write may have learned it first. So
it is told by uid, and the last ones told are remembered. Deleted while no controller ran is never told: nothing of
such a Rollout is left that an event could be about.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from rollouts.engine.events import Recorder
from rollouts.plan import Event

JSON = Mapping[str, Any]
_REMEMBERED: Final = 1_000


class Deletions:
    """Tells of deleted Rollouts."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._told: OrderedDict[str, None] = OrderedDict()

    def tell(self, rollout: JSON) -> None:
        """Say that it is gone, unless that was said."""
        metadata = rollout["metadata"]
        uid = metadata.get("uid", "")
        if uid in self._told:
            return
        self._told[uid] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        message = f"Rollout {metadata['name']}/{metadata.get('namespace', '')} is deleted."
        self._recorder.record(rollout, Event(reason="RolloutDeleted", message=message))
