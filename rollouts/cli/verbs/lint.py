"""`lint -f FILE`: all that is wrong with manifests, before a cluster sees them."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from rollouts.cli.session import terminal_of
from rollouts.cli.text import BAD, BOLD, GOOD, Span, count

if TYPE_CHECKING:  # imported where it is used, so that --help is quick
    from rollouts.cli.linting import Report


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
        terminal.show([(Span(*_summary(report)),)])
    if report.findings:
        raise typer.Exit(1)


def _summary(report: Report) -> tuple[str, str]:
    objects = count(report.objects, "object")
    if report.findings:
        lost = count(report.unreadable, "unreadable document")
        where = [text for number, text in ((report.objects, objects), (report.unreadable, lost)) if number]
        return f"✖ {count(len(report.findings), 'error')} in {' and '.join(where)}", BAD
    if not report.objects:
        return "no Rollout, AnalysisTemplate, AnalysisRun, Experiment or GitSync found, nothing checked", ""
    return f"✔ {objects} checked, no errors", GOOD
