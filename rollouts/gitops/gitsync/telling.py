"""What a forge is to be told about a GitSync: compared with what it was told, and remembered. Pure.

    status, Rollouts ─► notes(), releases() ─► due(told before) ─► Bundle ─► posting ─► Told ─► absorbed(): status.forge

One status for each commit: the one that is applied, the one that is held back, the one that failed. What was told is in
`status.forge`, so nothing is told twice, whoever acts. A commit that another one overtook doesn't stay pending: it is
told to be superseded. After a success, pods that come and go are no news; a new release or a failure is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rollouts.api.gitsync import GitSync
from rollouts.gitops.forges.values import Deployment, Note, Proposal, State, Told, shortened
from rollouts.gitops.gitsync import deployments, proposals, reading
from rollouts.gitops.gitsync.deployments import LONGEST, Release
from rollouts.gitops.gitsync.words import Words, repeats
from rollouts.gitops.objects import JSON

KEPT = 10
"""Commits and environments that are remembered; the oldest are forgotten first."""
_FAILED = ("Failed", "Error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What is to be told now, oldest first. `before`: what was told of a commit last, by revision; `deployed`: of a
    deployment, by id."""

    notes: tuple[Note, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    before: Mapping[str, State] = field(default_factory=dict)
    deployed: Mapping[str, State] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing."""
        return not (self.notes or self.deployments or self.proposals)


def due(sync: GitSync, status: JSON, releases: Iterable[Release]) -> Bundle:
    """What the forge does not know yet."""
    if sync.spec.forge is None:
        return Bundle()
    known, rows = _known(sync, status), list(releases)
    told = {row["revision"]: row for row in known.get("told") or ()}
    notes = [note for note in _notes(sync, status, told, rows) if _is_news(note, told, _updating(rows))]
    news = tuple(deployments.news(sync, status, known, rows)) if sync.spec.forge.deployments else ()
    return Bundle(
        notes=tuple(notes),
        deployments=news,
        proposals=tuple(proposals.news(sync, status, known)),
        before={revision: State(row["state"]) for revision, row in told.items()},
        deployed={row["id"]: State(row["state"]) for row in known.get("deployments") or ()},
    )


def _known(sync: GitSync, status: JSON) -> JSON:
    """What was told under this name; under another one it counts for nothing."""
    found: JSON = status.get("forge") or {}
    return found if found.get("context") in (None, context(sync)) else {}


def absorbed(sync: GitSync, status: JSON, told: Told) -> dict[str, Any] | None:
    """`status.forge` after these were told; None: there is nothing to remember."""
    before = _known(sync, status)
    rows = {row["revision"]: dict(row) for row in before.get("told") or ()}
    for note in told.notes:
        rows.pop(note.revision, None)
        rows[note.revision] = {"revision": note.revision, "state": note.state.value, "text": note.text}
    places = {row["environment"]: dict(row) for row in before.get("deployments") or ()}
    for one in told.deployments:
        places.pop(one.environment, None)
        places[one.environment] = deployments.row_of(one)
    opened = {row["branch"]: dict(row) for row in before.get("proposals") or ()}
    for request in told.proposals:
        opened.pop(request.branch, None)
        opened[request.branch] = {"branch": request.branch, "revision": request.revision, "url": request.url}
    state: dict[str, Any] = {
        "context": context(sync),
        "told": list(rows.values())[-KEPT:],
        "deployments": list(places.values())[-5 * KEPT :],
        "proposals": list(opened.values())[-KEPT:],
        "message": told.error,
    }
    return {key: value for key, value in state.items() if value} or None


def context(sync: GitSync) -> str:
    """The name of the status."""
    chosen = sync.spec.forge.context if sync.spec.forge else None
    return chosen or f"rollouts/{sync.metadata.namespace}/{sync.metadata.name}"


def _notes(sync: GitSync, status: JSON, told: Mapping[str, JSON], releases: list[Release]) -> Iterator[Note]:
    """One for each commit there is something to say about, those that are over first."""
    current = reading.compared_revision(status)
    found: dict[str, Words | None] = {
        revision: _superseded(f"superseded by {reading.short(current)}")
        for revision, row in told.items()
        if row["state"] == State.PENDING and revision != current
    }
    found[current] = _current(status, releases)
    found.update(_held(status, told, releases))
    found.update(_failed(status, current))
    for revision, said in found.items():
        if revision and said is not None:
            text = shortened(said.text, LONGEST)
            yield Note(context=context(sync), revision=revision, state=said.state, text=text)


def _superseded(text: str) -> Words:
    return Words(state=State.SUPERSEDED, text=text)


def _held(status: JSON, told: Mapping[str, JSON], releases: list[Release]) -> dict[str, Words | None]:
    """The commit that is held back, and why. While it is still the applied one, its Rollouts say more."""
    hold: JSON = status.get("hold") or {}
    compared: JSON = status.get("sync") or {}
    revision = str(hold.get("revision") or "")
    last: JSON = told.get(revision) or {}
    if not revision:
        return {}
    if revision == compared.get("revision") and hold.get("reason") == "RolloutAborted":
        # also when something else is out of sync: it isn't set back while the commit is held
        return {revision: _current({**status, "sync": {**compared, "status": "Synced"}}, releases)}
    if last.get("state") == State.FAILURE:
        return {revision: Words(state=State.FAILURE, text=str(last["text"]))}
    return {revision: Words(state=State.FAILURE, text=_why_held(status, hold))}


def _why_held(status: JSON, hold: JSON) -> str:
    rows = [row for row in status.get("rejected") or () if row.get("revision") == hold["revision"]]
    if hold.get("reason") == "RolloutAborted" and rows:
        return f"{str(rows[-1].get('rollout')).rpartition('/')[2]}: {rows[-1].get('reason')}"
    by = f" by {hold['by']}" if hold.get("by") else ""
    return f"rolled back{by}" if hold.get("reason") == "Rollback" else f"held back{by}"


def _failed(status: JSON, current: str) -> dict[str, Words]:
    """The commit whose sync went wrong, in its first line. Nothing when it waits, or is as Git says by now."""
    state: JSON = status.get("operationState") or {}
    revision, message = str(state.get("revision") or ""), str(state.get("message") or "").strip()
    over = revision == current and (
        (status.get("sync") or {}).get("status") == "Synced" or (status.get("plan") or {}).get("waitingFor")
    )
    if state.get("phase") not in _FAILED or over:
        return {}
    if message.startswith("superseded by"):
        return {revision: _superseded(message)}
    first = message.splitlines()[0] if message else "no message"
    return {revision: Words(state=State.FAILURE, text=f"sync failed: {first}")}


def _current(status: JSON, releases: list[Release]) -> Words | None:
    """How the commit is that the cluster was compared with last."""
    compared: JSON = status.get("sync") or {}
    if compared.get("status") == "OutOfSync":
        return Words(state=State.PENDING, text=str((status.get("plan") or {}).get("waitingFor") or "to be applied"))
    if compared.get("status") != "Synced" or any(release.words is None for release in releases):
        return None
    return _of_releases([release.words for release in releases if release.words]) or _of_health(status)


_URGENCY = (State.FAILURE, State.PENDING)


def _of_releases(found: list[Words]) -> Words | None:
    """The worst of the Rollouts, how many others are like it; None when all are released."""
    for state in _URGENCY:
        rows = sorted((row for row in found if row.state is state), key=lambda row: (not row.updating, row.text))
        if rows:
            more = f" (and {len(rows) - 1} more)" if rows[1:] else ""
            return replace(rows[0], text=rows[0].text + more)
    return None


_OF_HEALTH = {"Healthy": State.SUCCESS, "Degraded": State.FAILURE}


def _of_health(status: JSON) -> Words:
    """How everything else is. Of a message only the object is told: the rest counts pods."""
    found: JSON = status.get("health") or {}
    state = _OF_HEALTH.get(str(found.get("status") or "Healthy"), State.PENDING)
    message = str(found.get("message") or "")
    if state is State.SUCCESS:
        return Words(state=state, text="applied, everything is healthy")
    return Words(state=state, text=message if state is State.FAILURE else f"waits for {message.partition(':')[0]}")


def _updating(releases: list[Release]) -> bool:
    return any(release.words and release.words.updating for release in releases)


def _is_news(note: Note, told: Mapping[str, JSON], updating: bool) -> bool:
    last: JSON = told.get(note.revision) or {}
    if last.get("state") == note.state and repeats(last["text"], note.text):
        return False
    return not (last.get("state") == State.SUCCESS and note.state is State.PENDING and not updating)
