"""§2.1, the step `validate`: a commit whose Rollout would be an InvalidSpec is refused as a whole (R13)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from rollouts.api import kinds
from rollouts.cli.main import plugin_app
from rollouts.gitops.report import Result
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.harness import Kubectl
from tests.cluster.onepass import Once
from tests.cluster.space import rollout
from tests.gitops.bare import Bare

TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: error-rate}
spec:
  metrics:
  - {name: errors, count: 3, provider: {prometheus: {address: 'http://prometheus', query: up}}}
"""
UNMATCHED = {"matchLabels": {"app": "somebody-else"}}
OPTIONS = "gitops.rollouts.dev/sync-options"


def web(*, annotations: dict[str, str] | None = None, **spec: Any) -> str:
    body = rollout("web", replicas=1, steps=[{"setWeight": 50}, {"pause": {}}], **spec)
    return json.dumps({**body, "metadata": {**body["metadata"], "annotations": annotations or {}}})


def generation(syncing: Synced) -> int:
    return int(syncing.space.get(kinds.ROLLOUT, "web")["metadata"]["generation"])


def test_an_invalid_rollout_refuses_its_commit(syncing: Synced, kubeconfig: Path, namespace: str) -> None:
    """All mistakes at once; nothing is applied or deleted, and the next good commit goes through. The API server takes
    both objects: no single field of them is wrong."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b"), "web.json": web()})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    before = generation(syncing)

    bad = {"a.yaml": config("a", "2"), "b.yaml": None, "web.json": web(selector=UNMATCHED), "rate.yaml": TEMPLATE}
    broken = syncing.bare.commit(bad)
    syncing.ask("1")
    ready = syncing.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ValidateFailed")
    told = (
        f"web.json:1: Rollout {namespace}/web: spec.template.metadata.labels: ",
        f"rate.yaml:1: AnalysisTemplate {namespace}/error-rate: spec.metrics[0].interval: is required",
    )
    assert [text for text in told if text not in ready["message"]] == []
    assert (syncing.status["lastAttemptedRevision"], syncing.state()[0]) == (broken, "Unknown")
    assert (syncing.values(), generation(syncing)) == ({"a": "1", "b": "1"}, before)
    assert syncing.kubectl.json("get", "analysistemplates")["items"] == []

    words = ["sync", "diff", "shop", "--kubeconfig", str(kubeconfig), "--namespace", namespace]
    shown = CliRunner().invoke(plugin_app, words, prog_name="kubectl rollouts")
    assert shown.exit_code == 1
    said = " ".join((shown.stdout + shown.stderr).split())
    assert [text for text in told if text not in said] == []

    mended = syncing.bare.commit({"web.json": web(image="example/app:2"), "rate.yaml": None})
    syncing.ask("2")
    syncing.until_synced(mended)
    assert (syncing.values(), generation(syncing)) == ({"a": "2"}, before + 1)


def test_what_is_live_and_invalid_already_stops_nobody(syncing: Synced) -> None:
    """As after an upgrade of the controller, which knows more rules: a remark. A change of its spec is refused."""
    options = {OPTIONS: "Validate=false"}
    first = syncing.bare.commit({"web.json": web(annotations=options, selector=UNMATCHED), "a.yaml": config("a")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)

    second = syncing.bare.commit({"web.json": web(selector=UNMATCHED), "a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.values() == {"a": "2"}
    assert any("web.json: Rollout" in text and "is invalid" in text for text in syncing.status["remarks"])

    syncing.bare.commit({"web.json": web(selector=UNMATCHED, image="example/app:2"), "a.yaml": config("a", "3")})
    syncing.ask("2")
    assert syncing.condition("Ready")["reason"] == "ValidateFailed"
    assert syncing.values() == {"a": "2"}


async def test_the_command_line_says_the_same(bare: Bare, once: Once, kubectl: Kubectl, namespace: str) -> None:
    bare.commit({"a.yaml": config("a"), "web.json": web()})
    assert (await once()).result is Result.SYNCED
    bare.commit({"a.yaml": config("a", "2"), "web.json": web(selector=UNMATCHED)})
    report = await once()
    assert (report.result, report.step) == (Result.FAILED, "validate")
    assert f"web.json:1: Rollout {namespace}/web: spec.template.metadata.labels" in report.errors[0]
    assert kubectl.json("get", "configmap", "a")["data"] == {"value": "1"}
