"""The fixtures themselves: what every other cluster test leans on."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from tests.cluster.harness import CRDS, Kubectl


def _deployment(*, image: str = "nginx", annotations: dict[str, str] | None = None) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_pods_of_a_deployment_become_ready_and_go(kubectl: Kubectl) -> None:
    kubectl.apply(_deployment())
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    pods = kubectl.json("get", "pods", "-l", "app=web")["items"]
    assert len({pod["status"]["podIP"] for pod in pods}) == 2
    kubectl("delete", "deployment", "web")
    kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=30s")


@pytest.mark.parametrize(
    ("image", "annotations", "reason"),
    [
        ("registry.example/does-not-exist:1", {}, "ImagePullBackOff"),
        ("nginx", {"local.rollouts/fault": "crash"}, "CrashLoopBackOff"),
        ("nginx", {"local.rollouts/fault": "not-ready"}, None),
    ],
)
def test_a_faulty_pod_is_not_ready(
    kubectl: Kubectl, eventually: Callable[..., Any], image: str, annotations: dict[str, str], reason: str | None
) -> None:
    def seen() -> set[tuple[str, str | None]]:
        pods = kubectl.json("get", "pods", "-l", "app=web")["items"]
        return {(_ready(pod), _waiting(pod)) for pod in pods if "containerStatuses" in pod["status"]}

    kubectl.apply(_deployment(image=image, annotations=annotations))
    assert eventually("both pods report", seen) == {("False", reason)}


def test_a_fault_set_later_makes_a_pod_unready_and_taken_away_ready_again(kubectl: Kubectl) -> None:
    kubectl.apply(_deployment())
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    kubectl("annotate", "pod", "-l", "app=web", "local.rollouts/fault=not-ready")
    kubectl("wait", "--for=condition=Ready=false", "pod", "-l", "app=web", "--timeout=30s")
    kubectl("annotate", "pod", "-l", "app=web", "local.rollouts/fault-")
    kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=30s")


@pytest.mark.parametrize(("image", "condition"), [("busybox", "Complete"), ("busybox-fails", "Failed")])
def test_a_job_ends_as_its_image_says(kubectl: Kubectl, image: str, condition: str) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "job", "image": image}]}}
    spec = {"backoffLimit": 0, "template": template}
    kubectl.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": spec})
    kubectl("wait", f"--for=condition={condition}", "job/job", "--timeout=30s")


def test_each_test_has_a_namespace_of_its_own(kubectl: Kubectl, namespace: str) -> None:
    assert kubectl.json("get", "pods")["items"] == []
    assert kubectl.json("get", "namespace", namespace)["metadata"]["annotations"]["rollouts/test"].endswith("own")


def test_rbac_is_on(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "delete", "pods", "--as=somebody", check=False).startswith("no")


@pytest.mark.skipif(not list(CRDS.glob("*.yaml")), reason="crds/ has not been generated yet")
def test_our_kinds_are_served(kubectl: Kubectl) -> None:
    assert "rollouts.argoproj.io" in kubectl("api-resources", "--api-group=argoproj.io", "--output=name")


def test_prometheus_scrapes_and_answers(prometheus: Prometheus, eventually: Callable[..., Any]) -> None:
    query = urllib.parse.urlencode({"query": 'up{job="prometheus"} == 1'})

    def answer() -> Any:
        with urllib.request.urlopen(f"{prometheus.url}/api/v1/query?{query}", timeout=5) as response:
            return json.load(response)["data"]["result"]

    assert eventually("Prometheus has scraped itself", answer)


def _ready(pod: dict[str, Any]) -> str:
    statuses: list[str] = [c["status"] for c in pod["status"]["conditions"] if c["type"] == "Ready"]
    return statuses[0]


def _waiting(pod: dict[str, Any]) -> str | None:
    state = pod["status"]["containerStatuses"][0]["state"]
    reason: str | None = state.get("waiting", {}).get("reason")
    return reason
