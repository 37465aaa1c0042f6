"""What a valid Rollout asks for and this version of the controller can't do: traffic routers and kinds of steps.

The controller refuses it as InvalidSpec, since half a release is worse than none, and `lint` says the same beforehand:
what passes there is not refused here. A router or step that gets its row in its table is no longer mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rollouts.api.errors import FieldError, Path
from rollouts.api.loose import listed, mapping
from rollouts.strategy.steps import STEPS
from rollouts.traffic import Routers

NOT_YET: Final = "Forbidden: not supported by this version of the controller"
_ROUTING_OPTIONS: Final = frozenset({"managedRoutes", "maxTrafficWeight"})
_CANARY: Final = Path.of("spec", "strategy", "canary")


def unsupported(spec: Mapping[str, Any], routers: Routers) -> Iterator[FieldError]:
    """An error for each router that is not in `routers` and each step without a row; `spec` may have any faults."""
    canary = mapping(mapping(spec.get("strategy")).get("canary"))
    for key, block in mapping(canary.get("trafficRouting")).items():
        if key not in _ROUTING_OPTIONS and key not in routers and block is not None:
            yield (_CANARY / "trafficRouting" / str(key)).error(NOT_YET)
    for index, step in enumerate(listed(canary.get("steps"))):
        for key in mapping(step):
            if key not in STEPS:
                yield (_CANARY / "steps" / index / str(key)).error(NOT_YET)
