"""All functions of the language, by name: one table, put together from a file per theme.

Two functions belong to the peer and not to its language: `isNil(x)` and `default(x, y)`. They look at the result of the
measurement whatever their first argument says; conditions in use depend on it (`default(result, 0) < 0.05`).
"""

from __future__ import annotations

from typing import Any

from analysis.language.builtins import moments, numeric, predicates, sequences, text
from analysis.language.builtins.base import Function
from analysis.language.builtins.moments import METHODS
from analysis.language.values import Frame


def _is_nil(frame: Frame, value: Any) -> bool:
    return frame.variables.get("result") is None


def _default(frame: Frame, value: Any, otherwise: Any) -> Any:
    return otherwise if frame.variables.get("result") is None else frame.variables["result"]


FUNCTIONS: dict[str, Function] = {
    **numeric.FUNCTIONS,
    **text.FUNCTIONS,
    **moments.FUNCTIONS,
    **sequences.FUNCTIONS,
    **predicates.FUNCTIONS,
    "isNil": Function(call=_is_nil, returns="bool"),
    "default": Function(call=_default, least=2, most=2),
}

__all__ = ["FUNCTIONS", "METHODS", "Function"]
