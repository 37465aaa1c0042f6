"""What goes with a GitSync that is deleted (R16), decided before anything is: the order, and what stays."""

from __future__ import annotations

import pytest

from rollouts.gitops import marks
from rollouts.gitops.gitsync.work import _parting
from rollouts.gitops.inventory import Inventory
from rollouts.gitops.plan import Leftover, SyncPlan
from tests.gitops.test_plan import SYNC, leftover, ref


def parting(*rows: Leftover, approved: bool = False, trusted: bool = True) -> SyncPlan:
    stored = Inventory(entries={row.entry.ref: row.entry for row in rows}, trusted=trusted)
    return _parting(stored, list(rows), identity=SYNC, approved=approved)


def test_the_last_wave_goes_first_and_what_others_need_goes_last() -> None:
    """R16."""
    late = leftover(ref("late"), annotations={marks.WAVES[0]: "5"})
    rows = (leftover(ref("account", "ServiceAccount")), leftover(ref("web", "Service")), late)
    assert [row.ref.name for row in parting(*rows).prunes] == ["late", "web", "account"]


@pytest.mark.parametrize(
    ("row", "stays"),
    [
        (leftover(ref("a")), False),
        (leftover(ref("a", "Namespace")), True),
        (leftover(ref("a", "PersistentVolumeClaim")), True),
        (leftover(ref("a"), annotations={marks.SYNC_OPTIONS: "Delete=false"}), True),
        (leftover(ref("a"), annotations={marks.SYNC_OPTIONS: "Prune=false"}), True),
        (leftover(ref("a"), annotations={"helm.sh/resource-policy": "keep"}), True),
        (leftover(ref("a"), annotations={marks.TRACKING: marks.tracking("other/sync", ref("a"))}), True),
        (leftover(ref("a"), uid="another"), True),
        (leftover(ref("a"), ownerReferences=[{"controller": True}]), True),
    ],
)
def test_with_the_protections_of_any_deletion(row: Leftover, stays: bool) -> None:
    """R16, R14."""
    assert (parting(row).prunes == ()) is stays


def test_what_asks_for_consent_goes_with_it() -> None:
    """R16."""
    row = leftover(ref("a", "Namespace"))
    assert parting(row, approved=True).prunes != ()


def test_a_list_that_is_not_whole_deletes_nothing() -> None:
    """R16: the digest does not match."""
    assert parting(leftover(ref("a")), trusted=False).prunes == ()
