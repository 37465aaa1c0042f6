"""A look at the images of a GitSync, and how it is told: the shell around `rollouts.gitops.images`.

The state in `status.imageUpdate` says per image what its policy yields or why not, what is held back, and the last
commit; `memory` is what the next look must know. It names no time of a look, so a look that finds nothing new writes
nothing. Secrets are read when a look needs them and forgotten after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from analysis.spec.base import write_time
from rollouts.api.gitsync import GitSync
from rollouts.api.gitsync_images import ImageUpdate
from rollouts.gitops.errors import SyncError, redact
from rollouts.gitops.gitsync.values import Finding
from rollouts.gitops.images.credentials import Login, logins
from rollouts.gitops.images.plan import Held, Memory
from rollouts.gitops.images.signing import SigningKey
from rollouts.gitops.images.update import Outcome, Work, update
from rollouts.gitops.objects import JSON
from rollouts.gitops.source import Repository

INTERVAL = 300.0
SHOWN = 50

Secrets = Callable[[str, str], Awaitable[Mapping[str, bytes]]]
"""Name and field of the spec: the Secret's data. SyncError when it can't be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What came of a look: the new state, and whether a commit was made on the followed branch."""

    state: JSON
    pushed: bool = False


async def look(
    sync: GitSync, status: JSON, *, repository: Repository, secrets: Secrets, insecure: frozenset[str], now: datetime
) -> Looked:
    """Look once. Never raises a SyncError: what went wrong is in the state."""
    spec = sync.spec.image_update
    before: JSON = status.get("imageUpdate") or {}
    if spec is None:
        return Looked(state={})
    try:
        work = await _work(sync, spec, status, repository=repository, secrets=secrets)
        async with aiohttp.ClientSession(trust_env=True) as session:
            outcome = await update(work, session=session, now=now, insecure=insecure)
    except SyncError as error:
        return Looked(state={**_lasting(before), "message": redact(str(error))})
    own = outcome.branch and spec.git.push is None and not (spec.pull_request and spec.pull_request.enabled)
    return Looked(state=_state(spec, before, outcome, now), pushed=bool(own))


async def _work(sync: GitSync, spec: ImageUpdate, status: JSON, *, repository: Repository, secrets: Secrets) -> Work:
    return Work(
        namespace=str(sync.metadata.namespace),
        name=str(sync.metadata.name),
        spec=spec,
        repository=repository,
        path=sync.spec.source.path or ".",
        memory=Memory.from_json((status.get("imageUpdate") or {}).get("memory")),
        logins=await _logins(spec, secrets),
        rejected=rejected_images(status.get("rejected") or ()),
        key=await _key(spec, secrets),
    )


def rejected_images(rows: Iterable[JSON]) -> frozenset[str]:
    """The images that Rollouts gave up."""
    return frozenset(str(row["image"]) for row in rows if row.get("image"))


async def _logins(spec: ImageUpdate, secrets: Secrets) -> dict[str, dict[str, Login]]:
    return {
        item.name: logins(await secrets(item.secret_ref.name, f"spec.imageUpdate.images[{item.name}].secretRef"))
        for item in spec.images
        if item.secret_ref is not None
    }


async def _key(spec: ImageUpdate, secrets: Secrets) -> SigningKey | None:
    wanted = spec.git.commit.signing_key
    if wanted is None:
        return None
    data = await secrets(wanted.secret_ref.name, "spec.imageUpdate.git.commit.signingKey.secretRef")
    return SigningKey.of(wanted.type or "gpg", data)


def _state(spec: ImageUpdate, before: JSON, outcome: Outcome, now: datetime) -> dict[str, Any]:
    state = {
        "images": [_image(item.name, outcome) for item in spec.images[:SHOWN]],
        "held": [_held(item) for item in outcome.held[:SHOWN]],
        "memory": outcome.memory.to_json(),
        "lastCommit": before.get("lastCommit"),
    }
    if outcome.commit and outcome.commit != (before.get("lastCommit") or {}).get("revision"):
        state["lastCommit"] = {
            "revision": outcome.commit,
            "branch": outcome.branch,
            "base": outcome.base,
            "at": write_time(now),
            "changes": [f"{change.old} -> {change.new}" for change in outcome.changes[:SHOWN]],
        }
    return {key: value for key, value in state.items() if value}


def _image(name: str, outcome: Outcome) -> dict[str, str]:
    error = outcome.errors.get(name)
    if error is not None:
        return {"name": name, "message": redact(str(error))[:500]}
    return (
        {"name": name, "latest": outcome.latest[name]}
        if name in outcome.latest
        else {"name": name, "message": _UNMARKED}
    )


_UNMARKED = "no value below the folder is marked with it"


def _held(item: Held) -> dict[str, str]:
    return {"image": item.policy, "file": item.file, "reason": item.reason, "message": item.message}


def absorbed(before: JSON, finding: Finding) -> dict[str, Any] | None:
    """`status.imageUpdate` after a look, or after one that never came about; None: it goes."""
    if finding.errors:
        return {**_lasting(before), "message": "; ".join(finding.errors)}
    return dict(before if finding.image_update is None else finding.image_update) or None


def _lasting(before: JSON) -> dict[str, Any]:
    return {key: before[key] for key in ("images", "held", "memory", "lastCommit") if key in before}


def trouble(state: JSON) -> str:
    """What is wrong, for a condition; empty when nothing is."""
    rows = [f"{row['name']}: {row['message']}" for row in state.get("images") or () if row.get("message")]
    return "; ".join([text for text in (state.get("message"), *rows) if text])


def summary(state: JSON) -> str:
    """What there is to tell when nothing is wrong."""
    held = [f"{row['image']} in {row['file']} is held: {row['message']}" for row in state.get("held") or ()]
    last = state.get("lastCommit") or {}
    told = f"last commit {str(last['revision'])[:8]} on {last['branch']}" if last else "nothing was to be written yet"
    return "; ".join([told, *held])
