"""Looking at pods that don't come up (`strategy/trouble.py` says what is wrong with them).

Pods are not watched: there may be a hundred thousand of them, and for all but a few their ReplicaSet's counts say
enough. Only the new ReplicaSet of a Rollout, or one of an Experiment, that has been short of ready pods for a while is
looked at, with one list:

    short for      5 s    10 s    20 s    40 s    80 s    140 s, then each minute
    all Rollouts   5 looks a second; who comes too late tries again in a second

What was found is kept until the next look, and forgotten when the pods are there. Only the words are kept, no pods.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from rollouts.api import kinds
from rollouts.api.loose import mapping
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError
from rollouts.engine.store import controller_uid
from rollouts.strategy.keys import POD_HASH
from rollouts.strategy.trouble import Trouble, short, troubles

JSON = Mapping[str, Any]
log = structlog.get_logger(__name__)

FIRST: Final = 5.0
LONGEST: Final = 60.0
PER_SECOND: Final = 5
PODS: Final = 500
"""More pods of one ReplicaSet are not looked at: what keeps them from coming up is mostly the same for all."""
_KNOWN: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found last (None: not looked yet), and in how many seconds the next look is due (None: there is nothing
    to look for)."""

    found: tuple[Trouble, ...] | None = ()
    again: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """A ReplicaSet that is short of pods. Times are the event loop's."""

    uid: str
    due: float
    delay: float
    found: tuple[Trouble, ...] | None = None


class Troubles:
    """Looks at the pods of Rollouts when it is worth a request."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._watched: OrderedDict[str, _Watched] = OrderedDict()
        self._left, self._since = float(PER_SECOND), 0.0

    async def look(self, rollout: JSON, replica_sets: Iterable[JSON]) -> Look:
        """What is wrong with the pods of a Rollout's new ReplicaSet. One request at most; never raises for it."""
        return await self.look_at(rollout["metadata"]["uid"], _newest(rollout, replica_sets))

    async def look_at(self, uid: str, new: JSON | None) -> Look:
        """What is wrong with the pods of a ReplicaSet; `uid`: what is kept is kept under. None: there is none."""
        if new is None or not short(new):
            self._watched.pop(uid, None)
            return Look()
        now = asyncio.get_running_loop().time()
        watched = self._watched.get(uid)
        if watched is None or watched.uid != new["metadata"]["uid"]:
            watched = _Watched(uid=new["metadata"]["uid"], due=now + FIRST, delay=FIRST)
        elif now >= watched.due:
            watched = await self._looked(watched, new, now)
        self._keep(uid, watched)
        return Look(found=watched.found, again=watched.due - now)

    async def _looked(self, watched: _Watched, new: JSON, now: float) -> _Watched:
        if not self._allowed(now):
            return _Watched(uid=watched.uid, due=now + 1, delay=watched.delay, found=watched.found)
        later = min(watched.delay * 2, LONGEST)
        return _Watched(uid=watched.uid, due=now + watched.delay, delay=later, found=await self._list(watched, new))

    async def _list(self, watched: _Watched, new: JSON) -> tuple[Trouble, ...] | None:
        selector = f"{POD_HASH}={new['metadata']['labels'][POD_HASH]}"
        try:
            pods = await self._api.list(kinds.POD, new["metadata"]["namespace"], selector=selector, limit=PODS)
        except ApiError as error:
            log.warning("pods could not be looked at", error=str(error))
            return watched.found
        return troubles(pod for pod in pods["items"] if controller_uid(pod) == watched.uid)

    def _allowed(self, now: float) -> bool:
        self._left = min(self._left + (now - self._since) * PER_SECOND, float(PER_SECOND))
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _keep(self, uid: str, watched: _Watched) -> None:
        self._watched[uid] = watched
        if len(self._watched) > _KNOWN:
            self._watched.popitem(last=False)


def _newest(rollout: JSON, replica_sets: Iterable[JSON]) -> JSON | None:
    wanted = mapping(rollout.get("status")).get("currentPodHash")
    mine = (rs for rs in replica_sets if (rs["metadata"].get("labels") or {}).get(POD_HASH) == wanted)
    return next(mine, None) if wanted else None
