"""R26: a hook whose object is gone: made once, done if it was seen to end, failed if not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from analysis.spec.base import write_time
from rollouts.api.kinds import JOB, Kind
from rollouts.gitops import marks, running
from rollouts.gitops.hooks import RUN, Hook, Phase
from rollouts.gitops.objects import Manifest, Ref
from rollouts.gitops.running import Ran, Runner

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
        self.made = 0

    async def live(self, kind: Kind, ref: Ref) -> dict[str, Any] | None:
        return self.there

    async def apply(self, kind: Kind, manifest: Manifest) -> dict[str, Any]:
        self.made += 1
        created = {"creationTimestamp": write_time(datetime.now(UTC)), "uid": str(self.made)}
        self.there = {**manifest.body, "metadata": {**manifest.body["metadata"], **created}}
        return self.there

    async def delete(self, kind: Kind, ref: Ref, *, uid: str) -> None:
        self.there = None


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    monkeypatch.setattr(running, "patiently", lambda look: look())
    return Jobs()


def runner(jobs: Jobs, ran: Ran, run: str = "1") -> Runner:
    """Of one pass."""
    return Runner(jobs, {("batch/v1", "Job"): JOB}, run=run, sync="shop/shop", ran=ran)  # type: ignore[arg-type]


async def begun(jobs: Jobs, ran: Ran) -> None:
    assert (await runner(jobs, ran).phase([HOOK], Phase.PRE)).waiting == "hook Job shop/migrate to end"
    assert jobs.there is not None
    assert jobs.there["metadata"]["annotations"][RUN] == "1"


async def test_gone_after_it_was_seen_to_end(jobs: Jobs) -> None:
    ran: Ran = {}
    await begun(jobs, ran)
    assert jobs.there is not None
    jobs.there["status"] = COMPLETE
    assert (await runner(jobs, ran).phase([HOOK], Phase.PRE)).done
    jobs.there = None
    assert (await runner(jobs, ran).phase([HOOK], Phase.PRE)).done
    assert jobs.made == 1


async def test_gone_before_that(jobs: Jobs) -> None:
    ran: Ran = {}
    await begun(jobs, ran)
    jobs.there = None
    assert "was deleted before it was seen to end" in (await runner(jobs, ran).phase([HOOK], Phase.PRE)).error
    assert jobs.made == 1


async def test_one_that_has_ended_and_is_being_deleted_has_ended(jobs: Jobs) -> None:
    ran: Ran = {}
    await begun(jobs, ran)
    assert jobs.there is not None
    jobs.there["status"] = COMPLETE
    jobs.there["metadata"]["deletionTimestamp"] = write_time(datetime.now(UTC))
    assert (await runner(jobs, ran).phase([HOOK], Phase.PRE)).done


async def test_the_next_run_knows_nothing_of_it(jobs: Jobs) -> None:
    """And neither does the same one once it was tidied up."""
    ran: Ran = {}
    await begun(jobs, ran)
    jobs.there = None
    await runner(jobs, ran, run="2").phase([HOOK], Phase.PRE)
    assert jobs.made == 2
    for run in ("1", "2"):
        await runner(jobs, ran, run=run).tidy([HOOK], failed=True)
    assert ran == {}


async def test_somebody_elses_object_is_left_alone(jobs: Jobs) -> None:
    jobs.there = {**BODY, "metadata": {**BODY["metadata"], "annotations": {marks.TRACKING: "other:x"}}}
    said = await runner(jobs, {}).phase([HOOK], Phase.PRE)
    assert "that this sync has not made" in said.error
    assert jobs.made == 0
