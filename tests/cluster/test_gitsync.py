"""GitSync on the real API server, from a real Git server: applied, healed, pruned, refused, held."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.gitsyncs import AUTOMATED, Synced, config


def test_what_is_in_git_is_applied_and_told(syncing: Synced) -> None:
    commit = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(commit)
    assert syncing.values() == {"a": "1", "b": "1"}
    status = syncing.status
    assert [entry["revision"] for entry in status["history"]] == [commit]
    assert status["operationState"]["phase"] == "Succeeded"
    assert status["summary"] | {"images": []} == {
        "images": [],
        "shortRevision": f"main@{commit[:7]}",
        "objects": 2,
    }
    assert (status["observedGeneration"], syncing.condition("Ready")["status"]) == (1, "True")
    assert {row["id"] for row in status["inventory"]["entries"]} == {
        f"{syncing.space.namespace}_a__ConfigMap",
        f"{syncing.space.namespace}_b__ConfigMap",
    }


def test_a_new_commit_is_applied_and_what_it_has_no_more_is_pruned(syncing: Synced) -> None:
    """R12: only the inventory is pruned; what was made by others stays."""
    syncing.kubectl("create", "configmap", "theirs", "--from-literal=value=theirs")
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    second = syncing.bare.commit({"a.yaml": config("a", "2"), "b.yaml": None})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.values() == {"a": "2", "theirs": "theirs"}
    assert [entry["revision"] for entry in syncing.status["history"]] == [first, second]


def test_without_automation_a_person_applies(syncing: Synced) -> None:
    """R40: and who that was stays in the history."""
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create()
    syncing.until("it is compared", lambda: syncing.state() == ("OutOfSync", commit))
    assert "a person applies it" in syncing.status["plan"]["waitingFor"]
    assert syncing.status["plan"]["create"] == 1
    assert syncing.values() == {}
    state = syncing.sync()
    assert (state["phase"], state["operation"]["initiatedBy"]) == ("Succeeded", {"username": "ann"})
    assert syncing.values() == {"a": "1"}
    syncing.until_synced(commit)
    assert syncing.status["history"][0]["initiatedBy"] == {"username": "ann"}
    assert "plan" not in syncing.status


def test_a_broken_commit_changes_nothing_and_says_where(syncing: Synced) -> None:
    """R13, and the first rule of all: a step that did not complete can never cause a deletion."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    broken = syncing.bare.commit({"a.yaml": "kind: [", "b.yaml": None})
    syncing.ask("1")
    assert syncing.values() == {"a": "1", "b": "1"}
    ready = syncing.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "RenderFailed")
    assert "a.yaml" in ready["message"]
    assert syncing.status["lastAttemptedRevision"] == broken
    mended = syncing.bare.commit({"a.yaml": config("a", "3")})
    syncing.ask("2")
    syncing.until_synced(mended)
    assert syncing.values() == {"a": "3"}


def test_drift_is_shown_and_set_back_only_if_that_is_wanted(syncing: Synced) -> None:
    """R6: selfHeal is off unless asked for."""
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated={})
    syncing.until_synced(commit)
    syncing.kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"value": "theirs"}}')
    syncing.ask("1")
    assert syncing.state() == ("OutOfSync", commit)
    assert "selfHeal is off" in syncing.status["plan"]["waitingFor"]
    assert syncing.values() == {"a": "theirs"}
    syncing.patch({"spec": {"syncPolicy": {"automated": {"selfHeal": True}}}})
    syncing.until("it is set back", lambda: syncing.values() == {"a": "1"})
    syncing.until_synced(commit)
    assert len(syncing.status["history"]) == 1


def test_a_field_that_is_fought_over_is_left_alone_and_named(syncing: Synced) -> None:
    """R7: after the third time the other writer keeps it, and the status says who; until a person decides."""
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(commit)
    for turn in range(3):
        words = ("--field-manager=stubborn", "--type=merge", "-p", '{"data": {"value": "theirs"}}')
        syncing.kubectl("patch", "configmap", "a", *words)
        syncing.ask(str(turn))
        syncing.until("it is set back", lambda: syncing.values() == {"a": "1"} or syncing.status.get("contested"))
    (row,) = syncing.until("it is contested", lambda: syncing.status.get("contested"))
    assert (row["path"], row["manager"]) == ("data.value", "stubborn")
    assert syncing.condition("Contested")["status"] == "True"
    syncing.kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"value": "theirs"}}')
    syncing.ask("last")
    syncing.until_synced(commit)
    assert syncing.values() == {"a": "theirs"}
    assert syncing.sync()["phase"] == "Succeeded"
    assert syncing.values() == {"a": "1"}
    syncing.until("it is contested no more", lambda: "contested" not in syncing.status)


def test_a_rollback_holds_the_rejected_commit_until_another_comes(syncing: Synced) -> None:
    """R30: automation stays on, and resumes with the next different commit."""
    first = syncing.bare.commit({"a.yaml": config("a", "1")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.sync(historyID=1)["phase"] == "Succeeded"
    assert syncing.values() == {"a": "1"}
    hold = syncing.status["hold"]
    assert (hold["revision"], hold["reason"], hold["by"]) == (second, "Rollback", "ann")
    syncing.ask("2")
    syncing.until_synced(first)
    assert syncing.values() == {"a": "1"}
    third = syncing.bare.commit({"a.yaml": config("a", "3")})
    syncing.ask("3")
    syncing.until_synced(third)
    assert "hold" not in syncing.status


def test_a_rollback_needs_no_git(syncing: Synced) -> None:
    """R30: the store has the commit. What is rejected stays held when Git is back."""
    first = syncing.bare.commit({"a.yaml": config("a", "1")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    syncing.server.refusing = True
    assert syncing.sync(historyID=1)["phase"] == "Succeeded"
    assert syncing.values() == {"a": "1"}
    assert syncing.status["hold"]["revision"] == second
    assert syncing.sync(historyID=1)["phase"] == "Succeeded"
    assert syncing.status["hold"]["revision"] == second
    assert syncing.sync(revision="main")["phase"] == "Error"
    syncing.server.refusing = False
    syncing.ask("2")
    syncing.until_synced(first)
    assert syncing.values() == {"a": "1"}


def test_releasing_a_hold_lets_the_commit_come_back(syncing: Synced) -> None:
    first = syncing.bare.commit({"a.yaml": config("a", "1")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    syncing.sync(historyID=1)
    syncing.patch({"operation": {"release": True}})
    syncing.until("it is released", lambda: "hold" not in syncing.status and "operation" not in syncing.get())
    syncing.ask("2")
    syncing.until_synced(second)


def test_a_branch_that_goes_back_is_not_followed(syncing: Synced) -> None:
    """R5."""
    first = syncing.bare.commit({"a.yaml": config("a", "1")})
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(second)
    syncing.bare.reset(first)
    syncing.ask("1")
    assert syncing.state() == ("OutOfSync", first)
    assert "went back" in syncing.status["plan"]["waitingFor"]
    assert syncing.values() == {"a": "2"}
    syncing.sync(allowRewind=True)
    syncing.until_synced(first)
    assert syncing.values() == {"a": "1"}


def test_a_branch_that_was_rewritten_is_followed_with_a_remark(syncing: Synced) -> None:
    """R5: nobody can tell any more whether it went back."""
    first = syncing.bare.commit({"a.yaml": config("a", "1")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    syncing.bare.rewrite()
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    (remark,) = syncing.status["remarks"]
    assert "it could not be told whether the branch went back" in remark


def deployment(**selector: str) -> str:
    """A Deployment `new`, for nodes with these labels."""
    labels = {"app": "new"}
    pod = {"containers": [{"name": "main", "image": "example/app:1"}], "nodeSelector": selector}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "new"}, "spec": spec})


def test_nothing_is_deleted_before_the_rest_is_healthy(syncing: Synced) -> None:
    """R15: what replaces it may never come up."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    syncing.bare.commit({"b.yaml": None, "new.json": deployment(node="none")})
    syncing.ask("1")
    syncing.until("it waits", lambda: "objects are pruned" in (syncing.status.get("plan") or {}).get("waitingFor", ""))
    assert f"waiting for Deployment {syncing.space.namespace}/new" in syncing.status["plan"]["waitingFor"]
    assert set(syncing.values()) == {"a", "b"}
    third = syncing.bare.commit({"new.json": deployment()})
    syncing.ask("2")
    syncing.until_synced(third)
    assert set(syncing.values()) == {"a"}


def test_many_deletions_wait_for_a_confirmation_of_exactly_that_plan(syncing: Synced) -> None:
    """R13: the digest names the plan a person has seen. R40: who confirms is recorded."""
    files: dict[str, str | None] = {f"{name}.yaml": config(name) for name in "abcdefgh"}
    first = syncing.bare.commit(files)
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    syncing.bare.commit({name: None for name in files if name != "a.yaml"})
    syncing.ask("1")
    syncing.until("the guard says so", lambda: syncing.condition("PruneBlocked"))
    plan = syncing.status["plan"]
    assert len(plan["protected"]) == 7
    assert "sync confirm" in plan["protected"][0]
    assert len(syncing.values()) == 8
    assert "confirmed: `sync confirm`" in plan["waitingFor"]
    state = syncing.sync(confirmPlan="sha256:another")
    assert (state["phase"], "not what would be deleted now" in state["message"]) == ("Failed", True)
    assert len(syncing.values()) == 8
    state = syncing.sync(confirmPlan=plan["digest"])
    assert state["operation"]["initiatedBy"] == {"username": "ann"}
    assert syncing.values() == {"a": "1"}
    assert syncing.condition("PruneBlocked") == {}


def test_a_confirmation_counts_for_nothing_else(syncing: Synced) -> None:
    """R13: with pruning off, a confirmation of another plan deletes nothing, not even the little that no guard would
    hold back. What was applied in between changes nothing about what was confirmed. R40: who confirms by annotation
    is recorded, too."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated={})
    syncing.until_synced(first)
    second = syncing.bare.commit({"a.yaml": config("a", "2"), "b.yaml": None})
    syncing.ask("1")
    syncing.until_synced(second)
    digest = syncing.status["plan"]["digest"]
    assert syncing.sync(confirmPlan="sha256:another")["phase"] == "Failed"
    assert syncing.values() == {"a": "2", "b": "1"}
    before = syncing.status["operationState"]
    syncing.kubectl("annotate", "gitsync", "shop", f"gitops.rollouts.dev/confirm-plan={digest} ann")
    syncing.until("it is deleted", lambda: syncing.values() == {"a": "2"})
    state = syncing.until("it has ended", lambda: _ended_after(syncing, before))
    assert (state["phase"], state["operation"]["initiatedBy"]) == (
        "Succeeded",
        {"username": "ann (annotation)"},
    )
    assert "gitops.rollouts.dev/confirm-plan" not in syncing.get()["metadata"].get("annotations", {})


def _ended_after(syncing: Synced, before: object) -> dict[str, Any] | None:
    state: dict[str, Any] = syncing.status["operationState"]
    return state if state != before and state["phase"] != "Running" else None


def test_git_can_do_what_the_account_may_do_and_no_more(syncing: Synced) -> None:
    """§2.5 D: the controller of this test is admin; the tenant's repository is not."""
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: stolen}\nrules: []\n"
    other = config("b").replace("name: b", "name: b, namespace: kube-system")
    syncing.bare.commit({"a.yaml": config("a"), "role.yaml": role, "b.yaml": other})
    syncing.create(automated=AUTOMATED)
    message = syncing.until("it is refused", lambda: syncing.condition("Ready").get("message", ""))
    syncing.until("it says so", lambda: "forbidden" in syncing.condition("Ready").get("message", ""))
    message = syncing.condition("Ready")["message"]
    assert f"system:serviceaccount:{syncing.space.namespace}:deployer" in message
    assert syncing.values() == {}
    assert "stolen" not in syncing.kubectl("get", "clusterroles")


def test_without_an_account_nothing_is_applied(syncing: Synced) -> None:
    """§2.5 E: to act as nobody would be to act as the controller."""
    syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED, serviceAccountName=None)
    stalled = syncing.until("it says so", lambda: syncing.condition("Stalled"))
    assert (stalled["reason"], "serviceAccountName" in stalled["message"]) == ("InvalidSpec", True)
    assert syncing.values() == {}


def test_a_suspended_sync_does_nothing_until_it_is_resumed(syncing: Synced) -> None:
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED, suspend=True)
    syncing.until("it says so", lambda: syncing.condition("Ready").get("reason") == "Suspended")
    assert syncing.values() == {}
    syncing.patch({"spec": {"suspend": False}})
    syncing.until_synced(commit)


def test_a_sync_waits_for_what_it_depends_on(syncing: Synced) -> None:
    syncing.bare.commit({"app/a.yaml": config("a"), "infra/x.yaml": config("x")})
    source = {"repoURL": syncing.server.url(), "secretRef": {"name": "repository"}, "path": "app"}
    syncing.create(automated=AUTOMATED, dependsOn=[{"name": "infra"}], source=source)
    waiting = syncing.until("it waits", lambda: (syncing.status.get("plan") or {}).get("waitingFor"))
    assert waiting == "waiting for GitSync infra, which does not exist"
    assert syncing.values() == {}
    other = Synced(**{**vars(syncing), "name": "infra"})
    other.create(automated=AUTOMATED, source={**source, "path": "infra"})
    syncing.until("both are there", lambda: syncing.values() == {"a": "1", "x": "1"})


@pytest.mark.parametrize(("policy", "left"), [(None, {"a": "1"}), ("Delete", {}), ("WaitForTermination", {})])
def test_deleting_a_sync_leaves_its_objects_unless_told_otherwise(
    syncing: Synced, policy: str | None, left: dict[str, str]
) -> None:
    """R16."""
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED, deletionPolicy=policy)
    syncing.until_synced(commit)
    syncing.kubectl("delete", "gitsync", "shop", "--timeout=30s")
    assert syncing.values() == left


def test_deleting_what_asks_for_consent_waits_for_it(syncing: Synced) -> None:
    """R16: `Delete=false` stays, `Delete=confirm` waits for a person, and until then nothing at all goes."""
    key = "argocd.argoproj.io/sync-options"
    marked = config("a").replace("metadata: {", f"metadata: {{annotations: {{{key}: Delete=confirm}}, ")
    kept = config("b").replace("metadata: {", f"metadata: {{annotations: {{{key}: Delete=false}}, ")
    commit = syncing.bare.commit({"a.yaml": marked, "b.yaml": kept, "c.yaml": config("c")})
    syncing.create(automated=AUTOMATED, deletionPolicy="Delete")
    syncing.until_synced(commit)
    syncing.kubectl("delete", "gitsync", "shop", "--wait=false")
    syncing.until("it waits", lambda: "waits for approval" in syncing.condition("Ready").get("message", ""))
    assert syncing.values() == {"a": "1", "b": "1", "c": "1"}
    syncing.kubectl("annotate", "gitsync", "shop", "argocd.argoproj.io/deletion-approved=2026-01-01T00:00:00Z")
    syncing.kubectl("wait", "--for=delete", "gitsync/shop", "--timeout=30s")
    assert syncing.values() == {"b": "1"}


def test_a_repository_that_does_not_answer_changes_nothing(syncing: Synced) -> None:
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(commit)
    syncing.server.refusing = True
    syncing.ask("1")
    assert syncing.state()[0] == "Unknown"
    assert syncing.condition("SourceReady")["status"] == "False"
    assert syncing.values() == {"a": "1"}
    syncing.server.refusing = False
    syncing.ask("2")
    syncing.until_synced(commit)


def test_a_wrong_password_is_a_persons_to_mend_and_is_never_shown(syncing: Synced) -> None:
    """§2.5 C."""
    syncing.bare.commit({"a.yaml": config("a")})
    syncing.server.password = "another-one"
    syncing.create(automated=AUTOMATED)
    stalled = syncing.until("it says so", lambda: syncing.condition("Stalled"))
    assert stalled["reason"] == "AccessDenied"
    assert "opens-it" not in str(syncing.get()) + syncing.space.events.text()


def test_a_branch_that_is_not_there_is_no_matter_of_access(syncing: Synced) -> None:
    syncing.bare.commit({"a.yaml": config("a")})
    source = {"repoURL": syncing.server.url(), "targetRevision": "mian", "secretRef": {"name": "repository"}}
    syncing.create(automated=AUTOMATED, source=source)
    stalled = syncing.until("it says so", lambda: syncing.condition("Stalled"))
    assert stalled["reason"] == "RevisionNotFound"
    assert "did you mean 'main'?" in stalled["message"]
    syncing.until("an event", lambda: "RevisionNotFound" in syncing.space.events.text())


def test_what_another_sync_manages_is_not_taken_unless_told_so(syncing: Synced) -> None:
    """§2.1 step 8: owned by another: refused, the whole commit, until a person says adopt."""
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(commit)
    other = Synced(**{**vars(syncing), "name": "other"})
    other.create(automated=AUTOMATED)
    stalled = other.until("it says so", lambda: other.condition("Stalled"))
    assert (stalled["reason"], "team" in stalled["message"]) == ("SharedResource", False)
    assert f"the sync '{syncing.space.namespace}/shop'" in stalled["message"]
    assert other.sync(adopt=True)["phase"] == "Succeeded"
    other.until_synced(commit)


def test_a_part_of_a_sync_says_that_it_is_one(syncing: Synced) -> None:
    """R29: only what was named is applied, nothing is deleted, no hook runs, and the result says so."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b"), "c.yaml": config("c")})
    syncing.create(automated=None)
    syncing.until("it is compared", lambda: syncing.state() == ("OutOfSync", first))
    assert syncing.sync()["phase"] == "Succeeded"
    hook = config("hook").replace("name: hook", "name: hook, annotations: {gitops.rollouts.dev/hook: PreSync}")
    second = syncing.bare.commit(
        {"a.yaml": config("a", "2"), "b.yaml": config("b", "2"), "c.yaml": None, "h.yaml": hook}
    )
    state = syncing.sync(resources=[{"kind": "ConfigMap", "name": "b"}], prune=True)
    assert (state["phase"], state["message"]) == ("Succeeded", "only a part was asked for; hooks did not run")
    assert syncing.values() == {"a": "1", "b": "2", "c": "1"}
    assert syncing.state() == ("OutOfSync", second)


def test_what_is_ignored_is_neither_compared_nor_applied_and_the_rest_is(syncing: Synced) -> None:
    """R9: at exactly that path, so a new image arrives while the resources beside it are somebody else's."""
    mine = json.loads(deployment())
    mine["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    rule = {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.template.spec.containers[].resources"]}
    first = syncing.bare.commit({"new.json": json.dumps(mine)})
    syncing.create(automated=AUTOMATED, ignoreDifferences=[rule])
    syncing.until_synced(first)
    theirs = [{"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/cpu", "value": "0.2"}]
    syncing.kubectl("patch", "deployment", "new", "--type=json", "-p", json.dumps(theirs))
    syncing.ask("1")
    assert syncing.state() == ("Synced", first)
    mine["spec"]["template"]["spec"]["containers"][0]["image"] = "example/app:2"
    second = syncing.bare.commit({"new.json": json.dumps(mine)})
    syncing.ask("2")
    syncing.until_synced(second)
    (found,) = syncing.kubectl.json("get", "deployment", "new")["spec"]["template"]["spec"]["containers"]
    assert (found["image"], found["resources"]["requests"]["cpu"]) == ("example/app:2", "200m")
