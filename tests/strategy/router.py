"""A traffic router for tests: the split is kept as JSON in a ConfigMap named by `trafficRouting.plugins`.

It is a router like any other (`rollouts.traffic.base`), so what is tested with it, in memory and on the real API
server, holds for all. `serves` in the ConfigMap is what the data plane says it serves; with `verify: true` the router
waits for it, and `broken` is what keeps it from finding out.
"""

import json
from collections.abc import Mapping
from typing import Any

from rollouts.api.kinds import CONFIG_MAP
from rollouts.plan import Patch
from rollouts.traffic import Reference, Routing, Split

JSON = Mapping[str, Any]


class ConfigMapRouter:
    key = "plugins"
    kinds = (CONFIG_MAP,)

    def references(self, block: JSON, *, rollout: JSON) -> tuple[Reference, ...]:
        return (Reference(kind=CONFIG_MAP, name=block["test/router"]["configMap"]),)

    def route(self, block: JSON, *, rollout: JSON, split: Split, objects: Mapping[Reference, JSON]) -> Routing:
        (reference,) = self.references(block, rollout=rollout)
        there = objects.get(reference)
        if there is None:
            return Routing(problem=f"ConfigMap {reference.name} not found")
        wanted, data = written(split), there.get("data") or {}
        broken = data.get("broken")
        verified = data.get("serves") == wanted and not broken if block["test/router"].get("verify") else None
        if data.get("split") == wanted:
            return Routing(verified=verified, unverifiable=broken)
        namespace = rollout["metadata"]["namespace"]
        patch = Patch(kind=CONFIG_MAP, namespace=namespace, name=reference.name, body={"data": {"split": wanted}})
        return Routing(writes=(patch,), verified=verified, unverifiable=broken)


def written(split: Split) -> str:
    parts = [
        {"service": part.service, "hash": part.hash, "weight": part.weight}
        for part in (split.canary, split.stable, *split.additional)
    ]
    routes = [route["name"] for route in (*split.header_routes, *split.mirror_routes)]
    return json.dumps({"destinations": parts, "routes": routes})


ROUTER = {"plugins": ConfigMapRouter()}
