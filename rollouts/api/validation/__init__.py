"""The rules that relate fields to one another, one file per area; all errors at once, each with its place.

`validate` looks at one object alone. Whether the Services and templates it names exist is asked apart, by
`references.missing`, because the answer depends on the cluster. Everything here is pure.
"""

from __future__ import annotations

from typing import Any

from rollouts.api.errors import FieldError


def validate(model: Any) -> tuple[FieldError, ...]:
    """All errors of an object whose shape is good; empty for a valid one."""
    return ()


__all__ = ["validate"]
