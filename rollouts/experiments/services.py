"""The Service of a template: finds its pods by their hash and offers every port a container names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rollouts.experiments.snapshot import Snapshot

JSON = Mapping[str, Any]

LONGEST: Final = 63
"""Names of Services are DNS labels."""


def ports(pods: JSON) -> list[dict[str, Any]]:
    """One port per containerPort and protocol. Names are the containers', made unique."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for container in (pods.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            number, protocol = port["containerPort"], port.get("protocol") or "TCP"
            used = {entry["name"] for entry in found.values()}
            name = port.get("name") or ""
            found.setdefault(
                (number, protocol),
                {
                    "name": name if name and name not in used else f"port-{number}-{protocol.lower()}",
                    "port": number,
                    "targetPort": number,
                    "protocol": protocol,
                },
            )
    return list(found.values())


def fault(name: str | None, template: str, snapshot: Snapshot) -> str:
    """Why the Service a template asks for can't be made; empty when it can, or none is asked for."""
    if name is None:
        return ""
    if len(name) > LONGEST:
        return f"Template '{template}' asks for Service '{name}', longer than {LONGEST} characters: set service.name"
    if name in snapshot.taken_services:
        return f"Template '{template}' asks for Service '{name}', which belongs to somebody else: name another"
    return ""
