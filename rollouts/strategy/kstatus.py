"""Two conditions more, for the many tools that know no Rollouts but do know the kstatus convention.

    phase                    condition
    Progressing, Paused      Reconciling: the world is not yet as the spec wants it, and nothing is wrong
    Degraded                 Stalled: it does not get there by itself
    Healthy                  neither

kstatus itself wants `observedGeneration` as a number and fails on the string it is in this API. A Rollout annotated
`rollouts.dev/observed-generation: integer` gets the number, and with it the right answer.

Their reason is the phase, never one that Argo Rollouts knows: it takes a Rollout for aborted by the reason of any
condition, also of types it does not know and never takes away; a Rollout that went back to it would stay Degraded.

Both are there only while they are true, as the convention has it. They come along with other news: a Rollout that
another controller left without them is not written for their sake alone. docs/compatibility.md says which tools read
what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rollouts.strategy import conditions, keys
from rollouts.strategy.conditions import Condition

JSON = Mapping[str, Any]

RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
TYPES: Final = frozenset({RECONCILING, STALLED})
_BY_PHASE: Final[Mapping[str, str]] = {"Progressing": RECONCILING, "Paused": RECONCILING, "Degraded": STALLED}


def generation(rollout: JSON) -> str | int:
    """`status.observedGeneration` for the spec there is."""
    observed = int(rollout["metadata"].get("generation") or 0)
    wanted = (rollout["metadata"].get("annotations") or {}).get(keys.OBSERVED_GENERATION)
    return observed if wanted == "integer" else str(observed)


def added(written: Sequence[JSON], *, phase: str, message: str, now: datetime) -> list[JSON]:
    """A list of conditions with those of a phase, and without those of any other."""
    kind = _BY_PHASE.get(phase)
    wanted = [Condition(type=kind, status="True", reason=phase, message=message, still=True)] if kind else []
    return conditions.merge(list(written), wanted, drop=TYPES - {kind}, now=now)


def alone(before: JSON, patch: JSON) -> bool:
    """Whether a status patch brings these conditions and nothing else, to a status that has never had them."""
    if set(patch) != {"conditions"}:
        return False
    known = list(before.get("conditions") or ())
    kept = [condition for condition in patch["conditions"] if condition.get("type") not in TYPES]
    return kept == known
