"""What is applied, pruned and kept, and why: decisions on plans."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollouts.gitops import marks
from rollouts.gitops.gitsync.terms import narrowed
from rollouts.gitops.inventory import Entry, Inventory
from rollouts.gitops.objects import Manifest, Ref
from rollouts.gitops.plan import (
    Action,
    Examined,
    Leftover,
    Policy,
    SyncPlan,
    deletions,
    digest,
    leftover_entries,
    plan,
)
from rollouts.gitops.references import in_use

SYNC = "shop/shop"
POLICY = Policy(sync=SYNC)


def ref(name: str, kind: str = "ConfigMap") -> Ref:
    return Ref(group="", kind=kind, namespace="shop", name=name)


def live(found: Ref, *, annotations: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    marked = {marks.TRACKING: marks.tracking(SYNC, found), **(annotations or {})}
    known = {"name": found.name, "namespace": found.namespace, "uid": found.name, "annotations": marked, **metadata}
    return {"apiVersion": "v1", "kind": found.kind, "metadata": known}


def leftover(found: Ref, **more: Any) -> Leftover:
    return Leftover(entry=Entry(ref=found, version="v1", uid=found.name), live=live(found, **more))


def wanted(*names: str) -> list[Examined]:
    bodies = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n, "namespace": "shop"}} for n in names]
    return [Examined(manifest=Manifest(body=body, file="a", line=1), action=Action.CREATE) for body in bodies]


def decided(*rest: Leftover, policy: Policy = POLICY, names: tuple[str, ...] = ("a",), **more: Any) -> SyncPlan:
    stored = Inventory.of([row.entry for row in rest] + [Entry(ref=ref(name), version="v1") for name in "abcdefghij"])
    return plan(examined=wanted(*names), inventory=stored, leftovers=rest, policy=policy, **more)


def test_what_git_has_no_more_is_pruned_by_its_uid() -> None:
    """R12."""
    assert [(row.ref, row.uid) for row in decided(leftover(ref("x"))).prunes] == [(ref("x"), "x")]


def test_what_is_still_wanted_is_no_leftover() -> None:
    """R12: nor by another version of its kind, nor by another group that serves the very same object."""
    stored = Inventory.of(Entry(ref=ref(name), version="v1beta1") for name in "ab")
    assert [entry.ref for entry in leftover_entries(stored, [ref("a")])] == [ref("b")]
    moved = leftover(Ref(group="events.k8s.io", kind="ConfigMap", namespace="shop", name="a"))
    (item,) = wanted("a")
    said = plan(
        examined=[replace(item, action=Action.UPDATE, uid="a")],
        inventory=Inventory.of([moved.entry]),
        leftovers=[moved],
        policy=POLICY,
    )
    assert (said.prunes, said.kept, set(said.after.entries)) == ((), (), {ref("a")})


def test_of_an_inventory_that_is_not_whole_nothing_is_pruned() -> None:
    """R12: also not by what was noted down before the first write."""
    rest = leftover(ref("x"))
    said = plan(
        examined=wanted("a"),
        inventory=Inventory(entries={ref("x"): rest.entry}, trusted=False),
        leftovers=[rest],
        policy=replace(POLICY, confirm=True),
    )
    assert said.prunes == ()
    assert ["digest does not match" in row.reason for row in said.kept] == [True]
    assert not said.during.trusted


def test_an_owner_that_does_not_control_an_object_does_not_keep_it() -> None:
    """R12: such an entry is there for the garbage collector alone."""
    said = decided(leftover(ref("x"), ownerReferences=[{"kind": "ConfigMap", "name": "a"}]))
    assert [row.ref for row in said.prunes] == [ref("x")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (marks.SYNC_OPTIONS, "Prune=confirm"),
        ("argocd.argoproj.io/sync-options", "Prune=confirm"),
        ("helm.sh/resource-policy", "keep"),
    ],
)
def test_an_object_that_asks_for_it_goes_when_that_is_confirmed(key: str, value: str) -> None:
    """R14: and not before; `disabled` and `Prune=false` stay though somebody confirms."""
    found = leftover(ref("x"), annotations={key: value})
    (kept,) = decided(found).kept
    assert f"{key}: {value}" in kept.reason
    assert "--confirm-prune" in kept.reason
    assert [row.ref for row in decided(found, policy=replace(POLICY, confirm=True)).prunes] == [ref("x")]


@pytest.mark.parametrize("annotation", ["gitops.rollouts.dev/sync-options", "kustomize.toolkit.fluxcd.io/prune"])
def test_what_is_never_to_be_pruned_is_not_when_somebody_confirms(annotation: str) -> None:
    """R14."""
    value = "disabled" if annotation.endswith("prune") else "Prune=false"
    said = decided(leftover(ref("x"), annotations={annotation: value}), policy=replace(POLICY, confirm=True))
    assert said.prunes == ()
    assert [row.ref for row in said.kept] == [ref("x")]


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (Leftover(entry=Entry(ref=ref("x"), version="v1"), unknown="its kind could not be listed"), True),
        (Leftover(entry=Entry(ref=ref("x"), version="v1"), live=None), False),
        (leftover(ref("x"), uid="another"), False),
        (leftover(ref("x"), annotations={marks.TRACKING: marks.tracking("other/sync", ref("x"))}), False),
        (leftover(ref("x"), annotations={marks.TRACKING: marks.tracking(SYNC, ref("parent"))}), False),
        (leftover(ref("x"), ownerReferences=[{"controller": True}]), False),
        (leftover(ref("x"), annotations={marks.SYNC_OPTIONS: "Prune=false"}), True),
    ],
    ids=["unknown", "gone", "made anew", "another's", "a copy", "owned", "kept"],
)
def test_what_is_not_ours_is_never_pruned(found: Leftover, kept: bool) -> None:
    """R12, R13, R32: forgotten when it is somebody else's, kept when nothing is known or it says so."""
    said = decided(found)
    assert said.prunes == ()
    assert bool(said.kept) is kept
    assert (ref("x") in said.after.entries) is kept


@pytest.mark.parametrize(
    "kind",
    [
        "Namespace",
        "CustomResourceDefinition",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "StorageClass",
        "GitSync",
    ],
)
def test_some_kinds_always_ask(kind: str) -> None:
    """R14."""
    (kept,) = decided(leftover(ref("x", kind))).kept
    assert "only when confirmed" in kept.reason
    assert decided(leftover(ref("x", kind)), policy=Policy(sync=SYNC, confirm=True)).prunes != ()


@pytest.mark.parametrize(
    ("policy", "names", "count", "word"),
    [
        (POLICY, (), 1, "no objects at all"),
        (Policy(sync=SYNC, max_percent=10, min_objects=1), ("a",), 3, "would go at once"),
        (Policy(sync=SYNC, always_confirm=True), ("a",), 1, "always confirmed"),
        (Policy(sync=SYNC, prune=False), ("a",), 1, "pruning is off"),
    ],
)
def test_what_keeps_all_of_them(policy: Policy, names: tuple[str, ...], count: int, word: str) -> None:
    """R13."""
    said = decided(*(leftover(ref(f"x{n}")) for n in range(count)), policy=policy, names=names)
    assert said.prunes == ()
    assert all(word in row.reason for row in said.kept)
    assert len(said.kept) == count


def test_a_config_map_stays_as_long_as_a_revision_mounts_it() -> None:
    """R15: the stable ReplicaSet of a canary still names the old one."""

    def replica_set(replicas: int, config: str) -> dict[str, Any]:
        pod = {
            "volumes": [{"configMap": {"name": config}}],
            "containers": [{"envFrom": [{"secretRef": {"name": "s"}}]}],
        }
        spec = {"replicas": replicas, "template": {"spec": pod}}
        return {"metadata": {"namespace": "shop"}, "spec": spec}

    used = in_use([replica_set(2, "x"), replica_set(0, "y")])
    assert used == {ref("x"), ref("s", "Secret")}
    said = decided(leftover(ref("x")), leftover(ref("y")), in_use=used)
    assert ([row.ref for row in said.prunes], [row.ref for row in said.kept]) == ([ref("y")], [ref("x")])


@pytest.mark.parametrize(
    ("gone", "others", "held"),
    [(5, 0, False), (6, 0, True), (6, 6, False), (7, 6, True), (6, 5, True), (50, 50, False), (51, 50, True)],
)
def test_more_than_half_and_more_than_five_at_once_wait_for_a_person(gone: int, others: int, held: bool) -> None:
    """R13: both, by the defaults; exactly half of many, or all of a few, go."""
    rest = [leftover(ref(f"x{number}")) for number in range(gone)]
    stored = Inventory.of([row.entry for row in rest] + [Entry(ref=ref(f"y{n}"), version="v1") for n in range(others)])
    said = plan(examined=wanted("a"), inventory=stored, leftovers=rest, policy=POLICY)
    assert (said.prunes == ()) is held
    allowed = plan(examined=wanted("a"), inventory=stored, leftovers=rest, policy=Policy(sync=SYNC, confirm=True))
    assert len(allowed.prunes) == gone


def test_what_a_release_may_go_back_to_is_kept_though_it_has_no_replicas() -> None:
    """R15: with `dynamicStableScale` the stable ReplicaSet is at none while all traffic goes to the canary; an abort
    scales it up again. Secrets that pull images are needed by pods that restart, too."""

    def replica_set(hash_: str, config: str) -> dict[str, Any]:
        pod = {"volumes": [{"configMap": {"name": config}}], "imagePullSecrets": [{"name": f"pull-{config}"}]}
        metadata = {"namespace": "shop", "labels": {"rollouts-pod-template-hash": hash_}}
        return {"metadata": metadata, "spec": {"replicas": 0, "template": {"spec": pod}}}

    sets = [replica_set(hash_, hash_) for hash_ in ("stable", "new", "active", "old")]
    status = {"stableRS": "stable", "currentPodHash": "new", "blueGreen": {"activeSelector": "active"}}
    rollouts = [{"metadata": {"namespace": "shop"}, "status": status}]
    kept = in_use(sets, rollouts)
    assert {found.name for found in kept if found.kind == "ConfigMap"} == {"stable", "new", "active"}
    assert ref("pull-stable", "Secret") in kept
    assert in_use(sets, [{"metadata": {"namespace": "other"}, "status": status}]) == frozenset()


def test_prunes_go_the_other_way_round() -> None:
    """R15: later waves first, and what others need last."""
    wave = {marks.WAVES[0]: "3"}
    rest = [leftover(ref("x", "ServiceAccount")), leftover(ref("y", "Service")), leftover(ref("z"), annotations=wave)]
    assert [row.ref.name for row in decided(*rest).prunes] == ["z", "y", "x"]


def test_what_says_so_makes_nothing_out_of_sync_but_goes_like_any_other() -> None:
    """Argo CD's `IgnoreExtraneous`, on the live object."""
    annotations = {"argocd.argoproj.io/compare-options": "IgnoreExtraneous,ServerSideDiff=true"}
    said = decided(leftover(ref("x"), annotations=annotations), leftover(ref("y")))
    assert {row.ref.name: row.quiet for row in said.prunes} == {"x": True, "y": False}
    said = decided(leftover(ref("x"), annotations=annotations), policy=Policy(sync=SYNC, prune=False))
    assert [(row.ref.name, row.quiet) for row in said.kept] == [("x", True)]


def test_a_confirmation_is_of_one_plan() -> None:
    """R13: another commit, or another object that goes, is another plan. What is applied is no part of it: when that
    is done, the same deletions still wait."""
    one, two = decided(leftover(ref("x"))), decided(leftover(ref("x")), leftover(ref("y")))
    kept = decided(leftover(ref("x")), policy=Policy(sync=SYNC, always_confirm=True))
    more = decided(leftover(ref("x")), names=("a", "b"))
    for named in (deletions, digest):
        assert len({named(one, commit="1"), named(one, commit="2"), named(two, commit="1")}) == 3
    assert len({deletions(found, commit="1") for found in (one, kept, more)}) == 1
    assert digest(one, commit="1") != digest(more, commit="1")


def test_a_part_of_a_sync_deletes_nothing() -> None:
    """R29."""
    said = narrowed(decided(leftover(ref("x")), names=("a", "b")), [{"kind": "ConfigMap", "name": "b"}])
    assert [[item.manifest.ref.name for item in stage] for stage in said.stages] == [["b"]]
    assert said.prunes == ()
    assert ref("x") in said.after.entries
