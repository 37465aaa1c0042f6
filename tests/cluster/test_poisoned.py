"""One Rollout that can't be carried out, among many, on the real API server: it says so, and nobody else notices."""

from __future__ import annotations

import re
from collections.abc import Callable

from rollouts.engine.client import Request
from rollouts.engine.errors import ForbiddenError
from tests.cluster.controllers import OwnController
from tests.cluster.space import Space, rollout

MANY = 20
WHY = "ReplicaSets of poisoned are not welcome here"


class Poison:
    """Refuses to create ReplicaSets of one Rollout, while it works."""

    def __init__(self) -> None:
        self.works = True
        self.refused = 0

    def __call__(self, _: int, request: Request) -> None:
        name = str((request.body or {}).get("metadata", {}).get("name", ""))
        if self.works and request.method == "POST" and request.path.endswith("/replicasets") and name[:8] == "poisoned":
            self.refused += 1
            raise ForbiddenError(WHY, status=403)


def test_one_that_fails_says_so_and_holds_nobody_up(space: Space, own_controller: Callable[..., OwnController]) -> None:
    poison = Poison()
    own_controller(before=poison)
    space.create(rollout("poisoned"))
    space.until("it was refused", lambda: poison.refused)
    names = [f"app-{number}" for number in range(MANY)]
    space.create(*(rollout(name) for name in names))
    for name in names:
        space.until_phase("Healthy", name)
    space.until("it says so", lambda: WHY in space.condition("ReconcileError", "poisoned").get("message", ""))
    told = space.condition("ReconcileError", "poisoned")["message"]
    assert re.fullmatch(f'Failed to create new replica set "poisoned-[a-z0-9]+": {WHY}', told)
    progressing = {"status": "False", "reason": "ReplicaSetCreateError", "message": told}
    assert space.condition("Progressing", "poisoned") == progressing
    space.until("and in an event", lambda: ("ReplicaSetCreateError", told) in space.events.of("poisoned"))
    poison.works = False
    space.until_phase("Healthy", "poisoned")
    assert space.condition("ReconcileError", "poisoned") == {}
    assert space.condition("Progressing", "poisoned")["reason"] == "NewReplicaSetAvailable"
