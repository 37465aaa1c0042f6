"""R26: hooks whose objects are gone, while controllers come and go, on the real API server."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rollouts.engine.client import Request
from rollouts.gitops import passes
from rollouts.gitops.gitsync import work
from rollouts.gitops.running import patiently
from tests.cluster.controllers import OwnController
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.space import rollout

ARGO = "argocd.argoproj.io/"
Syncer = Callable[..., OwnController]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes end soon where they wait, and the next begins soon."""
    monkeypatch.setattr(passes, "patiently", functools.partial(patiently, seconds=0.5))
    monkeypatch.setattr(work, "AGAIN", timedelta(seconds=1))


def job(name: str, hook: str, *, suspend: bool = False, **annotations: str) -> str:
    """A Job as a hook. Suspended, it neither runs nor ends."""
    pod = {"containers": [{"name": "main", "image": "example/migrate:1"}], "restartPolicy": "Never"}
    metadata = {"name": name, "annotations": {f"{ARGO}hook": hook, **annotations}}
    spec = {"backoffLimit": 0, "suspend": suspend, "template": {"spec": pod}}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})


def jobs(synced: Synced) -> list[str]:
    return [row["metadata"]["name"] for row in synced.kubectl.json("get", "jobs")["items"]]


def waiting(synced: Synced) -> str:
    return str((synced.status.get("plan") or {}).get("waitingFor") or "")


def test_one_that_is_deleted_while_no_controller_runs_does_not_run_again(opened: Synced, syncer: Syncer) -> None:
    """The next controller knows from the status that it has ended, and goes on with the run."""
    web = rollout(steps=[{"setWeight": 50}, {"pause": {}}], replicas=2)
    opened.bare.commit({"web.json": json.dumps(web)})
    opened.create(syncPolicy={"automated": AUTOMATED, "rollouts": {"wait": "Healthy"}})
    first = syncer()
    opened.space.until_phase("Healthy")
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "example/app:2"
    second = opened.bare.commit(
        {"web.json": json.dumps(web), "pre.json": job("before", "PreSync"), "post.json": job("after", "PostSync")}
    )
    opened.ask("1")
    opened.until("it waits", lambda: "paused" in waiting(opened))
    assert opened.status["hooks"]["succeeded"] == [f"{opened.space.namespace}_before_batch_Job"]
    first.kill()
    opened.kubectl("delete", "job", "before")
    syncer()
    opened.space.promote()
    opened.until_synced(second)
    assert jobs(opened) == ["after"]


def test_one_that_is_deleted_unseen_while_no_controller_runs_has_failed(opened: Synced, syncer: Syncer) -> None:
    first = syncer()
    opened.bare.commit({"a.yaml": config("a"), "pre.json": job("before", "PreSync", suspend=True)})
    opened.create(syncPolicy={"automated": AUTOMATED, "retry": {"limit": 0}})
    opened.until("it waits", lambda: "hook Job" in waiting(opened))
    assert opened.status["hooks"]["begun"] == [f"{opened.space.namespace}_before_batch_Job"]
    first.kill()
    opened.kubectl("delete", "job", "before")
    syncer()
    opened.until("it failed", lambda: "deleted before it was seen to end" in opened.condition("Ready")["message"])
    assert (opened.values(), jobs(opened)) == ({}, [])


def test_one_that_deletes_itself_runs_once_even_if_nobody_noted_the_end(opened: Synced, syncer: Syncer) -> None:
    """The controller is killed between deleting the hook, as it asks for, and storing that the sync has succeeded."""

    def killed(number: int, request: Request) -> None:
        if "history" in ((request.body or {}).get("status") or {}):
            first.dead.set()

    first = syncer(before=killed)
    policy = {f"{ARGO}hook-delete-policy": "HookSucceeded"}
    commit = opened.bare.commit({"a.yaml": config("a"), "pre.json": job("before", "PreSync", **policy)})
    opened.create(automated=AUTOMATED)
    opened.until("it was killed", first.dead.is_set)
    assert "history" not in opened.status
    opened.until("the hook is gone", lambda: jobs(opened) == [])
    first.kill()
    syncer()
    opened.until_synced(commit)
    pods = opened.kubectl.json("get", "events", "--field-selector", "reason=SuccessfulCreate")["items"]
    assert [row["involvedObject"]["name"] for row in pods] == ["before"]


def test_one_of_an_unknown_kind_says_what_to_do(opened: Synced, syncer: Syncer) -> None:
    """Nothing else of the commit is applied, as with any PreSync hook that fails."""
    hook = {
        "apiVersion": "unheard.example/v1",
        "kind": "Migration",
        "metadata": {"name": "before", "annotations": {f"{ARGO}hook": "PreSync"}},
    }
    opened.bare.commit({"a.yaml": config("a"), "pre.json": json.dumps(hook)})
    opened.create(syncPolicy={"automated": AUTOMATED, "retry": {"limit": 0}})
    syncer()
    opened.until("it failed", lambda: "Migration" in opened.condition("Ready").get("message", ""))
    message = opened.condition("Ready")["message"]
    assert message.startswith(f"pre.json:1: hook Migration {opened.space.namespace}/before: the cluster has no kind")
    assert "install its CRD before" in message
    assert opened.values() == {}


def by_name(synced: Synced) -> dict[str, dict[str, Any]]:
    return {row["metadata"]["name"]: row for row in synced.kubectl.json("get", "jobs")["items"]}


def helms(name: str, **annotations: str) -> str:
    """A Job as a chart has it, with annotations of helm.sh."""
    body = json.loads(job(name, "Sync"))
    body["metadata"]["annotations"] = {f"helm.sh/{key.replace('_', '-')}": text for key, text in annotations.items()}
    return json.dumps(body)


@pytest.mark.timeout(120)
def test_hooks_of_a_chart_run_when_helm_would_run_them(syncing: Synced) -> None:
    """R28: in the first sync, in later ones, or never; lighter ones first; and deleted as the chart says."""
    files: dict[str, str | None] = {
        "a.yaml": config("a"),
        "install.json": helms("install", hook="pre-install", hook_weight="5"),
        "first.json": helms("first", hook="pre-install,pre-upgrade", hook_weight="-5"),
        "upgrade.json": helms("upgrade", hook="post-upgrade", hook_delete_policy="hook-succeeded"),
        "test.json": helms("test", hook="test"),
    }
    first = syncing.bare.commit(files)
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    ran = by_name(syncing)
    assert set(ran) == {"install", "first"}
    assert ran["first"]["status"]["completionTime"] <= ran["install"]["metadata"]["creationTimestamp"]
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    again = by_name(syncing)
    assert set(again) <= {"install", "first", "upgrade"}
    assert again["install"]["metadata"]["uid"] == ran["install"]["metadata"]["uid"]
    assert again["first"]["metadata"]["uid"] != ran["first"]["metadata"]["uid"]
    syncing.until("it was deleted", lambda: "upgrade" not in jobs(syncing))
    run = syncing.status["hooks"]
    assert {row.split("_")[1] for row in run["succeeded"]} == {"first", "upgrade"}


def test_one_that_never_ends_has_failed_after_its_time(syncing: Synced) -> None:
    """R27: and with it the commit, of which nothing is applied."""
    body = json.loads(job("stuck", "PreSync"))
    body["metadata"]["annotations"] = {"gitops.rollouts.dev/hook": "PreSync", "gitops.rollouts.dev/hook-timeout": "1s"}
    body["spec"]["template"]["spec"]["nodeSelector"] = {"node": "none"}
    syncing.bare.commit({"a.yaml": config("a"), "stuck.json": json.dumps(body)})
    syncing.create(syncPolicy={"automated": AUTOMATED, "retry": {"limit": 0}})
    syncing.until("it says so", lambda: "did not end within 1 s" in syncing.condition("Ready").get("message", ""))
    assert syncing.values() == {}
