"""Where rendering happens: here, in a confined child of this process, or in another container (`sidecar.py`).

A place is asked for two things: which program it has under a name, and what a task with these files gives. All else,
the choice of a renderer, the turns, the cache and the reading of what was said, is the same for every place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rollouts.gitops.errors import RenderError
from rollouts.gitops.render import sandbox
from rollouts.gitops.render.installed import Program, find
from rollouts.gitops.render.sandbox import Limits
from rollouts.gitops.render.task import Task


class Place(Protocol):
    """Somewhere to render."""

    async def program(self, name: str) -> Program | None:
        """The program of that name over there, None when it is not installed."""

    async def answer(self, task: Task, files: Mapping[str, bytes], *, program: str, limits: Limits) -> bytes:
        """What is said of the task, as JSON; `program` by name, empty for none. RenderError when nothing of use is."""


class Here:
    """A child of this process for each task."""

    async def program(self, name: str) -> Program | None:
        """On our PATH."""
        return find(name)

    async def answer(self, task: Task, files: Mapping[str, bytes], *, program: str, limits: Limits) -> bytes:
        """In a folder of its own, removed afterwards."""
        with sandbox.private_folder() as root:
            here = at(root, task, program=program)
            await asyncio.to_thread(sandbox.lay_out, here, files.items())
            return await sandbox.answer(here, limits=limits)


def at(root: Path, task: Task, *, program: str) -> Task:
    """The task in this folder, with our program of that name. RenderError when it is not installed."""
    found = find(program) if program else None
    if program and found is None:
        raise missing(program)
    return replace(task, root=root, program=found.path if found else "")


def missing(program: str) -> RenderError:
    """The error for a program that a place has not."""
    return RenderError(f"{program} was not found on PATH: install it where the sync renders", file=program)
