"""Each step of the pipeline fails closed (§2.1): it fails while Git has something no more, and nothing is deleted; the
status says which step, why and what to do; once that is mended, the very same commit is pruned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rollouts.api import kinds
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.test_gitsync_transport import secret
from tests.gitops.keys import SshKey

Fault = Callable[[Synced, Path], AbstractContextManager[None]]
Files = dict[str, str | None]


@contextmanager
def nothing(syncing: Synced, folder: Path) -> Iterator[None]:
    yield


@contextmanager
def away(syncing: Synced, folder: Path) -> Iterator[None]:
    syncing.server.refusing = True
    yield
    syncing.server.refusing = False


@contextmanager
def no_packs(syncing: Synced, folder: Path) -> Iterator[None]:
    syncing.server.refused = b"command=fetch"
    yield
    syncing.server.refused = b""


@contextmanager
def unsigned(syncing: Synced, folder: Path) -> Iterator[None]:
    key = SshKey(folder, "signer")
    syncing.space.create(secret("signers", allowed_signers=f"* {key.public}".encode()))
    syncing.patch({"spec": {"source": {"verify": {"mode": "HEAD", "secretRef": {"name": "signers"}}}}})
    yield
    syncing.patch({"spec": {"source": {"verify": None}}})


@contextmanager
def owned(syncing: Synced, folder: Path) -> Iterator[None]:
    mark = {"argocd.argoproj.io/tracking-id": f"other:/ConfigMap:{syncing.space.namespace}/c"}
    metadata = {"name": "c", "annotations": mark}
    syncing.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    yield
    syncing.kubectl("delete", "configmap", "c")


@contextmanager
def tampered(syncing: Synced, folder: Path) -> Iterator[None]:
    inventory = {"inventory": {"digest": "sha256:something else"}}
    syncing.space.patch(kinds.GIT_SYNC, syncing.name, {"status": inventory}, "status")
    yield


@contextmanager
def quota(syncing: Synced, folder: Path) -> Iterator[None]:
    """One object more than there are now: each of two passes its dry run, and only one can be made."""
    count = len(syncing.kubectl.json("get", "configmaps")["items"])
    limit = {"hard": {"count/configmaps": str(count + 1)}}
    syncing.kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": limit})
    found = lambda: syncing.kubectl.json("get", "resourcequota", "q")["status"].get("used")  # noqa: E731
    syncing.until("it counts", lambda: found()["count/configmaps"] == str(count))
    yield
    syncing.kubectl("delete", "resourcequota", "q")


@contextmanager
def no_record(syncing: Synced, folder: Path) -> Iterator[None]:
    """The API server refuses every change of the inventory."""
    name, group = syncing.space.namespace, "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": ["gitops.rollouts.dev"], "apiVersions": ["*"], "operations": ["UPDATE"]}
    same = "has(object.status.inventory) && object.status.inventory == oldObject.status.inventory"
    policy = {
        "matchConstraints": {"resourceRules": [{**rule, "resources": ["gitsyncs/status"]}]},
        "validations": [{"expression": same, "message": "the record is locked"}],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
    for kind, spec in (("", policy), ("Binding", bound)):
        kind = f"ValidatingAdmissionPolicy{kind}"
        syncing.kubectl.apply({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec})
    probe = json.dumps({"status": {"inventory": {"digest": "x"}}})
    words = ("patch", "gitsync", "shop", "--subresource=status", "--type=merge", "--dry-run=server", "-p", probe)
    try:
        syncing.until("it is locked", lambda: "patched" not in syncing.kubectl(*words, check=False))
        yield
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            syncing.kubectl("delete", kind, name)


def named(name: str, **metadata: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}})


ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: stolen}\nrules: []\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 99999}]}\n"
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: none}
spec: {metrics: [{name: none, provider: {}}]}
"""


@dataclass(frozen=True, kw_only=True)
class Step:
    """`files`: of the commit that takes b.yaml out; `mended`: of the next one, if the commit itself is at fault."""

    name: str
    reason: str
    says: tuple[str, ...]
    fault: Fault = nothing
    files: Files = field(default_factory=dict)
    mended: Files = field(default_factory=dict)
    state: str = "Unknown"


STEPS = (
    Step(name="resolve", fault=away, reason="FetchFailed", says=("503",)),
    Step(name="fetch", fault=no_packs, reason="FetchFailed", says=("503",)),
    Step(name="verify", fault=unsigned, reason="VerificationFailed", says=("not signed",)),
    Step(
        name="materialise",
        reason="CheckoutFailed",
        says=("evil.yaml", "symbolic link"),
        files={"evil.yaml": "-> /etc/passwd"},
        mended={"evil.yaml": None},
    ),
    Step(name="render", reason="RenderFailed", says=("c.yaml",), files={"c.yaml": "kind: ["}, mended={"c.yaml": None}),
    Step(
        name="parse",
        reason="RenderFailed",
        says=("c.yaml", "is there already, at a.yaml"),
        files={"c.yaml": config("a")},
        mended={"c.yaml": None},
    ),
    Step(
        name="validate",
        reason="ValidateFailed",
        says=("t.yaml", "spec.metrics[0].provider"),
        files={"t.yaml": TEMPLATE},
        mended={"t.yaml": None},
    ),
    Step(
        name="authorise",
        reason="DiffFailed",
        says=("role.yaml", "give the ServiceAccount a Role"),
        files={"role.yaml": ROLE},
        mended={"role.yaml": None},
        state="Unknown",
    ),
    Step(
        name="own",
        fault=owned,
        reason="SharedResource",
        says=("c.json", "Argo CD application", "--adopt"),
        files={"c.json": named("c")},
    ),
    Step(
        name="diff",
        reason="DiffFailed",
        says=("s.yaml", "spec.ports[0].port"),
        files={"s.yaml": SERVICE},
        mended={"s.yaml": None},
    ),
    Step(
        name="apply",
        fault=quota,
        reason="ApplyFailed",
        says=("exceeded quota",),
        files={"c.json": named("c"), "d.json": named("d")},
        state="OutOfSync",
    ),
    Step(
        name="record",
        fault=no_record,
        reason="RecordFailed",
        says=("the record could not be", "the record is locked"),
        files={"c.json": named("c")},
    ),
)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_that_fails_deletes_nothing_and_says_why(step: Step, syncing: Synced, tmp_path: Path) -> None:
    """§2.1, R13: nothing is deleted, nothing is called Synced, and the reason is the step's own."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(syncPolicy={"automated": AUTOMATED, "retry": RETRY})
    syncing.until_synced(first)
    with step.fault(syncing, tmp_path):
        commit = syncing.bare.commit({"b.yaml": None, **step.files})
        syncing.ask("1")
        ready = syncing.until("it says so", lambda: syncing.condition("Ready").get("reason") == step.reason)
        ready = syncing.condition("Ready")
        assert all(word in ready["message"] for word in step.says), ready["message"]
        assert (ready["status"], syncing.state()[0]) == ("False", step.state)
        assert syncing.values() == {"a": "1", "b": "1"}
        assert [entry["revision"] for entry in syncing.status["history"]] == [first]
    if step.mended:
        commit = syncing.bare.commit(step.mended)
    syncing.ask("2")
    syncing.until_synced(commit)
    assert syncing.values() == {"a": "1"}


RETRY = {"limit": -1, "backoff": {"duration": "1s", "factor": 1}}


def test_a_plan_from_a_list_that_is_not_whole_deletes_nothing(syncing: Synced, tmp_path: Path) -> None:
    """§2.1, the step `plan`; R12, R13: what is applied is; what would go waits for a list that can be trusted."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    with tampered(syncing, tmp_path):
        syncing.bare.commit({"b.yaml": None, "a.yaml": config("a", "2")})
        syncing.ask("1")
    blocked = syncing.until("it says so", lambda: syncing.condition("PruneBlocked"))
    assert "the inventory's digest does not match" in blocked["message"]
    assert syncing.values() == {"a": "2", "b": "1"}
    syncing.ask("2")
    syncing.until("it is whole again", lambda: syncing.values() == {"a": "2"})


def test_a_record_that_can_not_be_written_afterwards_is_made_up_for(syncing: Synced, tmp_path: Path) -> None:
    """§2.1, R13, the last step: what was deleted rightly is gone; the status says that the record is not written; the
    next pass finds the object gone, and nothing else."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(syncPolicy={"automated": AUTOMATED, "retry": RETRY})
    syncing.until_synced(first)
    with no_record(syncing, tmp_path):
        commit = syncing.bare.commit({"b.yaml": None})
        syncing.ask("1")
        syncing.until("it says so", lambda: "the record could not be" in syncing.condition("Ready")["message"])
        assert syncing.values() == {"a": "1"}
        assert len(syncing.status["inventory"]["entries"]) == 2
    syncing.ask("2")
    syncing.until_synced(commit)
    assert (syncing.values(), len(syncing.status["inventory"]["entries"])) == ({"a": "1"}, 1)
