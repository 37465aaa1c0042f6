"""What holds for a pass, whoever begins it: whose objects, which rights, which rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rollouts.gitops.objects import JSON
from rollouts.gitops.plan import (
    Policy,
)
from rollouts.gitops.render.options import Options
from rollouts.gitops.verify import Verification

Adjust = Callable[[JSON, JSON], JSON]
"""Wanted object, live object: the wanted one without what is to be left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for a pass. `identity` marks objects; `namespace` is for objects that name none.

    `name` is the sync's name alone (default: `identity`), the release of a chart; `options` are for renderers.
    `verification`: which signatures every revision needs (None: none), `tag` the tag it was asked for by, if any.
    `defaults`: options of objects that hold for all of them.
    `former_managers`: field managers of earlier tools whose fields are taken over, beside the known ones.
    `namespace_metadata`: None, or labels and annotations of the namespace, which is then made when it is missing.
    """

    identity: str
    namespace: str
    policy: Policy
    path: str = "."
    name: str = ""
    options: Options = field(default_factory=Options)
    verification: Verification | None = None
    tag: str = ""
    adopt: bool = False
    adjust: Adjust | None = None
    namespace_metadata: Mapping[str, Mapping[str, str]] | None = None
    propagation: str = "Background"
    defaults: Mapping[str, str] = field(default_factory=dict)
    wait_for_rollouts: bool = False
    former_managers: frozenset[str] = frozenset()
