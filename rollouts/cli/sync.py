"""`rollouts sync`: apply what is in Git, and go on applying each new commit."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from rollouts.cli.errors import CliError


def sync(
    repo: Annotated[str, typer.Option(help="URL of the Git repository.")],
    branch: Annotated[str, typer.Option(help="Branch, tag or commit; HEAD: the repository's main branch.")] = "HEAD",
    path: Annotated[str, typer.Option(help="Folder in the repository.")] = ".",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="For objects that name none, and the record.")] = (
        "default"
    ),
    name: Annotated[str, typer.Option(help="Of this sync, in the cluster.")] = "main",
    interval: Annotated[str, typer.Option(help="Between looks at the branch, plus up to half of it.")] = "2m",
    once: Annotated[bool, typer.Option("--once", help="One pass; the exit code says how it went.")] = False,
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Delete what Git has no more.")] = True,
    confirm_prune: Annotated[
        bool,
        typer.Option("--confirm-prune", help="With --once: delete also what asks for it, and however many there are."),
    ] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="A commit without objects may delete all of them.")
    ] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over objects that another tool manages.")] = False,
    sync_budget: Annotated[
        list[str] | None,
        typer.Option(help="NAME=NUMBER, what a repository or a render may take (docs/gitops.md); may be repeated."),
    ] = None,
    allow_local: Annotated[bool, typer.Option("--allow-local", help="Permit file:// and plain paths.")] = False,
    kubeconfig: Annotated[str | None, typer.Option(help="Path of a kubeconfig.")] = None,
    kube_context: Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")] = None,
) -> None:
    """Apply what is in Git, and go on applying each new commit until told to stop."""
    from analysis.spec.durations import parse_duration
    from rollouts.gitops import url
    from rollouts.gitops.budgets import Budgets
    from rollouts.gitops.errors import SourceError
    from rollouts.gitops.plan import Policy
    from rollouts.gitops.source import Source
    from rollouts.gitops.sync import Settings

    try:
        every = parse_duration(interval)
        url.parse(repo, allow_local=allow_local)
        budgets = Budgets.parse(sync_budget or ())
        _check(once=once, confirm_prune=confirm_prune)
    except (ValueError, SourceError) as error:
        raise CliError(str(error), code=2) from error
    settings = Settings(
        name=name,
        namespace=namespace,
        source=Source(url=repo, revision=branch, path=path, allow_local=allow_local),
        policy=Policy(sync=name, prune=prune, confirm=confirm_prune, allow_empty=allow_empty),
        interval=every,
        adopt=adopt,
        budgets=budgets,
    )
    ok = asyncio.run(_run(settings, once=once, kubeconfig=kubeconfig, context=kube_context))
    raise typer.Exit(0 if ok else 1)


def _check(*, once: bool, confirm_prune: bool) -> None:
    """A confirmation is of what a person has seen, not of whatever comes."""
    if confirm_prune and not once:
        raise ValueError("--confirm-prune would confirm the deletions of every commit to come: give it with --once")


async def _run(settings: object, *, once: bool, kubeconfig: str | None, context: str | None) -> bool:
    from rollouts.cli.controller import connected
    from rollouts.gitops.report import Report, Result
    from rollouts.gitops.sync import Settings, Syncer

    assert isinstance(settings, Settings)

    def tell(report: Report) -> None:
        for line in report.lines():
            typer.echo(line)

    with tempfile.TemporaryDirectory(prefix="rollouts-sync-") as folder:
        async with connected(kubeconfig, context) as api:
            syncer = Syncer(api=api, settings=settings, directory=Path(folder))
            if once:
                report = await syncer.once()
                tell(report)
                return report.result is not Result.FAILED
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            async for report in syncer.run(stop):
                tell(report)
    return True
