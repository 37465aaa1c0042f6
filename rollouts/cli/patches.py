"""What each command writes: pure functions from the object as it was read to the patch that is sent.

The words are the peer's, field by field, so that controllers and plugins can be mixed: a command is an intent on the
object, the controller does the rest. Merge patches carry no resourceVersion; they touch nothing else than the intent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rollouts.cli import world
from rollouts.cli.errors import CliError
from rollouts.cli.facts import step_index, steps_of
from rollouts.cli.world import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A merge patch in its two halves; None leaves a half out."""

    spec: JSON | None = None
    status: JSON | None = None

    @property
    def body(self) -> dict[str, Any]:
        """Both halves as one patch, for a kind without a status subresource."""
        halves = {"spec": self.spec, "status": self.status}
        return {key: half for key, half in halves.items() if half is not None}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.body


ABORT = Patch(status={"abort": True})
RETRY = Patch(status={"abort": False})
PAUSE = Patch(spec={"paused": True})
TERMINATE = Patch(spec={"terminate": True})
RETRY_EXPERIMENT: Final = {"spec": {"terminate": None}, "status": None}
"""Experiments have no status subresource, so this is one patch. The wish to end one would end it again at once."""


def restart(at: datetime) -> Patch:
    """Restart all pods at a time, in whole seconds UTC."""
    return Patch(spec={"restartAt": at.strftime("%Y-%m-%dT%H:%M:%SZ")})


def promote(rollout: JSON) -> Patch:
    """Go on: end the pause there is, or else take the next step."""
    return Patch(spec=_unpaused(rollout), status=_promoted(rollout))


def promote_full(rollout: JSON) -> Patch:
    """Skip all steps, pauses and analysis; nothing when the new version is stable already."""
    status = world.status(rollout)
    done = status.get("currentPodHash") == status.get("stableRS")
    return Patch(spec=_unpaused(rollout), status=None if done else {"promoteFull": True})


def skip_current_step(rollout: JSON) -> Patch:
    """Take the next step, whatever the current one waits for. CliError without steps."""
    return Patch(spec=_unpaused(rollout), status=_at_step(_index(rollout, "--skip-current-step") + 1, rollout))


def skip_all_steps(rollout: JSON) -> Patch:
    """Behind the last step. CliError without steps."""
    _index(rollout, "--skip-all-steps")
    return Patch(spec=_unpaused(rollout), status=_at_step(len(steps_of(rollout)), rollout))


def _unpaused(rollout: JSON) -> JSON | None:
    return {"paused": False} if world.spec(rollout).get("paused") else None


def _promoted(rollout: JSON) -> JSON | None:
    status, index = world.status(rollout), step_index(rollout)
    paused = bool(status.get("pauseConditions"))
    if paused and status.get("controllerPause") and _inconclusive(status) and index is not None:
        return {**_at_step(index + 1, rollout), "controllerPause": False}
    if paused:
        return {"pauseConditions": None}
    if index is None or index >= len(steps_of(rollout)):
        return None
    return _at_step(index + 1, rollout)


def _inconclusive(status: JSON) -> bool:
    run = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    return bool(run.get("status") == "Inconclusive")


def _at_step(index: int, rollout: JSON) -> dict[str, Any]:
    return {"pauseConditions": None, "currentStepIndex": min(index, len(steps_of(rollout)))}


def _index(rollout: JSON, option: str) -> int:
    index = step_index(rollout)
    if index is None:
        raise CliError(f'rollout "{world.name(rollout)}" has no canary steps, so {option} has nothing to skip')
    return index


JsonPatch = list[dict[str, Any]]
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def set_images(workload: JSON, images: Mapping[str, str], *, path: str = "/spec/template") -> JsonPatch:
    """A JSON patch that sets containers' images; `*` names all of them. Each change tests the container's name first.

    `path`: where in the workload the pod template is. CliError when a container does not exist; it names those that do.
    """
    holder = world.spec(workload) if path.startswith("/spec/") else workload
    pod = ((holder.get("template") or {}).get("spec")) or {}
    places = [(group, at, item) for group in _CONTAINERS for at, item in enumerate(pod.get(group) or ())]
    _check_containers(images, [str(item.get("name")) for _, _, item in places], workload)
    operations: JsonPatch = []
    for group, at, item in places:
        image = images.get(str(item.get("name")), images.get("*"))
        if image is not None and image != item.get("image"):
            place = f"{path}/spec/{group}/{at}"
            operations.append({"op": "test", "path": f"{place}/name", "value": item.get("name")})
            operations.append({"op": "replace" if "image" in item else "add", "path": f"{place}/image", "value": image})
    return operations


def _check_containers(images: Mapping[str, str], known: Sequence[str], workload: JSON) -> None:
    unknown = [name for name in images if name != "*" and name not in known]
    if unknown:
        raise CliError(
            f'{workload.get("kind", "rollout")} "{world.name(workload)}" has no container "{unknown[0]}"',
            hint=f"It has: {', '.join(known) or 'none'}.",
        )


def choose_revision(replica_sets: Sequence[JSON], *, current: int, wanted: int) -> JSON:
    """The ReplicaSet of the revision `wanted`, 0 for the one before `current`. CliError lists what there is."""
    known = {world.revision(item): item for item in replica_sets if world.revision(item)}
    number = wanted or max((item for item in known if item < current), default=0)
    if number in known:
        return known[number]
    listed = ", ".join(str(item) for item in sorted(known, reverse=True)) or "none"
    what = f"there is no revision {wanted}" if wanted else "there is no earlier revision to go back to"
    raise CliError(what, hint=f"Revisions in the history: {listed}.")


def template_of(replica_set: JSON) -> dict[str, Any]:
    """A ReplicaSet's pod template as its author wrote it: without what a controller put there, which is the hash label,
    labels and annotations of a role (`canaryMetadata` and its like), and terms that keep revisions apart."""
    from rollouts.strategy import identity  # only undo needs it, and every command would wait for it

    template = identity.strip_anti_affinity(
        identity.strip_ephemeral_metadata(
            world.spec(replica_set).get("template") or {}, identity.ephemeral_metadata(replica_set)
        )
    )
    meta = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != world.POD_HASH}
    return {**template, "metadata": {**meta, "labels": labels}}


def replace_template(template: JSON, *, path: str = "/spec/template") -> JsonPatch:
    """A JSON patch that replaces the pod template."""
    return [{"op": "replace", "path": path, "value": template}]
