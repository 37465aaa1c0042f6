"""`deploy/install.yaml` as it is: the API server takes all of it, and its rights suffice for everything we do."""

from __future__ import annotations

import base64
import re
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.plane import Plane
from rollouts.api import kinds
from rollouts.gitops.render.confinement import Budget
from tests.cluster.controllers import REPOSITORY, Process
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.harness import Cluster, Kubectl
from tests.cluster.space import Space, rollout
from tests.gitops.bare import Bare

INSTALL = REPOSITORY / "deploy" / "install.yaml"
HOME = "argo-rollouts"
ACCOUNT = f"system:serviceaccount:{HOME}:rollouts-controller"
INSTANCE = {"argo-rollouts.argoproj.io/controller-instance-id": "rights"}
RUNNING = {"Deployment", "Service"}


def manifests() -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(INSTALL.read_text()) if document]


@pytest.fixture
def installed(plane: Cluster, kubectl: Kubectl) -> Path:
    """Everything but what runs; a kubeconfig of the service account."""
    if not isinstance(plane, Plane):
        pytest.skip("needs a cluster whose certificate authority is ours")
    at_home = replace(kubectl, namespace=HOME)
    at_home.apply(*(document for document in manifests() if document["kind"] not in RUNNING))
    return plane.credentials_for("rights", user=ACCOUNT, groups=("system:serviceaccounts",))


def test_the_api_server_takes_it(kubectl: Kubectl, installed: Path) -> None:
    replace(kubectl, namespace=HOME)("apply", "--dry-run=server", "--validate=strict", "-f", str(INSTALL))
    assert installed.exists()


def test_its_probes_and_ports_are_the_commands_defaults() -> None:
    assert ports() == {"healthz": 8080, "metrics": 8090, "webhooks": 9292}
    assert "--webhook-port=9292" in container()["args"]


def test_what_is_served_can_be_reached_and_nothing_else() -> None:
    """§2.5 H: a NetworkPolicy is on by default, and leads to no port that is not meant."""
    (policy,) = [document for document in manifests() if document["kind"] == "NetworkPolicy"]
    (rule,) = policy["spec"]["ingress"]
    assert {row["port"] for row in rule["ports"]} == set(ports())
    labels = deployment()["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    services = [document for document in manifests() if document["kind"] == "Service"]
    assert {port["targetPort"] for service in services for port in service["spec"]["ports"]} == {"metrics", "webhooks"}
    assert all(service["spec"]["selector"] == labels for service in services)


def test_watching_for_drift_gives_no_rights_over_secrets() -> None:
    """§2.5 D: to watch is to be allowed to read, and metadata can't be asked for alone."""
    (role,) = [document for document in manifests() if document["metadata"]["name"].endswith("-drift")][:1]
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list", "watch"}
    assert "secrets" not in {resource for rule in role["rules"] for resource in rule["resources"]}


def test_the_renderer_has_no_token_no_port_and_memory_of_its_own() -> None:
    """§2.5 H: a root that can't be written, a socket folder that is read-only to the controller."""
    pod, renderer = deployment()["spec"]["template"]["spec"], container("renderer")
    mounts = {name: {m["name"]: m for m in container(name)["volumeMounts"]} for name in ("controller", "renderer")}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert pod["automountServiceAccountToken"] is False
    assert set(mounts["controller"]) & set(mounts["renderer"]) == {"renderer"}
    assert mounts["controller"]["renderer"]["readOnly"] is True
    assert all("emptyDir" in volumes[name] for name in mounts["renderer"])
    assert "projected" in volumes["token"]
    assert not {"env", "envFrom", "ports"} & set(renderer)
    assert renderer["securityContext"] == container()["securityContext"]
    assert renderer["resources"]["limits"]["memory"] == f"{256 + 2 * Budget().memory_bytes // 1024**2}Mi"


def test_both_containers_mean_the_same_socket() -> None:
    (served,) = (word for word in container("renderer")["args"] if word.startswith("--socket="))
    assert f"--renderer-{served.removeprefix('--')}" in container()["args"]
    folder = str(Path(served.partition("=")[2]).parent)
    for name in ("controller", "renderer"):
        assert {"name": "renderer", "mountPath": folder} in [
            {key: mount[key] for key in ("name", "mountPath")} for mount in container(name)["volumeMounts"]
        ]


def deployment() -> dict[str, Any]:
    (found,) = [document for document in manifests() if document["kind"] == "Deployment"]
    return found


def container(name: str = "controller") -> dict[str, Any]:
    return next(found for found in deployment()["spec"]["template"]["spec"]["containers"] if found["name"] == name)


def ports() -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container()["ports"]}


@pytest.fixture
def restricted(installed: Path, tmp_path: Path) -> Any:
    """A controller with no other rights, for objects of its instance id."""
    log = tmp_path / "restricted.log"
    running = Process(kubeconfig=installed, log=log, arguments=["--instance-id", "rights", "--namespace", HOME])
    yield running
    running.stop()


def test_its_rights_suffice_and_no_others_are_asked_for(
    restricted: Process, space: Space, eventually: Callable[..., Any]
) -> None:
    space.create(rollout(labels=INSTANCE, replicas=2, steps=[{"setWeight": 50}]))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    eventually("it is promoted", lambda: space.status()["stableRS"] == _hash(space, "2") and _healthy(space))
    space.edit(restartAt="2020-01-01T00:00:00Z")
    eventually("its restart is over", lambda: space.status().get("restartedAt"))
    _measure_with_a_secret(space, eventually)
    _measure_by_jobs(space, eventually)
    _experiment_with_a_service(space, eventually)
    _take_over(space, eventually)
    space.edit(revisionHistoryLimit=0)
    eventually("old ReplicaSets are deleted", lambda: list(space.sets()) == ["2"])
    eventually("events are told", lambda: "RolloutCompleted" in space.events.reasons())
    assert 'status_code="403"' not in _metrics(restricted)
    assert "forbidden" not in restricted.log.read_text().lower()


def _take_over(space: Space, eventually: Callable[..., Any]) -> None:
    body = rollout("taker", labels=INSTANCE)
    spec = {"replicas": 1, "template": body["spec"].pop("template"), "selector": body["spec"].pop("selector")}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "old", "scaleDown": "onsuccess"}
    body["spec"]["workloadRef"] = reference
    space.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "old"}, "spec": spec}, body)
    eventually("it took over", lambda: space.get(kinds.DEPLOYMENT, "old")["spec"]["replicas"] == 0)


def _experiment_with_a_service(space: Space, eventually: Callable[..., Any]) -> None:
    pods = rollout()["spec"]
    template = {"name": "a", "selector": pods["selector"], "template": pods["template"], "service": {}}
    space.create(
        {
            "apiVersion": kinds.EXPERIMENT.api_version,
            "kind": "Experiment",
            "metadata": {"name": "exp", "labels": INSTANCE},
            "spec": {"templates": [template], "duration": "1s", "scaleDownDelaySeconds": 0},
        },
    )

    def over() -> bool:
        phase = (space.get(kinds.EXPERIMENT, "exp").get("status") or {}).get("phase")
        return phase == "Successful" and not space.list(kinds.SERVICE)

    eventually("the experiment is over, and its Service is gone", over)


def test_its_rights_suffice_for_a_gitsync(
    restricted: Process, space: Space, kubectl: Kubectl, eventually: Callable[..., Any], tmp_path: Path, git_server: Any
) -> None:
    """§2.5 D: few rights of its own; what Git asks for is done as the ServiceAccount, whose rights it may use."""
    syncing = Synced(
        bare=Bare(tmp_path), server=git_server, space=space, kubectl=kubectl, eventually=eventually, labels=INSTANCE
    )
    syncing.open()
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED, deletionPolicy="Delete")
    syncing.until_synced(first)
    second = syncing.bare.commit({"a.yaml": config("a", "2"), "b.yaml": None})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.values() == {"a": "2"}
    kubectl("delete", "gitsync", "shop", "--timeout=30s")
    assert syncing.values() == {}
    assert "forbidden" not in restricted.log.read_text().lower()


def _measure_with_a_secret(space: Space, eventually: Callable[..., Any]) -> None:
    space.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "token"},
            "data": {"value": base64.b64encode(b"s3cr3t").decode()},
        },
        {
            "apiVersion": kinds.ANALYSIS_RUN.api_version,
            "kind": "AnalysisRun",
            "metadata": {"name": "run", "labels": INSTANCE},
            "spec": {
                "args": [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}}}],
                "metrics": [
                    {
                        "name": "m",
                        "successCondition": "true",
                        "provider": {"prometheus": {"address": "http://127.0.0.1:9", "query": "{{args.token}}"}},
                    }
                ],
            },
        },
    )

    def message() -> str:
        results = space.get(kinds.ANALYSIS_RUN, "run").get("status", {}).get("metricResults") or [{}]
        return str((results[0].get("measurements") or [{}])[0].get("message") or "")

    assert "secret" not in eventually("it was measured", message)


def _measure_by_jobs(space: Space, eventually: Callable[..., Any]) -> None:
    """Jobs that end, one whose image is missing, one cleared away for the next, one ended early."""
    for name, image, fields in (
        ("good", "example/check:1", {"count": 2, "interval": "1s"}),
        ("missing", "example/does-not-exist:1", {}),
        ("ended", "example/check:1", {}),
    ):
        metadata = {"annotations": {"local.rollouts/ready-after": "10m"}} if name == "ended" else {}
        template = {
            "metadata": metadata,
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]},
        }
        metric = {"name": "job", "provider": {"job": {"spec": {"backoffLimit": 0, "template": template}}}, **fields}
        space.create(
            {
                "apiVersion": kinds.ANALYSIS_RUN.api_version,
                "kind": "AnalysisRun",
                "metadata": {"name": name, "labels": INSTANCE},
                "spec": {"metrics": [metric], "measurementRetention": [{"metricName": "job", "limit": 1}]},
            },
        )
    eventually("all Jobs are there", lambda: len(space.list(kinds.JOB)) >= 3)
    space.patch(kinds.ANALYSIS_RUN, "ended", {"spec": {"terminate": True}})
    eventually("the runs are over", lambda: all(_phase(space, name) for name in ("good", "missing", "ended")))
    assert (_phase(space, "good"), _phase(space, "missing")) == ("Successful", "Inconclusive")


def _phase(space: Space, name: str) -> str:
    status = space.get(kinds.ANALYSIS_RUN, name).get("status") or {}
    return str(status.get("phase")) if status.get("completedAt") else ""


def _hash(space: Space, revision: str) -> str:
    sets = space.sets()
    return str(sets[revision]["metadata"]["labels"]["rollouts-pod-template-hash"]) if revision in sets else ""


def _healthy(space: Space) -> bool:
    return bool(space.status().get("phase") == "Healthy")


def _metrics(process: Process) -> str:
    found = re.search(r"ports=\[(\d+)", process.log.read_text())
    assert found
    with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/metrics", timeout=5) as response:
        text: str = response.read().decode()
    return text
