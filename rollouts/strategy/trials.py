"""The Experiments of a Rollout, one per `experiment` step and attempt: which counts now, what is made and ended.

An Experiment carries no step in its labels (nor does the peer's), so its name says which step it belongs to:
`<rollout>-<hash>-<revision>-<step>`, then `-1`, `-2`, … where that is taken. Its pod templates are copies of those of
the ReplicaSets, without what a controller put there: anti-affinity and the metadata of a role.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rollouts.api import kinds
from rollouts.plan import Create, Patch
from rollouts.strategy import identity, keys, sound, templates
from rollouts.strategy.objects import owner_reference
from rollouts.strategy.revisions import Revisions
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet, Snapshot, Trial
from rollouts.traffic import Destination

JSON = Mapping[str, Any]

KEY: Final = "experiment"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTrial:
    """The Experiment of the step a Rollout is at. `create`: its spec, when it is to be created now (`trial` is None
    then)."""

    name: str
    trial: Trial | None
    create: JSON | None = None


def standing(at: Situation, index: int) -> Trial | None:
    """The Experiment of the step at `index` that counts: the one status names, else an unfinished or successful one of
    this attempt (the controller may have died before it could name it)."""
    if block_at(at, index) is None or (at.begins and not at.revisions.updated):
        return None
    pattern = re.compile(re.escape(base_name(at, index)) + r"(-\d+)?")
    same = [trial for trial in map(Trial.of, at.snapshot.experiments) if pattern.fullmatch(trial.name)]
    named = (at.recorded.raw.get("canary") or {}).get("currentExperiment")
    found = next((trial for trial in same if trial.name == named), None)
    return found or next((trial for trial in reversed(same) if _of_this_attempt(at, trial)), None)


def _of_this_attempt(at: Situation, trial: Trial) -> bool:
    if at.begins:  # the controller died between making it and saying that this update began
        return not trial.terminating and not trial.finished
    started = at.recorded.started
    fresh = started is None or trial.created is None or trial.created >= started
    return fresh and not trial.terminating and (not trial.finished or trial.phase == "Successful")


def current(at: Situation, index: int, *, begins: bool) -> CurrentTrial | None:
    """The Experiment of the step at `index`. `begins`: the step asks for a new one."""
    block = block_at(at, index)
    if block is None:
        return None
    trial = standing(at, index)
    if not begins:
        return None if trial is None else CurrentTrial(name=trial.name, trial=trial)
    spec = _spec(at, block, f"spec.strategy.canary.steps[{index}].experiment")
    return None if spec is None else CurrentTrial(name=_free_name(at, index), trial=None, create=spec)


def block_at(at: Situation, index: int) -> JSON | None:
    """The `experiment` block of a step, None for another kind of step."""
    steps = at.wants.steps
    block: JSON | None = steps[index].get(KEY) if index < len(steps) else None
    return block


def destinations(at: Situation, index: int) -> tuple[Destination, ...]:
    """Where the Experiment of a step gets traffic: templates with a weight, once it runs."""
    block, trial = block_at(at, index), standing(at, index)
    if block is None or trial is None or trial.phase != "Running" or trial.terminating:
        return ()
    entries = sound.experiment(trial.raw.get("status")).get("templateStatuses") or ()
    by_name = {entry.get("name"): entry for entry in entries if entry.get("serviceName")}
    weighed = [template for template in block["templates"] if template.get("weight") and template["name"] in by_name]
    return tuple(
        Destination(
            service=by_name[template["name"]]["serviceName"],
            hash=by_name[template["name"]].get("podTemplateHash") or "",
            weight=template["weight"],
        )
        for template in weighed
    )


def creation(rollout: JSON, revisions: Revisions, made: CurrentTrial) -> Create:
    """The request that makes an Experiment."""
    namespace = rollout["metadata"]["namespace"]
    labels = {keys.POD_HASH: revisions.hash}
    instance = (rollout["metadata"].get("labels") or {}).get(keys.INSTANCE_ID)
    if instance:
        labels[keys.INSTANCE_ID] = instance
    body = {
        "apiVersion": kinds.EXPERIMENT.api_version,
        "kind": kinds.EXPERIMENT.kind,
        "metadata": {
            "name": made.name,
            "namespace": namespace,
            "labels": labels,
            "annotations": {keys.REVISION: str(revisions.number)},
            "ownerReferences": [owner_reference(rollout)],
        },
        "spec": made.create or {},
    }
    return Create(kind=kinds.EXPERIMENT, namespace=namespace, body=body)


def terminate(trial: Trial) -> Patch:
    """Ask an Experiment to end."""
    metadata = trial.raw["metadata"]
    body = {"spec": {"terminate": True}}
    return Patch(kind=kinds.EXPERIMENT, namespace=metadata["namespace"], name=trial.name, body=body)


def problems(snapshot: Snapshot) -> Iterator[str]:
    """What is wrong with the analyses of `experiment` steps, as `path: message`."""
    canary = snapshot.rollout["spec"]["strategy"].get("canary") or {}
    for index, step in enumerate(canary.get("steps") or ()):
        for position, analysis in enumerate((step.get(KEY) or {}).get("analyses") or ()):
            path = f"spec.strategy.canary.steps[{index}].experiment.analyses[{position}]"
            try:
                args = templates.given(analysis.get("args") or (), snapshot.rollout, path, stable="-", latest="-")
                templates.one_run_spec({**analysis, "args": args}, snapshot, path=path, strict=True)
            except templates.UnusableAnalysisError as error:
                yield from map(str, error.problems)


def _free_name(at: Situation, index: int) -> str:
    base = base_name(at, index)
    taken = {raw["metadata"]["name"] for raw in at.snapshot.experiments} | at.snapshot.taken_experiments
    name, count = base, 0
    while name in taken:
        count += 1
        name = f"{base}-{count}"
    return name


def base_name(at: Situation, index: int) -> str:
    """The name of the Experiment of a step, before any number."""
    return f"{at.wants.name}-{at.revisions.hash}-{at.revisions.number}-{index}"


def _spec(at: Situation, block: JSON, path: str) -> dict[str, Any] | None:
    """The spec of an Experiment; None while a ReplicaSet it copies is not there."""
    made = [_template(at, template) for template in block["templates"]]
    if any(template is None for template in made):
        return None
    copied = ("duration", "scaleDownDelaySeconds", "dryRun", "analysisRunMetadata")
    spec = {
        **{key: block[key] for key in copied if block.get(key) is not None},
        "progressDeadlineSeconds": at.wants.deadline,
        "templates": made,
    }
    if block.get("analyses"):
        spec["analyses"] = [
            _analysis(at, analysis, f"{path}.analyses[{position}]")
            for position, analysis in enumerate(block["analyses"])
        ]
    return spec


def _template(at: Situation, template: JSON) -> dict[str, Any] | None:
    revisions = at.revisions
    if template["specRef"] == "canary":
        pods, digest = _pods(revisions.new, at.wants.template), revisions.hash
    elif revisions.stable is not None:
        pods, digest = _pods(revisions.stable, {}), revisions.stable.hash
    else:
        return None
    entry = {
        "name": template["name"],
        "selector": template.get("selector") or _selector(at.wants.selector, digest),
        "template": _dressed(identity.inject_hash_label(pods, digest), template.get("metadata") or {}),
    }
    if template.get("replicas") is not None:
        entry["replicas"] = template["replicas"]
    if at.wants.min_ready_seconds:
        entry["minReadySeconds"] = at.wants.min_ready_seconds
    if template.get("service") is not None or template.get("weight") is not None:
        entry["service"] = template.get("service") or {}
    return entry


def _pods(rs: ReplicaSet | None, written: JSON) -> JSON:
    """The pod template of a ReplicaSet as the user meant it; `written`, when it is only being made."""
    if rs is None:
        return written
    bare = identity.strip_ephemeral_metadata(rs.raw["spec"]["template"], identity.ephemeral_metadata(rs.raw))
    return identity.strip_anti_affinity(bare)


def _selector(selector: JSON, digest: str) -> dict[str, Any]:
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), keys.POD_HASH: digest}}


def _dressed(pods: JSON, extra: JSON) -> dict[str, Any]:
    """With the labels and annotations the step asks for; empty maps are left out."""
    metadata = dict(pods.get("metadata") or {})
    for part in ("labels", "annotations"):
        merged = {**(metadata.pop(part, None) or {}), **(extra.get(part) or {})}
        metadata |= {part: merged} if merged else {}
    return {**pods, "metadata": metadata}


def _analysis(at: Situation, analysis: JSON, path: str) -> dict[str, Any]:
    args = templates.given(
        analysis.get("args") or (),
        at.snapshot.rollout,
        path,
        stable=at.recorded.stable_hash,
        latest=at.revisions.hash,
    )
    copied = {key: value for key, value in analysis.items() if key != "args"}
    return {**copied, "args": args} if args else copied
