"""Where rendering happens: here, in a confined child of this process, or in another container (`sidecar.py`).

A place is asked for two things: which program it has under a name, and what a task with these files gives. All else,
the choice of a renderer, the turns, the cache and the reading of what was said, is the same for every place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
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

    async def answer(self, task: Task, files: Mapping[str, bytes], *, program: Program | None, limits: Limits) -> bytes:
        """What is said of the task, as JSON. `program`: as `program` told of it; None for a task that needs none.

        RenderError when nothing of use is said, RenderUnavailableError when the program is another one by now.
        """


class Here:
    """A child of this process for each task."""

    async def program(self, name: str) -> Program | None:
        """On our PATH."""
        return find(name)

    async def answer(self, task: Task, files: Mapping[str, bytes], *, program: Program | None, limits: Limits) -> bytes:
        """In a folder of its own, removed afterwards."""
        with sandbox.private_folder() as root:
            here = replace(task, root=root, program=program.path if program else "")
            await asyncio.to_thread(sandbox.lay_out, here, files.items())
            return await sandbox.answer(here, limits=limits)


def missing(program: str, *, folder: str) -> RenderError:
    """The error for a program that a place has not. `folder`: the one that needs it."""
    return RenderError(f"{program} was not found on PATH: install it where the sync renders", file=folder)
