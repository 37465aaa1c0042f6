"""Whom a changed object wakes: the sync that has left a mark of it, once it differs, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.gitops.gitsync.watching import told
from rollouts.gitops.gitsync.watchlist import MOST_GONE, Watchlist
from rollouts.gitops.objects import Ref
from rollouts.gitops.seen import Mark, mark

A = Ref(group="apps", kind="Deployment", namespace="team", name="a")
B = Ref(group="apps", kind="Deployment", namespace="team", name="b")


def live(version: int = 7, *, generation: int = 1, uid: str = "u") -> dict[str, Any]:
    labels = {"gitops.rollouts.dev/managed": "true"}
    return {"metadata": {"uid": uid, "generation": generation, "resourceVersion": str(version), "labels": labels}}


def at(version: int = 7, *, generation: int = 1, uid: str = "u") -> Mark:
    return mark(kinds.DEPLOYMENT, live(version, generation=generation, uid=uid))


def gone(version: int) -> Mark:
    return told(kinds.DEPLOYMENT, live(version), gone=True)


def noted(**marks: Mark) -> Watchlist:
    made = Watchlist()
    made.note("shop", {ref: marks[ref.name] for ref in (A, B) if ref.name in marks})
    return made


@pytest.mark.parametrize(
    ("now", "woken"),
    [
        (at(7), None),  # the echo of what the pass itself has seen
        (at(6, generation=0), None),  # older than what the pass has seen
        (at(8), None),  # its controller reports
        (at(8, generation=2), "shop"),
        (at(8, uid="v"), "shop"),  # made anew
        (gone(9), "shop"),
        (gone(7), "shop"),  # found gone by a list: nobody knows when it went
        (gone(6), None),  # an older one of that name
    ],
)
def test_what_differs_and_is_newer_wakes(now: Mark, woken: str | None) -> None:
    """R3, R25."""
    assert noted(a=at(7)).observe(A, now) == woken


def test_nobody_is_woken_for_what_no_pass_has_seen() -> None:
    """Whatever marks an object bears itself: whoever copies them wakes nobody."""
    listed = noted(a=at())
    assert listed.observe(B, at(8)) is None
    assert listed.observe(Ref(group="apps", kind="Deployment", namespace="other", name="a"), at(9)) is None


def test_what_was_told_before_the_mark_was_noted_counts() -> None:
    """Somebody changes an object between our write and the end of our pass."""
    listed = Watchlist()
    assert listed.observe(A, at(8, generation=2)) is None
    assert listed.note("shop", {A: at(7)})
    assert not listed.note("shop", {A: at(8, generation=2)})


def test_the_latest_pass_counts_and_one_sync_does_not_take_from_another() -> None:
    listed = noted(a=at(), b=at())
    listed.note("infra", {B: at()})
    listed.forget("shop")
    assert listed.observe(A, at(8, generation=2)) is None
    assert listed.observe(B, at(8, generation=2)) == "infra"


def test_a_list_tells_what_is_missing() -> None:
    listed = noted(a=at(7), b=at(7))
    listed.observe(A, at(7))
    assert listed.missing(kinds.DEPLOYMENT, frozenset({A}), version=20, namespace=None) == {"shop"}
    assert listed.missing(kinds.DEPLOYMENT, frozenset({A, B}), version=21, namespace=None) == frozenset()
    assert not listed.steady(B, at(7))
    assert listed.steady(A, at(7))


def test_an_object_without_our_label_is_not_missed() -> None:
    """One that is left alone, as Git asks: the watch does not see it, and that means nothing."""
    bare = Mark(kind=kinds.DEPLOYMENT, fingerprint="f", version=7)
    assert noted(a=bare).missing(kinds.DEPLOYMENT, frozenset(), version=20, namespace=None) == frozenset()


@pytest.mark.parametrize(
    ("kind", "version", "namespace"),
    [
        (kinds.DEPLOYMENT, 6, None),  # it was made after the list
        (kinds.DEPLOYMENT, 20, "elsewhere"),  # it was not asked for
        (kinds.CONFIG_MAP, 20, None),
    ],
)
def test_a_list_does_not_tell_of_what_it_could_not_have(kind: Any, version: int, namespace: str | None) -> None:
    assert noted(a=at(7)).missing(kind, frozenset(), version=version, namespace=namespace) == frozenset()


def test_an_object_is_steady_while_nothing_newer_is_told() -> None:
    listed = noted(a=at(7))
    assert not listed.steady(A, at(7))  # the watch has not told of it yet
    listed.observe(A, at(7))
    assert listed.steady(A, at(7))
    listed.observe(A, at(8))
    assert not listed.steady(A, at(7))
    assert listed.steady(A, at(8))
    listed.drop(kinds.DEPLOYMENT)
    assert not listed.steady(A, at(8))


def test_what_is_gone_is_not_remembered_for_ever() -> None:
    listed = Watchlist()
    for number in range(MOST_GONE + 1):
        listed.observe(Ref(group="apps", kind="Deployment", name=str(number)), gone(number + 1))
    first = Ref(group="apps", kind="Deployment", name="0")
    last = Ref(group="apps", kind="Deployment", name=str(MOST_GONE))
    assert not listed.note("one", {first: at(0)})
    assert listed.note("two", {last: at(0)})


def test_the_kinds_to_watch_are_those_of_the_marks() -> None:
    listed = noted(a=at())
    assert list(listed.kinds().values()) == [kinds.DEPLOYMENT]
    listed.note("shop", {})
    assert not listed.kinds()


@pytest.mark.parametrize(
    ("now", "reported"),
    [
        (at(7), None),  # the echo of what the pass itself has seen
        (at(6), None),
        (at(8), "shop"),
        (at(8, generation=2), None),  # it has changed, which is told in another way
        (gone(9), None),
    ],
)
def test_whose_controller_reports_is_told_once(now: Mark, reported: str | None) -> None:
    """Of what is as the pass has left it, but for its status."""
    listed = noted(a=at(7))
    listed.observe(A, now)
    assert listed.reported(A, now) == reported
    assert listed.observe(A, again := at(now.version)) is None
    assert listed.reported(A, again) is None


def test_nobody_is_told_of_what_no_pass_has_seen() -> None:
    listed = noted(a=at())
    listed.observe(B, now := at(8))
    assert listed.reported(B, now) is None
    assert (listed.kind_of("shop", A), listed.kind_of("shop", B), listed.kind_of("x", A)) == (
        kinds.DEPLOYMENT,
        None,
        None,
    )
