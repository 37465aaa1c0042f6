"""Waves and hooks on the real API server: what runs when, what stops what, and that nothing runs twice."""

from __future__ import annotations

import functools
import json
from datetime import timedelta
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.gitops import passes
from rollouts.gitops.gitsync import work
from rollouts.gitops.running import patiently
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.space import rollout

ARGO = "argocd.argoproj.io/"


def job(name: str, hook: str, *, image: str = "example/migrate:1", **annotations: str) -> str:
    """A Job as a hook; with an image named `fails` it does."""
    pod = {"containers": [{"name": "main", "image": image}], "restartPolicy": "Never"}
    metadata = {"name": name, "annotations": {f"{ARGO}hook": hook, **annotations}}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})


def in_wave(body: str, wave: int) -> str:
    return body.replace("metadata: {", f"metadata: {{annotations: {{{ARGO}sync-wave: '{wave}'}}, ")


def jobs(syncing: Synced) -> dict[str, dict[str, Any]]:
    return {row["metadata"]["name"]: row for row in syncing.kubectl.json("get", "jobs")["items"]}


def test_hooks_run_before_and_after_once_for_each_commit(syncing: Synced) -> None:
    files = {"a.yaml": config("a"), "pre.json": job("before", "PreSync"), "post.json": job("after", "PostSync")}
    first = syncing.bare.commit(files)
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    found = jobs(syncing)
    assert {name: row["status"].get("succeeded") for name, row in found.items()} == {"before": 1, "after": 1}
    assert {row["id"].split("_")[1] for row in syncing.status["inventory"]["entries"]} == {"a"}
    syncing.ask("1")
    assert {name: row["metadata"]["uid"] for name, row in jobs(syncing).items()} == {
        name: row["metadata"]["uid"] for name, row in found.items()
    }
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("2")
    syncing.until_synced(second)
    assert jobs(syncing)["before"]["metadata"]["uid"] != found["before"]["metadata"]["uid"]


def test_a_hook_that_fails_keeps_everything_as_it_was(syncing: Synced) -> None:
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED, syncPolicy={"automated": AUTOMATED, "retry": {"limit": 0}})
    syncing.until_synced(first)
    files = {"a.yaml": config("a", "2"), "b.yaml": None, "fail.json": job("told", "SyncFail")}
    syncing.bare.commit({**files, "pre.json": job("before", "PreSync", image="example/fails:1")})
    syncing.ask("1")
    syncing.until("it failed", lambda: "hook Job" in syncing.condition("Ready").get("message", ""))
    assert syncing.condition("Ready")["status"] == "False"
    assert syncing.values() == {"a": "1", "b": "1"}
    assert set(jobs(syncing)) == {"before", "told"}


def test_a_hook_deletes_itself_when_it_is_told_to(syncing: Synced) -> None:
    policy = {f"{ARGO}hook-delete-policy": "HookSucceeded"}
    commit = syncing.bare.commit({"a.yaml": config("a"), "pre.json": job("before", "PreSync", **policy)})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(commit)
    syncing.until("it is gone", lambda: jobs(syncing) == {} or all(_going(row) for row in jobs(syncing).values()))


def _going(row: dict[str, Any]) -> bool:
    return "deletionTimestamp" in row["metadata"]


def test_a_wave_waits_until_the_one_before_is_healthy(syncing: Synced) -> None:
    """R15, R35: with `wait: Healthy` a paused Rollout holds the next wave, and it says so."""
    first = {"web.json": json.dumps(rollout(steps=[{"setWeight": 50}, {"pause": {}}], replicas=2))}
    commit = syncing.bare.commit({**first, "later.yaml": in_wave(config("later"), 1)})
    syncing.create(syncPolicy={"automated": AUTOMATED, "rollouts": {"wait": "Healthy"}})
    syncing.until_synced(commit)
    changed = json.loads(first["web.json"])
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "example/app:2"
    second = syncing.bare.commit({"web.json": json.dumps(changed), "later.yaml": in_wave(config("later", "2"), 1)})
    syncing.ask("1")
    waiting = syncing.until("it waits", lambda: (syncing.status.get("plan") or {}).get("waitingFor"))
    syncing.until("it names it", lambda: "paused at step 2/2" in (syncing.status.get("plan") or {}).get("waitingFor"))
    assert f"waiting for Rollout {syncing.space.namespace}/app" in waiting
    assert syncing.values() == {"later": "1"}
    syncing.space.promote()
    syncing.until_synced(second)
    assert syncing.values() == {"later": "2"}
    assert len(syncing.status["history"]) == 2


def test_a_wave_does_not_wait_for_a_release_unless_it_is_told_to(syncing: Synced) -> None:
    """R35: `wait: Applied` is the default."""
    web = rollout(steps=[{"setWeight": 50}, {"pause": {}}], replicas=2)
    syncing.bare.commit({"web.json": json.dumps(web), "later.yaml": in_wave(config("later"), 1)})
    syncing.create(automated=AUTOMATED)
    syncing.space.until_phase("Healthy")
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "example/app:2"
    second = syncing.bare.commit({"web.json": json.dumps(web), "later.yaml": in_wave(config("later", "2"), 1)})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.values() == {"later": "2"}
    assert syncing.space.find(kinds.ROLLOUT, "app") is not None


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes end soon where they wait, and the next begins soon."""
    monkeypatch.setattr(passes, "patiently", functools.partial(patiently, seconds=0.5))
    monkeypatch.setattr(work, "AGAIN", timedelta(seconds=1))


@pytest.mark.timeout(150)
@pytest.mark.usefixtures("impatient")
def test_a_wave_that_waits_too_long_has_failed(syncing: Synced) -> None:
    """`spec.timeout`, and why; the next attempt waits anew, and goes on once pods are there."""
    web = deployment("web", "example/does-not-exist:1")
    syncing.bare.commit({"web.json": web, "later.yaml": in_wave(config("later"), 1)})
    retry = {"limit": 0}
    syncing.create(timeout="8s", syncPolicy={"automated": AUTOMATED, "retry": retry})
    plan = syncing.until(
        "it waits", lambda: (syncing.status.get("plan") or {}).get("waitingSince") and syncing.status["plan"]
    )
    assert (plan["wave"], "waiting for Deployment" in plan["waitingFor"]) == (1, True)
    syncing.until("it failed", lambda: syncing.condition("Ready").get("reason") == "ApplyFailed")
    assert "wave 1 has waited too long (spec.timeout): waiting for Deployment" in syncing.condition("Ready")["message"]
    assert (syncing.status["operationState"]["phase"], syncing.values()) == ("Failed", {})
    mended = syncing.bare.commit({"web.json": deployment("web", "example/web:1")})
    syncing.ask("1")
    syncing.until_synced(mended)
    assert syncing.values() == {"later": "1"}


def deployment(name: str, image: str) -> str:
    """A Deployment of one pod."""
    labels = {"app": name}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pods}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})


def waiting_release(syncing: Synced, **policy: str) -> str:
    """A commit whose second wave waits for a paused Rollout; the commit."""
    web = rollout(steps=[{"setWeight": 50}, {"pause": {}}], replicas=2)
    first = syncing.bare.commit({"web.json": json.dumps(web), "later.yaml": in_wave(config("later"), 1)})
    syncing.create(syncPolicy={"automated": AUTOMATED, "rollouts": {"wait": "Healthy", **policy}})
    syncing.until_synced(first)
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "example/app:2"
    second = syncing.bare.commit({"web.json": json.dumps(web), "later.yaml": in_wave(config("later", "2"), 1)})
    syncing.ask("1")
    syncing.until("it waits", lambda: "paused" in (syncing.status.get("plan") or {}).get("waitingFor", ""))
    return second


@pytest.mark.timeout(150)
@pytest.mark.usefixtures("impatient")
def test_a_newer_commit_supersedes_one_that_waits_between_waves(syncing: Synced) -> None:
    """R4: the second wave of the superseded commit is never applied."""
    waiting_release(syncing)
    web = rollout(steps=[{"setWeight": 50}, {"pause": {}}], replicas=2)
    third = syncing.bare.commit({"web.json": json.dumps(web), "later.yaml": in_wave(config("later", "3"), 1)})
    syncing.ask("2")
    syncing.until_synced(third)
    assert syncing.values() == {"later": "3"}
    assert [row["revision"] for row in syncing.status["history"]][1:] == [third]


@pytest.mark.timeout(150)
@pytest.mark.usefixtures("impatient")
def test_a_newer_commit_waits_its_turn_if_it_is_told_to(syncing: Synced) -> None:
    """R4: `onNewRevision: Queue` finishes the sync under way first."""
    second = waiting_release(syncing, onNewRevision="Queue")
    third = syncing.bare.commit({"later.yaml": in_wave(config("later", "3"), 1)})
    syncing.ask("2")
    syncing.until("it still waits", lambda: "paused" in (syncing.status.get("plan") or {}).get("waitingFor", ""))
    assert (syncing.values(), syncing.state()) == ({"later": "1"}, ("OutOfSync", second))
    syncing.space.promote()
    syncing.until("both were applied", lambda: syncing.state() == ("Synced", third))
    assert [row["revision"] for row in syncing.status["history"]][1:] == [second, third]
    assert syncing.values() == {"later": "3"}


@pytest.mark.timeout(150)
@pytest.mark.usefixtures("impatient")
def test_a_hook_that_was_deleted_after_it_ended_does_not_run_again(syncing: Synced) -> None:
    """R26: as `ttlSecondsAfterFinished` would, in the middle of a sync that waits between waves."""
    web = rollout(steps=[{"setWeight": 50}, {"pause": {}}], replicas=2)
    syncing.bare.commit({"web.json": json.dumps(web), "pre.json": job("before", "PreSync")})
    syncing.create(syncPolicy={"automated": AUTOMATED, "rollouts": {"wait": "Healthy"}})
    syncing.space.until_phase("Healthy")
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "example/app:2"
    second = syncing.bare.commit({"web.json": json.dumps(web), "later.yaml": in_wave(config("later", "2"), 1)})
    syncing.ask("1")
    syncing.until("it waits", lambda: "paused" in (syncing.status.get("plan") or {}).get("waitingFor", ""))
    syncing.kubectl("delete", "job", "before")
    syncing.space.promote()
    syncing.until_synced(second)
    assert jobs(syncing) == {}


@pytest.mark.timeout(150)
@pytest.mark.usefixtures("impatient")
def test_hooks_are_tried_again_together_after_one_of_them_failed(syncing: Synced) -> None:
    """R27: the sibling that succeeded makes room for its next run, too."""
    files = {"a.yaml": config("a"), "one.json": job("one", "PreSync")}
    syncing.bare.commit({**files, "two.json": job("two", "PreSync", image="example/fails:1")})
    retry = {"limit": 3, "backoff": {"duration": "1s", "factor": 1}}
    syncing.create(syncPolicy={"automated": AUTOMATED, "retry": retry})
    first = syncing.until("both ran", lambda: set(jobs(syncing)) == {"one", "two"} and jobs(syncing))
    syncing.until("both run anew", lambda: _renewed(first, jobs(syncing)))
    assert syncing.values() == {}
    mended = syncing.bare.commit({"two.json": job("two", "PreSync")})
    syncing.ask("1")
    syncing.until_synced(mended)
    assert syncing.values() == {"a": "1"}


def _renewed(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> bool:
    return before.keys() == after.keys() and all(
        after[name]["metadata"]["uid"] != row["metadata"]["uid"] for name, row in before.items()
    )
