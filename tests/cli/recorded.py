"""What the peer left in a cluster, as worlds to be looked at."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rollouts.cli.world import World, world_of

RECORDINGS = Path(__file__).parent.parent / "data" / "recordings"


@cache
def _read(story: str) -> list[dict[str, Any]]:
    (path,) = RECORDINGS.glob(f"{story}-*.yaml")
    return list(yaml.safe_load_all(path.read_text()))


def objects(story: str) -> list[dict[str, Any]]:
    """All objects of a story's moment, such as `canary-2`; the caller may change them."""
    return copy.deepcopy(_read(story))


def moment(story: str) -> datetime:
    """Five seconds after the last object appeared."""
    latest = max(str(item["metadata"]["creationTimestamp"]) for item in _read(story))
    return datetime.fromisoformat(latest).astimezone(UTC) + timedelta(seconds=5)


def seen(story: str, change: Callable[[dict[str, Any]], None] | None = None, *, kind: str = "Rollout") -> World:
    """The world of a story, after `change` was done to its root."""
    found = objects(story)
    if change:
        change(next(item for item in found if item["kind"] == kind))
    return world_of(found, kind=kind)
