"""`analysis run`: try a template now, from this machine; nothing is written to the cluster.

The exit code is the verdict: 0 Successful, 1 Failed or Error, 2 Inconclusive, 130 interrupted before there was one.

Ctrl-C ends the run as `terminate` would: measurements that go on elsewhere (a Kayenta analysis, a plugin's) are told to
end, and what was measured decides. A run that was to take ten measurements has not passed after three good ones, so
that is 130; one without an end of its own has passed if it was good until then. A second Ctrl-C waits for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from analysis.assess import result_of
from analysis.measure import judge
from analysis.rules import known_values, limits_of
from analysis.spec import Metric, RunSpec, RunStatus
from rollouts.cli.measurements import news, run_view
from rollouts.cli.runspecs import Arguments, Catalog, Choice, File, FromRollout, Global, Template, choose
from rollouts.cli.session import terminal_of
from rollouts.cli.terminal import Screen, Terminal
from rollouts.cli.trying import context_of, once, secrets_of, spec_of

EXIT_CODES = {"Successful": 0, "Failed": 1, "Error": 1, "Inconclusive": 2}
INTERRUPTED = 130


class Format(StrEnum):
    """What -o takes."""

    text = "text"
    json = "json"


Address = Annotated[
    str,
    typer.Option("--prometheus", help="URL of Prometheus, instead of the template's (behind a port-forward, say)."),
]


def run(
    ctx: typer.Context,
    name: Template = "",
    file: File = "",
    everywhere: Global = False,
    catalog: Catalog = False,
    argument: Arguments = None,
    rollout: FromRollout = "",
    prometheus: Address = "",
    single: Annotated[bool, typer.Option("--once", help="Measure each metric once, now.")] = False,
    output: Annotated[Format, typer.Option("--output", "-o", help="json prints the status in the end.")] = Format.text,
) -> None:
    """Run an analysis now, on this machine; the exit code is its verdict (0 Successful, 1 Failed or Error,
    2 Inconclusive)."""
    choice = Choice(
        ctx=ctx, name=name, file=file, everywhere=everywhere, catalog=catalog, arguments=argument or (), rollout=rollout
    )
    chosen = choose(choice)
    spec = spec_of(chosen, prometheus=prometheus)
    spec = once(spec) if single else spec
    follower = Follower(name=chosen.name, spec=spec, terminal=terminal_of(ctx), quiet=output is Format.json)
    status = follower.follow(choice)
    if output is Format.json:
        follower.terminal.say(json.dumps(status.to_api(), indent=2))
    if follower.interrupted:
        _leave(follower.exit_code)
    raise typer.Exit(follower.exit_code)


def _leave(code: int) -> NoReturn:
    """End the process now: Python would wait for a thread whose question nobody answers."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Follower:
    """Carries a run through, and shows it: redrawn on a terminal, a line for each measurement elsewhere."""

    def __init__(self, *, name: str, spec: RunSpec, terminal: Terminal, quiet: bool = False) -> None:
        self.name = name
        self.spec = spec
        self.terminal = terminal
        self.status = RunStatus()
        self.interrupted = False
        self._quiet = quiet
        self._screen: Screen | None = None

    def follow(self, choice: Choice) -> RunStatus:
        """The status in the end. Ctrl-C ends the run: what was measured so far decides."""
        if self.terminal.is_terminal and not self._quiet:
            with self.terminal.live() as self._screen:
                self._carry_through(choice)
                self._show(self.status)
        else:
            self._carry_through(choice)
            if not self._quiet:
                self.terminal.show([(), *run_view(self.name, self.spec, self.status)])
        return self.status

    @property
    def exit_code(self) -> int:
        """The verdict as an exit code."""
        if self.interrupted and self.status.phase == "Successful" and not self._passed():
            return INTERRUPTED
        return EXIT_CODES.get(self.status.phase or "", INTERRUPTED)

    def _passed(self) -> bool:
        """Whether each metric has got as far as it was to get: to its count, or anywhere without one."""
        return all(map(self._is_done, self.spec.metrics))

    def _is_done(self, metric: Metric) -> bool:
        result = result_of(self.status, metric.name)
        limits = limits_of(metric, known_values(self.spec))
        taken = 0 if result is None else result.count or 0
        early = result is not None and limits.successes and (result.consecutive_success or 0) >= limits.successes
        return bool(early) or taken >= (limits.count or 1)

    def _carry_through(self, choice: Choice) -> None:
        try:
            self._judge(choice, self.spec)
        except KeyboardInterrupt:
            self.interrupted = True
            with contextlib.suppress(KeyboardInterrupt):
                self._judge(choice, self.spec.model_copy(update={"terminate": True}))

    def _judge(self, choice: Choice, spec: RunSpec) -> None:
        carried = judge(
            spec,
            read_secret=secrets_of(choice),
            run=context_of(choice, self.name),
            on_change=self._changed,
            status=self.status,
        )
        asyncio.run(carried)

    def _changed(self, status: RunStatus) -> None:
        before, self.status = self.status, status
        if not self._quiet:
            self._show(before)

    def _show(self, before: RunStatus) -> None:
        if self._screen is not None:
            self._screen.draw(run_view(self.name, self.spec, self.status))
        elif lines := list(news(before, self.status)):
            self.terminal.show(lines)
