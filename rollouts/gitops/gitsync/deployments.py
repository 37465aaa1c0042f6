"""Which deployments of Rollouts a forge does not know yet. Pure.

One environment for each Rollout, one deployment for each set of pods it releases: a commit that leaves the pods alone
is no deployment, and one that brings other pods ends the deployment before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rollouts.api.gitsync import GitSync
from rollouts.gitops.forges.values import Deployment, State, shortened
from rollouts.gitops.gitsync import reading
from rollouts.gitops.gitsync.words import Words, repeats
from rollouts.gitops.objects import JSON

LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A Rollout of the sync. `words` None: its controller has not seen its spec yet."""

    name: str
    digest: str
    words: Words | None


def news(sync: GitSync, status: JSON, known: JSON, releases: list[Release]) -> Iterator[Deployment]:
    """What is new about each Rollout. Other pods are another deployment: the one before it ends."""
    compared: JSON = status.get("sync") or {}
    rows = {row["environment"]: row for row in known.get("deployments") or ()}
    for release in releases:
        row = rows.get(release.name)
        if release.words is None or compared.get("status") != "Synced":
            continue
        same = row is not None and row["digest"] == release.digest
        if row is not None and not same and row["state"] == State.PENDING:
            yield _deployment(row, state=State.SUPERSEDED, text=f"superseded by {reading.short(compared['revision'])}")
        fresh = {"environment": release.name, "revision": compared["revision"], "digest": release.digest, "id": ""}
        wanted = _deployment(
            row if same and row else fresh, state=release.words.state, text=shortened(release.words.text, LONGEST)
        )
        wanted = replace(wanted, ref=_branch(sync))
        if not same or _is_news(row or {}, wanted, release.words):
            yield wanted


def _deployment(row: JSON, *, state: State, text: str) -> Deployment:
    return Deployment(
        environment=row["environment"],
        revision=row["revision"],
        digest=row["digest"],
        id=row["id"],
        state=state,
        text=text,
    )


def _is_news(row: JSON, wanted: Deployment, said: Words) -> bool:
    if row["state"] == wanted.state and repeats(row["text"], wanted.text):
        return False
    return not (row["state"] == State.SUCCESS and wanted.state is State.PENDING and not said.updating)


def _branch(sync: GitSync) -> str:
    return (sync.spec.source.target_revision or "HEAD").removeprefix("refs/heads/")


def row_of(one: Deployment) -> dict[str, str]:
    """How it is remembered."""
    return {
        "environment": one.environment,
        "revision": one.revision,
        "digest": one.digest,
        "id": one.id,
        "state": one.state.value,
        "text": one.text,
    }
