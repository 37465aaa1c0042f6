"""What a decision is made on: one Experiment and everything that belongs to it, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollouts.strategy.trouble import Trouble

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The world around one Experiment, as raw objects of the API server.

    `replica_sets`, `services`, `analysis_runs`: those it controls. `taken_*`: names we would like to use that belong
    to somebody else. `templates` and `cluster_templates` are keyed by name.
    `troubles`: what keeps pods from coming up, by name of their ReplicaSet, as far as somebody has looked.
    """

    experiment: JSON
    replica_sets: tuple[JSON, ...] = ()
    services: tuple[JSON, ...] = ()
    analysis_runs: tuple[JSON, ...] = ()
    taken_sets: frozenset[str] = frozenset()
    taken_services: frozenset[str] = frozenset()
    taken_runs: frozenset[str] = frozenset()
    templates: Mapping[str, JSON] = field(default_factory=dict)
    cluster_templates: Mapping[str, JSON] = field(default_factory=dict)
    troubles: Mapping[str, tuple[Trouble, ...]] = field(default_factory=dict)
