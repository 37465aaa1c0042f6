"""The writer: order, versions handed on, conflicts read afresh, nothing sent in vain."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Request
from rollouts.engine.errors import (
    Attempt,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
)
from rollouts.engine.events import Recorder
from rollouts.engine.store import Key, Store, by_owner
from rollouts.engine.writer import EVICTION_RETRY_SECONDS, Origin, Writer, brings_news, changes
from rollouts.plan import Create, Delete, Event, Evict, Patch, Plan
from tests.engine.memory import MemoryApi, merge, refusal
from tests.engine.objects import replica_set, rollout

WEB = Key("ns", "web")
ROLLOUTS = "/apis/argoproj.io/v1alpha1/namespaces/ns/rollouts"
SETS = "/apis/apps/v1/namespaces/ns/replicasets"


class Desk:
    """A writer on an API server in memory that has one Rollout, `web`, and one ReplicaSet of it, `web-1`."""

    def __init__(self) -> None:
        self.api = MemoryApi((kinds.ROLLOUT, rollout()), (kinds.REPLICA_SET, replica_set("web-1", owner="web")))
        self.store = Store({kinds.ROLLOUT: {}, kinds.REPLICA_SET: {"owner": by_owner}})
        self.recorder = Recorder(self.api)
        self.writer = Writer(api=self.api, store=self.store, recorder=self.recorder)
        self.seen()

    def seen(self) -> None:
        """The store sees what is there."""
        self.store.absorb(kinds.ROLLOUT, self.api.objects[f"{ROLLOUTS}/web"])
        self.store.absorb(kinds.REPLICA_SET, self.api.objects[f"{SETS}/web-1"])

    def telling(self) -> list[tuple[str, Origin]]:
        """What is told of each answer: of which object, and what is in it."""
        told: list[tuple[str, Origin]] = []
        self.writer = Writer(
            api=self.api,
            store=self.store,
            recorder=self.recorder,
            absorbed=lambda kind, obj, origin: told.append((f"{kind.kind}/{obj['metadata']['name']}", origin)),
        )
        return told

    async def execute(self, *writes: Any, **more: Any) -> float | None:
        obj = self.store.get(kinds.ROLLOUT, WEB)
        assert obj is not None
        return await self.writer.execute(kind=kinds.ROLLOUT, obj=obj, plan=Plan(writes=writes, **more))


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("body", "verb"),
    [
        ({"spec": {"replicas": 5}}, "scale up"),
        ({"spec": {"replicas": 1}}, "scale down"),
        ({"spec": {"replicas": 3, "minReadySeconds": 1}}, "update"),
        ({"metadata": {"annotations": {"a": "b"}}}, "update"),
    ],
)
async def test_an_error_says_what_was_to_be_done(desk: Desk, body: Any, verb: str) -> None:
    sized = {**replica_set("web-1", owner="web"), "spec": {"replicas": 3}}
    desk.store.absorb(kinds.REPLICA_SET, desk.api.put(kinds.REPLICA_SET, sized))

    def refused(_: Request) -> None:
        raise refusal(403)

    desk.api.before = refused
    with pytest.raises(ForbiddenError) as caught:
        await desk.execute(Patch(kind=kinds.REPLICA_SET, namespace="ns", name="web-1", body=body))
    assert caught.value.attempt == Attempt(verb=verb, kind="ReplicaSet", name="web-1")


def scale(replicas: int) -> Patch:
    return Patch(kind=kinds.REPLICA_SET, namespace="ns", name="web-1", body={"spec": {"replicas": replicas}})


def annotate(**annotations: str) -> Patch:
    return Patch(kind=kinds.ROLLOUT, namespace="ns", name="web", body={"metadata": {"annotations": annotations}})


async def test_writes_go_in_order_then_status_then_events(desk: Desk) -> None:
    made = Create(kind=kinds.REPLICA_SET, namespace="ns", body=replica_set("web-2", owner="web"))
    again = await desk.execute(made, scale(3), status={"phase": "Progressing"}, events=(Event(reason="A", message=""),))
    assert desk.api.log == [f"POST {SETS}", f"PATCH {SETS}/web-1", f"PATCH {ROLLOUTS}/web/status"]
    assert desk.recorder.recorded == {("Normal", "A"): 1}
    assert again is None


async def test_answers_are_in_the_store_at_once(desk: Desk) -> None:
    made = Create(kind=kinds.REPLICA_SET, namespace="ns", body=replica_set("web-2", owner="web"))
    await desk.execute(made, scale(3), status={"phase": "Progressing"})
    shelf = desk.store.shelf(kinds.REPLICA_SET)
    assert {rs["metadata"]["name"]: rs["spec"]["replicas"] for rs in shelf.find("owner", "uid-web")} == {
        "web-1": 3,
        "web-2": 1,
    }
    assert desk.store.get(kinds.ROLLOUT, WEB) == desk.api.objects[f"{ROLLOUTS}/web"]


async def test_whoever_an_answer_concerns_is_told_because_no_event_will(desk: Desk) -> None:
    told = desk.telling()
    made = Create(kind=kinds.REPLICA_SET, namespace="ns", body=replica_set("web-2", owner="web"))
    await desk.execute(made, scale(3), status={"phase": "Progressing"})
    assert told == [("ReplicaSet/web-2", Origin.OTHER), ("ReplicaSet/web-1", Origin.OTHER), ("Rollout/web", Origin.OWN)]


async def test_what_somebody_else_wrote_just_before_comes_with_the_answer(desk: Desk) -> None:
    """The watch event of that write is older than our answer by then, and is ignored."""
    told = desk.telling()
    desk.api.put(kinds.REPLICA_SET, {**replica_set("web-1", owner="web"), "status": {"replicas": 7}})
    await desk.execute(scale(3))
    assert told == [("ReplicaSet/web-1", Origin.NEWS)]


async def test_what_is_read_afresh_is_news(desk: Desk) -> None:
    told = desk.telling()
    desk.api.put(kinds.ROLLOUT, rollout())
    with pytest.raises(ConflictError):
        await desk.execute(annotate(revision="2"))
    assert told == [("Rollout/web", Origin.NEWS)]


async def test_the_version_is_handed_on_from_own_patch_to_status(desk: Desk) -> None:
    await desk.execute(annotate(revision="2"), annotate(other="x"), status={"phase": "Progressing"})
    assert len(desk.api.writes()) == 3
    known = desk.api.objects[f"{ROLLOUTS}/web"]
    assert known["metadata"]["annotations"] == {"revision": "2", "other": "x"}
    assert known["status"] == {"phase": "Progressing"}


@pytest.mark.parametrize("plan", [{"status": {"phase": "Progressing"}}, {"writes": (annotate(revision="2"),)}])
async def test_what_somebody_wrote_meanwhile_is_not_overwritten_but_read(desk: Desk, plan: dict[str, Any]) -> None:
    obj = desk.store.get(kinds.ROLLOUT, WEB)
    assert obj is not None
    newer = desk.api.put(kinds.ROLLOUT, rollout(status={"abort": True}))
    with pytest.raises(ConflictError):
        await desk.writer.execute(kind=kinds.ROLLOUT, obj=obj, plan=Plan(**plan))
    assert desk.store.get(kinds.ROLLOUT, WEB) == newer == desk.api.objects[f"{ROLLOUTS}/web"]


async def test_what_is_gone_leaves_the_store(desk: Desk) -> None:
    del desk.api.objects[f"{SETS}/web-1"]
    with pytest.raises(NotFoundError):
        await desk.execute(scale(3), status={"phase": "Progressing"})
    assert desk.store.get(kinds.REPLICA_SET, Key("ns", "web-1")) is None
    assert "status" not in desk.api.objects[f"{ROLLOUTS}/web"]


async def test_a_failed_write_ends_it(desk: Desk) -> None:
    def fail(request: Request) -> None:
        if request.path.startswith(SETS):
            raise refusal(500)

    desk.api.before = fail
    with pytest.raises(UnavailableError):
        await desk.execute(scale(3), status={"phase": "Progressing"}, events=(Event(reason="A", message=""),))
    assert desk.api.writes() == [f"PATCH {SETS}/web-1"]
    assert not desk.recorder.recorded


async def test_nothing_is_sent_for_what_is_so_already(desk: Desk) -> None:
    desk.api.put(kinds.ROLLOUT, rollout(status={"phase": "Healthy", "conditions": [{"type": "Available"}]}))
    desk.seen()
    await desk.execute(scale(1), status={"phase": "Healthy", "abort": None, "conditions": [{"type": "Available"}]})
    assert desk.api.writes() == []


async def test_a_creation_that_had_been_carried_out_before_is_a_success(desk: Desk) -> None:
    made = Create(kind=kinds.REPLICA_SET, namespace="ns", body=replica_set("web-1", owner="web"))
    desk.store.shelf(kinds.REPLICA_SET).remove(replica_set("web-1"))
    desk.api.put(kinds.REPLICA_SET, replica_set("web-1", owner="web"))
    await desk.execute(made)
    assert desk.store.get(kinds.REPLICA_SET, Key("ns", "web-1")) is not None


async def test_a_name_that_belongs_to_somebody_else_is_a_conflict_and_known_from_then_on(desk: Desk) -> None:
    desk.api.put(kinds.REPLICA_SET, replica_set("web-2", owner="other"))
    made = Create(kind=kinds.REPLICA_SET, namespace="ns", body=replica_set("web-2", owner="web"))
    with pytest.raises(ConflictError, match="somebody else"):
        await desk.execute(made)
    assert len(desk.store.shelf(kinds.REPLICA_SET).find("owner", "uid-other")) == 1


@pytest.mark.parametrize("uid", ["uid-web-1", "uid-of-a-predecessor"])
async def test_deleting_takes_exactly_the_object_meant(desk: Desk, uid: str) -> None:
    await desk.execute(Delete(kind=kinds.REPLICA_SET, namespace="ns", name="web-1", uid=uid))
    there = uid != "uid-web-1"
    assert (f"{SETS}/web-1" in desk.api.objects) == there
    assert (desk.store.get(kinds.REPLICA_SET, Key("ns", "web-1")) is not None) == there


async def test_deleting_what_is_gone_is_a_success(desk: Desk) -> None:
    await desk.execute(Delete(kind=kinds.REPLICA_SET, namespace="ns", name="gone", uid="x"))


@pytest.mark.parametrize(("again", "expected"), [(None, EVICTION_RETRY_SECONDS), (5.0, 5.0), (90.0, 30.0)])
async def test_a_refused_eviction_is_tried_later_and_the_rest_goes_on(
    desk: Desk, again: float | None, expected: float
) -> None:
    def refuse(request: Request) -> None:
        if request.path.endswith("eviction"):
            raise refusal(429)

    desk.api.before = refuse
    eviction = Evict(namespace="ns", name="web-1-abc", uid="u")
    assert await desk.execute(eviction, scale(2), requeue_after=again) == expected
    assert f"PATCH {SETS}/web-1" in desk.api.log


async def test_429_of_anything_else_is_a_failure(desk: Desk) -> None:
    def refuse(_: Request) -> None:
        raise refusal(429)

    desk.api.before = refuse
    with pytest.raises(TooManyRequestsError):
        await desk.execute(scale(2))


async def test_the_status_of_a_kind_without_status_subresource_goes_through_the_object(desk: Desk) -> None:
    run = desk.api.put(kinds.ANALYSIS_RUN, {"metadata": {"name": "run", "namespace": "ns"}})
    await desk.writer.execute(kind=kinds.ANALYSIS_RUN, obj=run, plan=Plan(status={"phase": "Running"}))
    assert desk.api.writes() == ["PATCH /apis/argoproj.io/v1alpha1/namespaces/ns/analysisruns/run"]


@pytest.mark.parametrize(
    ("obj", "patch", "expected"),
    [
        ({"a": 1}, {}, False),
        ({"a": 1}, {"a": 1}, False),
        ({"a": 1}, {"a": 2}, True),
        ({"a": 1}, {"b": None}, False),
        ({"a": 1}, {"a": None}, True),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, False),
        ({"a": {"b": 1}}, {"a": {"b": None}}, True),
        ({}, {"a": {"b": None}}, False),
        ({"a": 1}, {"a": {"b": 1}}, True),
        ({"a": [1, 2]}, {"a": [1]}, True),
        ({"a": False}, {"a": False}, False),
        ({}, {"a": False}, True),
    ],
)
def test_what_a_patch_changes(obj: dict[str, Any], patch: dict[str, Any], expected: bool) -> None:
    assert changes(obj, patch) == expected


@pytest.mark.parametrize(
    ("known", "patch", "answer", "expected"),
    [
        ({"a": 1}, {"a": 2}, {"a": 2}, False),
        ({"a": 1, "b": 1}, {"a": 2}, {"a": 2, "b": 1}, False),
        ({"a": 1, "b": 1}, {"a": 2}, {"a": 2, "b": 2}, True),
        ({"a": 1}, {"a": 2}, {"a": 2, "b": 1}, True),
        ({"a": 1, "b": 1}, {"a": 2}, {"a": 2}, True),
        ({"a": 1}, {"a": None}, {}, False),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2}}, {"a": {"b": 2, "c": 1}}, False),
        ({"a": {"b": 1, "c": 1}}, {"a": {"b": 2}}, {"a": {"b": 2, "c": 2}}, True),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}, False),
        ({"a": {"b": 1}}, {"a": {"b": None}}, {}, False),
        ({"metadata": {"resourceVersion": "1"}}, {}, {"metadata": {"resourceVersion": "2"}}, False),
    ],
)
def test_what_an_answer_brings_beside_what_was_written(
    known: dict[str, Any], patch: dict[str, Any], answer: dict[str, Any], expected: bool
) -> None:
    assert brings_news(known, patch, answer) == expected


@pytest.mark.parametrize(
    ("kind", "path", "write", "somebody", "expected"),
    [
        (kinds.ROLLOUT, f"{ROLLOUTS}/web", {"status": {"phase": "Paused"}}, {}, Origin.OWN),
        (kinds.ROLLOUT, f"{ROLLOUTS}/web", {"status": {"phase": "Paused"}}, {"status": {"abort": True}}, None),
        (kinds.ROLLOUT, f"{ROLLOUTS}/web", {"status": {"phase": "Paused"}}, {"status": {"phase": "Healthy"}}, None),
        (kinds.REPLICA_SET, f"{SETS}/web-1", {"spec": {"replicas": 3}}, {}, Origin.OTHER),
        (kinds.REPLICA_SET, f"{SETS}/web-1", {"spec": {"replicas": 3}}, {"status": {"readyReplicas": 1}}, None),
    ],
    ids=["own", "a command on top", "another value", "a ReplicaSet", "pods on top"],
)
async def test_an_event_that_comes_before_the_answer_is_known_as_an_echo_unless_it_tells_more(
    desk: Desk, kind: Kind, path: str, write: dict[str, Any], somebody: dict[str, Any], expected: Origin | None
) -> None:
    seen: list[Origin | None] = []
    send = desk.api.send

    async def sent(request: Request) -> dict[str, Any]:
        answer = await send(request)
        event = merge(desk.api.objects[path], somebody)
        seen.append(desk.writer.echo(kind, event))
        return answer

    desk.api.send = sent  # type: ignore[method-assign]
    if kind == kinds.ROLLOUT:
        await desk.execute(status=write["status"])
    else:
        await desk.execute(Patch(kind=kind, namespace="ns", name="web-1", body=write))
    assert seen == [expected]
    assert desk.writer.echo(kind, desk.api.objects[path]) is None  # nothing is under way any more
