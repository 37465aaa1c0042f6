"""The conditions of a GitSync, as kstatus reads them (so Flux, Argo CD and `kubectl wait` understand them).

`Ready` is always there. `Reconciling` and `Stalled` are there only while they are true, and never beside `Ready=True`:
Stalled means that a person must change something. The others say more, one aspect each. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analysis.spec.base import write_time
from rollouts.api.gitsync import GitSync
from rollouts.gitops.gitsync import images, reading, reverting
from rollouts.gitops.gitsync.values import Finding, Task
from rollouts.gitops.objects import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """One condition without its bookkeeping. `value`: True, False or Unknown; None: it is not there."""

    value: str | None
    reason: str = ""
    message: str = ""


GONE = Aspect(value=None)
DENIED = {
    "fetch": "AccessDenied",
    "revision": "RevisionNotFound",
    "verify": "VerificationFailed",
    "diff": "SharedResource",
}
"""Why only a person can mend it, by the step that failed."""
_SOURCE = {
    "fetch": "FetchFailed",
    "revision": "RevisionNotFound",
    "verify": "VerifyFailed",
    "checkout": "CheckoutFailed",
}


def invalid(message: str) -> dict[str, Aspect]:
    """A spec that can't be carried out."""
    return _stalled("InvalidSpec", message)


def _stalled(reason: str, message: str) -> dict[str, Aspect]:
    return {
        "Ready": Aspect(value="False", reason=reason, message=message),
        "Stalled": Aspect(value="True", reason=reason, message=message),
        "Reconciling": GONE,
    }


def of_finding(sync: GitSync, status: JSON, finding: Finding) -> dict[str, Aspect]:
    """What a pass says about source and comparison."""
    if finding.mandate.task is Task.LOOK:
        return {}
    message = "; ".join(finding.errors)
    if finding.step in _SOURCE and finding.failed:
        source = Aspect(value="False", reason=_SOURCE[finding.step], message=message)
        return {"SourceReady": source, "Synced": Aspect(value="Unknown", reason="NotCompared", message=message)}
    ready = Aspect(value="True", reason="Fetched", message=f"{reading.short(finding.resolved)} is here")
    return {"SourceReady": ready if finding.resolved else GONE, "Synced": _synced(finding, message)}


def _synced(finding: Finding, message: str) -> Aspect:
    if not finding.compared:
        return Aspect(value="Unknown", reason=f"{finding.step.capitalize() or 'Compare'}Failed", message=message)
    if finding.failed:
        return Aspect(value="False", reason="SyncFailed", message=message)
    if finding.pending:
        return Aspect(value="False", reason="OutOfSync", message=finding.waiting)
    return Aspect(value="True", reason="Synced", message=f"{reading.short(finding.commit)} is applied")


def of_status(sync: GitSync, status: JSON, *, running: bool, failure: Aspect | None) -> dict[str, Aspect]:
    """What follows from the status as a whole. `failure`: how the last pass went wrong, None when it did not."""
    hold, plan = status.get("hold") or {}, status.get("plan") or {}
    state, message = _health(status)
    held = Aspect(
        value="True",
        reason=str(hold.get("reason") or "Manual"),
        message=f"{reading.short(str(hold.get('revision')))} is not applied by itself",
    )
    blocked = plan.get("protected") or ()
    contested = status.get("contested") or ()
    healthy = {"Healthy": "True", "Degraded": "False", "Missing": "False"}.get(state, "Unknown")
    return {
        "Healthy": Aspect(value=healthy, reason=state or "Unknown", message=message),
        "Held": held if hold else GONE,
        "PruneBlocked": Aspect(value="True", reason="Kept", message=_some(blocked)) if blocked else GONE,
        "Contested": Aspect(value="True", reason="Contested", message=_some(map(_fight, contested)))
        if contested
        else GONE,
        "ImageUpdateReady": _images(sync, status),
        "Reverted": _reverted(sync, status),
        "ForgeReady": _forge(sync, status),
        **_ready(sync, status, running=running, failure=failure),
    }


def _images(sync: GitSync, status: JSON) -> Aspect:
    state = status.get("imageUpdate")
    if sync.spec.image_update is None or not state:
        return GONE
    if message := images.trouble(state):
        return Aspect(value="False", reason="ImageUpdateFailed", message=message[:2000])
    return Aspect(value="True", reason="UpToDate", message=images.summary(state)[:2000])


def _reverted(sync: GitSync, status: JSON) -> Aspect:
    """While the commit is held: what became of it in Git."""
    state, held = status.get("revert") or {}, (status.get("hold") or {}).get("revision")
    if sync.spec.revert is None or not held or state.get("revision") != held:
        return GONE
    if message := state.get("message"):
        return Aspect(value="False", reason="RevertFailed", message=str(message)[:2000])
    text = reverting.summary(state)
    return Aspect(value="True", reason="Pushed", message=text) if text else GONE


def _forge(sync: GitSync, status: JSON) -> Aspect:
    state = status.get("forge")
    if sync.spec.forge is None or not state:
        return GONE
    if message := state.get("message"):
        return Aspect(value="False", reason="ForgeFailed", message=str(message)[:2000])
    return Aspect(value="True", reason="Told", message="the forge knows how the commits are")


def webhook(sync: GitSync, fault: str | None) -> dict[str, Aspect]:
    """Whether pushes can prove themselves. `fault`: what is wrong with the Secret; None: nothing new is known."""
    if sync.spec.webhook is None:
        return {"WebhookReady": GONE}
    if fault is None:
        return {}
    if fault:
        return {"WebhookReady": Aspect(value="False", reason="WebhookFailed", message=fault)}
    return {"WebhookReady": Aspect(value="True", reason="SecretFound", message="pushes can prove themselves")}


def _health(status: JSON) -> tuple[str, str]:
    found = status.get("health") or {}
    return str(found.get("status") or ""), str(found.get("message") or "")


def _some(rows: Iterable[Any]) -> str:
    listed = [str(row) for row in rows]
    return "; ".join(listed[:5]) + (f"; and {len(listed) - 5} more" if len(listed) > 5 else "")


def _fight(row: JSON) -> str:
    return f"{row.get('resource')} {row.get('path')} is also written by {row.get('manager')}"


def _ready(sync: GitSync, status: JSON, *, running: bool, failure: Aspect | None) -> dict[str, Aspect]:
    if running:
        return _not_ready("Progressing", "a sync is under way", working=True)
    if failure is not None and failure.reason in DENIED.values():
        return _stalled(failure.reason, failure.message)
    if failure is not None:
        return _not_ready(failure.reason, failure.message, working=False)
    if not (status.get("sync") or {}).get("status"):
        return _not_ready("Progressing", "the first comparison is under way", working=True)
    plan = status.get("plan") or {}
    if (status.get("sync") or {}).get("status") == "OutOfSync":
        return _not_ready("OutOfSync", str(plan.get("waitingFor") or "differs from Git"), working=False)
    return _by_health(sync, status)


def _by_health(sync: GitSync, status: JSON) -> dict[str, Aspect]:
    """R35: with `wait: Applied` a release under way is no reason not to be ready, else a parent would time out."""
    state, message = _health(status)
    waits = (reading.rollouts(sync.spec).wait or "Applied") == "Healthy"
    if waits and state not in ("Healthy", ""):
        return _not_ready(state, message, working=state in ("Progressing", "Suspended"))
    reason = "RolloutInProgress" if state in ("Suspended", "Progressing") else "Synced"
    commit = reading.short(reading.compared_revision(status))
    text = f"{commit} is applied" + (f"; {message}" if message else "")
    return {"Ready": Aspect(value="True", reason=reason, message=text), "Reconciling": GONE, "Stalled": GONE}


def _not_ready(reason: str, message: str, *, working: bool) -> dict[str, Aspect]:
    busy = Aspect(value="True", reason=reason, message=message) if working else GONE
    return {"Ready": Aspect(value="False", reason=reason, message=message), "Reconciling": busy, "Stalled": GONE}


def failure_of(finding: Finding) -> Aspect | None:
    """How a pass went wrong; None when it did not."""
    if not finding.failed:
        return None
    known = DENIED.get(finding.step, "") if finding.denied else ""
    reason = known or f"{finding.step.capitalize() or 'Sync'}Failed"
    return Aspect(value="False", reason=reason, message="; ".join(finding.errors)[:2000])


def merged(
    before: Iterable[JSON], aspects: Mapping[str, Aspect], *, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """The list to store: what is not named stays, times change only with the value."""
    rows = {str(row["type"]): dict(row) for row in before}
    for name, aspect in aspects.items():
        if aspect.value is None:
            rows.pop(name, None)
        else:
            rows[name] = _stored(name, aspect, rows.get(name), generation=generation, now=now)
    return [rows[name] for name in sorted(rows, key=_place)]


def _stored(name: str, aspect: Aspect, old: JSON | None, *, generation: int, now: datetime) -> dict[str, Any]:
    same = old is not None and old.get("status") == aspect.value
    return {
        "type": name,
        "status": aspect.value,
        "observedGeneration": generation,
        "lastTransitionTime": old.get("lastTransitionTime") if same and old else write_time(now),
        "reason": aspect.reason or "Unknown",
        "message": aspect.message[:2000],
    }


ORDER = ("Ready", "Reconciling", "Stalled", "SourceReady", "Synced", "Healthy", "Held", "PruneBlocked", "Contested")
_place: Callable[[str], int] = lambda name: ORDER.index(name) if name in ORDER else len(ORDER)  # noqa: E731
