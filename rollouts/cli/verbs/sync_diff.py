"""`sync diff NAME`: for each object, what is live and what Git wants, by a dry run with your own rights.

Nothing is written. Values of Secrets are never shown, only that they differ.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollouts.api.kinds import GIT_SYNC
from rollouts.cli.errors import CliError
from rollouts.cli.session import Session
from rollouts.cli.syncs import connection, sync_names
from rollouts.cli.text import BAD, BOLD, BUSY, FAINT, GOOD, PLAIN, WARN, Line, Span

if TYPE_CHECKING:
    from rollouts.gitops.compare import Comparison

_STYLES = {"+": GOOD, "-": BAD, "@": BUSY}


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GITSYNC", autocompletion=sync_names)],
    revision: Annotated[str, typer.Option(help="Another commit, branch or tag.")] = "",
    adopt: Annotated[bool, typer.Option("--adopt", help="As if objects of other tools were taken over.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 when there are differences.")] = False,
    allow_local: Annotated[bool, typer.Option("--allow-local", help="Permit file:// repositories.")] = False,
) -> None:
    """Show what a sync would change now, object by object. The repository is fetched with the GitSync's Secret."""
    session = Session.of(ctx)
    sync = {**session.find(GIT_SYNC, name), "apiVersion": GIT_SYNC.api_version, "kind": GIT_SYNC.kind}
    found = asyncio.run(_compared(sync, revision, *connection(ctx), allow_local=allow_local, adopt=adopt))
    lines = list(_lines(found))
    session.terminal.show(lines or [(Span(f"{found.commit[:8]} {found.subject}: no differences", FAINT),)])
    if lines and exit_code:
        raise typer.Exit(1)


async def _compared(
    sync: dict[str, Any],
    revision: str,
    kubeconfig: str | None,
    context: str | None,
    *,
    allow_local: bool,
    adopt: bool,
) -> Comparison:
    from rollouts.engine.client import connect
    from rollouts.engine.errors import ApiError
    from rollouts.gitops.errors import SyncError
    from rollouts.gitops.gitsync.desk import Means
    from rollouts.gitops.gitsync.sharing import Sharing
    from rollouts.gitops.gitsync.work import preview

    with tempfile.TemporaryDirectory(prefix="rollouts-diff-") as folder:
        async with connect(kubeconfig=kubeconfig, context=context) as api:
            try:
                sharing = Sharing(Path(folder))
                means = Means(api=api, directory=Path(folder), sharing=sharing, allow_local=allow_local)
                return await preview(sync, means, revision=revision, adopt=adopt)
            except (SyncError, ApiError) as error:
                raise CliError(str(error)) from error


def _lines(found: Comparison) -> Iterator[Line]:
    from rollouts.gitops import mask

    for item in (item for stage in found.plan.stages for item in stage):
        yield (Span(f"=== {item.manifest.ref.label}  {item.action.value}  {item.manifest.place}", BOLD),)
        for line in mask.diff(item.before, item.after or item.manifest.body):
            yield (Span(line, _STYLES.get(line[:1], PLAIN)),)
    for row in found.plan.prunes:
        yield (Span(f"=== {row.ref.label}  pruned", BOLD), Span("  Git has it no more", BAD))
    for kept in found.plan.kept:
        yield (Span(f"=== {kept.ref.label}  kept", BOLD), Span(f"  {kept.reason}", WARN))
