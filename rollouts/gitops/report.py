"""How a pass went, as a value and as lines for people.

[shop] 1a2b3c4d Raise the limits  Synced: 1 created, 2 updated, 14 unchanged
  updated  Rollout shop/web         spec.template.spec.containers[0].image
  pruned   ConfigMap shop/web-old
  health   Suspended (Rollout shop/web: paused at step 2/5, promote or abort)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rollouts.gitops.diff import shorten
from rollouts.gitops.health import Health, Part, overall
from rollouts.gitops.inventory import Inventory
from rollouts.gitops.objects import Ref
from rollouts.gitops.plan import Action, Examined, Kept
from rollouts.gitops.seen import Mark


class Result(StrEnum):
    """`CURRENT`: nothing was to be done. `FAILED`: the errors say whether anything was changed.
    `WAITING`: a part is done, and the rest waits for something."""

    SYNCED = "Synced"
    CURRENT = "Current"
    FAILED = "Failed"
    WAITING = "Waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One pass. `step` names the part of the pipeline that failed; `changed` whether the cluster was written to.
    `seen`: the objects applied, as they are now. `wave`: the one that waits for what comes before it, if one does.
    """

    sync: str
    result: Result
    commit: str = ""
    subject: str = ""
    applied: tuple[Examined, ...] = ()
    unchanged: int = 0
    pruned: tuple[Ref, ...] = ()
    kept: tuple[Kept, ...] = ()
    errors: tuple[str, ...] = ()
    step: str = ""
    waiting: str = ""
    wave: int | None = None
    remarks: tuple[str, ...] = ()
    parts: tuple[Part, ...] | None = None
    inventory: Inventory = field(default_factory=Inventory)
    seen: Mapping[Ref, Mark] = field(default_factory=dict)

    @property
    def health(self) -> Health | None:
        """The worst of all objects; None when it was not looked at."""
        return None if self.parts is None else overall(self.parts)

    @property
    def changed(self) -> bool:
        """Whether anything was applied or pruned."""
        return bool(self.applied or self.pruned)

    def lines(self) -> Iterator[str]:
        """The report for a terminal or a log, without colours."""
        yield f"[{self.sync}] {self.commit[:8]} {self.subject}".rstrip() + f"  {self.result}: {self._summary()}"
        for item in self.applied:
            verb = "created" if item.action is Action.AWAIT else item.action.value
            yield f"  {verb:8} {item.manifest.ref.label}  {shorten(item.fields)}".rstrip()
        yield from (f"  pruned   {ref.label}" for ref in self.pruned)
        yield from (f"  kept     {row.ref.label}  {row.reason}" for row in self.kept)
        yield from (f"  error    {line}" for error in self.errors for line in error.splitlines())
        yield from (f"  remark   {text}" for text in self.remarks)
        if self.health is not None:
            yield f"  health   {self.health}"

    def _summary(self) -> str:
        if self.waiting:
            return self.waiting
        if self.result is Result.FAILED:
            left = "the rest is left as it is" if self.changed else "the cluster is left as it is"
            return f"{self.step} failed, {left}"
        created = sum(item.action in {Action.CREATE, Action.AWAIT} for item in self.applied)
        anew = sum(item.action is Action.RECREATE for item in self.applied)
        counts = {
            "created": created,
            "updated": len(self.applied) - created - anew,
            "made anew": anew,
            "pruned": len(self.pruned),
            "unchanged": self.unchanged,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no objects"
