"""From a comparison and a plan to what a finding tells of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rollouts.api.fieldpaths import shown
from rollouts.gitops.compare import Comparison
from rollouts.gitops.diff import paths
from rollouts.gitops.gitsync.contest import manager_of
from rollouts.gitops.gitsync.ignore import named
from rollouts.gitops.gitsync.values import Heal, Row
from rollouts.gitops.objects import Ref
from rollouts.gitops.plan import Action, SyncPlan


def described(found: Comparison) -> dict[str, Any]:
    """The fields of a finding that say what was compared."""
    decided = found.plan
    actions = [item.action for stage in decided.stages for item in stage]
    creates = actions.count(Action.CREATE) + actions.count(Action.AWAIT)
    counts = {
        "create": creates,
        "update": len(actions) - creates,
        "prune": sum(not row.quiet for row in decided.prunes),
    }
    return {
        "digest": found.digest,
        "content": found.content,
        "deletions": found.deletions,
        "asking": found.asking,
        "renderer": found.renderer,
        "folder": found.folder,
        "images": found.images,
        "addresses": found.addresses,
        "remarks": found.remarks,
        "counts": counts,
        "protected": tuple(f"{row.ref.label}: {row.reason}" for row in decided.kept if not row.quiet),
        "objects": len(found.record.inventory.entries),
    }


def rows(decided: SyncPlan, *, applied: bool) -> tuple[Row, ...]:
    """One row for each object. `applied`: the plan was carried out, all of it."""
    changed = [item for stage in decided.stages for item in stage]
    state = "Synced" if applied else "OutOfSync"
    return (
        *(_row(item.manifest.ref, item.manifest.api_version, "Synced") for item in decided.unchanged),
        *(
            _row(item.manifest.ref, item.manifest.api_version, state, "" if applied else ", ".join(item.fields[:5]))
            for item in changed
        ),
        *(Row(ref=row.ref, status="OutOfSync", prune=True, message=row.reason) for row in decided.kept),
        *(() if applied else (Row(ref=row.ref, status="OutOfSync", prune=True) for row in decided.prunes)),
    )


def _row(ref: Ref, api_version: str, status: str, message: str = "") -> Row:
    return Row(ref=ref, version=api_version.rpartition("/")[2], status=status, message=message)


def heals(decided: SyncPlan) -> Iterator[Heal]:
    """What drift this plan sets back, field by field, with whoever wrote it."""
    for item in (item for stage in decided.stages for item in stage):
        if item.before is None or item.after is None:
            continue
        for path in paths(item.before, item.after):
            yield Heal(
                ref=item.manifest.ref, path=shown(named(path, item.before)), manager=manager_of(item.before, path)
            )
