"""Objects to test with: a small valid Rollout to change one place of, and the recordings of the peer."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent.parent / "data"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

CONTAINER = {"name": "app", "image": "example/app:1", "ports": [{"containerPort": 8080}]}
TEMPLATE = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [CONTAINER]}}
METRIC = {"name": "errors", "provider": {"prometheus": {"query": "up"}}}
ROUTED = {"canaryService": "canary", "stableService": "stable", "trafficRouting": {"smi": {}}}


def rollout(**strategy: Any) -> dict[str, Any]:
    """A valid Rollout; by default a canary of two steps, else the strategy given (`canary={…}`, `blueGreen={…}`)."""
    chosen = strategy or {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}
    spec = {"selector": {"matchLabels": {"app": "app"}}, "template": TEMPLATE, "strategy": chosen}
    return {"metadata": {"name": "app"}, "spec": copy.deepcopy(spec)}


def with_step(step: Mapping[str, Any], **canary: Any) -> dict[str, Any]:
    """A Rollout with one step, which is step 0."""
    return rollout(canary={"steps": [step], **canary})


def with_spec(**spec: Any) -> dict[str, Any]:
    """The valid Rollout with some keys of its spec replaced; None takes a key away."""
    raw = rollout()
    raw["spec"] |= spec
    raw["spec"] = {key: value for key, value in raw["spec"].items() if value is not None}
    return raw


def with_pod(**spec: Any) -> dict[str, Any]:
    """The valid Rollout with some keys of its pod's spec replaced."""
    raw = rollout()
    raw["spec"]["template"]["spec"] |= spec
    return raw


def with_container(**container: Any) -> dict[str, Any]:
    """The valid Rollout with some keys of its container replaced."""
    return with_pod(containers=[{**CONTAINER, **container}])


def template(**metric: Any) -> dict[str, Any]:
    """An AnalysisTemplate of one metric, with some of its keys replaced."""
    return {"spec": {"metrics": [{**METRIC, **metric}]}}


def recorded(*kinds: str) -> list[tuple[str, dict[str, Any]]]:
    """Objects of these kinds in the recordings, each with the name of its file."""
    files = sorted((DATA / "recordings").glob("*.yaml"))
    found = [(path.name, item) for path in files for item in _objects(path)]
    return [(name, item) for name, item in found if item.get("kind") in kinds]


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=_LOADER):
        yield from document.get("items", [document]) if isinstance(document, dict) else document or ()
