"""Where a Rollout's pod template is: its own, or that of the workload it refers to (`spec.workloadRef`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rollouts.api.kinds import DEPLOYMENT, POD_TEMPLATE, REPLICA_SET, ROLLOUT, Kind
from rollouts.cli import world
from rollouts.cli.client import JSON_PATCH
from rollouts.cli.errors import ApiError, CliError
from rollouts.cli.patches import JsonPatch
from rollouts.cli.session import Session
from rollouts.gitops.marks import TRACKING

_REFERABLE = {kind.kind: kind for kind in (DEPLOYMENT, REPLICA_SET, POD_TEMPLATE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The object that holds the pod template, and its kind. `path`: where in it, as a JSON pointer."""

    kind: Kind
    raw: dict[str, Any]

    @property
    def path(self) -> str:
        """Where the template is in the object."""
        return "/template" if self.kind is POD_TEMPLATE else "/spec/template"


def workload_of(session: Session, rollout: dict[str, Any]) -> Workload:
    """The object that holds the template of `rollout`. CliError when the reference leads nowhere."""
    reference = world.spec(rollout).get("workloadRef")
    if not reference:
        return Workload(kind=ROLLOUT, raw=rollout)
    kind = _REFERABLE.get(str(reference.get("kind")))
    if kind is None:
        raise CliError(f"workloadRef names a {reference.get('kind')}, which has no pod template known to this command")
    return Workload(kind=kind, raw=session.find(kind, str(reference.get("name"))))


def send(session: Session, workload: Workload, operations: JsonPatch) -> None:
    """Send a JSON patch to the workload."""
    name = world.name(workload.raw)
    try:
        path = workload.kind.path(session.namespace, name)
        session.client.patch(path, operations, content_type=JSON_PATCH)
    except ApiError as error:
        raise session.missing(workload.kind, name, error) from None
    sync = (workload.raw["metadata"].get("annotations") or {}).get(TRACKING, "").partition(":")[0]
    if sync:
        session.terminal.remark(
            f"note: the GitSync {sync} applies this {workload.kind.kind} from Git and may set it back: change it there"
        )
