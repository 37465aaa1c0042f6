"""The header of a view: the figures about a Rollout that people look for first. Pure: raw objects in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rollouts.cli import world
from rollouts.cli.phase import phase_of
from rollouts.cli.text import step_text
from rollouts.cli.world import JSON, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in use and what it serves: stable, canary, active, preview, or an experiment's template."""

    name: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Pods: wanted, there, of the new version, ready, available."""

    desired: int
    current: int
    updated: int
    ready: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the header says.

    `steps`: the canary's steps in words; `step`: how many are done, None without steps.
    `set_weight`: what the steps ask for; `actual_weight`: what the canary gets; both in percent.
    """

    name: str
    namespace: str
    phase: str
    message: str
    strategy: str
    steps: tuple[str, ...] = ()
    step: int | None = None
    set_weight: int | None = None
    actual_weight: int | None = None
    images: tuple[Image, ...] = ()
    replicas: Replicas | None = None


def facts_of(seen: World) -> Facts:
    """The facts of the Rollout that `seen` is about."""
    rollout = seen.root
    phase, message = phase_of(rollout)
    canary = is_canary(rollout)
    return Facts(
        name=world.name(rollout),
        namespace=world.namespace(rollout),
        phase=phase,
        message=message,
        strategy="Canary" if canary else "BlueGreen",
        steps=tuple(step_text(step) for step in steps_of(rollout)),
        step=step_index(rollout) if canary else None,
        set_weight=set_weight(rollout) if canary else None,
        actual_weight=actual_weight(seen) if canary else None,
        images=rollout_images(seen),
        replicas=_replicas(rollout),
    )


def strategy(rollout: JSON) -> JSON:
    """The body of the Rollout's strategy."""
    found = world.spec(rollout).get("strategy") or {}
    return found.get("canary") or found.get("blueGreen") or {}


def is_canary(rollout: JSON) -> bool:
    """Whether the strategy is a canary; blue/green otherwise."""
    return "blueGreen" not in (world.spec(rollout).get("strategy") or {})


def steps_of(rollout: JSON) -> list[JSON]:
    """The canary's steps; empty for none."""
    return list(strategy(rollout).get("steps") or ()) if is_canary(rollout) else []


def step_index(rollout: JSON) -> int | None:
    """The current step's index, len(steps) when all are done; None without steps or before the first reconcile."""
    index = world.status(rollout).get("currentStepIndex")
    return int(index) if index is not None and steps_of(rollout) else None


def max_weight(rollout: JSON) -> int:
    """The weight that means everything: 100 unless the traffic router says otherwise."""
    return int((strategy(rollout).get("trafficRouting") or {}).get("maxTrafficWeight") or 100)


def set_weight(rollout: JSON) -> int:
    """The last setWeight up to the current step; 0 when aborted or before the first, everything after the last step."""
    index, steps = step_index(rollout), steps_of(rollout)
    if world.status(rollout).get("abort"):
        return 0
    if index is None or index >= len(steps):
        return max_weight(rollout)
    weights = [step["setWeight"] for step in steps[: index + 1] if step.get("setWeight") is not None]
    return int(weights[-1]) if weights else 0


def actual_weight(seen: World) -> int:
    """The share of traffic the new version gets: the router's, or that of its available pods."""
    rollout, status = seen.root, world.status(seen.root)
    index = step_index(rollout)
    if not status.get("abort") and (index is None or index >= len(steps_of(rollout))):
        return max_weight(rollout)
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        return int((weights.get("canary") or {}).get("weight") or 0)
    total = int(status.get("availableReplicas") or 0)
    return _available_of_new(seen) * 100 // total if total else 0


def _available_of_new(seen: World) -> int:
    current = world.status(seen.root).get("currentPodHash")
    owned = seen.owned_replica_sets(seen.root)
    return sum(
        int(world.status(item).get("availableReplicas") or 0) for item in owned if world.pod_hash(item) == current
    )


def roles(rollout: JSON, replica_set: JSON) -> tuple[str, ...]:
    """What a ReplicaSet is to the Rollout: stable, canary, active, preview, ping, pong; empty for an old one."""
    status, found = world.status(rollout), world.pod_hash(replica_set)
    if not found:
        return ()
    return tuple(_canary_roles(status, found) if is_canary(rollout) else _blue_green_roles(status, found))


def _canary_roles(status: JSON, found: str) -> Iterator[str]:
    stable_side = (status.get("canary") or {}).get("stablePingPong")
    other = {"ping": "pong", "pong": "ping"}
    if found == status.get("stableRS"):
        yield "stable"
        if stable_side:
            yield str(stable_side)
    elif found == status.get("currentPodHash"):
        yield "canary"
        if stable_side:
            yield other.get(str(stable_side), "")


def _blue_green_roles(status: JSON, found: str) -> Iterator[str]:
    selectors = status.get("blueGreen") or {}
    if found == status.get("stableRS"):
        yield "stable"
    if found == selectors.get("activeSelector"):
        yield "active"
    elif found == selectors.get("previewSelector"):
        yield "preview"


def rollout_images(seen: World) -> tuple[Image, ...]:
    """Images that a Rollout's pods run or should, with what they serve, each once."""
    own = [(item, roles(seen.root, item)) for item in seen.owned_replica_sets(seen.root)]
    tried = [pair for item in world.owned(seen.experiments, seen.root) for pair in _templates(seen, item)]
    return _images([*own, *tried])


def experiment_images(seen: World) -> tuple[Image, ...]:
    """Images of an Experiment's templates."""
    return _images(_templates(seen, seen.root))


def _templates(seen: World, experiment: JSON) -> list[tuple[JSON, tuple[str, ...]]]:
    return [(item, (f"Σ:{template_name(item)}",)) for item in seen.owned_replica_sets(experiment)]


def template_name(replica_set: JSON) -> str:
    """The experiment's template a ReplicaSet belongs to."""
    return world.annotation(replica_set, "experiment.argoproj.io/template-name")


def _images(tagged: Iterable[tuple[JSON, tuple[str, ...]]]) -> tuple[Image, ...]:
    found: dict[str, list[str]] = {}
    for item, tags in tagged:
        if not (world.spec(item).get("replicas") or world.status(item).get("replicas")):
            continue
        for image in world.images(item):
            known = found.setdefault(image, [])
            known.extend(tag for tag in tags if tag not in known)
    return tuple(Image(name=image, tags=tuple(tags)) for image, tags in sorted(found.items()))


def _replicas(rollout: JSON) -> Replicas:
    spec, status = world.spec(rollout), world.status(rollout)
    desired = spec.get("replicas")
    return Replicas(
        desired=1 if desired is None else int(desired),
        current=int(status.get("replicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
    )
