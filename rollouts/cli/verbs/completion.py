"""`completion SHELL`: the script that makes the shell complete our commands.

For `kubectl rollouts` itself nothing is needed: kubectl asks the executable `kubectl_complete-rollouts`
(`rollouts.cli.complete`), which is installed beside the plugin.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from rollouts.cli.complete import complete_variable


class Shell(StrEnum):
    """Shells we can speak to."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    powershell = "powershell"


def run(ctx: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell.")]) -> None:
    """Print a completion script, to be sourced: `source <(kubectl rollouts completion bash)`."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    program = str(ctx.find_root().info_name).replace(" ", "-")
    typer.echo(get_completion_script(prog_name=program, complete_var=complete_variable(program), shell=shell.value))
