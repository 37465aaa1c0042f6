"""Whatever an object contains, looking after it raises nothing: at worst the Rollout is invalid.

Real objects, as recorded, with something wrong put anywhere into what people and other programs can write: all of a
Rollout but its identity, spec and status of AnalysisRuns, templates and Experiments, labels and annotations of
ReplicaSets and Services. They go the whole way: into the store and its indexes, through the snapshot, the decision and
what metrics tell.
"""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.experiments import Experiments
from rollouts.engine.metrics import Metrics
from rollouts.engine.snapshots import Rollouts, indexes
from rollouts.engine.store import Store
from rollouts.plan import Plan
from rollouts.strategy.times import moment
from rollouts.traffic import ROUTERS
from tests.engine.memory import MemoryApi

JSON = dict[str, Any]
Place = tuple[str | int, ...]

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.yaml"))
KINDS = {kind.kind: kind for kind in vars(kinds).values() if isinstance(kind, Kind)}
NOW = moment("2026-11-01T00:00:00Z")
ANYTHING = (("spec",), ("status",))
STRINGS = (("metadata", "labels"), ("metadata", "annotations"), ("spec", "selector"))
LOOSE = {"Rollout", "AnalysisRun", "AnalysisTemplate", "ClusterAnalysisTemplate", "Experiment"}

TEXT = st.sampled_from(
    ["", "x", "-1", "20%", "1h", "2026-01-01T00:00:00Z", "2026-13-01", "\x00", "é" * 70, "{{args.x}}"]
)
NUMBERS = st.sampled_from([0, -1, 3, 10**30, 0.5, float(10**20), True, False])
JUNK = st.recursive(
    st.none() | TEXT | NUMBERS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT | st.sampled_from(["name", "type"]), inner),
    max_leaves=4,
)


def recorded(name: str) -> list[JSON]:
    """The objects of a recording."""
    return [obj for obj in yaml.safe_load_all((RECORDINGS / f"{name}.yaml").read_text()) if obj]


OBJECTS = {name: recorded(name) for name in NAMES}


def places(obj: Any, at: Place = ()) -> Iterator[Place]:
    """Every place in an object."""
    entries = obj.items() if isinstance(obj, dict) else enumerate(obj) if isinstance(obj, list) else ()
    for key, value in entries:
        yield (*at, key)
        yield from places(value, (*at, key))


def faults(obj: JSON) -> list[tuple[Place, st.SearchStrategy[Any]]]:
    """What may be wrong with an object, and where: anything, or at least any string."""
    loose = ANYTHING if obj["kind"] in LOOSE else ()
    anything = [(place, JUNK) for place in places(obj) if place[:1] in loose]
    strings = [(place, TEXT) for place in places(obj) if place[:2] in STRINGS and len(place) == 3]
    return anything + [fault for fault in strings if fault[0][:1] not in loose]


@st.composite
def spoilt(draw: st.DrawFn) -> list[JSON]:
    """The objects of a recording, with up to three faults."""
    objects = copy.deepcopy(OBJECTS[draw(st.sampled_from(NAMES))])
    for _ in range(draw(st.integers(1, 3))):
        obj = draw(st.sampled_from([obj for obj in objects if faults(obj)]))
        place, values = draw(st.sampled_from(faults(obj)))
        inner: Any = obj
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = draw(values)
    return objects


async def looked_after(objects: list[JSON]) -> Plan:
    """What is planned for the Rollout among these; Experiments are looked after as well."""
    api, store = MemoryApi(), Store(indexes(ROUTERS))
    for obj in objects:
        if obj["kind"] in KINDS and store.keeps(KINDS[obj["kind"]]):
            store.shelf(KINDS[obj["kind"]]).put(obj)
    Metrics(store=store, requests=Counter(), events=Counter()).text()
    rollout = next(obj for obj in objects if obj["kind"] == "Rollout")
    assert NOW is not None
    for obj in objects:
        if obj["kind"] == "Experiment":
            assert isinstance(await Experiments(api=api, store=store).decide(obj, NOW), Plan)
    return await Rollouts(api=api, store=store).decide(rollout, NOW)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(spoilt())
def test_no_object_can_stop_the_controller(objects: list[JSON]) -> None:
    plan = asyncio.run(looked_after(objects))
    assert isinstance(plan, Plan)
    if any(event.reason == "InvalidSpec" for event in plan.events):
        assert plan.writes == ()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("canary", "bluegreen", "analysis"))])
def test_recordings_themselves_are_fine(name: str) -> None:
    plan = asyncio.run(looked_after(copy.deepcopy(OBJECTS[name])))
    assert not any(event.reason == "InvalidSpec" for event in plan.events), plan.events
