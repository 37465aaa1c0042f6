"""Whether a held commit is to be taken back in Git, and how that is remembered (R31). Pure but for `look`.

`status.revert` names the last rejected commit that was dealt with: `commit` and `branch` of the revert, or `message`,
why there is none (yet). A commit is dealt with once. What could not be done is tried again after each look at the
repository, for as long as the commit is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analysis.spec.base import write_time
from rollouts.api.gitsync import GitSync
from rollouts.api.gitsync_revert import Revert
from rollouts.gitops.errors import RevertError, SyncError, redact
from rollouts.gitops.gitsync import aborted, reading
from rollouts.gitops.gitsync.images import Secrets
from rollouts.gitops.gitsync.values import Facts, Finding
from rollouts.gitops.images.commit import Author, PushBeatenError
from rollouts.gitops.images.signing import SigningKey
from rollouts.gitops.objects import JSON
from rollouts.gitops.reverts import Reverted, Work, revert
from rollouts.gitops.source import Repository

REASONS = ("RolloutAborted", "Rollback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A commit to take back. `good`: the last one applied before that was not rejected, empty when there is none."""

    revision: str
    good: str
    reason: str


def wanted(sync: GitSync, status: JSON) -> Rejection | None:
    """What is to be taken back now; None: nothing."""
    spec, hold = sync.spec.revert, status.get("hold") or {}
    revision = str(hold.get("revision") or "")
    if spec is None or not revision or hold.get("reason") not in (spec.reasons or REASONS):
        return None
    state: JSON = status.get("revert") or {}
    if state.get("revision") == revision and (state.get("commit") or state.get("overtaken")):
        return None
    return Rejection(revision=revision, good=_good(status, revision), reason=_reason(status, hold))


def _good(status: JSON, revision: str) -> str:
    good = aborted.good_entries(status, revision)
    return str(good[-1]["revision"]) if good else ""


def _reason(status: JSON, hold: JSON) -> str:
    rows = [row for row in status.get("rejected") or () if row.get("revision") == hold["revision"]]
    if hold.get("reason") == "RolloutAborted" and rows:
        return f"Rollout {rows[0].get('rollout')}: {rows[0].get('reason')}"
    return f"Rolled back by {hold['by']}." if hold.get("by") else "Rolled back."


def due(sync: GitSync, status: JSON, facts: Facts) -> datetime | None:
    """When the next attempt is due; None: never."""
    if wanted(sync, status) is None:
        return None
    compared = facts.compared_at
    if compared is not None and facts.reverted_at is not None and compared > facts.reverted_at:
        return compared  # the repository was looked at since
    if facts.reverted_at is None or (status.get("revert") or {}).get("revision") != status["hold"]["revision"]:
        return facts.looked_at or datetime.min
    return facts.reverted_at + timedelta(seconds=reading.seconds(sync.spec.interval, reading.INTERVAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of an attempt. `look`: the branch is not what it was, so a pass is due."""

    state: JSON
    look: bool = False


async def attempt(sync: GitSync, status: JSON, *, repository: Repository, secrets: Secrets, now: datetime) -> Done:
    """Take the held commit back. Never raises a SyncError: what went wrong is in the state."""
    rejection, spec = wanted(sync, status), sync.spec.revert
    if rejection is None or spec is None:
        return Done(state=status.get("revert") or {})
    known = {"revision": rejection.revision, "good": rejection.good or None}
    try:
        found = await revert(await _work(sync, spec, rejection, repository, secrets), now=now)
    except PushBeatenError as error:
        return Done(state={**known, "message": f"{error}; the next pass looks again"}, look=True)
    except SyncError as error:
        return Done(state={**known, "message": redact(str(error))})
    return Done(state={**known, **_told(found, now)}, look=not found.commit or found.branch == found.base)


def _told(found: Reverted, now: datetime) -> dict[str, Any]:
    if not found.commit:
        return {"overtaken": True}
    return {
        "commit": found.commit,
        "branch": found.branch,
        "base": found.base,
        "subject": found.subject,
        "at": write_time(now),
    }


async def _work(sync: GitSync, spec: Revert, rejection: Rejection, repository: Repository, secrets: Secrets) -> Work:
    if not rejection.good:
        raise RevertError("no other commit was applied before: there is nothing to go back to")
    author, wanted_key = spec.git.commit.author, spec.git.commit.signing_key
    key = None
    if wanted_key is not None:
        data = await secrets(wanted_key.secret_ref.name, "spec.revert.git.commit.signingKey.secretRef")
        key = SigningKey.of(wanted_key.type or "gpg", data)
    return Work(
        sync=f"{sync.metadata.namespace}/{sync.metadata.name}",
        repository=repository,
        rejected=rejection.revision,
        good=rejection.good,
        reason=rejection.reason,
        author=Author(name=author.name or author.email, email=author.email),
        path=sync.spec.source.path or ".",
        branch=_branch(sync, spec, rejection),
        options=(spec.git.push.options if spec.git.push else None) or {},
        key=key,
    )


def _branch(sync: GitSync, spec: Revert, rejection: Rejection) -> str:
    """The branch that is pushed to, empty for the one that is followed."""
    if spec.git.push and spec.git.push.branch:
        return spec.git.push.branch
    asked = spec.pull_request and spec.pull_request.enabled
    return f"reverts/{sync.metadata.namespace}-{sync.metadata.name}-{rejection.revision[:8]}" if asked else ""


def absorbed(status: JSON, finding: Finding) -> dict[str, Any] | None:
    """`status.revert` after an attempt, or after one that never came about."""
    if finding.errors:
        revision = (status.get("hold") or {}).get("revision")
        return {"revision": revision, "message": "; ".join(finding.errors)}
    return dict(finding.revert or {}) or None


def summary(state: JSON) -> str:
    """What was done, for people; empty when nothing was."""
    if not state.get("commit"):
        return ""
    return f"{str(state['revision'])[:8]} is taken back by {str(state['commit'])[:8]} on {state['branch']}"
