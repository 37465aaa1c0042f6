"""Programs on this machine: where one is, and what tells it from another release of it.

A program is only ever looked for by the name in the table of renderers (`renderer.py`); no path comes from outside.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """An installed program: absolute path, size in bytes, nanoseconds of its last change. Part of a cache's key."""

    name: str
    path: str
    size: int
    changed: int


def find(name: str) -> Program | None:
    """The program of that name on PATH, None when there is none."""
    found = shutil.which(name)
    if found is None:
        return None
    path = Path(found).resolve()
    state = path.stat()
    return Program(name, str(path), state.st_size, state.st_mtime_ns)
