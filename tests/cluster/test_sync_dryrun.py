"""R10: the API server makes the diff; what can't be tried out is compared here, and that is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.report import Report, Result
from tests.cluster.admission import admission
from tests.cluster.harness import Kubectl
from tests.cluster.onepass import Once
from tests.gitops.bare import Bare


def service(*ports: int, **labels: str) -> str:
    spec = {"selector": {"app": "web"}, "ports": [{"name": f"p{port}", "port": port} for port in ports]}
    metadata = {"name": "web", "labels": labels}
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def config(**data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})


def ports(kubectl: Kubectl) -> list[int]:
    return sorted(row["port"] for row in kubectl.json("get", "service", "web")["spec"]["ports"])


def _no_dry_runs(request: dict[str, Any]) -> str:
    return "this webhook does not support dry run" if request.get("dryRun") else ""


@pytest.fixture
def name(kubectl: Kubectl, namespace: str, tmp_path: Path) -> Iterator[str]:
    """A webhook for Services that refuses dry runs; its name."""
    with admission(tmp_path, kubectl, namespace, "services", _no_dry_runs):
        yield f"{namespace}.tests.example"


async def heard_of(once: Once, name: str) -> Report:
    """A pass that has met the webhook, which the API server hears of a moment after it was made."""
    report = await once()
    assert report.errors == ()
    why = f"the webhook {name} does not support dry runs, so changes of it are worked out here and not tried out before"
    assert report.remarks == (f"web.json: Service {name.partition('.')[0]}/web: {why}",)
    return report


async def test_a_webhook_that_does_not_support_dry_runs(
    bare: Bare, once: Once, kubectl: Kubectl, name: str, eventually: Any
) -> None:
    """Made, left alone, changed by Git and by others, and told; the other objects are tried out as ever."""
    refused = ("apply", "--server-side", "--dry-run=server", "-f", "-")
    eventually("it refuses", lambda: "dry run" in kubectl(*refused, stdin=service(1), check=False))
    bare.commit({"web.json": service(80, 81, tier="a"), "a.json": config(v="1")})
    assert (await heard_of(once, name)).changed
    assert ports(kubectl) == [80, 81]
    assert (await heard_of(once, name)).result is Result.CURRENT
    kubectl("label", "service", "web", "theirs=stays")
    kubectl("label", "service", "web", "tier=b", "--overwrite")
    report = await heard_of(once, name)
    assert [item.fields for item in report.applied] == [("metadata.labels.tier",)]
    bare.commit({"web.json": service(80, 82)})
    assert (await heard_of(once, name)).changed
    assert ports(kubectl) == [80, 82]
    labels = kubectl.json("get", "service", "web")["metadata"]["labels"]
    assert {key: value for key, value in labels.items() if "." not in key} == {"theirs": "stays"}
    assert (await heard_of(once, name)).result is Result.CURRENT
    bare.commit({"a.json": config(v="1").replace("ConfigMap", "Secret")})
    assert (await once()).result is Result.FAILED, "what can be tried out still is"


async def test_a_parent_that_git_has_no_more_goes_without_what_others_have_in_it(
    bare: Bare, once: Once, kubectl: Kubectl
) -> None:
    bare.commit({"a.json": config(ours="1", too="2")})
    await once()
    kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"theirs": "3"}}')
    assert (await once()).result is Result.CURRENT
    bare.commit({"a.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}'})
    report = await once()
    assert [item.fields for item in report.applied] == [("data.ours", "data.too")]
    assert kubectl.json("get", "configmap", "a")["data"] == {"theirs": "3"}
    assert (await once()).result is Result.CURRENT


async def test_a_dry_run_that_failed_is_no_answer(
    bare: Bare, once: Once, kubectl: Kubectl, namespace: str, tmp_path: Path, eventually: Any
) -> None:
    """Never taken for no difference: nothing of the commit is applied, and nothing is called current."""
    bare.commit({"web.json": service(80), "a.json": config(v="1")})
    assert (await once()).errors == ()
    with admission(tmp_path, kubectl, namespace, "services", lambda request: "broken today"):
        refused = ("apply", "--server-side", "--dry-run=server", "-f", "-")
        eventually("it refuses", lambda: "broken" in kubectl(*refused, stdin=service(1), check=False))
        bare.commit({"web.json": service(81), "a.json": config(v="2")})
        report = await once()
        assert (report.result, report.step, report.changed) == (Result.FAILED, "diff", False)
        assert "web.json:1: Service" in report.errors[0]
        assert "broken today" in report.errors[0]
    assert kubectl.json("get", "configmap", "a")["data"] == {"v": "1"}
