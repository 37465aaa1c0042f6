"""GitSyncs and findings for tests of decisions: made of few words, everything else as it usually is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.gitops.gitsync.decide import Decision, decide
from rollouts.gitops.gitsync.values import Facts, Finding, Mandate, Row
from rollouts.gitops.objects import Ref

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
A, B, C = "a" * 40, "b" * 40, "c" * 40
CONFIG = Ref(group="", kind="ConfigMap", namespace="team", name="a")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def sync(*, status: Mapping[str, Any] | None = None, operation: Any = None, **spec: Any) -> dict[str, Any]:
    """An automated GitSync `team/shop`."""
    source = {"repoURL": "https://git.example/shop.git", "targetRevision": "main"}
    metadata = {"name": "shop", "namespace": "team", "uid": "u", "generation": 1, "resourceVersion": "7"}
    policy = {"automated": {"prune": True, "selfHeal": True}}
    return {
        "metadata": metadata,
        "spec": {"source": source, "serviceAccountName": "deployer", "syncPolicy": policy, **spec},
        **({"status": dict(status)} if status else {}),
        **({"operation": operation} if operation else {}),
    }


def finding(commit: str = A, **values: Any) -> Finding:
    """A pass that applied something."""
    known: dict[str, Any] = {
        "mandate": Mandate(generation=1),
        "began": NOW,
        "at": at(1),
        "resolved": commit,
        "commit": commit,
        "inputs": "sha256:x",
        "compared": True,
        "attempted": True,
        "changed": True,
        "digest": "sha256:plan",
        "content": f"sha256:{commit[:1]}",
        "renderer": "Directory",
        "rows": (Row(ref=CONFIG, version="v1"),),
        "objects": 1,
    }
    return Finding(**{**known, **values})


def quiet(commit: str = A, **values: Any) -> Finding:
    """A pass that found nothing to do."""
    return finding(commit, attempted=False, changed=False, **values)


def merged(before: Any, patch: Any) -> Any:
    """A JSON merge patch, as the API server applies it."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(before) if isinstance(before, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def stored(obj: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """The object after the plan was carried out."""
    for write in decision.plan.writes:
        obj = merged(obj, write.body)  # type: ignore[union-attr]
    return {**obj, "status": merged(obj.get("status") or {}, decision.plan.status)}


def settled(obj: dict[str, Any], facts: Facts | None = None, *, now: datetime | None = None) -> Any:
    """Decide and store until there is nothing left to say; the object and the last decision."""
    facts = facts or Facts()
    for _ in range(6):
        decision = decide(obj, facts, now or at(1))
        if decision.settled:
            facts = replace(facts, finding=None)
        if not decision.plan.status and not decision.plan.writes:
            return obj, decision
        obj = stored(obj, decision)
    raise AssertionError("it never comes to rest")


def after(*findings: Finding, obj: dict[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    """The GitSync after these passes, one after the other."""
    obj = obj or sync()
    for one in findings:
        obj, _ = settled(obj, Facts(finding=one, looked_at=one.at, **facts), now=one.at)
    return obj


def condition(obj: Mapping[str, Any], kind: str) -> tuple[str, str]:
    rows = [row for row in (obj.get("status") or {}).get("conditions") or () if row["type"] == kind]
    return (rows[0]["status"], rows[0]["reason"]) if rows else ("", "")
