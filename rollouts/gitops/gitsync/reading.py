"""Small questions to a GitSync's spec and status, with the defaults filled in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from analysis.spec.base import read_time, write_time
from rollouts.api.durations import parse_duration
from rollouts.api.gitsync import Automated, GitSync, GitSyncSpec, Retry, RolloutsPolicy, SyncPolicy
from rollouts.gitops.objects import JSON

INTERVAL = 120.0
TIMEOUT = 300.0
HISTORY = 10
RETRIES = 5
CONFIRMED = "gitops.rollouts.dev/confirm-plan"
"""Annotation by which a person confirms deletions: the digest of the plan (`status.plan.digest`), and who it is."""
SUSPENDED_BY = "gitops.rollouts.dev/suspended-by"
"""Annotation of a suspended GitSync: who did it, as they say themselves."""
TERMINATED = "terminated by a command"
REQUESTED = ("gitops.rollouts.dev/requestedAt", "reconcile.fluxcd.io/requestedAt")


def seconds(text: str | None, default: float) -> float:
    """A duration of the spec; the default when it is unset."""
    return default if text is None else parse_duration(text)


def policy(spec: GitSyncSpec) -> SyncPolicy:
    """The sync policy, an empty one when there is none."""
    return spec.sync_policy or SyncPolicy()


def automated(spec: GitSyncSpec) -> Automated | None:
    """What happens by itself; None when nothing does."""
    found = policy(spec).automated
    return None if found is None or found.enabled is False else found


def rollouts(spec: GitSyncSpec) -> RolloutsPolicy:
    """How the sync goes along with releases."""
    return policy(spec).rollouts or RolloutsPolicy()


def retry_of(spec: GitSyncSpec, operation: JSON) -> Retry:
    """How failures are retried: the command's own rule before the spec's."""
    own = operation.get("retry")
    return Retry.model_validate(own) if own else policy(spec).retry or Retry()


def retry_pause(retry: Retry, attempt: int) -> float:
    """Seconds before the attempt after `attempt` (from 0): 5, 10, 20, …, 180."""
    backoff = retry.backoff
    first = seconds(backoff.duration if backoff else None, 5.0)
    factor = 2 if backoff is None or backoff.factor is None else backoff.factor
    longest = seconds(backoff.max_duration if backoff else None, 180.0)
    return min(first * float(factor) ** min(attempt, 30), longest)


def retries_left(retry: Retry, attempt: int) -> bool:
    """Whether there is another attempt after `attempt` (from 0)."""
    limit = RETRIES if retry.limit is None else retry.limit
    return limit < 0 or attempt < limit


def kept_to(spec: GitSyncSpec, status: JSON) -> str:
    """The commit that failed and has attempts left, where a retry keeps to it (`refresh: false`); empty for none."""
    state = status.get("operationState") or {}
    retry = retry_of(spec, state.get("operation") or {})
    left = retries_left(retry, int(state.get("retryCount") or 0))
    failed = state.get("phase") in ("Failed", "Error") and state.get("message") != TERMINATED
    return str(state.get("revision") or "") if failed and left and retry.refresh is False else ""


def namespace_of(sync: GitSync) -> str:
    """Namespace of objects that name none."""
    destination = sync.spec.destination
    return (destination.namespace if destination else None) or sync.metadata.namespace or "default"


def identity(namespace: str, name: str) -> str:
    """How a sync is named in the mark on its objects."""
    return f"{namespace}/{name}"


def inputs_digest(spec: GitSyncSpec) -> str:
    """Digest of everything that goes into what is applied beside the commit (R1)."""
    chosen = spec.to_api()
    source = {key: value for key, value in chosen["source"].items() if key not in ("targetRevision", "secretRef")}
    parts = [source, chosen.get("destination"), chosen.get("ignoreDifferences")]
    applied = chosen.get("syncPolicy") or {}
    parts += [applied.get("syncOptions"), applied.get("managedNamespaceMetadata")]
    return "sha256:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def status_of(obj: JSON) -> JSON:
    """The status as it is stored, an empty one when there is none."""
    found = obj.get("status")
    return found if isinstance(found, Mapping) else {}


def last_applied(status: JSON) -> JSON:
    """The last entry of the history, empty when nothing was applied yet."""
    found: JSON = (status.get("history") or [{}])[-1]
    return found


def origin(status: JSON) -> JSON:
    """The entry that brought what is applied now: commits after it had the same content. Empty without history."""
    entries: list[JSON] = list(status.get("history") or [{}])
    found, *earlier = reversed(entries)
    for entry in earlier:
        if not alike(entry, found):
            break
        found = entry
    return found


def alike(one: JSON, other: JSON) -> bool:
    """Whether two entries of the history (or a hold and one) have the same content. What is not known is not."""
    return renders_to(one, other.get("contentDigest"))


def renders_to(entry: JSON, content: str | None) -> bool:
    """Whether an entry of the history, or a hold, has the content of this digest. What is not known is not."""
    return bool(content) and entry.get("contentDigest") == content


def hold(*, revision: str, content: str | None, newest: str, reason: str, by: str = "", at: datetime) -> dict[str, Any]:
    """A hold as it is stored. `revision`: the first commit with the content; `newest`: the last one that is known."""
    return {
        "revision": revision,
        "contentDigest": content,
        "through": newest if newest != revision else None,
        "reason": reason,
        "by": by or None,
        "at": write_time(at),
    }


def under_way(status: JSON) -> str:
    """The commit that was begun and is neither applied nor has failed; empty when there is none."""
    begun = str(status.get("lastAttemptedRevision") or "")
    state = status.get("operationState") or {}
    ended = state.get("revision") == begun and state.get("phase") != "Running"
    return "" if ended or last_applied(status).get("revision") == begun else begun


def time_of(value: Any) -> datetime | None:
    """A stored time, None for none."""
    return None if value is None else read_time(value)


def after(moment: datetime | None, pause: float) -> datetime | None:
    """So many seconds later."""
    return None if moment is None else moment + timedelta(seconds=pause)


def compared_revision(status: JSON) -> str:
    """The commit compared last, empty when none was."""
    return str((status.get("sync") or {}).get("revision") or "")


def short(commit: str) -> str:
    """A commit for people."""
    return commit[:8]


def annotated(obj: JSON, key: str) -> str:
    """The value of an annotation, empty when it is not there."""
    return str((obj["metadata"].get("annotations") or {}).get(key) or "")


def confirmed(obj: JSON) -> JSON:
    """The command that the annotation stands for, empty when it is not there. Its second word is who confirms; without
    one only the API server's audit log knows."""
    digest, _, who = annotated(obj, CONFIRMED).strip().partition(" ")
    if not digest:
        return {}
    return {"sync": {"confirmPlan": digest}, "initiatedBy": {"username": f"{who.strip() or 'somebody'} (annotation)"}}


def requested(obj: JSON) -> str:
    """The value of the annotation by which people and tools ask for a pass; empty when there is none."""
    annotations = obj["metadata"].get("annotations") or {}
    return next((str(annotations[key]) for key in REQUESTED if key in annotations), "")
