"""What a deleted Rollout leaves behind in objects that are not its own: Services that still select its last pods.

Its ReplicaSets and runs go by themselves, they are owned. A Service is the user's and stays; if it kept the pod hash in
its selector, no pods of whatever comes after would ever get its traffic. There are no finalizers: a controller that is
away would hold up every deletion. So it is done when the deletion is seen, and at the start and at each event of a
Service for managers nobody knows. That the manager is really gone, and not another controller's or newer than what we
have seen, is asked of the API server first: one request for each Rollout that has left Services behind.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api import kinds
from rollouts.api.loose import is_name
from rollouts.engine.client import Api
from rollouts.engine.errors import NotFoundError
from rollouts.engine.snapshots import managers
from rollouts.engine.store import Key, Store
from rollouts.plan import Patch
from rollouts.strategy import services


class Leaving:
    """Lets go of what a Rollout has left behind; `writes` fits `reconcile.Controller.gone`."""

    def __init__(self, *, api: Api, store: Store) -> None:
        self._api = api
        self._store = store

    async def writes(self, key: Key) -> tuple[Patch, ...]:
        """Patches that free the Services of a Rollout, if there is no such Rollout any more."""
        left = self._store.shelf(kinds.SERVICE).find("manager", f"{key.namespace}/{key.name}")
        if not left or await self._exists(key):
            return ()
        return tuple(services.patch(services.Switch(service=service, hash=None), key.name) for service in left)

    async def _exists(self, key: Key) -> bool:
        if not is_name(key.name):  # whatever wrote that annotation
            return False
        try:
            await self._api.get(kinds.ROLLOUT, key.namespace, key.name)
        except NotFoundError:
            return False
        return True


def strangers(store: Store) -> Iterator[Key]:
    """Rollouts that manage Services, though we know of no such Rollout."""
    known = store.shelf(kinds.ROLLOUT).objects
    for service in store.shelf(kinds.SERVICE).objects.values():
        yield from (key for key in managers(service) if key not in known)
