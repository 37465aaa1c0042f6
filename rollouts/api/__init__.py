"""The kinds as pydantic models, the table of kinds, and the rules a good object keeps. Generates `crds/`.

`parse` and `check` are imported on first use: the models cost a third of a second to load, and much of the project
needs no more than the table of kinds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rollouts.api.errors import FieldError, explain
    from rollouts.api.parsing import Parsed, check, parse

_HOME = {
    "FieldError": "rollouts.api.errors",
    "Parsed": "rollouts.api.parsing",
    "check": "rollouts.api.parsing",
    "explain": "rollouts.api.errors",
    "parse": "rollouts.api.parsing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


__all__ = ["FieldError", "Parsed", "check", "explain", "parse"]
