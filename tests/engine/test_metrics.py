"""Numbers and probes, as Prometheus and the kubelet ask for them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from analysis.spec.providers import Provider
from rollouts.api import kinds
from rollouts.api.traffic import TrafficRouting
from rollouts.engine import inventory
from rollouts.engine.metrics import Metrics
from rollouts.engine.probes import serving
from rollouts.engine.queue import Queue
from rollouts.engine.store import Key, Store
from tests.engine.objects import rollout


@pytest.fixture
def store() -> Store:
    return Store({kinds.ROLLOUT: {}, kinds.ANALYSIS_RUN: {}, kinds.EXPERIMENT: {}})


@pytest.fixture
def metrics(store: Store) -> Metrics:
    requests = Counter({("PATCH", "rollouts/status", 200): 3})
    return Metrics(store=store, requests=requests, events=Counter({("Warning", "RolloutAborted"): 2}))


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.text().decode().splitlines())


def condition(type_: str, reason: str) -> dict[str, Any]:
    return {"conditions": [{"type": type_, "reason": reason, "status": "True"}]}


def test_every_provider_and_router_has_a_name_in_labels() -> None:
    known = {str(field.alias) for field in Provider.model_fields.values()}
    assert {*inventory._PROVIDERS, "plugin"} == known
    routers = {str(field.alias) for field in TrafficRouting.model_fields.values()}
    assert set(inventory._ROUTERS) == routers - {"managedRoutes", "plugins", "maxTrafficWeight"}


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ({}, "Progressing"),
        (condition("Progressing", "NewReplicaSetAvailable"), "Completed"),
        (condition("Progressing", "RolloutPaused"), "Paused"),
        (condition("Progressing", "ProgressDeadlineExceeded"), "Timeout"),
        (condition("Progressing", "RolloutAborted"), "Abort"),
        (condition("Progressing", "ReplicaSetCreateError"), "Error"),
        (condition("InvalidSpec", "InvalidSpec"), "InvalidSpec"),
    ],
)
def test_a_rollout_is_shown_as_the_peers_dashboards_expect(
    store: Store, metrics: Metrics, status: dict[str, Any], phase: str
) -> None:
    store.shelf(kinds.ROLLOUT).put(rollout(spec={"replicas": 3}, status={**status, "availableReplicas": 2}))
    shown = lines(metrics)
    assert f'rollout_info{{name="web",namespace="ns",phase="{phase}",strategy="canary",traffic_router=""}} 1.0' in shown
    assert 'rollout_info_replicas_available{name="web",namespace="ns"} 2.0' in shown
    assert 'rollout_info_replicas_unavailable{name="web",namespace="ns"} 1.0' in shown


def test_no_series_outlives_its_object(store: Store, metrics: Metrics) -> None:
    store.shelf(kinds.ROLLOUT).put(rollout())
    assert 'name="web"' in metrics.text().decode()
    store.shelf(kinds.ROLLOUT).remove(rollout())
    assert 'name="web"' not in metrics.text().decode()


def test_requests_events_and_queues_are_counted(metrics: Metrics) -> None:
    shown = lines(metrics)
    assert 'controller_clientset_k8s_request_total{kind="rollouts/status",status_code="200",verb="PATCH"} 3.0' in shown
    assert 'rollout_events_total{reason="RolloutAborted",type="Warning"} 2.0' in shown


async def test_queues_are_shown(metrics: Metrics) -> None:
    queue: Queue[Key] = Queue(waited=metrics.waited(kinds.ROLLOUT))
    metrics.queues["rollouts"] = queue
    queue.add(Key("ns", "a"))
    queue.add(Key("ns", "b"))
    await queue.get()
    shown = lines(metrics)
    assert 'workqueue_depth{name="rollouts"} 1.0' in shown
    assert 'workqueue_adds_total{name="rollouts"} 2.0' in shown
    assert 'workqueue_queue_duration_seconds_count{name="rollouts"} 1.0' in shown


def test_reconciles_are_timed(metrics: Metrics) -> None:
    metrics.reconciled(kinds.ROLLOUT, 0.002)
    assert "rollout_reconcile_count 1.0" in lines(metrics)


@contextlib.asynccontextmanager
async def probed(metrics: Metrics, *, alive: str = "", ready: str = "") -> AsyncIterator[str]:
    async with serving(
        metrics=metrics, alive=lambda: alive, ready=lambda: ready, ports=(0, -1), host="127.0.0.1"
    ) as ports:
        assert len(ports) == 1
        yield f"http://127.0.0.1:{ports[0]}"


@pytest.mark.parametrize(
    ("path", "alive", "ready", "status", "text"),
    [
        ("/healthz", "", "not yet", 200, "ok"),
        ("/healthz", "the lease is lost", "", 503, "the lease is lost"),
        ("/readyz", "", "", 200, "ok"),
        ("/readyz", "", "the store is being filled", 503, "the store is being filled"),
    ],
)
async def test_probes_say_what_is_wrong(
    metrics: Metrics, path: str, alive: str, ready: str, status: int, text: str
) -> None:
    async with (
        probed(metrics, alive=alive, ready=ready) as url,
        aiohttp.ClientSession() as session,
        session.get(url + path) as answer,
    ):
        assert (answer.status, await answer.text()) == (status, text)


async def test_metrics_are_served(metrics: Metrics) -> None:
    async with probed(metrics) as url, aiohttp.ClientSession() as session, session.get(url + "/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert "rollout_events_total" in await answer.text()


def test_an_experiment_is_shown_with_its_phase(store: Store, metrics: Metrics) -> None:
    for name, status in (("a", {"phase": "Running"}), ("b", None)):
        store.shelf(kinds.EXPERIMENT).put({**rollout(name), "kind": "Experiment", "status": status})
    shown = lines(metrics)
    assert 'experiment_info{name="a",namespace="ns",phase="Running"} 1.0' in shown
    assert 'experiment_info{name="b",namespace="ns",phase="Pending"} 1.0' in shown


@pytest.mark.parametrize(
    ("routing", "shown"),
    [
        (None, ""),
        ({}, ""),
        ({"istio": {}}, "Istio"),
        ({"appMesh": {}, "nginx": None}, "AppMesh"),
        ({"plugins": {"acme/router": {}}}, "acme/router"),
        ("nonsense", ""),
    ],
)
def test_a_rollout_is_shown_with_its_router(store: Store, metrics: Metrics, routing: Any, shown: str) -> None:
    store.shelf(kinds.ROLLOUT).put(rollout(spec={"strategy": {"canary": {"trafficRouting": routing}}}))
    labels = f'name="web",namespace="ns",phase="Progressing",strategy="canary",traffic_router="{shown}"'
    assert f"rollout_info{{{labels}}} 1.0" in lines(metrics)


def test_templates_are_shown_with_their_metrics() -> None:
    store = Store({kinds.ROLLOUT: {}, kinds.ANALYSIS_TEMPLATE: {}})
    providers = [{"prometheus": {}}, {"plugin": {"acme/metric": {}}}, {}, "nonsense"]
    spec = {"metrics": [{"name": f"m{index}", "provider": each} for index, each in enumerate(providers)]}
    store.shelf(kinds.ANALYSIS_TEMPLATE).put({**rollout("check"), "spec": spec})
    shown = lines(Metrics(store=store, requests=Counter(), events=Counter()))
    assert 'analysis_template_info{name="check",namespace="ns"} 1.0' in shown
    for metric, sort in (("m0", "Prometheus"), ("m1", "acme/metric"), ("m2", ""), ("m3", "")):
        named = f'metric="{metric}",name="check",namespace="ns",type="{sort}"'
        assert f"analysis_template_metric_info{{{named}}} 1.0" in shown
