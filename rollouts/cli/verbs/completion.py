"""`completion SHELL`: the script that makes the shell complete our commands.

For `kubectl rollouts` itself nothing is needed: kubectl asks the executable `kubectl_complete-rollouts`
(`rollouts.cli.complete`), which is installed beside the plugin.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """Shells we can speak to."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    powershell = "powershell"


def run(ctx: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell.")]) -> None:
    """Print a completion script, to be sourced: `source <(kubectl rollouts completion bash)`."""
    from typer._completion_shared import get_completion_script

    program = str(ctx.find_root().info_name).replace(" ", "-")
    variable = f"_{program}_COMPLETE".replace("-", "_").upper()
    typer.echo(get_completion_script(prog_name=program, complete_var=variable, shell=shell.value))
