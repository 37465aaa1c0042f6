"""Looking into objects nobody has validated yet: what is not of the type it should be is empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def is_name(value: object) -> bool:
    """Whether this could be the name of an object; nothing else may become a part of a request's path."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None and ".." not in value


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict | Mapping) else {}  # `dict` first: it is one, and asking the ABC is slow


def listed(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []
