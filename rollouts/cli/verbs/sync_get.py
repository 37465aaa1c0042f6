"""`sync get NAME`: what is in Git, what is applied, what it waits for, and each object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from rollouts.api.kinds import GIT_SYNC
from rollouts.cli.output import Format, printed
from rollouts.cli.render import Cell, table
from rollouts.cli.session import Session
from rollouts.cli.syncs import JSON, UNSEEN, last_state, ready, status, sync_names, word
from rollouts.cli.text import BAD, BOLD, FAINT, WARN, Line, Span


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GITSYNC", autocompletion=sync_names)],
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print the object instead.")] = None,
) -> None:
    """Show a GitSync: revision, health, what it waits for, what is held or contested, and its objects."""
    session = Session.of(ctx)
    found = {**session.find(GIT_SYNC, name), "kind": GIT_SYNC.kind}
    if output not in (None, Format.wide):
        session.terminal.say(printed(found, form=output, kind=GIT_SYNC))
        return
    session.terminal.show([*head(found), *notes(found), *elsewhere(found), *_objects(found)])


def head(sync: JSON) -> Iterator[Line]:
    """How it is."""
    state, source = status(sync), sync["spec"]["source"]
    holds, reason, message = ready(sync)
    yield _row("Name", Span(sync["metadata"]["name"]))
    yield _row("Namespace", Span(sync["metadata"]["namespace"]))
    yield _row("Source", Span(f"{source['repoURL']} {source.get('path') or '.'}"))
    yield _row("Revision", Span(str((state.get("summary") or {}).get("shortRevision") or "-")))
    yield _row("Sync", word((state.get("sync") or {}).get("status")))
    health = state.get("health") or {}
    yield _row("Health", word(health.get("status")), Span(f"  {health.get('message') or ''}"))
    why = f" ({reason})" if reason else ""
    yield _row("Ready", word(holds), Span(f"{why}  {message}" if state else f"  {UNSEEN}"))
    last = last_state(sync)
    if last:
        who = (last.get("operation") or {}).get("initiatedBy") or {}
        by = f"  by {who['username']}" if who.get("username") else ""
        of = f"  {str(last['revision'])[:8]}" if last.get("revision") else ""
        yield _row("Last sync", word(last.get("phase")), Span(f"{of}{by}  {last.get('message') or ''}"))
    for note in sync["spec"].get("info") or ():
        yield _row("Info", Span(f"{note['name']} {note['value']}"))


def _row(title: str, *spans: Span) -> Line:
    """What goes on in further lines stays in its column."""
    below = "\n" + " " * 17
    return (
        Span(f"{title + ':' if title else '':<16} ", BOLD),
        *(Span(span.text.replace("\n", below), span.style) for span in spans),
    )


def notes(sync: JSON) -> Iterator[Line]:
    """What a person may have to do something about."""
    state = status(sync)
    plan, hold = state.get("plan") or {}, state.get("hold") or {}
    if plan.get("waitingFor"):
        counts = ", ".join(f"{plan.get(key) or 0} to {key}" for key in ("create", "update", "prune"))
        yield _row("Waiting", Span(str(plan["waitingFor"]), WARN), Span(f"  ({counts})", FAINT))
    if hold:
        yield _row("Held", Span(f"{str(hold.get('revision'))[:8]} ({hold.get('reason')})", WARN))
        yield _row("", Span(f"until Git has something else, or: {_command(sync, 'resume')}", FAINT))
    for text in plan.get("protected") or ():
        yield _row("Kept", Span(str(text)))
    if plan.get("protected"):
        yield _row("", Span(f"delete them with: {_command(sync, 'confirm')}", FAINT))
    for row in state.get("contested") or ():
        yield _row("Contested", Span(f"{row['resource']} {row['path']}, also written by {row.get('manager')}", WARN))
    for text in state.get("remarks") or ():
        yield _row("Remark", Span(str(text), WARN))
    for row in state.get("rejected") or ():
        what = row.get("image") or str(row.get("revision"))[:8]
        yield _row("Rejected", Span(f"{what} by Rollout {row.get('rollout')}: {row.get('reason')}", BAD))


def _command(sync: JSON, verb: str) -> str:
    metadata = sync["metadata"]
    return f"kubectl rollouts sync {verb} {metadata['name']} -n {metadata['namespace']}"


def elsewhere(sync: JSON) -> Iterator[Line]:
    """What was done in the repository and at its forge, and what is to be merged there."""
    state = status(sync)
    revert, forge = state.get("revert") or {}, state.get("forge") or {}
    if revert.get("commit"):
        what = f"{revert['revision'][:8]} by {revert['commit'][:8]} on {revert['branch']}"
        yield _row("Reverted", Span(what))
    elif revert.get("message"):
        yield _row("Not reverted", Span(f"{str(revert.get('revision'))[:8]}: {revert['message']}", WARN))
    yield from _images(sync)
    for row in forge.get("proposals") or ():
        yield _row("To merge", Span(f"{row['branch']}  {row['url']}"))
    if forge.get("message"):
        yield _row("Forge", Span(str(forge["message"]), WARN))
    for row in state.get("conditions") or ():
        if row.get("type") == "WebhookReady" and row.get("status") == "False":
            yield _row("Webhook", Span(str(row.get("message")), WARN))


def _images(sync: JSON) -> Iterator[Line]:
    """What became of images that are followed: the condition puts it into words."""
    rows = status(sync).get("conditions") or ()
    for row in rows if sync["spec"].get("imageUpdate") else ():
        if row.get("type") == "ImageUpdateReady":
            bad = row.get("status") == "False"
            yield _row("Image updates", Span(str(row.get("message")), WARN if bad else ""))


def _objects(sync: JSON) -> list[Line]:
    rows = status(sync).get("resources") or ()
    if not rows:
        return []
    header: list[Cell] = [(Span(title, BOLD),) for title in ("KIND", "NAME", "SYNC", "HEALTH", "MESSAGE")]
    return [(), *table([header, *map(_cells, rows)])]


def _cells(row: JSON) -> list[Cell]:
    health = row.get("health") or {}
    where = f"{row['namespace']}/{row['name']}" if row.get("namespace") else str(row["name"])
    extra = "to be pruned; " if row.get("requiresPruning") else ""
    return [
        (Span(str(row["kind"])),),
        (Span(where),),
        (word(row.get("status")),),
        (word(health.get("status")),),
        (Span(extra + str(row.get("message") or health.get("message") or "")),),
    ]
