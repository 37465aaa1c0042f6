"""`lint -f FILE`: all that is wrong with manifests, before a cluster sees them."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from rollouts.cli.session import terminal_of
from rollouts.cli.text import BAD, BOLD, GOOD, Span, count


class Format(StrEnum):
    """What -o takes."""

    text = "text"
    json = "json"


def run(
    ctx: typer.Context,
    files: Annotated[
        list[str], typer.Option("--filename", "-f", help="A file, a folder, or - for standard input; may be repeated.")
    ],
    output: Annotated[Format, typer.Option("--output", "-o", help="json for other programs.")] = Format.text,
) -> None:
    """Check Rollouts, analysis templates, Experiments and GitSyncs: all errors at once, with line and field."""
    from rollouts.cli.linting import lint
    from rollouts.cli.manifests import read_all

    report = lint(read_all(files))
    terminal = terminal_of(ctx)
    if output is Format.json:
        terminal.say(json.dumps([asdict(finding) for finding in report.findings], indent=2))
    else:
        for finding in report.findings:
            place, _, rest = str(finding).partition(": ")
            terminal.show([(Span(f"{place}: ", BOLD), Span(rest))])
        for note in report.notes:
            terminal.remark(f"{note}")
        terminal.show([(Span(*_summary(len(report.findings), report.objects)),)])
    if report.findings:
        raise typer.Exit(1)


def _summary(errors: int, objects: int) -> tuple[str, str]:
    if errors:
        return f"✖ {count(errors, 'error')} in {count(objects, 'object')}", BAD
    if not objects:
        return "no Rollout, AnalysisTemplate, AnalysisRun, Experiment or GitSync found, nothing checked", ""
    return f"✔ {count(objects, 'object')} checked, no errors", GOOD
