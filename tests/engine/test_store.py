"""The store: what is newer wins, whatever way it comes; indexes follow; what a list lacks is gone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.api import kinds
from rollouts.engine.store import Key, Store, by_namespace, by_owner
from tests.engine.objects import replica_set, rollout

WEB = Key("ns", "web")


@pytest.fixture
def store() -> Store:
    return Store({kinds.ROLLOUT: {}, kinds.REPLICA_SET: {"owner": by_owner, "namespace": by_namespace}})


def version(store: Store) -> str | None:
    known = store.get(kinds.ROLLOUT, WEB)
    return known and known["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("versions", "kept"),
    [((5, 6), "6"), ((6, 5), "6"), ((9, 10), "10"), ((10, 9), "10"), ((7, 7), "7")],
    ids=["newer", "older", "numbers, not texts", "numbers, not texts, older", "same"],
)
def test_the_newer_wins(store: Store, versions: tuple[int, int], kept: str) -> None:
    for number in versions:
        store.shelf(kinds.ROLLOUT).put(rollout(version=number))
    assert version(store) == kept


@pytest.mark.parametrize(
    ("after", "shared"),
    [
        ({"generation": 3, "spec": {"replicas": 1}}, True),
        ({"generation": 4, "spec": {"replicas": 1}}, False),
        ({"generation": 3, "spec": {"replicas": 2}}, False),
        ({"generation": 4, "spec": {"replicas": True}}, False),
        ({"generation": 3, "spec": {"replicas": 1}, "uid": "uid-successor"}, False),
        ({"spec": {"replicas": 1}}, False),
    ],
    ids=[
        "as it was",
        "changed and changed back",
        "changed uncounted",
        "equal to Python alone",
        "another's",
        "uncounted",
    ],
)
def test_a_spec_that_is_as_it_was_is_the_very_same(store: Store, after: dict[str, Any], shared: bool) -> None:
    shelf = store.shelf(kinds.ROLLOUT)
    before = rollout(spec={"replicas": 1}, version=1)
    before["metadata"]["generation"] = 3
    shelf.put(before)
    newer = rollout(spec=after["spec"], version=2, uid=after.get("uid", ""), status={"phase": "Healthy"})
    newer["metadata"] |= {key: after[key] for key in ("generation",) if key in after}
    shelf.put(newer)
    kept = shelf.objects[WEB]
    assert kept == newer
    assert (kept["spec"] is before["spec"]) == shared


def test_an_event_from_before_our_own_write_is_ignored(store: Store) -> None:
    assert store.absorb(kinds.ROLLOUT, rollout(version=8))
    assert not store.shelf(kinds.ROLLOUT).put(rollout(version=7))
    assert not store.shelf(kinds.ROLLOUT).put(rollout(version=8))
    assert store.shelf(kinds.ROLLOUT).put(rollout(version=9))


def test_what_only_left_the_selector_of_a_watch_can_be_taken_in_again(store: Store) -> None:
    """Its `DELETED` carries the version it has now; that of an end is newer than any version an object ever had."""
    shelf = store.shelf(kinds.ROLLOUT)
    shelf.put(rollout(version=5))
    shelf.remove(rollout(version=9))
    assert not shelf.put(rollout(version=8))
    assert shelf.put(rollout(version=9))


def test_a_late_event_does_not_bring_a_deleted_object_back(store: Store) -> None:
    shelf = store.shelf(kinds.ROLLOUT)
    shelf.put(rollout(version=5))
    assert shelf.remove(rollout(version=9))
    assert not shelf.put(rollout(version=8))
    assert version(store) is None


def test_an_end_of_the_predecessor_does_not_take_the_successor_of_the_same_name(store: Store) -> None:
    shelf = store.shelf(kinds.ROLLOUT)
    shelf.put(rollout(version=5, uid="old"))
    shelf.put(rollout(version=9, uid="new"))
    assert not shelf.remove(rollout(version=8, uid="old"))
    assert not shelf.put(rollout(version=7, uid="old"))
    assert version(store) == "9"


def test_indexes_follow_changes(store: Store) -> None:
    shelf = store.shelf(kinds.REPLICA_SET)
    shelf.put(replica_set("web-2", owner="web"))
    shelf.put(replica_set("web-1", owner="web"))
    shelf.put(replica_set("lost"))
    assert [rs["metadata"]["name"] for rs in shelf.find("owner", "uid-web")] == ["web-1", "web-2"]
    assert [rs["metadata"]["name"] for rs in shelf.find("owner", "orphan/ns")] == ["lost"]
    shelf.put(replica_set("lost", owner="web", version=2))
    assert shelf.find("owner", "orphan/ns") == ()
    assert len(shelf.find("owner", "uid-web")) == 3
    shelf.remove(replica_set("web-1"))
    assert len(shelf.find("owner", "uid-web")) == len(shelf.find("namespace", "ns")) == 2


def test_a_list_takes_out_what_it_lacks_but_not_what_is_newer_than_it(store: Store) -> None:
    shelf = store.shelf(kinds.ROLLOUT)
    shelf.put(rollout("ghost", version=3))
    shelf.put(rollout("fresh", version=30))
    shelf.put(rollout("kept", version=4))
    news = store.replace(kinds.ROLLOUT, [rollout("kept", version=4), rollout("found", version=6)], listed_at=20)
    assert [obj["metadata"]["name"] for obj in news] == ["ghost", "found"]
    assert {key.name for key in shelf.objects} == {"fresh", "kept", "found"}


def test_an_object_made_anew_after_a_list_forgot_its_end_is_taken_in(store: Store) -> None:
    shelf = store.shelf(kinds.ROLLOUT)
    shelf.put(rollout(version=5))
    shelf.remove(rollout(version=6))
    store.replace(kinds.ROLLOUT, [], listed_at=7)
    assert shelf.put(rollout(version=8, uid="next"))


def test_managed_fields_are_not_kept(store: Store) -> None:
    obj = rollout()
    obj["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    store.shelf(kinds.ROLLOUT).put(obj)
    known = store.get(kinds.ROLLOUT, WEB)
    assert known is not None
    assert "managedFields" not in known["metadata"]
    assert "managedFields" in obj["metadata"]


def test_what_is_not_kept_is_not_absorbed(store: Store) -> None:
    assert not store.absorb(kinds.POD, {"metadata": {"name": "p", "uid": "u", "resourceVersion": "1"}})
    assert not store.absorb(kinds.ROLLOUT, {"kind": "Status", "metadata": {}})


HISTORY: list[tuple[str, dict[str, Any]]] = [
    ("put", rollout(version=1, uid="one")),
    ("put", rollout(version=2, uid="one")),
    ("remove", rollout(version=3, uid="one")),
    ("put", rollout(version=4, uid="two")),
    ("put", rollout(version=5, uid="two")),
]


@given(st.lists(st.sampled_from(HISTORY[:2]), max_size=6), st.lists(st.sampled_from(HISTORY[:4]), max_size=6))
def test_repeated_and_late_news_never_turn_back_time(early: list[Any], late: list[Any]) -> None:
    """A watch gives history in order; answers to our writes and lists come in between, at any time."""
    shelf = Store({kinds.ROLLOUT: {}}).shelf(kinds.ROLLOUT)
    for action, obj in [*early, *HISTORY, *late]:
        getattr(shelf, action)(obj)
    assert shelf.objects[WEB]["metadata"]["resourceVersion"] == "5"
