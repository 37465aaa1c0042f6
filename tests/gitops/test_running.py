"""R26: a hook whose object is gone: made once, done if it was seen to end, failed if not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analysis.spec.base import write_time
from rollouts.api.kinds import JOB, Kind
from rollouts.engine.errors import InvalidError
from rollouts.gitops import marks, running
from rollouts.gitops.hooks import RUN, Deletion, Hook, Phase
from rollouts.gitops.inventory import HookRun
from rollouts.gitops.objects import Manifest, Ref
from rollouts.gitops.running import Runner

BODY: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate", "namespace": "shop"},
}
HOOK = Hook(manifest=Manifest(body=BODY, file="a", line=1), phases=frozenset({Phase.PRE}))
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}


class Jobs:
    """The one object there may be, and how often it was made."""

    def __init__(self) -> None:
        self.there: dict[str, Any] | None = None
        self.made = self.deleted = 0

    async def live(self, kind: Kind, ref: Ref) -> dict[str, Any] | None:
        return self.there

    async def apply(self, kind: Kind, manifest: Manifest) -> dict[str, Any]:
        self.made += 1
        created = {"creationTimestamp": write_time(datetime.now(UTC)), "uid": str(self.made)}
        self.there = {**manifest.body, "metadata": {**manifest.body["metadata"], **created}}
        return self.there

    async def delete(self, kind: Kind, ref: Ref, *, uid: str) -> None:
        self.there = None
        self.deleted += 1


class Kept:
    """The record of the sync: what the next pass knows, of this process or another."""

    def __init__(self) -> None:
        self.known = HookRun()
        self.writes = 0

    async def save_hooks(self, run: HookRun) -> None:
        self.known = run
        self.writes += 1


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    monkeypatch.setattr(running, "patiently", lambda look: look())
    return Jobs()


def runner(jobs: Jobs, kept: Kept, run: str = "1") -> Runner:
    """Of one pass."""
    kinds = {("batch/v1", "Job"): JOB}
    return Runner(jobs, kinds, run=run, sync="shop/shop", known=kept.known, records=kept)  # type: ignore[arg-type]


async def begun(jobs: Jobs, kept: Kept) -> dict[str, Any]:
    """The hook's object, just made."""
    assert (await runner(jobs, kept).phase([HOOK], Phase.PRE)).waiting == "hook Job shop/migrate to end"
    assert jobs.there is not None
    assert jobs.there["metadata"]["annotations"][RUN] == "1"
    assert kept.known == HookRun(run="1", hooks={HOOK.manifest.ref: False})
    return jobs.there


async def test_gone_after_it_was_seen_to_end(jobs: Jobs, kept: Kept) -> None:
    (await begun(jobs, kept))["status"] = COMPLETE
    assert (await runner(jobs, kept).phase([HOOK], Phase.PRE)).done
    assert kept.known == HookRun(run="1", hooks={HOOK.manifest.ref: True})
    jobs.there = None
    assert (await runner(jobs, kept).phase([HOOK], Phase.PRE)).done
    assert (jobs.made, kept.writes) == (1, 2)


async def test_gone_before_that(jobs: Jobs, kept: Kept) -> None:
    await begun(jobs, kept)
    jobs.there = None
    assert "was deleted before it was seen to end" in (await runner(jobs, kept).phase([HOOK], Phase.PRE)).error
    assert jobs.made == 1


async def test_one_that_has_ended_and_is_being_deleted_has_ended(jobs: Jobs, kept: Kept) -> None:
    there = await begun(jobs, kept)
    there["status"] = COMPLETE
    there["metadata"]["deletionTimestamp"] = write_time(datetime.now(UTC))
    assert (await runner(jobs, kept).phase([HOOK], Phase.PRE)).done


async def test_one_that_deletes_itself_when_it_has_succeeded_does_not_run_again(jobs: Jobs, kept: Kept) -> None:
    """Whoever goes on with the run after its end was not noted; the next run knows nothing of it."""
    hook = replace(HOOK, deletions=frozenset({Deletion.SUCCEEDED}))
    (await begun(jobs, kept))["status"] = COMPLETE
    assert (await runner(jobs, kept).phase([hook], Phase.PRE)).done
    await runner(jobs, kept).tidy([hook], failed=False)
    assert jobs.there is None
    assert (await runner(jobs, kept).phase([hook], Phase.PRE)).done
    assert jobs.made == 1
    await runner(jobs, kept, run="2").phase([hook], Phase.PRE)
    assert jobs.made == 2
    assert kept.known == HookRun(run="2", hooks={hook.manifest.ref: False})


async def test_each_has_a_time_after_which_it_has_failed(jobs: Jobs, kept: Kept) -> None:
    """R27."""
    there = await begun(jobs, kept)
    there["metadata"]["creationTimestamp"] = write_time(datetime.now(UTC) - timedelta(seconds=301))
    assert "did not end within 300 s" in (await runner(jobs, kept).phase([HOOK], Phase.PRE)).error
    patient = replace(HOOK, timeout=600.0)
    assert (await runner(jobs, kept).phase([patient], Phase.PRE)).waiting


async def test_what_does_not_run_is_kept_from_run_to_run(jobs: Jobs, kept: Kept) -> None:
    """R28: a chart's ServiceAccount for its hooks, say; a Job is made anew."""
    served = Kind(group="", version="v1", kind="ServiceAccount", plural="serviceaccounts")
    kinds = {("v1", "ServiceAccount"): served}
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner", "namespace": "shop"}}
    account = Hook(manifest=Manifest(body=body, file="a", line=1), phases=frozenset({Phase.PRE}))
    for run in ("1", "2"):
        one = Runner(jobs, kinds, run=run, sync="shop/shop", known=kept.known, records=kept)  # type: ignore[arg-type]
        await one.phase([account], Phase.PRE)
        assert jobs.there is not None
        jobs.there["metadata"]["annotations"][marks.TRACKING] = marks.tracking("shop/shop", account.manifest.ref)
    assert (jobs.there["metadata"]["annotations"][RUN], jobs.deleted) == ("2", 0)
    assert (await one.phase([account], Phase.PRE)).done


async def test_somebody_elses_object_is_left_alone(jobs: Jobs, kept: Kept) -> None:
    jobs.there = {**BODY, "metadata": {**BODY["metadata"], "annotations": {marks.TRACKING: "other:x"}}}
    said = await runner(jobs, kept).phase([HOOK], Phase.PRE)
    assert "that this sync has not made" in said.error
    assert jobs.made == 0


FAILED = {"conditions": [{"type": "Failed", "status": "True", "message": "no"}]}


@pytest.mark.parametrize(
    ("deletions", "ended", "failed", "stays"),
    [
        ({Deletion.BEFORE}, COMPLETE, False, True),
        ({Deletion.SUCCEEDED}, COMPLETE, False, False),
        ({Deletion.FAILED}, COMPLETE, False, True),
        ({Deletion.BEFORE}, FAILED, True, True),
        ({Deletion.SUCCEEDED}, FAILED, True, True),
        ({Deletion.FAILED}, FAILED, True, False),
        ({Deletion.SUCCEEDED, Deletion.FAILED}, FAILED, True, False),
    ],
)
async def test_when_its_object_is_deleted(
    jobs: Jobs, kept: Kept, deletions: set[Deletion], ended: dict[str, Any], failed: bool, stays: bool
) -> None:
    (await begun(jobs, kept))["status"] = ended
    hook = replace(HOOK, deletions=frozenset(deletions))
    await runner(jobs, kept).tidy([hook], failed=failed)
    assert (jobs.there is not None) is stays


OURS = {marks.TRACKING: marks.tracking("shop/shop", HOOK.manifest.ref)}


def of_an_earlier_run(jobs: Jobs, **metadata: Any) -> None:
    jobs.there = {**BODY, "metadata": {**BODY["metadata"], "uid": "0", "annotations": {**OURS, RUN: "0"}, **metadata}}


@pytest.mark.parametrize("status", [COMPLETE, FAILED, {}], ids=["succeeded", "failed", "runs"])
async def test_one_of_an_earlier_run_makes_room_however_it_is(jobs: Jobs, kept: Kept, status: dict[str, Any]) -> None:
    """R27: after a sibling failed, too; each run has objects of its own."""
    of_an_earlier_run(jobs)
    assert jobs.there is not None
    jobs.there["status"] = status
    said = await runner(jobs, kept).phase([HOOK], Phase.PRE)
    assert (said.waiting, jobs.deleted) == ("hook Job shop/migrate of an earlier run to be gone", 1)
    assert (await runner(jobs, kept).phase([HOOK], Phase.PRE)).waiting == "hook Job shop/migrate to end"
    assert jobs.made == 1


async def test_one_that_is_being_deleted_is_waited_for(jobs: Jobs, kept: Kept) -> None:
    """R27."""
    of_an_earlier_run(jobs, deletionTimestamp=write_time(datetime.now(UTC)))
    said = await runner(jobs, kept).phase([HOOK], Phase.PRE)
    assert (said.waiting, jobs.deleted, jobs.made) == ("hook Job shop/migrate of an earlier run to be gone", 0, 0)


async def test_one_that_ended_long_ago_has_ended_in_time(jobs: Jobs, kept: Kept) -> None:
    """R27: a pass may come late."""
    there = await begun(jobs, kept)
    there["metadata"]["creationTimestamp"] = write_time(datetime.now(UTC) - timedelta(seconds=900))
    there["status"] = COMPLETE
    assert (await runner(jobs, kept).phase([HOOK], Phase.PRE)).done


async def test_after_a_failure_hooks_are_made_once_and_not_waited_for(jobs: Jobs, kept: Kept) -> None:
    """R26: whoever is killed then knows that they were made."""
    failing = replace(HOOK, phases=frozenset({Phase.FAIL}))
    await runner(jobs, kept).begin([failing, HOOK], Phase.FAIL)
    assert (jobs.made, kept.known) == (1, HookRun(run="1", hooks={HOOK.manifest.ref: False}))


@pytest.mark.parametrize(
    ("kind", "stays"),
    [
        ("ClusterRole", True),
        ("ClusterRoleBinding", True),
        ("ConfigMap", True),
        ("NetworkPolicy", True),
        ("PersistentVolumeClaim", True),
        ("Role", True),
        ("RoleBinding", True),
        ("Secret", True),
        ("Service", True),
        ("ServiceAccount", True),
        ("Job", False),
        ("Pod", False),
        ("Workflow", False),
    ],
)
@pytest.mark.parametrize("changeable", [True, False], ids=["changeable", "immutable"])
async def test_which_kinds_are_kept_from_run_to_run(
    jobs: Jobs, kept: Kept, kind: str, stays: bool, changeable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R28: what does not run, as long as it can be changed to what it is to be."""
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "shop"}}
    hook = Hook(manifest=Manifest(body=body, file="a", line=1), phases=frozenset({Phase.PRE}))
    marked = {marks.TRACKING: marks.tracking("shop/shop", hook.manifest.ref), RUN: "0"}
    jobs.there = {**body, "metadata": {**body["metadata"], "uid": "0", "annotations": marked}}  # type: ignore[dict-item]

    async def refused(kind: Kind, manifest: Manifest) -> dict[str, Any]:
        raise InvalidError("immutable", status=422)

    if not changeable:
        monkeypatch.setattr(jobs, "apply", refused)
    kinds = {("v1", kind): Kind(group="", version="v1", kind=kind, plural="x")}
    one = Runner(jobs, kinds, run="1", sync="shop/shop", known=kept.known, records=kept)  # type: ignore[arg-type]
    found = await one.phase([hook], Phase.PRE)
    assert found.done is (stays and changeable)
    assert jobs.deleted == (0 if stays and changeable else 1)
