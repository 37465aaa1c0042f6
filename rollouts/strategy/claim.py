"""Claim: which ReplicaSets belong to a Rollout, told by owner and by labels, as every controller of Kubernetes does it.

                      its selector fits          it does not
    it controls       its own                    let go: the owner reference is taken away, pods stay as they are
    nobody controls   adopted, if it has a hash  somebody's business
    others control    not its own                not its own

So a person takes a ReplicaSet out of a Rollout by changing its labels, to look into pods that misbehave while others
replace them. Without a selector (an invalid Rollout) nothing is let go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rollouts.api.loose import mapping
from rollouts.api.selectors import is_empty, selects
from rollouts.strategy.keys import POD_HASH

JSON = Mapping[str, Any]


def claim(rollout: JSON, *, controlled: Iterable[JSON], orphans: Iterable[JSON]) -> tuple[list[JSON], list[JSON]]:
    """A Rollout's ReplicaSets, and those to let go, of those it controls and those nobody does. `rollout`: with the
    selector of the workload it refers to, if it refers to one."""
    selector = mapping(mapping(rollout.get("spec")).get("selector"))
    if is_empty(selector):
        return list(controlled), []
    own: list[JSON] = []
    released: list[JSON] = []
    for rs in controlled:
        (own if _fits(selector, rs) or _is_going(rs) else released).append(rs)
    own += [rs for rs in orphans if POD_HASH in _labels(rs) and _fits(selector, rs) and not _is_going(rs)]
    return own, released


def _fits(selector: JSON, rs: JSON) -> bool:
    return selects(selector, _labels(rs))


def _labels(rs: JSON) -> JSON:
    return mapping(rs["metadata"].get("labels"))


def _is_going(rs: JSON) -> bool:
    return rs["metadata"].get("deletionTimestamp") is not None
