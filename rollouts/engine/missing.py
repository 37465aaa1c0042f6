"""What a Rollout names and the store does not know is asked for once more, before the Rollout is called invalid.

`kubectl apply` of a Rollout with its Services and AnalysisTemplates makes them all in one instant, but each kind comes
by a watch of its own: a Rollout may be seen before the Services created ahead of it. One request for each object that
is missing, at each decision about such a Rollout, which are few and 20 s apart; none for anybody else. Names come from
people and have not been validated: what could not be a name must not become a part of a request's path.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from rollouts.api.kinds import Kind
from rollouts.api.loose import is_name
from rollouts.engine.client import Api
from rollouts.engine.errors import ForbiddenError, NotFoundError
from rollouts.engine.store import Key, Store


async def fetch_missing(named: Iterable[tuple[Kind, Key]], *, api: Api, store: Store) -> None:
    """Take those of these objects into the store that are not in it, and there all the same."""
    for kind, key in named:
        if is_name(key.name) and store.keeps(kind) and store.get(kind, key) is None:
            with contextlib.suppress(NotFoundError, ForbiddenError):
                store.learn(kind, await api.get(kind, key.namespace or None, key.name))
