"""The two programs: `rollouts` runs and checks things, `kubectl rollouts` releases with them.

Both are typer apps over the table of verbs in `verbs/__init__.py`, so that starting one imports little more than the
verb that is run. The plugin also answers to the peer's name: a link `kubectl-argo-rollouts` to it makes `kubectl argo
rollouts`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import typer

from rollouts.cli.complete import complete_variable
from rollouts.cli.registry import CONTEXT, VerbGroup
from rollouts.cli.verbs import CONTROLLER_VERBS, PLUGIN_VERBS


def program_name(path: str) -> str:
    """What a person types to run the program at `path`: `kubectl rollouts`, `kubectl argo rollouts`, `rollouts`."""
    name = PurePath(path).name.removesuffix(".exe").removesuffix(".py")
    return name.replace("-", " ") if name.startswith("kubectl-") else name


def asked_to_complete(name: str) -> str:
    """The variable by which a shell's script asks for completions; typer is made ready for it only then."""
    variable = complete_variable(name)
    if variable in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    return variable


class PluginGroup(VerbGroup):
    """`kubectl rollouts`."""

    verbs = PLUGIN_VERBS

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """As usual, under the name that kubectl gives us."""
        name = program_name(prog_name or sys.argv[0])
        name = name if name.startswith("kubectl ") else "kubectl rollouts"
        return super().main(
            args,
            name,
            complete_var or asked_to_complete(name),
            standalone_mode,
            windows_expand_args,
            **extra,
        )


class ControllerGroup(VerbGroup):
    """`rollouts`."""

    verbs = CONTROLLER_VERBS
    takes_globals = False


plugin_app = typer.Typer(
    cls=PluginGroup,
    add_completion=False,
    context_settings=CONTEXT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Progressive delivery with kubectl: watch and steer Rollouts.",
)
controller_app = typer.Typer(
    cls=ControllerGroup,
    add_completion=False,
    context_settings=CONTEXT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The progressive delivery controller, its sync, and checks. Release with `kubectl rollouts`.",
)


@plugin_app.callback()
def _plugin() -> None:
    """Options before the verb are the groups' own."""


@controller_app.callback()
def _controller() -> None:
    """Options before the verb are the groups' own."""
