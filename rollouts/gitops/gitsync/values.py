"""What decisions and passes hand to each other: a mandate down, a finding up, and the facts a decision is made on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rollouts.gitops.forges.values import Told
from rollouts.gitops.health import Part
from rollouts.gitops.objects import JSON, Ref
from rollouts.gitops.seen import Mark


class Task(StrEnum):
    """What a pass is for."""

    SYNC = "sync"
    """Compare, and apply if the verdict allows it."""
    LOOK = "look"
    """Only see how healthy the objects are."""
    IMAGES = "images"
    """Look for newer images, and commit them."""
    REVERT = "revert"
    """Take a rejected commit back in Git."""
    TEARDOWN = "teardown"
    """The GitSync is being deleted: delete what it applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """What one pass is to do. `explicit`: a person asked for it, so policies about what happens by itself don't count.

    `operation`: the command it comes from, as the API has it. `attempt`: from 0.
    `fresh`: the repository may have something new; `stirred`: an object is not what it was; `thorough`: all is to be
    compared, whatever is known.
    `generation`, `requested`: spec and request by annotation that the pass answers.
    """

    task: Task = Task.SYNC
    operation: JSON = field(default_factory=dict)
    explicit: bool = False
    attempt: int = 0
    began: datetime | None = None
    generation: int = 0
    requested: str = ""
    fresh: bool = False
    stirred: bool = False
    thorough: bool = False

    @property
    def sync(self) -> JSON:
        """`operation.sync`, empty when there is none."""
        found = self.operation.get("sync")
        return found if isinstance(found, Mapping) else {}

    @property
    def settles(self) -> bool:
        """Whether a person wants everything to be as Git says, fields that were fought over too (R7)."""
        sync = self.sync
        part = sync.get("resources") or sync.get("dryRun") or sync.get("confirmPlan")
        return self.explicit and not part and not (self.operation.get("initiatedBy") or {}).get("automated")

    @property
    def by(self) -> str:
        """Who asked, as they say themselves."""
        return str((self.operation.get("initiatedBy") or {}).get("username") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object for the status. `status`: Synced, OutOfSync or Unknown."""

    ref: Ref
    version: str = ""
    status: str = "Synced"
    prune: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heal:
    """A field that self-heal set back in this pass, and who had changed it."""

    ref: Ref
    path: str
    manager: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a pass found and did. `commit`: what was compared; `resolved`: what the source's revision means now.

    `compared`: the comparison was completed. `waiting`: why the plan was not carried out, empty when it was or when
    there was nothing to do; `unfinished`: a part was carried out, the rest waits; `wave`: the one that waits for what
    comes before it. `attempted`: something was to be
    applied. `errors` and `step`: what went wrong, and where; `denied`: only a person can mend it;
    `budget`: which one was exceeded. `again`: when the
    reason to wait may be over; `blocked`: when dependencies are ready. `image_update`: what is remembered of a look at
    images, `pushed`: that look made a commit. `seen`: the objects Git has, as they are now, as far as they were
    compared or applied; `calm`: when a comparison found, or made, all of them as Git says; None when something is left.
    `folder`: the id of the folder that was rendered; empty when more than the folder had a part in it.
    `webhook`: what is wrong with the Secret of the webhook, empty for nothing, None where it was not looked at.
    `content`: digest of what the commit renders to. `digest` names the plan, `deletions` what of it a person may
    confirm; `asking`: so many objects wait for that.
    """

    mandate: Mandate
    began: datetime
    at: datetime
    resolved: str = ""
    commit: str = ""
    inputs: str = ""
    compared: bool = False
    attempted: bool = False
    partial: bool = False
    unfinished: bool = False
    changed: bool = False
    waiting: str = ""
    wave: int | None = None
    errors: tuple[str, ...] = ()
    step: str = ""
    budget: str = ""
    denied: bool = False
    digest: str = ""
    content: str = ""
    deletions: str = ""
    asking: int = 0
    renderer: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    protected: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    parts: tuple[Part, ...] = ()
    images: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    objects: int = 0
    heals: tuple[Heal, ...] = ()
    again: datetime | None = None
    blocked: bool = False
    seen: Mapping[Ref, Mark] = field(default_factory=dict)
    calm: datetime | None = None
    folder: str = ""
    image_update: Mapping[str, Any] | None = None
    pushed: bool = False
    revert: Mapping[str, Any] | None = None
    webhook: str | None = None

    @property
    def failed(self) -> bool:
        """Whether anything went wrong."""
        return bool(self.errors)

    @property
    def pending(self) -> bool:
        """Whether the cluster differs from Git and the plan was not carried out."""
        return self.compared and bool(self.waiting) and any(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision knows beside the GitSync itself. `compared_at` and `images_at`: when this process
    last compared with Git, and last looked for images.

    `looked_at`: when this process last finished a pass. `hinted`: a webhook says there is something new. `stagger`:
    between 0 and 1, so that syncs don't poll together. `rollouts`: live Rollouts this sync has applied. `blockers`:
    what it depends on and is not ready, in words; `blocked`: the last pass stopped for such. `again`: as the last pass
    said. `account`: the controller's default ServiceAccount. `stirred`: since when it is known that an object is not
    what it was; `restless`: how many passes in a row began for that reason. `moved`: when another sync of its
    repository has seen a new commit. `reported`: since when controllers of its objects have written statuses nobody has
    read. `told`: what the forge was told since. `reverted_at`: when this process last tried to take a commit back.
    `webhook`: what is wrong with the Secret of its webhook, empty for nothing, None where it is not known.
    """

    running: Mandate | None = None
    finding: Finding | None = None
    looked_at: datetime | None = None
    compared_at: datetime | None = None
    images_at: datetime | None = None
    hinted: bool = False
    stagger: float = 0.0
    rollouts: tuple[JSON, ...] = ()
    blockers: tuple[str, ...] = ()
    account: str = ""
    contested: tuple[Mapping[str, Any], ...] = ()
    again: datetime | None = None
    blocked: bool = False
    stirred: datetime | None = None
    restless: int = 0
    moved: datetime | None = None
    reported: datetime | None = None
    told: Told | None = None
    reverted_at: datetime | None = None
    webhook: str | None = None
