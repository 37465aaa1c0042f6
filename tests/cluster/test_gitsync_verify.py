"""Signatures of a GitSync on the real API server: what nobody trusted signed is not applied."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.gitops import keys
from tests.gitops.keys import SshKey


def test_only_what_is_signed_by_a_trusted_key_is_applied(syncing: Synced, tmp_path: Path) -> None:
    ann, mallory = SshKey(tmp_path, "ann"), SshKey(tmp_path, "mallory")
    data = {"allowed_signers": base64.b64encode(ann.signers()).decode()}
    syncing.space.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "trusted"}, "data": data})
    syncing.bare.commit({"a.yaml": config("a")})
    good = keys.commit(syncing.bare, ann.settings)
    source = {"repoURL": syncing.server.url(), "targetRevision": "main", "secretRef": {"name": "repository"}}
    syncing.create(automated=AUTOMATED, source={**source, "verify": {"secretRef": {"name": "trusted"}}})
    syncing.until_synced(good)

    syncing.bare.commit({"a.yaml": config("a", "2"), "b.yaml": config("b")})
    syncing.ask("1")
    stalled = syncing.until("it is stalled", lambda: syncing.condition("Stalled"))
    assert (stalled["reason"], "is not signed" in stalled["message"]) == ("VerificationFailed", True)

    keys.commit(syncing.bare, mallory.settings)
    syncing.ask("2")
    assert "not among the trusted" in syncing.condition("Ready")["message"]
    assert syncing.values() == {"a": "1"}

    mended = keys.commit(syncing.bare, ann.settings)
    syncing.ask("3")
    syncing.until_synced(mended)
    assert syncing.values() == {"a": "2", "b": "1"}
    assert syncing.condition("Stalled") == {}
