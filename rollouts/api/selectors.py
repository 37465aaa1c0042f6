"""Label selectors as written: which labels they match."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rollouts.api.loose import listed, mapping

JSON = Mapping[str, Any]

_OPERATORS: Final[Mapping[str, Callable[[Any, list[Any]], bool]]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, values: value is not None,
    "DoesNotExist": lambda value, values: value is None,
}


def selects(selector: JSON, labels: JSON) -> bool:
    """Whether `{matchLabels, matchExpressions}` matches these labels. An empty selector matches everything, an
    operator Kubernetes does not know nothing."""
    exact = all(labels.get(key) == wanted for key, wanted in mapping(selector.get("matchLabels")).items())
    return exact and all(_holds(mapping(found), labels) for found in listed(selector.get("matchExpressions")))


def _holds(expression: JSON, labels: JSON) -> bool:
    operator = _OPERATORS.get(str(expression.get("operator")))
    return operator is not None and operator(labels.get(str(expression.get("key"))), listed(expression.get("values")))


def is_empty(selector: JSON) -> bool:
    """Whether a selector matches everything."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")
