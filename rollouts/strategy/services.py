"""Services follow ReplicaSets by one more label in their selector (§2.8).

A Service is first taken over only when all pods it will select are available: until then it selects every pod of the
app, which is better than too few. Later one available pod is enough. A Service this Rollout manages but names no more
(its strategy changed) is let go, or it would keep selecting pods that are scaled away one day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.api import kinds
from rollouts.plan import Event, Patch
from rollouts.strategy import keys
from rollouts.strategy.snapshot import ReplicaSet

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Point a Service at a hash; None lets it go."""

    service: JSON
    hash: str | None


def selected(services: Mapping[str, JSON], name: str | None) -> str:
    """The hash a Service selects; empty when it selects none, or is not there."""
    found = services.get(name or "") or {}
    return ((found.get("spec") or {}).get("selector") or {}).get(keys.POD_HASH) or ""


def managed(service: JSON) -> str:
    """The Rollout a Service belongs to; empty when it belongs to none."""
    return (service["metadata"].get("annotations") or {}).get(keys.MANAGED_BY) or ""


def follow(
    services: Mapping[str, JSON], name: str | None, rs: ReplicaSet | None, *, idle: bool = False
) -> Iterator[Switch]:
    """Point a Service at a ReplicaSet, as soon as that can serve. `idle`: no pods are wanted, so none need to."""
    service = services.get(name or "")
    if service is None or rs is None or _points(service, rs.hash):
        return
    lost = selected(services, name) == rs.hash
    if lost or ((rs.available or idle) if managed(service) else (rs.full and rs.settled)):
        yield Switch(service=service, hash=rs.hash)


def at_once(services: Mapping[str, JSON], name: str | None, digest: str) -> Iterator[Switch]:
    """Point a Service at a hash, whether or not its pods can serve: a preview shows what there is."""
    service = services.get(name or "")
    if service is not None and not _points(service, digest):
        yield Switch(service=service, hash=digest)


def _points(service: JSON, digest: str) -> bool:
    """Whether a Service selects a hash and says whose it is: one that says so no more would not be freed one day."""
    name = service["metadata"]["name"]
    return selected({name: service}, name) == digest and bool(managed(service))


def released(services: Mapping[str, JSON], rollout: str, named: Iterable[str | None]) -> Iterator[Switch]:
    """Let go of Services the Rollout manages but does not name."""
    wanted = set(named)
    for name, service in services.items():
        if managed(service) == rollout and name not in wanted:
            yield Switch(service=service, hash=None)


def after(services: Mapping[str, JSON], switches: Iterable[Switch], name: str | None) -> str:
    """The hash a Service selects once the switches are made."""
    made = {switch.service["metadata"]["name"]: switch.hash for switch in switches}
    return (made[name] or "") if name in made else selected(services, name)


def patch(switch: Switch, rollout: str) -> Patch:
    """The write that makes a switch, on exactly the Service it was decided on."""
    metadata = switch.service["metadata"]
    body: dict[str, Any] = {"spec": {"selector": {keys.POD_HASH: switch.hash}}}
    owner = rollout if switch.hash else None
    if managed(switch.service) != (owner or ""):
        body["metadata"] = {"annotations": {keys.MANAGED_BY: owner}}
    return Patch(
        kind=kinds.SERVICE,
        namespace=metadata["namespace"],
        name=metadata["name"],
        body=body,
        resource_version=metadata.get("resourceVersion"),
    )


def event(switch: Switch) -> Event:
    """`Switched selector for service 'app' from 'abc' to 'def'`."""
    name = switch.service["metadata"]["name"]
    before = selected({name: switch.service}, name)
    message = f"Switched selector for service '{name}' from '{before}' to '{switch.hash or ''}'"
    return Event(reason="SwitchService", message=message)
