"""`analysis catalog [NAME…]`: list the ready-made templates, or print some as YAML for `kubectl apply -f -`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from analysis import catalog
from analysis.catalog import Entry
from rollouts.cli.errors import CliError, near
from rollouts.cli.render import Cell, table
from rollouts.cli.session import terminal_of
from rollouts.cli.text import BOLD, FAINT, Line, Span


def _names(incomplete: str) -> list[str]:
    return [entry.name for entry in catalog.entries() if entry.name.startswith(incomplete)]


def run(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", autocompletion=_names)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print all of them as YAML.")] = False,
) -> None:
    """List ready-made ClusterAnalysisTemplates for Prometheus; with names, print them as YAML."""
    terminal = terminal_of(ctx)
    if not names and not everything:
        terminal.show(catalog_table(catalog.entries()))
        return
    chosen = catalog.entries() if everything else [_find(name) for name in names or ()]
    terminal.say("---\n".join(entry.text for entry in chosen).rstrip("\n"))


def _find(name: str) -> Entry:
    try:
        return catalog.find(name)
    except KeyError:
        hint = near(name, [entry.name for entry in catalog.entries()])
        raise CliError(f'the catalog has no template "{name}"', hint=hint) from None


def catalog_table(entries: Sequence[Entry]) -> list[Line]:
    """One row a template."""
    header: list[Cell] = [(Span(title, BOLD),) for title in ("NAME", "MUST BE GIVEN", "JUDGES")]
    rows: list[Sequence[Cell]] = [
        ((Span(entry.name),), (Span(", ".join(entry.required) or "-", FAINT),), (Span(entry.description),))
        for entry in entries
    ]
    return table([header, *rows])
