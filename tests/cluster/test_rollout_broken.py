"""Every Rollout of the table of broken ones, on a real API server and all at once: either it is refused there, by a
message that names the field, or the controller says on it what is wrong, in the words of the table, and makes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from rollouts.api import check, kinds
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError
from tests.api.broken import BROKEN, KNOWN, TWO_SERVICES
from tests.api.samples import rollout
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space

ONE_SERVICE = [rollout(canary={"trafficRouting": {router: how}}) for router, how in TWO_SERVICES.items()]
ALL: dict[str, JSON] = {
    f"broken-{n}": raw
    for n, raw in enumerate([*(raw for raw, _, _ in BROKEN), *(raw for _, raw, _ in KNOWN), *ONE_SERVICE])
}
#: Of two items with one key the server names the item, not its key.
KEY = ".name"


def test_a_broken_rollout_is_refused_or_says_what_is_wrong(
    space: Space, own_controller: Callable[..., OwnController]
) -> None:
    own_controller()
    answers = space.background.call(_created(space.background.api, space.namespace))
    refused = {name: said for name, said in answers.items() if said is not None}
    for name, said in refused.items():
        assert all(field in said for field in _fields(ALL[name])), (name, said)
    taken = set(ALL) - set(refused)
    assert len(refused) < len(taken)
    told = space.until("each is told", lambda: _told(space, taken), seconds=60)
    for name, status in told.items():
        (message,) = (c["message"] for c in status["conditions"] if c["type"] == "InvalidSpec")
        assert (status["phase"], status["message"]) == ("Degraded", f"InvalidSpec: {message}")
        assert message.startswith(f'The Rollout "{name}" is invalid: ')
        assert [error for error in _errors(ALL[name]) if error not in message] == [], (name, message)
    made = [obj for kind in (kinds.REPLICA_SET, kinds.POD, kinds.ANALYSIS_RUN) for obj in space.list(kind)]
    assert made == []


async def _created(api: Api, namespace: str) -> dict[str, str | None]:
    """Create them all; what the server says to each it refuses."""

    async def create(name: str) -> str | None:
        body = {**ALL[name], "apiVersion": kinds.ROLLOUT.api_version, "kind": "Rollout", "metadata": {"name": name}}
        try:
            await api.create(kinds.ROLLOUT, namespace, body)
        except ApiError as error:
            return str(error)
        return None

    return dict(zip(ALL, await asyncio.gather(*map(create, ALL)), strict=True))


def _told(space: Space, names: set[str]) -> dict[str, Any]:
    """The status of each, once all have an InvalidSpec."""
    found = {obj["metadata"]["name"]: obj.get("status") or {} for obj in space.list(kinds.ROLLOUT)}
    assert set(found) == names
    silent = {
        name
        for name, status in found.items()
        if not any(condition["type"] == "InvalidSpec" for condition in status.get("conditions") or ())
    }
    assert not silent, {name: (_errors(ALL[name]), found[name]) for name in silent}
    return found


def _errors(raw: JSON) -> list[str]:
    return [str(error) for error in check("Rollout", raw).errors]


def _fields(raw: JSON) -> list[str]:
    paths = [error.path for error in check("Rollout", raw).errors]
    return [path.removesuffix(KEY) for path in paths]
