"""Real requests through an unmodified Traefik to the processes of ready pods, and what Prometheus makes of them."""

from __future__ import annotations

import json
import signal
import sys
import urllib.parse
import urllib.request
from typing import Any

import pytest

from deploy.local.errors import LocalError
from deploy.local.plane import Plane
from deploy.local.traffic import traefik as traefik_module
from deploy.local.traffic.traefik import Traefik, find_traefik
from tests.local.nodes import until
from tests.local.traffic.conftest import Shop


def query(shop: Shop, expression: str) -> dict[str, float]:
    """The values of an instant vector by version (or code); empty while there are none."""
    url = f"{shop.prometheus.url}/api/v1/query?query={urllib.parse.quote(expression)}"
    with urllib.request.urlopen(url) as response:
        result = json.load(response)["data"]["result"]
    return {r["metric"].get("version", r["metric"].get("code", "")): float(r["value"][1]) for r in result}


@pytest.mark.parametrize(("stable", "canary"), [(80, 20), (50, 50), (0, 100), (100, 0)])
def test_weights_are_kept_to_the_request(shop: Shop, stable: int, canary: int) -> None:
    shop.serve("good")
    shop.serve("better")
    shop.route("weights", good=stable, better=canary)
    wanted = {name for name, weight in (("good", stable), ("better", canary)) if weight}
    shop.await_split("weights", lambda versions: versions.keys() == wanted)
    versions = shop.load("weights", count=500)["versions"]
    counts = {version: statuses["200"] for version, statuses in versions.items()}
    assert sum(counts.values()) == 500
    # a round: the proxy may be anywhere in its cycle of 100 when the counting begins
    assert abs(counts.get("better", 0) - 5 * canary) <= 5


def test_only_ready_pods_are_asked(shop: Shop) -> None:
    shop.serve("pair", replicas=2)
    shop.route("ready", pair=1)
    pods = shop.plane.client.get("/api/v1/namespaces/default/pods?labelSelector=version%3Dpair")["items"]
    victim = pods[0]["metadata"]["name"]
    address = pods[0]["status"]["podIP"]

    def endpoint() -> dict[str, Any]:
        slices = shop.plane.client.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")["items"]
        return next(e for s in slices for e in s["endpoints"] or [] if address in e["addresses"])

    shop.await_split("ready", lambda versions: versions == {"pair": {"200": 20}})
    # stopped, not killed: it is there but does not answer its probe
    pid = int(pods[0]["status"]["containerStatuses"][0]["containerID"].removeprefix("process://"))
    shop.plane.run_inside(["kill", f"-{int(signal.SIGSTOP)}", str(pid)])
    try:
        until("its endpoint is not ready", lambda: not endpoint()["conditions"]["ready"])
        shop.await_split("ready", lambda versions: versions == {"pair": {"200": 20}})
        assert shop.load("ready", count=200)["versions"] == {"pair": {"200": 200}}
    finally:
        shop.plane.run_inside(["kill", f"-{int(signal.SIGCONT)}", str(pid)])
    until(f"{victim} is ready again", lambda: endpoint()["conditions"]["ready"])


def test_a_rolling_restart_loses_no_request(shop: Shop) -> None:
    shop.serve("rolling", replicas=2)
    shop.route("rolling", rolling=1)
    shop.await_split("rolling", lambda versions: versions == {"rolling": {"200": 20}})
    argv = [sys.executable, "-m", "deploy.local.traffic.load", shop.traefik.inside_url, "--host=rolling.example"]
    load = shop.plane.popen([*argv, "--rate=100", "--seconds=45"], stdout=-1)
    shop.plane.kubectl("rollout", "restart", "deployment/rolling")
    shop.plane.kubectl("rollout", "status", "deployment/rolling", "--timeout=40s")
    load.send_signal(signal.SIGTERM)
    report = json.loads(load.communicate()[0])
    assert report["versions"] == {"rolling": {"200": report["total"]}}
    assert report["total"] > 20


def test_prometheus_finds_pods_and_counts_what_was_answered(shop: Shop) -> None:
    shop.serve("flaky", ERROR_RATE="0.5")
    shop.route("counted", flaky=1)
    shop.await_split("counted", lambda versions: versions.keys() == {"flaky"})
    statuses = shop.load("counted", count=300)["versions"]["flaky"]
    # by chance: 300 tosses are not that lopsided once in a billion
    assert 90 < statuses["500"] < 210
    series = 'http_requests_total{version="flaky",namespace="default",app="shop"}'
    until("all are counted", lambda: query(shop, f"sum by (version) ({series})").get("flaky", 0) >= 300)
    share = 'sum(http_requests_total{version="flaky",status_code="500"}) / sum(http_requests_total{version="flaky"})'
    assert 0.3 < query(shop, share)[""] < 0.7
    proxy = 'sum by (code) (traefik_service_requests_total{service=~".*counted.*"})'
    until("the proxy counts them as well", lambda: sum(query(shop, proxy).values()) >= 300)
    assert query(shop, proxy).keys() == {"200", "500"}


def test_a_revision_s_counters_begin_at_nothing(shop: Shop) -> None:
    shop.serve("idle")
    zero = 'sum by (version) (http_requests_total{version="idle",status_code="500"})'
    assert until("it is scraped", lambda: query(shop, zero)) == {"idle": 0.0}


def test_a_route_that_leads_nowhere_says_why(shop: Shop) -> None:
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/lost"
    backends = [{"name": "nobody", "port": 80}]
    shop.plane.client.apply(path, traefik_module.http_route("lost", backends=backends, host="lost.example"))
    until("Traefik has seen it", lambda: shop.plane.client.get(path)["status"]["parents"])
    with pytest.raises(LocalError, match=r"(?s)HTTPRoute default/lost.*Traefik says: .*nobody"):
        shop.traefik.await_route("lost", seconds=0.5)


def test_from_outside_the_gateway_is_reached_by_a_door(shop: Shop) -> None:
    shop.serve("good")
    shop.route("door", good=1)
    request = urllib.request.Request(shop.traefik.url, headers={"Host": "door.example"})
    answer = until("it answers", lambda: _ask(request))
    assert answer == {"version": "good"}


def test_the_data_plane_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LocalError, match="start the plane with network=True"):
        Traefik(plane=Plane(network=False)).start()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LocalError, match="there is no traefik beside /nowhere/python, nor on PATH: run `make venv`"):
        find_traefik()


def _ask(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)
    except OSError:
        return None
