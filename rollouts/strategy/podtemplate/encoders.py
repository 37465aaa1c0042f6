"""The encoders in use, each built once from the field tables in this folder.

`template()` and `steps()` write what the peer hashes. `template_with_timestamps()` writes what peers built on
Kubernetes libraries before 0.34 hashed: `creationTimestamp: null` in every metadata; `older_steps()` what peers before
1.9 did of steps. `semantic()` writes a text that
is the same for two templates exactly when they mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from rollouts.strategy.podtemplate.gojson import Encoder, Table, quantity_value

TEMPLATE = "core.PodTemplateSpec"
STEPS = "[]steps.CanaryStep"
EXPERIMENT = "steps.RolloutExperimentStep"


@cache
def fields(file: str) -> Table:
    """The field table in a data file of this package: struct → rows of [JSON name, type, omit]."""
    content: Mapping[str, Any] = json.loads(resources.files(__package__).joinpath(file).read_text())
    return {name: rows for name, rows in content.items() if name != "version"}


@cache
def template() -> Encoder:
    """For `PodTemplateSpec`, as today's peer writes it."""
    return Encoder(fields("types.json"))


@cache
def template_with_timestamps() -> Encoder:
    """For `PodTemplateSpec`, as older peers wrote it."""
    table = dict(fields("types.json"))
    table["meta.ObjectMeta"] = [
        [key, kind, "" if key == "creationTimestamp" else omit] for key, kind, omit in table["meta.ObjectMeta"]
    ]
    return Encoder(table)


@cache
def steps() -> Encoder:
    """For canary steps."""
    return Encoder({**fields("types.json"), **fields("steps.json")})


@cache
def older_steps() -> tuple[Encoder, ...]:
    """For canary steps, as peers before 1.9 and before 1.7 wrote them.

    Before 1.9 the metadata of an analysis was always there, if only as `{}`, and `clusterScope: false` never was.
    Before 1.7 an experiment had no metadata of runs at all.
    """
    before_9 = {**fields("types.json"), **{name: _before_9(rows) for name, rows in fields("steps.json").items()}}
    experiment = [row for row in before_9[EXPERIMENT] if row[0] in ("templates", "duration", "analyses")]
    return Encoder(before_9), Encoder({**before_9, EXPERIMENT: experiment})


def _before_9(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    kinds = {"clusterScope": "bool", "analysisRunMetadata": "steps.Metadata"}
    return [[key, kinds.get(key, kind), omit] for key, kind, omit in rows if key != "scaleDownDelaySeconds"]


@cache
def semantic() -> Encoder:
    """For `PodTemplateSpec`, to compare: quantities by value, a nil list like an empty one."""
    return Encoder(fields("types.json"), write_quantity=quantity_value, nil_slice="[]")
