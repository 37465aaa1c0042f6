"""`kubectl_complete-rollouts`: how kubectl asks a plugin what could come next.

kubectl runs it with the words typed so far, the last one unfinished. Answer: one candidate a line, `word<TAB>what it
is`, then a directive: `:4` means these are words, do not complete file names.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

NO_FILES = ":4"


def main(arguments: list[str] | None = None) -> None:
    """Print the candidates for the words in `arguments` (by default the program's)."""
    words = sys.argv[1:] if arguments is None else arguments
    for candidate in candidates(words):
        sys.stdout.write(candidate + "\n")
    sys.stdout.write(NO_FILES + "\n")


def complete_variable(program: str) -> str:
    """The environment variable of the executable's own completion: `_KUBECTL_ROLLOUTS_COMPLETE`."""
    return f"_{program}_COMPLETE".replace(" ", "_").replace("-", "_").upper()


def candidates(words: list[str]) -> list[str]:
    """Candidates for the last word, given the ones before it; flags only when it starts with a dash."""
    *before, incomplete = words or [""]
    with contextlib.ExitStack() as closed:
        context = _context(before)
        closed.callback(_close, context)
        found = _found(context, incomplete)
        return [f"{item.value}\t{item.help}" if item.help else str(item.value) for item in found]


def _close(context: Any) -> None:
    """Close the context and those around it, and with them any connection."""
    while context is not None:
        context.close()
        context = context.parent


def _found(context: Any, incomplete: str) -> list[Any]:
    if incomplete.startswith("-"):
        return list(context.command.shell_complete(context, incomplete))
    return _arguments(context, incomplete)


def _context(before: list[str]) -> Any:
    """The context of the command that the words before lead to."""
    import typer.main

    from rollouts.cli.main import plugin_app

    command: Any = typer.main.get_command(plugin_app)
    context = command.make_context("kubectl rollouts", list(before), resilient_parsing=True)
    while hasattr(context.command, "get_command"):
        args = [*context._protected_args, *context.args]
        if not args:
            break
        name, found, rest = context.command.resolve_command(context, args)
        if found is None:
            break
        context = found.make_context(name, rest, parent=context, resilient_parsing=True)
    return context


def _arguments(context: Any, incomplete: str) -> list[Any]:
    """Verbs of a group; of a command, what its next argument can be."""
    if hasattr(context.command, "get_command"):
        return list(context.command.shell_complete(context, incomplete))
    for param in context.command.params:
        if param.param_type_name == "argument" and (param.nargs == -1 or not _given(context, param.name)):
            return list(param.shell_complete(context, incomplete))
    return []


def _given(context: Any, name: str) -> bool:
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
