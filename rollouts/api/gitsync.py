"""The GitSync: a folder of a Git repository that is kept applied.

One kind in a group of its own; Argo CD's Application and Flux's kinds are never installed or touched. A spec reads
like an Application's, with Flux's fields for what is Flux's (`interval`, `serviceAccountName`, `deletionPolicy`), and
a few of its own where a sync that knows Rollouts can do better (`syncPolicy.rollouts`, `syncPolicy.pruneGuards`).

Like an Application, it carries commands beside the spec: `operation` starts something once, and is cleared when it
was taken up.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.spec.base import Bool, Int32, Int64, Model, StringMap
from rollouts.api.gitsync_images import ImageUpdate
from rollouts.api.gitsync_revert import Revert
from rollouts.api.gitsync_source import GitSource, LocalReference
from rollouts.api.gitsync_status import GitSyncStatus
from rollouts.api.meta import ObjectMeta

IN_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")


class Destination(Model):
    """Where objects go."""

    server: str | None = None
    """Only `https://kubernetes.default.svc`, the cluster itself."""
    name: str | None = None
    """Only `in-cluster`, the cluster itself."""
    namespace: str | None = None
    """Namespace of objects that name none. Default: the GitSync's own."""


class Automated(Model):
    """Which syncs happen by themselves."""

    enabled: Bool | None = None
    """False: none. Default true."""
    prune: Bool | None = None
    """True: what Git has no more is deleted. Default false."""
    self_heal: Bool | None = None
    """True: what others change is changed back. Default false."""
    allow_empty: Bool | None = None
    """True: a revision without any object may delete everything. Default false."""


class Backoff(Model):
    """Pauses between attempts."""

    duration: str | None = None
    """The first pause, a duration. Default 5s."""
    factor: Int64 | None = None
    """Each pause is so many times the one before. Default 2."""
    max_duration: str | None = None
    """The longest pause. Default 3m."""


class Retry(Model):
    """What happens after a sync that failed."""

    limit: Int64 | None = None
    """Attempts after the first; -1: without end. Default 5."""
    refresh: Bool | None = None
    """False: an attempt keeps the revision of the first. Default true: the newest."""
    backoff: Backoff | None = None
    """Pauses between attempts."""


class ManagedNamespaceMetadata(Model):
    """What a namespace gets that the sync makes."""

    labels: StringMap | None = None
    """Labels."""
    annotations: StringMap | None = None
    """Annotations."""


class RolloutsPolicy(Model):
    """How a sync goes along with releases."""

    wait: Literal["Applied", "Healthy"] | None = None
    """When a sync counts as ready: its objects are applied, or all are healthy. Default Applied."""
    on_new_revision: Literal["Supersede", "Queue"] | None = None
    """A revision that comes in the middle of a sync: replaces it between stages, or waits. Default Supersede."""
    on_abort: Literal["Hold", "Revert", "Ignore"] | None = None
    """A Rollout that is aborted: hold the revision, apply the one before, or nothing. Default Hold."""


class PruneGuards(Model):
    """When deleting must be confirmed."""

    max_percent: Int32 | None = None
    """More than so many percent of the objects at once. Default 50."""
    min_objects: Int32 | None = None
    """But so few are never too many. Default 5."""
    confirm: Literal["Guarded", "Always"] | None = None
    """Guarded: beyond the limits and for protected kinds. Always: each time. Default Guarded."""


class SyncPolicy(Model):
    """How a sync behaves."""

    automated: Automated | None = None
    """Which syncs happen by themselves. Unset: none."""
    retry: Retry | None = None
    """What happens after a sync that failed."""
    sync_options: list[str] | None = None
    """ClientSideApplyMigration, CreateNamespace, Prune, PruneLast, PrunePropagationPolicy,
    SkipDryRunOnMissingResource, Validate: `Name=value`."""
    managed_namespace_metadata: ManagedNamespaceMetadata | None = None
    """What a namespace gets that CreateNamespace made."""
    rollouts: RolloutsPolicy | None = None
    """How a sync goes along with releases."""
    prune_guards: PruneGuards | None = None
    """When deleting must be confirmed."""


class Info(Model):
    """A note for people."""

    name: str
    """What it is."""
    value: str
    """The text or address."""


class IgnoreDifference(Model):
    """Fields that somebody else may change. Ignored means: neither compared nor applied."""

    group: str | None = None
    """API group; `*` for any."""
    kind: str
    """Kind; `*` for any."""
    name: str | None = None
    """Name. Default: any."""
    namespace: str | None = None
    """Namespace. Default: any."""
    json_pointers: list[str] | None = None
    """Fields as JSON pointers, such as `/spec/replicas`."""
    jq_path_expressions: list[str] | None = None
    """Fields as paths: keys, `[]` and `select(.name == "x")`, such as `.spec.ports[] | select(.name == "http")`."""


class Dependency(Model):
    """A GitSync that must be ready first."""

    name: str
    """Its name."""
    namespace: str | None = None
    """Its namespace, which must be the same."""


class Webhook(Model):
    """Whether pushes are heard of at once."""

    secret_ref: LocalReference
    """Secret whose key `token` the sender knows."""


class Forge(Model):
    """Where commits get a status."""

    provider: Literal["github", "gitlab", "gitea"]
    """Which forge."""
    api_url: str | None = Field(default=None, alias="apiURL")
    """Address of its API, https. Default: the one of the repository's host."""
    secret_ref: LocalReference
    """Secret whose key `token` may set statuses."""
    context: str | None = None
    """Name of the status. Default `rollouts/<namespace>/<name>`."""
    deployments: Bool | None = None
    """True: deployments too, one environment for each Rollout. Default false."""


class GitSyncSpec(Model):
    """What is wanted."""

    source: GitSource
    """Where the manifests come from."""
    destination: Destination | None = None
    """Where objects go. Default: the GitSync's namespace."""
    interval: str | None = None
    """Between looks at the repository, a duration, plus up to half of it. Default 2m."""
    timeout: str | None = None
    """How long a pass may take, and a wave may wait until what comes before it is healthy; a duration. Default 5m."""
    service_account_name: str | None = None
    """ServiceAccount of this namespace whose rights are used. Required unless the controller has a default."""
    deletion_policy: Literal["Orphan", "Delete", "WaitForTermination"] | None = None
    """What happens to the objects when the GitSync is deleted: they stay, or go too. Default Orphan."""
    suspend: Bool | None = None
    """True: nothing is compared or applied. Default false."""
    depends_on: list[Dependency] | None = None
    """GitSyncs of this namespace that must be ready before anything is applied."""
    sync_policy: SyncPolicy | None = None
    """How a sync behaves."""
    info: list[Info] | None = None
    """Notes for people."""
    revision_history_limit: Int64 | None = None
    """Entries of the history. Default 10."""
    ignore_differences: list[IgnoreDifference] | None = None
    """Fields that somebody else may change."""
    image_update: ImageUpdate | None = None
    """Images that are followed."""
    revert: Revert | None = None
    """Whether rejected commits are taken back in Git. Default: they are only held back."""
    webhook: Webhook | None = None
    """Whether pushes are heard of at once."""
    forge: Forge | None = None
    """Where commits get a status."""


class OperationResource(Model):
    """One object of a selective sync."""

    group: str | None = None
    """API group."""
    kind: str
    """Kind."""
    name: str
    """Name."""
    namespace: str | None = None
    """Namespace."""


class SyncOperation(Model):
    """A sync, now."""

    revision: str | None = None
    """Commit, branch or tag. Default: the source's."""
    prune: Bool | None = None
    """True: delete what Git has no more. Default: as automated."""
    dry_run: Bool | None = None
    """True: compare only."""
    resources: list[OperationResource] | None = None
    """Only these objects. Default: all."""
    sync_options: list[str] | None = None
    """In addition to the spec's."""
    history_id: Int64 | None = Field(default=None, alias="historyID")
    """Roll back to this entry of the history, and hold the present revision."""
    allow_rewind: Bool | None = None
    """True: the commit may be older than the one that is applied."""
    adopt: Bool | None = None
    """True: take over objects that another tool manages."""
    confirm_plan: str | None = None
    """Digest of a plan (status.plan.digest) whose deletions are confirmed."""


class InitiatedBy(Model):
    """Who asks; a claim, nobody checks it."""

    username: str | None = None
    """Name."""
    automated: Bool | None = None
    """True: a program."""


class Operation(Model):
    """A command. Cleared when it was taken up."""

    sync: SyncOperation | None = None
    """A sync, now."""
    retry: Retry | None = None
    """Instead of the spec's."""
    initiated_by: InitiatedBy | None = None
    """Who asks."""
    release: Bool | None = None
    """True: end a hold."""
    terminate: Bool | None = None
    """True: stop the sync under way."""


class GitSync(Model):
    """Keeps a folder of a Git repository applied."""

    api_version: str | None = None
    """`gitops.rollouts.dev/v1alpha1`."""
    kind: str | None = None
    """`GitSync`."""
    metadata: ObjectMeta = ObjectMeta()
    """Name, labels and bookkeeping."""
    spec: GitSyncSpec
    """What is wanted."""
    operation: Operation | None = None
    """A command. Cleared when it was taken up."""
    status: GitSyncStatus = GitSyncStatus()
    """What is remembered."""
