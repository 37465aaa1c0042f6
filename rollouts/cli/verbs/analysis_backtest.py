"""`analysis backtest`: replay a template over the past of a real Prometheus, to see what it would have said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from analysis.providers.prometheus import PrometheusProvider
from analysis.spec import RunSpec
from rollouts.cli.backtest.outcomes import Outcome, outcomes
from rollouts.cli.backtest.page import page
from rollouts.cli.backtest.plot import plot
from rollouts.cli.backtest.replay import Track, replay
from rollouts.cli.backtest.turns import in_turn, remembers
from rollouts.cli.errors import CliError
from rollouts.cli.options import duration
from rollouts.cli.runspecs import Arguments, Catalog, Choice, File, FromRollout, Global, Template, choose
from rollouts.cli.session import terminal_of
from rollouts.cli.trying import context_of, secrets_of, spec_of
from rollouts.cli.verbs.analysis_run import Address


class Format(StrEnum):
    """What -o takes."""

    text = "text"
    html = "html"
    json = "json"


def run(
    ctx: typer.Context,
    name: Template = "",
    file: File = "",
    everywhere: Global = False,
    catalog: Catalog = False,
    argument: Arguments = None,
    rollout: FromRollout = "",
    prometheus: Address = "",
    since: Annotated[
        str, typer.Option("--since", help="From when: 6h ago, or a time like 2026-01-02T15:04:05Z.")
    ] = "1h",
    until: Annotated[str, typer.Option("--until", help="To when, likewise; now by default.")] = "0",
    every: Annotated[str, typer.Option("--every", help="Measure this often, instead of at each interval.")] = "",
    output: Annotated[Format, typer.Option("--output", "-o", help="html for a page, json for programs.")] = Format.text,
) -> None:
    """Replay an analysis over a past range: every measurement, and what runs begun then would have come to."""
    now = datetime.now(UTC)
    begin, end = moment(since, option="--since", now=now), moment(until, option="--until", now=now)
    if begin >= end:
        raise CliError(f"--since ({begin:%Y-%m-%d %H:%M:%SZ}) is not before --until ({end:%Y-%m-%d %H:%M:%SZ})")
    choice = Choice(
        ctx=ctx, name=name, file=file, everywhere=everywhere, catalog=catalog, arguments=argument or (), rollout=rollout
    )
    chosen = choose(choice)
    spec = spec_of(chosen, prometheus=prometheus)
    step = duration(every, option="--every") if every else None
    if step is not None and step <= 0:
        raise CliError(
            "--every must be longer than 0", hint="Leave it out to measure at each metric's interval.", code=2
        )
    tracks, found = asyncio.run(_replayed(choice, chosen.name, spec, begin=begin, end=end, every=step))
    terminal = terminal_of(ctx)
    if output is Format.text:
        terminal.show(plot(tracks, found))
    else:
        terminal.say(page(chosen.name, tracks, found) if output is Format.html else as_json(tracks, found))


def moment(text: str, *, option: str, now: datetime) -> datetime:
    """A time as it was typed: so long ago, or RFC 3339. Raises CliError."""
    if "T" in text:
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise CliError(
                f"{option}: {error}", hint="Write it like 2026-01-02T15:04:05Z, or 6h for so long ago."
            ) from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return now - timedelta(seconds=duration(text, option=option))


async def _replayed(
    choice: Choice, name: str, spec: RunSpec, *, begin: datetime, end: datetime, every: float | None
) -> tuple[tuple[Track, ...], tuple[Outcome, ...]]:
    provider = PrometheusProvider(at_moment=True)
    asked = partial(
        in_turn if remembers(spec) else _each,
        spec,
        begin=begin,
        end=end,
        every=every,
        provider=provider,
        read_secret=secrets_of(choice),
        run=context_of(choice, name),
    )
    try:
        return await asked()
    finally:
        await provider.close()


async def _each(spec: RunSpec, *, end: datetime, **options: Any) -> tuple[tuple[Track, ...], tuple[Outcome, ...]]:
    tracks = await replay(spec, end=end, **options)
    return tracks, outcomes(spec, tracks, end=end)


def as_json(tracks: Sequence[Track], found: Sequence[Outcome]) -> str:
    """Measurements as in the status of a run, and outcomes."""
    metrics = [
        {
            "name": track.metric,
            "intervalSeconds": track.interval,
            "measurements": [item.to_api() for item in track.measurements],
        }
        for track in tracks
    ]
    runs = [
        {
            "begun": outcome.begun.isoformat(),
            "ended": outcome.ended.isoformat(),
            "phase": outcome.phase,
            "message": outcome.message,
        }
        for outcome in found
    ]
    return json.dumps({"metrics": metrics, "runs": runs}, indent=2)
