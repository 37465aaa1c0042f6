"""The encoders in use, each built once from the field tables in this folder.

`template()` and `steps()` write what the peer hashes. `template_with_timestamps()` writes what peers built on
Kubernetes libraries before 0.34 hashed: `creationTimestamp: null` in every metadata. `semantic()` writes a text that
is the same for two templates exactly when they mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from rollouts.strategy.podtemplate.gojson import Encoder, Table, quantity_value

TEMPLATE = "core.PodTemplateSpec"
STEPS = "[]steps.CanaryStep"


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
def semantic() -> Encoder:
    """For `PodTemplateSpec`, to compare: quantities by value, a nil list like an empty one."""
    return Encoder(fields("types.json"), write_quantity=quantity_value, nil_slice="[]")
