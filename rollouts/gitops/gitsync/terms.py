"""From a GitSync's spec to what the pipeline works with: source, policy, options. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rollouts.api.gitsync import GitSync, PruneGuards
from rollouts.gitops.former import IMPORTED, MIGRATION_MANAGER, Former
from rollouts.gitops.gitsync import reading
from rollouts.gitops.gitsync.ignore import adjust_of
from rollouts.gitops.gitsync.values import Mandate
from rollouts.gitops.objects import JSON, Ref
from rollouts.gitops.plan import GIT_SYNC, Policy, SyncPlan
from rollouts.gitops.render.options import Options
from rollouts.gitops.terms import Terms

OPTION_DEFAULTS = {"CreateNamespace": "false", "PrunePropagationPolicy": "background", "Prune": "true"}


FOR_OBJECTS = ("SkipDryRunOnMissingResource", "ClientSideApplyMigration")
"""Options of the whole sync that hold for each of its objects."""


def former_managers(sync: GitSync) -> frozenset[str]:
    """Field managers named by Argo CD's annotation, which an import copies."""
    named = (sync.metadata.annotations or {}).get(MIGRATION_MANAGER) or ""
    return frozenset(word.strip() for word in named.split(",") if word.strip())


def account(sync: GitSync, default: str) -> str:
    """The user whose rights are used: `system:serviceaccount:<namespace>:<name>`."""
    name = sync.spec.service_account_name or default
    return f"system:serviceaccount:{sync.metadata.namespace}:{name}"


def terms(sync: GitSync, mandate: Mandate, contested: Iterable[JSON]) -> Terms:
    """What holds for one pass."""
    spec = sync.spec
    chosen = chosen_options(sync, mandate)
    metadata = reading.policy(spec).managed_namespace_metadata
    identity = reading.identity(str(sync.metadata.namespace), str(sync.metadata.name))
    return Terms(
        identity=identity,
        name=str(sync.metadata.name),
        options=Options.of(spec.source.to_api()),
        namespace=reading.namespace_of(sync),
        policy=policy(sync, mandate, identity),
        path=spec.source.path or ".",
        adopt=bool(mandate.sync.get("adopt")),
        adjust=adjust_of(spec.ignore_differences or (), contested),
        namespace_metadata=(metadata.to_api() if metadata else {}) if chosen["CreateNamespace"] == "true" else None,
        wait_for_rollouts=(reading.rollouts(spec).wait or "Applied") == "Healthy",
        former_managers=former_managers(sync),
        defaults={name: chosen[name] for name in FOR_OBJECTS if name in chosen},
        propagation=chosen["PrunePropagationPolicy"].capitalize(),
    )


def policy(sync: GitSync, mandate: Mandate, identity: str) -> Policy:
    """How careful to be with deleting."""
    automated = reading.policy(sync.spec).automated
    guards = reading.policy(sync.spec).prune_guards or PruneGuards()
    asked = mandate.sync.get("prune")
    wanted = bool((automated and automated.prune) if asked is None else asked)
    chosen = chosen_options(sync, mandate)
    return Policy(
        sync=identity,
        prune=wanted and chosen["Prune"] != "false",
        allow_empty=bool(automated and automated.allow_empty),
        max_percent=50 if guards.max_percent is None else guards.max_percent,
        min_objects=5 if guards.min_objects is None else guards.min_objects,
        always_confirm=guards.confirm == "Always" or chosen["Prune"] == "confirm",
        former=Former.parse((sync.metadata.annotations or {}).get(IMPORTED)),
        wording=GIT_SYNC,
    )


def chosen_options(sync: GitSync, mandate: Mandate) -> dict[str, str]:
    """Those of the spec, and above them those of the command."""
    return options([*(reading.policy(sync.spec).sync_options or ()), *(mandate.sync.get("syncOptions") or ())])


def options(texts: Iterable[str]) -> dict[str, str]:
    """Sync options by name; a later one wins."""
    given = {name: value for name, _, value in (text.partition("=") for text in texts)}
    return {**OPTION_DEFAULTS, **given}


def narrowed(plan: SyncPlan, resources: Iterable[JSON]) -> SyncPlan:
    """R29: of a plan only these objects, and no deletion."""
    rows = list(resources)
    if not rows:
        return plan
    chosen = [[item for item in stage if _named(item.manifest.ref, rows)] for stage in plan.stages]
    stages = tuple(tuple(stage) for stage in chosen if stage)
    return replace(plan, stages=stages, prunes=(), after=plan.during)


def _named(ref: Ref, rows: Iterable[JSON]) -> bool:
    return any(
        (ref.group, ref.kind, ref.name) == (row.get("group") or "", row.get("kind"), row.get("name"))
        and row.get("namespace") in (None, "", ref.namespace)
        for row in rows
    )
