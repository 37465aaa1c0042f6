"""GitSync and Rollouts: the sync knows what a release is (R33 to R36)."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.space import rollout

STEPS: list[dict[str, Any]] = [{"setWeight": 50}, {"pause": {}}]


def web(version: int) -> str:
    return json.dumps(rollout(image=f"example/app:{version}", steps=STEPS, replicas=2))


def released(syncing: Synced, version: int, stamp: str) -> str:
    """Commit a version and wait until it is applied."""
    commit = syncing.bare.commit({"web.json": web(version), "a.yaml": config("a", str(version))})
    if stamp:
        syncing.ask(stamp)
    else:
        syncing.create(automated=AUTOMATED)
    syncing.until_synced(commit)
    return commit


def health(syncing: Synced) -> tuple[str, str]:
    found = syncing.status.get("health") or {}
    return found.get("status", ""), found.get("message", "")


def test_a_paused_rollout_is_suspended_and_says_what_it_waits_for(syncing: Synced) -> None:
    """R35: ready nevertheless, so that whoever waits for this sync does not time out."""
    released(syncing, 1, "")
    syncing.space.until_phase("Healthy")
    syncing.until("it is healthy", lambda: health(syncing)[0] == "Healthy")
    released(syncing, 2, "1")
    syncing.space.until_paused(at=1)
    syncing.until("it is suspended", lambda: health(syncing)[0] == "Suspended")
    assert "paused at step 2/2, promote or abort" in health(syncing)[1]
    ready = syncing.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("True", "RolloutInProgress")
    syncing.ask("2")
    assert syncing.space.status()["currentStepIndex"] == 1
    syncing.space.promote()
    syncing.until("it is healthy again", lambda: health(syncing)[0] == "Healthy")


def test_an_aborted_rollout_rejects_the_commit_which_is_not_applied_again(syncing: Synced) -> None:
    """R36: held until a different commit comes."""
    released(syncing, 1, "")
    syncing.space.until_phase("Healthy")
    second = released(syncing, 2, "1")
    syncing.space.until_paused(at=1)
    syncing.space.abort()
    hold = syncing.until("it is held", lambda: syncing.status.get("hold"))
    assert (hold["revision"], hold["reason"]) == (second, "RolloutAborted")
    row = syncing.status["rejected"][0]
    assert (row["revision"], row["rollout"]) == (second, f"{syncing.space.namespace}/app")
    assert syncing.condition("Held")["status"] == "True"
    assert health(syncing)[0] == "Degraded"
    syncing.kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"value": "theirs"}}')
    syncing.ask("2")
    assert "is held (RolloutAborted)" in syncing.status["plan"]["waitingFor"]
    assert syncing.values() == {"a": "theirs"}
    released(syncing, 3, "3")
    assert "hold" not in syncing.status
    assert syncing.values() == {"a": "3"}


def test_a_commit_of_others_neither_takes_the_blame_nor_ends_the_hold(syncing: Synced) -> None:
    """R30, R36: a repository that several teams share; until the release went well after all."""
    source = {"repoURL": syncing.server.url(), "targetRevision": "main", "secretRef": {"name": "repository"}}
    first = syncing.bare.commit({"app/web.json": web(1), "app/a.yaml": config("a", "1"), "other/x": "1"})
    syncing.create(automated=AUTOMATED, source={**source, "path": "app"})
    syncing.until_synced(first)
    syncing.space.until_phase("Healthy")
    bad = syncing.bare.commit({"app/web.json": web(2), "app/a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(bad)
    syncing.space.until_paused(at=1)
    innocent = syncing.bare.commit({"other/x": "2"})
    syncing.ask("2")
    syncing.until_synced(innocent)
    syncing.space.abort()
    hold = syncing.until("it is held", lambda: syncing.status.get("hold"))
    assert (hold["revision"], hold["through"]) == (bad, innocent)
    later = syncing.bare.commit({"other/x": "3"})
    syncing.ask("3")
    syncing.until("it is held, too", lambda: syncing.status["hold"].get("through") == later)
    syncing.kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"value": "theirs"}}')
    syncing.ask("4")
    assert "is held (RolloutAborted)" in syncing.status["plan"]["waitingFor"]
    syncing.space.retry()
    syncing.space.until_paused(at=1)
    syncing.space.promote_full()
    syncing.space.until_phase("Healthy")
    syncing.until("it is held no more", lambda: "hold" not in syncing.status and "rejected" not in syncing.status)
    syncing.ask("5")
    syncing.until("drift is set back", lambda: syncing.values() == {"a": "2"})
    assert syncing.status["operationState"]["phase"] == "Succeeded"


def test_an_aborted_rollout_brings_the_commit_before_it_back_if_that_is_wanted(syncing: Synced) -> None:
    first = syncing.bare.commit({"web.json": web(1), "a.yaml": config("a", "1")})
    policy = {"automated": AUTOMATED, "rollouts": {"onAbort": "Revert"}}
    syncing.create(syncPolicy=policy)
    syncing.until_synced(first)
    syncing.space.until_phase("Healthy")
    second = released(syncing, 2, "1")
    syncing.space.until_paused(at=1)
    syncing.space.abort()
    syncing.until_synced(first)
    assert syncing.values() == {"a": "1"}
    assert syncing.status["hold"]["revision"] == second
    syncing.space.until_phase("Healthy")
    syncing.ask("2")
    assert syncing.state() == ("Synced", first)


def test_verbs_of_people_are_not_healed_away(syncing: Synced) -> None:
    """R33: `spec.paused` and `restartAt` are commands; Git that does not name them says nothing about them."""
    commit = released(syncing, 1, "")
    syncing.space.until_phase("Healthy")
    syncing.space.edit(paused=True)
    syncing.ask("1")
    assert syncing.state() == ("Synced", commit)
    assert syncing.space.rollout()["spec"]["paused"] is True
