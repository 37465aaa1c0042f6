"""What a GitSync remembers: how the cluster compares with Git, what was applied when, and what it waits for.

Argo CD's names where it has them (`sync`, `health`, `resources`, `history`, `operationState`), Flux's for the
bookkeeping (`inventory`, `lastAttemptedRevision`), conditions as kstatus reads them. Digests and ids only: no manifest,
no values file and nothing of a Secret is ever stored here.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from analysis.spec.base import Bool, Int32, Int64, Opaque, StatusModel, Time


class SyncState(StatusModel):
    """How the cluster compares with Git."""

    status: str | None = None
    """Synced, OutOfSync or Unknown."""
    revision: str | None = None
    """Commit the cluster was compared with."""
    compared_to: str | None = None
    """Digest of everything that goes into rendering beside the commit."""


class HealthState(StatusModel):
    """The worst health of all objects."""

    status: str | None = None
    """Healthy, Suspended, Progressing, Missing, Degraded or Unknown."""
    message: str | None = None
    """Which object, and why."""


class ResourceState(StatusModel):
    """One object."""

    group: str | None = None
    """API group."""
    version: str | None = None
    """API version."""
    kind: str | None = None
    """Kind."""
    namespace: str | None = None
    """Namespace."""
    name: str | None = None
    """Name."""
    status: str | None = None
    """Synced, OutOfSync or Unknown."""
    health: HealthState | None = None
    """Its health."""
    requires_pruning: Bool | None = None
    """True: Git has it no more."""
    message: str | None = None
    """What differs, or why it stays."""


class Initiator(StatusModel):
    """Who asked, as they say themselves."""

    username: str | None = None
    """Name."""
    automated: Bool | None = None
    """True: the controller itself."""


class HistoryEntry(StatusModel):
    """A revision that was applied completely."""

    id: Int64
    """Number, growing."""
    revision: str
    """Commit."""
    inputs_digest: str | None = None
    """Digest of everything that went into rendering beside the commit."""
    plan_digest: str | None = None
    """Digest of what was done."""
    content_digest: str | None = None
    """Digest of what the commit renders to: the same for commits that differ elsewhere only."""
    deployed_at: Time | None = None
    """When."""
    initiated_by: Initiator | None = None
    """Who asked."""
    result: str | None = None
    """What came of it, in a few words."""


class OperationState(StatusModel):
    """The sync under way, or the last one."""

    operation: Annotated[dict[str, Any], Opaque()] | None = None
    """What was asked for."""
    phase: str | None = None
    """Running, Terminating, Failed, Error or Succeeded."""
    message: str | None = None
    """What came of it."""
    started_at: Time | None = None
    """When it began."""
    finished_at: Time | None = None
    """When it ended."""
    retry_count: Int64 | None = None
    """Attempts after the first."""
    revision: str | None = None
    """Commit it was about."""


class Summary(StatusModel):
    """What there is to show."""

    images: list[str] | None = None
    """Images of all workloads."""
    external_urls: list[str] | None = Field(default=None, alias="externalURLs")
    """Addresses of Ingresses and routes."""
    short_revision: str | None = None
    """`main@1a2b3c4`."""
    objects: Int32 | None = None
    """Objects in the inventory."""


class InventoryEntry(StatusModel):
    """An object this sync has applied."""

    id: str
    """`namespace_name_group_kind`."""
    v: str | None = None
    """API version."""
    uid: str | None = None
    """Uid."""


class InventoryState(StatusModel):
    """The only list things are ever pruned from."""

    digest: str | None = None
    """Over all entries; with a wrong one nothing is pruned."""
    entries: list[InventoryEntry] | None = None
    """The objects, up to 1,000."""
    config_maps: list[str] | None = None
    """Where more objects are listed."""


class HooksState(StatusModel):
    """The last run of the hooks, so that one whose object is gone does not run twice."""

    run: str | None = None
    """Name of the run: commit, options and attempt."""
    succeeded: list[str] | None = None
    """Hooks that were seen to succeed, `namespace_name_group_kind`."""
    begun: list[str] | None = None
    """Hooks that were made and not seen to succeed. 200 at most with those above."""


class PlanState(StatusModel):
    """What a sync would do now."""

    digest: str | None = None
    """Names exactly what would be deleted; `confirm` takes it."""
    create: Int32 | None = None
    """Objects to create."""
    update: Int32 | None = None
    """Objects to change."""
    prune: Int32 | None = None
    """Objects to delete."""
    protected: list[str] | None = None
    """Objects that stay although Git has them no more, and why."""
    waiting_for: str | None = None
    """What it waits for, for people."""
    wave: Int32 | None = None
    """The sync wave that waits for what comes before it."""
    waiting_since: Time | None = None
    """Since when that wave waits; `spec.timeout` later it has failed."""


class Hold(StatusModel):
    """A revision that is not applied by itself."""

    revision: str | None = None
    """The commit that is held back: the first one with this content."""
    content_digest: str | None = None
    """Digest of what it renders to. Later commits with the same content are held back, too."""
    through: str | None = None
    """The newest commit that is known to have the same content."""
    reason: str | None = None
    """Rollback, RolloutAborted or Manual."""
    by: str | None = None
    """Who asked, as they say themselves."""
    at: Time | None = None
    """Since when."""


class Rejected(StatusModel):
    """What a Rollout gave up."""

    revision: str | None = None
    """Commit."""
    image: str | None = None
    """Image with its digest."""
    rollout: str | None = None
    """The Rollout, `namespace/name`."""
    reason: str | None = None
    """Why, as the Rollout says it."""
    pod_hash: str | None = None
    """Hash of the pods that were given up. Once they are stable after all, the row goes."""
    at: Time | None = None
    """When the Rollout was aborted."""


class Contested(StatusModel):
    """A field that somebody else keeps changing back."""

    resource: str
    """The object, `namespace_name_group_kind`."""
    path: str
    """The field."""
    manager: str | None = None
    """Who else writes it."""
    since: Time | None = None
    """Since when it is left alone."""


class GitSyncCondition(StatusModel):
    """One aspect of the state."""

    type: str
    """Ready, Reconciling, Stalled, SourceReady, Synced, Healthy, Held, PruneBlocked, Contested, ImageUpdateReady,
    Reverted, ForgeReady or WebhookReady."""
    status: str
    """True, False or Unknown."""
    observed_generation: Int64 | None = None
    """Generation of the spec it is about."""
    last_transition_time: Time | None = None
    """When its status last changed."""
    reason: str | None = None
    """Why, in one word."""
    message: str | None = None
    """Why, in a sentence."""


class GitSyncStatus(StatusModel):
    """What is remembered."""

    observed_generation: Int64 | None = None
    """Generation of the spec that the rest is about."""
    conditions: list[GitSyncCondition] | None = None
    """Ready, Synced, Healthy and the like."""
    sync: SyncState | None = None
    """How the cluster compares with Git."""
    health: HealthState | None = None
    """The worst health of all objects."""
    resources: list[ResourceState] | None = None
    """The objects, worst first, 500 at most."""
    history: list[HistoryEntry] | None = None
    """What was applied, oldest first."""
    operation_state: OperationState | None = None
    """The sync under way, or the last one."""
    reconciled_at: Time | None = None
    """When the cluster was last compared with Git."""
    source_type: str | None = None
    """Directory, Kustomize, Helm or Jsonnet."""
    summary: Summary | None = None
    """What there is to show."""
    last_attempted_revision: str | None = None
    """Commit that was last tried."""
    last_handled_reconcile_at: str | None = None
    """The last `requestedAt` that was heard."""
    inventory: InventoryState | None = None
    """What this sync has applied."""
    hooks: HooksState | None = None
    """How far the hooks are, or were."""
    plan: PlanState | None = None
    """What a sync would do now."""
    hold: Hold | None = None
    """A revision that is not applied by itself."""
    rejected: list[Rejected] | None = None
    """What Rollouts gave up, 20 at most."""
    contested: list[Contested] | None = None
    """Fields that somebody else keeps changing back."""
    remarks: list[str] | None = None
    """What should be changed in Git, although it was applied, 20 at most."""
    image_update: Annotated[dict[str, Any], Opaque()] | None = None
    """State of the image updates."""
    revert: Annotated[dict[str, Any], Opaque()] | None = None
    """The commit that was taken back in Git last, by which commit, or why not."""
    forge: Annotated[dict[str, Any], Opaque()] | None = None
    """What the forge was told."""
