"""What a commit renders to counts, and not the commit: in a repository that several teams share, most commits change
nothing for a sync. Whom an abort is the fault of, what is held, what is gone back to, what the history keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.parsing import parse
from rollouts.cli.verbs.sync_rollback import chosen_entry
from rollouts.gitops.gitsync import reverting
from rollouts.gitops.gitsync.values import Facts, Mandate
from rollouts.gitops.gitsync.verdict import Case, verdict
from tests.gitops.gitsync.test_holds import ABORTED
from tests.gitops.gitsync.world import A, B, C, after, at, condition, finding, quiet, settled, sync

GOOD, BAD = "sha256:good", "sha256:bad"
D = "d" * 40
PERSON = {"initiatedBy": {"username": "ann"}}


def commanded(**command: Any) -> Mandate:
    return Mandate(operation={"sync": command, **PERSON}, explicit=True, generation=1)


def rollout(*, hash_: str = "2222", at_: str = "2026-01-02T04:00:00Z", **status: Any) -> dict[str, Any]:
    known = {**ABORTED["status"], "abortedAt": at_, "currentPodHash": hash_, "stableRS": "1111"}
    return {**ABORTED, "status": {**known, **status}}


def well(hash_: str = "2222") -> dict[str, Any]:
    return rollout(phase="Healthy", abort=None, abortedAt=None, hash_=hash_, stableRS=hash_)


def released(**spec: Any) -> dict[str, Any]:
    """A is good, B is bad, C changes nothing for this sync."""
    good, bad = finding(A, content=GOOD), finding(B, content=BAD, at=at(2))
    return after(good, bad, quiet(C, content=BAD, at=at(3)), obj=sync(**spec) if spec else None)


def model(obj: dict[str, Any]) -> Any:
    return parse(kinds.GIT_SYNC, {"apiVersion": kinds.GIT_SYNC.api_version, "kind": "GitSync", **obj}).model


def aborted(obj: dict[str, Any], one: Mapping[str, Any] | None = None, seconds: float = 9) -> Any:
    return settled(obj, Facts(looked_at=at(3), rollouts=(one or rollout(),)), now=at(seconds))


def test_an_abort_is_the_fault_of_the_commit_that_brought_the_content() -> None:
    """R36: not of the one that happened to be the newest."""
    obj, _ = aborted(released())
    assert [row["revision"] for row in obj["status"]["rejected"] if "revision" in row] == [B]
    hold, row = obj["status"]["hold"], obj["status"]["rejected"][0]
    assert (hold["revision"], hold["contentDigest"], hold["through"]) == (B, BAD, C)
    assert (row["podHash"], row["at"]) == ("2222", "2026-01-02T04:00:00Z")


def test_the_innocent_commit_is_not_taken_back() -> None:
    """R31."""
    revert = {"git": {"commit": {"author": {"email": "bot@example.com"}}}}
    obj, _ = aborted(released(revert=revert))
    wanted = reverting.wanted(model(obj), obj["status"])
    assert wanted is not None
    assert (wanted.revision, wanted.good) == (B, A)


def test_reverting_by_itself_passes_over_commits_with_the_rejected_content() -> None:
    _, decision = aborted(released(syncPolicy={"automated": {}, "rollouts": {"onAbort": "Revert"}}))
    assert decision.start is not None
    assert decision.start.sync == {"historyID": 1}


def test_a_commit_with_the_same_content_does_not_end_a_hold() -> None:
    """R30: else a rollback would last until a colleague pushes."""
    obj = after(finding(A, content=GOOD), finding(B, content=BAD, at=at(2)))
    back = finding(A, resolved=B, content=GOOD, mandate=commanded(historyID=1), at=at(3))
    obj = after(back, obj=obj)
    assert obj["status"]["hold"]["revision"] == B
    obj = after(quiet(C, content=BAD, waiting="held", counts={"update": 1}, at=at(4)), obj=obj)
    assert (obj["status"]["hold"]["revision"], obj["status"]["hold"]["through"]) == (B, C)
    assert condition(obj, "Held")[0] == "True"
    obj = after(finding(D, content="sha256:mended", at=at(5)), obj=obj)
    assert "hold" not in obj["status"]


@pytest.mark.parametrize("values", [{"errors": ("no",), "step": "render", "compared": False, "content": ""}])
def test_a_commit_that_was_not_compared_ends_no_hold(values: dict[str, Any]) -> None:
    """What it would render to is not known yet."""
    obj, _ = aborted(released())
    assert "hold" in after(finding(D, at=at(20), **values), obj=obj)["status"]


@pytest.mark.parametrize(("content", "waits"), [(BAD, True), ("sha256:other", False), ("", False)])
def test_the_verdict_on_a_later_commit(content: str, waits: bool) -> None:
    obj, _ = aborted(released())
    case = Case(
        spec=model(obj).spec,
        status=obj["status"],
        mandate=Mandate(),
        commit=D,
        inputs="sha256:x",
        now=at(9),
        content=content,
    )
    assert ("has nothing else than bbbbbbbb, which is held" in verdict(case).waiting) is waits
    assert not verdict(replace(case, mandate=commanded())).waiting


def test_who_applies_what_is_held_ends_the_hold() -> None:
    """A dry run, a part, or a command of the sync's own do not."""
    obj, _ = aborted(released())
    for mandate in (commanded(dryRun=True), commanded(resources=[{"kind": "ConfigMap", "name": "a"}])):
        assert "hold" in after(quiet(C, content=BAD, mandate=mandate, at=at(10)), obj=obj)["status"]
    assert "hold" not in after(quiet(C, content=BAD, mandate=commanded(), at=at(10)), obj=obj)["status"]


def test_a_release_that_went_well_after_all_is_neither_rejected_nor_held() -> None:
    """A person retried and promoted: what was given up is what all users have now."""
    obj, _ = aborted(released())
    obj, _ = aborted(obj, rollout(phase="Paused", abort=None, abortedAt=None), 20)
    assert "hold" in obj["status"]
    obj, _ = aborted(obj, well(), 30)
    assert "hold" not in obj["status"]
    assert "rejected" not in obj["status"]


def test_the_version_from_before_being_well_absolves_nothing() -> None:
    obj, _ = aborted(released())
    before = well("1111")
    before["spec"] = {"template": {"spec": {"containers": [{"image": "web@sha256:older"}]}}}
    obj, _ = aborted(obj, before, 30)
    assert obj["status"]["hold"]["revision"] == B
    assert len(obj["status"]["rejected"]) == 2


def test_a_second_abort_of_the_same_commit_counts() -> None:
    """R36: after a release and a retry, it is held again, and told once."""
    obj, _ = aborted(released())
    obj["operation"] = {"release": True}
    obj, _ = aborted(obj)
    assert "hold" not in obj["status"]
    obj, _ = aborted(obj, rollout(at_="2026-01-02T05:00:00Z"), 8000)
    assert obj["status"]["hold"]["revision"] == B
    assert [(row.get("revision"), row.get("image")) for row in obj["status"]["rejected"]] == [
        (B, None),
        (None, "web@sha256:ab"),
    ]


def test_commits_of_others_push_no_release_out_of_the_history() -> None:
    """R23: the commit that brought the content stays, and the newest one that has it."""
    obj = released()
    for number in range(20):
        obj = after(quiet(f"{number:040d}", content=BAD, at=at(10 + number)), obj=obj)
    assert [row["revision"] for row in obj["status"]["history"]] == [A, B, f"{19:040d}"]
    assert [row["id"] for row in obj["status"]["history"]] == [1, 2, 23]


def test_a_rollback_goes_to_other_content() -> None:
    """Also from the newest of several commits that have the same."""
    obj = released()
    obj["metadata"] = {**obj["metadata"], "name": "shop"}
    assert chosen_entry(obj, 0)["revision"] == A


FAILED = {"errors": ("the renderer is away",), "step": "render", "compared": False, "attempted": False}


def test_a_sync_that_succeeds_after_it_had_failed_says_so() -> None:
    obj = after(finding(A), finding(B, at=at(2), **FAILED))
    assert obj["status"]["operationState"]["phase"] == "Error"
    applied = after(finding(B, at=at(3)), obj=obj)["status"]["operationState"]
    assert (applied["phase"], applied["message"], applied["revision"]) == ("Succeeded", "applied", B)
    still = after(quiet(B, at=at(3)), obj=obj)["status"]["operationState"]
    assert (still["phase"], still["message"]) == ("Succeeded", "nothing was to be done")


def test_another_error_of_the_same_commit_is_told_and_gives_no_new_attempts() -> None:
    obj = after(finding(A), finding(B, at=at(2), **FAILED))
    again = Mandate(generation=1, attempt=1)
    obj = after(finding(B, at=at(3), mandate=again, **FAILED), obj=obj)
    assert obj["status"]["operationState"]["retryCount"] == 1
    other = {**FAILED, "errors": ("no such account",), "step": "diff"}
    state = after(finding(B, at=at(4), **other), obj=obj)["status"]["operationState"]
    assert (state["message"], state["retryCount"]) == ("no such account", 1)
    same = after(finding(B, at=at(5), **FAILED), obj=obj)["status"]["operationState"]
    assert same == obj["status"]["operationState"]
