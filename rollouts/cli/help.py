"""`--help`, in the plain form of kubectl: sections of two columns.

typer's own is drawn by rich, which takes longer to import than all else; help is asked for most by those who are in a
hurry.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

ARGUMENTS, OPTIONS, COMMANDS = "Arguments", "Flags", "Commands"


def usage_pieces(params: Iterable[Any]) -> list[str]:
    """Arguments in their order, then `[flags]`: `ROLLOUT CONTAINER=IMAGE... [flags]`."""
    arguments = [param for param in params if param.param_type_name == "argument"]
    return [*(f"{_shown(param)}{'...' if param.nargs == -1 else ''}" for param in arguments), "[flags]"]


def write_params(params: Iterable[Any], ctx: Any, formatter: Any) -> None:
    """A section for arguments and one for each panel of options."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for param in params:
        record = param.get_help_record(ctx)
        if record is None or getattr(param, "hidden", False):
            continue
        if param.param_type_name == "argument":
            record = (_shown(param), (param.help or "").strip())
            if not record[1]:
                continue
        usual = ARGUMENTS if param.param_type_name == "argument" else OPTIONS
        sections.setdefault(getattr(param, "rich_help_panel", None) or usual, []).append(record)
    for title, records in sections.items():
        _write(formatter, title, records)


def write_commands(commands: Iterable[Any], formatter: Any) -> None:
    """A section for each panel of commands."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for command in commands:
        if not command.hidden:
            sections.setdefault(command.rich_help_panel or COMMANDS, []).append((command.name, command.help or ""))
    for title, records in sections.items():
        _write(formatter, title, records)


def _shown(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _write(formatter: Any, title: str, records: list[tuple[str, str]]) -> None:
    if records:
        with formatter.section(title):
            formatter.write_dl(records)
