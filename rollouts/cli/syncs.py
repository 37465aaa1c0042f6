"""What the verbs of `kubectl rollouts sync` share: commands to a GitSync, waiting for them, and how it is shown."""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping
from typing import Any

import typer

from rollouts.api.kinds import GIT_SYNC
from rollouts.cli.errors import ApiError, CliError, explain
from rollouts.cli.options import flags_of
from rollouts.cli.session import Session, bare
from rollouts.cli.text import BAD, BUSY, FAINT, GOOD, HELD, PLAIN, WARN, Span

JSON = Mapping[str, Any]
POLL_SECONDS = 0.3
SUSPENDED_BY = "gitops.rollouts.dev/suspended-by"

_STYLES = {
    "Synced": GOOD,
    "Healthy": GOOD,
    "Succeeded": GOOD,
    "OutOfSync": WARN,
    "Progressing": BUSY,
    "Running": BUSY,
    "Suspended": HELD,
    "Missing": WARN,
    "Degraded": BAD,
    "Failed": BAD,
    "Error": BAD,
    "True": GOOD,
    "False": BAD,
}


def word(text: str | None) -> Span:
    """A state in its colour; a dash for none."""
    return Span(text, _STYLES.get(text, PLAIN)) if text else Span("-", FAINT)


def status(sync: JSON) -> JSON:
    """Its status, empty when there is none."""
    return sync.get("status") or {}


UNSEEN = "nobody has looked at it yet: does a controller run?"


def waiting(sync: JSON) -> str:
    """What it waits for, or why it does nothing by itself; empty when neither."""
    state = status(sync)
    hold = state.get("hold") or {}
    if (sync.get("metadata") or {}).get("deletionTimestamp"):
        return "its objects to be deleted, see `sync get`"
    if sync["spec"].get("suspend"):
        return "suspended"
    if not state:
        return UNSEEN
    if text := (state.get("plan") or {}).get("waitingFor"):
        return str(text)
    if hold:
        return f"{str(hold.get('revision'))[:8]} is held ({hold.get('reason')})"
    if stalled := _stalled(state):
        return f"a person: {stalled}"
    reason = ready(sync)[1]
    return f"{reason}, see `sync get`" if reason.endswith("Failed") else ""


def _stalled(state: JSON) -> str:
    """Why it can't go on before somebody changes something; empty when it can."""
    rows = (row for row in state.get("conditions") or () if row.get("type") == "Stalled")
    return next((str(row.get("reason") or "Stalled") for row in rows if row.get("status") == "True"), "")


def ready(sync: JSON) -> tuple[str, str, str]:
    """Status, reason and message of the condition Ready; empty texts when there is none."""
    rows = [row for row in status(sync).get("conditions") or () if row.get("type") == "Ready"]
    first: JSON = rows[0] if rows else {}
    return str(first.get("status") or ""), str(first.get("reason") or ""), str(first.get("message") or "")


def last_state(sync: JSON) -> JSON:
    """State of the last operation, empty when there was none."""
    return status(sync).get("operationState") or {}


def command(session: Session, name: str, operation: Mapping[str, Any]) -> None:
    """Give a GitSync a command. Who asks is a claim for the records, no proof."""
    body = {"operation": {**operation, "initiatedBy": {"username": getpass.getuser()}}}
    change(session, name, body)


def change(session: Session, name: str, body: Mapping[str, Any]) -> None:
    """A merge patch of a GitSync."""
    try:
        session.client.patch(GIT_SYNC.path(session.namespace, bare(name)), body)
    except ApiError as error:
        raise session.missing(GIT_SYNC, name, error) from None


def carried_out(session: Session, name: str, operation: Mapping[str, Any], *, seconds: float) -> JSON:
    """Give a command to sync and wait for its end; the operation's state. CliError when it takes too long."""
    before = last_state(session.find(GIT_SYNC, name))
    command(session, name, operation)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = session.find(GIT_SYNC, name)
        state = last_state(found)
        if "operation" not in found and state.get("phase") not in (None, "Running") and state != before:
            return state
        time.sleep(POLL_SECONDS)
    raise CliError(
        f"gitsync '{name}' has not finished within {seconds:g} s",
        hint="It goes on; look with `sync get`. If it never begins: does a controller run?",
    )


def told(session: Session, name: str, state: JSON) -> None:
    """Say how an operation ended; a failed one is an error."""
    commit = str(state.get("revision") or "")[:8]
    told_of = f"gitsync '{name}'" + (f" {commit}" if commit else "")
    if state.get("phase") == "Succeeded":
        session.terminal.say(f"{told_of}: {state.get('message')}")
        return
    raise CliError(f"{told_of}: {state.get('message')}")


def sync_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names to complete; nothing when the cluster can't be asked."""
    try:
        session = Session.of(ctx)
        found = session.client.list(GIT_SYNC, session.namespace)
    except (CliError, ApiError):
        return []
    names = [str(item["metadata"]["name"]) for item in found.get("items") or ()]
    return [name for name in names if name.startswith(incomplete)]


def connection(ctx: typer.Context) -> tuple[str | None, str | None]:
    """Kubeconfig and context for the sync's own client. CliError for flags that it does not know."""
    flags = flags_of(ctx)
    if flags.as_user or flags.token or flags.server:
        raise CliError("diff takes --kubeconfig and --context, but not --as, --token and --server", code=2)
    return flags.kubeconfig or None, flags.context or None


def all_syncs(session: Session, namespace: str | None) -> list[JSON]:
    """All GitSyncs, by namespace and name."""
    try:
        found = session.client.list(GIT_SYNC, namespace).get("items") or ()
    except ApiError as error:
        if error.status == 404:
            raise CliError("the cluster has no GitSyncs", hint="kubectl apply --server-side -f crds/") from None
        raise explain(error) from None
    return sorted(found, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))
