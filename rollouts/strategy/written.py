"""What follows from the spec of a Rollout alone, worked out once for each spec instead of at each decision.

A release is a dozen decisions on one spec, and most of what a decision costs is reading that spec: holding it against
every rule, and hashing its pod template byte by byte. The engine keeps a `Written` for as long as the store has the
very same spec (`Shelf.put` keeps what is as it was) and puts it into the snapshot. A snapshot without one, or with that
of another spec, is decided about in the same way, only slower: nothing but time depends on what is remembered.

Status and metadata are not looked at here. A status is read through `sound`, which takes what is of a wrong type for
absent, so that a broken one never stops a decision; metadata the API server has checked itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from rollouts.api import kinds
from rollouts.api.parsing import Parsed, check
from rollouts.strategy import podhash

JSON = Mapping[str, Any]


class Written:
    """A spec, never changed, and what follows from it. `rollout`: whose spec it is, as it was when first seen."""

    def __init__(self, rollout: JSON) -> None:
        self._rollout = {key: rollout[key] for key in ("apiVersion", "kind", "spec") if key in rollout}
        self._rollout["metadata"] = {"name": rollout["metadata"]["name"]}
        self._hashes: dict[int | None, str] = {}

    def stands_for(self, rollout: JSON) -> bool:
        """Whether this is the spec of a Rollout: the very same, not one that is equal."""
        return "spec" in rollout and rollout["spec"] is self._rollout.get("spec")

    @cached_property
    def checked(self) -> Parsed:
        """The Rollout without its status, and all that is wrong with it."""
        return check(kinds.ROLLOUT, self._rollout)

    @cached_property
    def step_hash(self) -> str:
        """The hash of the canary steps, of a spec that has some."""
        return podhash.step_hash(self._rollout["spec"]["strategy"]["canary"]["steps"])

    def template_hash(self, collision_count: int | None) -> str:
        """The hash of the pod template of a valid spec, as of `podhash.pod_template_hash`."""
        if collision_count not in self._hashes:
            template = self._rollout["spec"]["template"]
            self._hashes[collision_count] = podhash.pod_template_hash(template, collision_count=collision_count)
        return self._hashes[collision_count]
