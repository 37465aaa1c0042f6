"""Attacks on and through a GitSync, with a real API server (§2.5): tampering, stealing, crashing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.gitops.gitsync.controller import GitSyncs
from tests.cluster.controllers import OwnController
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.harness import Kubectl


def tampered(syncing: Synced, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the stored inventory by hand."""
    inventory = syncing.status["inventory"]
    change(inventory)
    syncing.space.patch(kinds.GIT_SYNC, "shop", {"status": {"inventory": inventory}}, "status")


def test_an_inventory_that_was_tampered_with_prunes_nothing(syncing: Synced) -> None:
    """R12: a wrong digest, and nothing goes, not even what Git really has no more."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    syncing.kubectl("create", "configmap", "theirs", "--from-literal=value=theirs")
    entry = {"id": f"{syncing.space.namespace}_theirs__ConfigMap", "v": "v1", "uid": ""}
    tampered(syncing, lambda inventory: inventory["entries"].append(entry))
    syncing.bare.commit({"b.yaml": None})
    syncing.ask("1")
    assert syncing.values() == {"a": "1", "b": "1", "theirs": "theirs"}


def test_what_is_put_into_the_inventory_with_the_right_digest_is_not_deleted_either(syncing: Synced) -> None:
    """R12: the mark on the live object must agree."""
    from rollouts.gitops.inventory import digest_of

    first = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    syncing.kubectl("create", "configmap", "theirs", "--from-literal=value=theirs")

    def forge(inventory: dict[str, Any]) -> None:
        inventory["entries"].append({"id": f"{syncing.space.namespace}_theirs__ConfigMap", "v": "v1", "uid": ""})
        rows = sorted([row["id"], row["v"], row["uid"]] for row in inventory["entries"])
        inventory["entries"] = [{"id": ref, "v": version, "uid": uid} for ref, version, uid in rows]
        inventory["digest"] = digest_of(rows)

    tampered(syncing, forge)
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.values() == {"a": "2", "theirs": "theirs"}


def test_a_namesake_made_by_somebody_else_is_not_deleted(syncing: Synced) -> None:
    """R12: the uid must be the one that was applied."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    live = syncing.kubectl.json("get", "configmap", "b")
    syncing.kubectl("delete", "configmap", "b")
    metadata = {"name": "b", "annotations": live["metadata"]["annotations"]}
    syncing.kubectl("create", "-f", "-", stdin=json.dumps({**live, "metadata": metadata, "data": {"value": "theirs"}}))
    second = syncing.bare.commit({"b.yaml": None})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.values() == {"a": "1", "b": "theirs"}


def test_a_secret_that_is_refused_is_not_quoted(syncing: Synced) -> None:
    """§2.5 C (CVE-2025-23216): the API server's reason holds the value; nobody gets to read it."""
    bad = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/tls\nstringData: {token: hunter22}\n"
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\ndata: {token: hunter22-is-no-base64}\n"
    )
    syncing.bare.commit({"s.yaml": bad})
    syncing.create(automated=AUTOMATED)
    syncing.until("it is refused", lambda: "s.yaml" in syncing.condition("Ready").get("message", ""))
    text = json.dumps(syncing.get()) + syncing.space.events.text()
    assert "hunter22" not in text
    assert "illegal base64" not in text
    assert syncing.condition("Ready")["status"] == "False"


def test_secrets_that_are_applied_are_in_no_status_event_or_history(syncing: Synced) -> None:
    """§2.5 C."""
    body = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: hunterNN}\n"
    commit = syncing.bare.commit({"s.yaml": body.replace("NN", "22")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(commit)
    syncing.kubectl("patch", "secret", "s", "--type=merge", "-p", '{"stringData": {"token": "hunter33"}}')
    commit = syncing.bare.commit({"s.yaml": body.replace("NN", "44")})
    syncing.ask("1")
    syncing.until_synced(commit)
    text = json.dumps(syncing.get()) + syncing.space.events.text()
    for value in ("hunter22", "hunter33", "hunter44"):
        assert value not in text
        assert base64.b64encode(value.encode()).decode() not in text


def test_a_link_out_of_the_repository_is_refused(syncing: Synced) -> None:
    """§2.5 A."""
    syncing.bare.commit({"a.yaml": config("a"), "evil.yaml": "-> /etc/passwd"})
    syncing.create(automated=AUTOMATED)
    syncing.until("it is refused", lambda: "symbolic link" in syncing.condition("Ready").get("message", ""))
    assert "root:" not in json.dumps(syncing.get())
    assert syncing.values() == {}


def test_an_address_that_runs_a_program_is_refused(syncing: Synced, tmp_path: Path) -> None:
    """§2.5, Git transport: `ext::` and its like never reach git."""
    proof = tmp_path / "proof"
    for number, address in enumerate((f"ext::touch {proof}", "file:///etc", "-oProxyCommand=touch:x", "http://a/b")):
        other = Synced(**{**vars(syncing), "name": f"evil{number}"})
        other.create(automated=AUTOMATED, source={"repoURL": address})
        other.until("it is refused", lambda other=other: other.condition("Stalled").get("reason") == "AccessDenied")
    assert not proof.exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pipes of what was killed
def test_a_controller_that_is_killed_again_and_again_ends_in_the_same_place(
    opened: Synced,
    tmp_path: Path,
    kubectl: Kubectl,
    own_controller: Callable[..., OwnController],
    eventually: Callable[..., Any],
) -> None:
    """Level-triggered: whatever write was its last, the next one finishes the work; nothing else is touched."""
    syncing = opened
    kubectl("create", "configmap", "theirs", "--from-literal=value=theirs")
    syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    for number in range(1, 5):
        stores = tmp_path / f"stores-{number}"
        stores.mkdir()
        dying = own_controller(additions=(GitSyncs(directory=stores),), die_after=number)
        eventually("it died, or there is nothing left", lambda dying=dying: dying.dead.is_set() or _at_rest(syncing))
        dying.kill()
    stores = tmp_path / "stores"
    stores.mkdir()
    own_controller(additions=(GitSyncs(directory=stores),))
    commit = syncing.bare.commit({"a.yaml": config("a", "2"), "b.yaml": None})
    syncing.ask("1")
    syncing.until_synced(commit)
    assert syncing.values() == {"a": "2", "theirs": "theirs"}


def _at_rest(syncing: Synced) -> bool:
    return syncing.condition("Ready").get("status") == "True"
