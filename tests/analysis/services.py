"""Every provider that asks a service, with all it needs to get an answer: for tests that hold for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.providers import Provider
from analysis.providers.cloudwatch import CloudWatchProvider
from analysis.providers.datadog import DatadogProvider
from analysis.providers.graphite import GraphiteProvider
from analysis.providers.influxdb import InfluxDBProvider
from analysis.providers.kayenta import KayentaProvider
from analysis.providers.newrelic import NewRelicProvider
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.skywalking import SkyWalkingProvider
from analysis.providers.wavefront import WavefrontProvider
from analysis.providers.web import WebProvider
from tests.analysis.asking import HOME, Secrets

SECRET = "hunter2-Tr0ub4dor+&3/="
"""In every credential. Its characters change when it is quoted for URLs."""

Config = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Service:
    """A provider, its configuration and Secret for a server at an address, and an answer it understands."""

    make: Callable[[Mapping[str, str]], Provider]
    config: Callable[[str], Config]
    good: str
    secrets: Callable[[str], Mapping[str, str]] = lambda url: {}
    secret: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def known(self, url: str) -> Secrets:
        """Its Secret, in the controller's namespace."""
        return Secrets({f"{HOME}/{self.secret}": self.secrets(url)})


def _kayenta(url: str) -> Config:
    side = {"scope": "s", "region": "r", "step": 60, "start": "2026-01-02T03:00:00Z", "end": "2026-01-02T03:04:00Z"}
    accounts = dict.fromkeys(("metricsAccountName", "configurationAccountName", "storageAccountName"), "a")
    scope = {"name": "default", "controlScope": side, "experimentScope": side}
    names = {"application": "app", "canaryConfigName": "mine"}
    return {
        "kayenta": {"address": url, **names, **accounts, "threshold": {"pass": 90, "marginal": 75}, "scopes": [scope]}
    }


def _series(result: str) -> str:
    return f'{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}'


AWS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": SECRET,
}
BASIC = {"basicAuth": {"username": "me", "password": SECRET}}
QUERIES = [{"id": "a", "expression": "e1/e2"}]

SERVICES: dict[str, Service] = {
    "prometheus": Service(
        make=lambda env: PrometheusProvider(environment=env),
        config=lambda url: {"prometheus": {"address": url, "query": "up", "authentication": BASIC}},
        good=_series('[{"metric":{},"value":[1,"1"]}]'),
    ),
    "web": Service(
        make=lambda env: WebProvider(),
        config=lambda url: {"web": {"url": f"{url}/x", "jsonPath": "{$.ok}", "authentication": BASIC}},
        good='{"ok": true}',
    ),
    "datadog": Service(
        make=lambda env: DatadogProvider(environment=env),
        config=lambda url: {"datadog": {"query": "q"}},
        secret="datadog",
        secrets=lambda url: {"address": url, "api-key": SECRET, "app-key": f"app-{SECRET}"},
        good='{"series":[{"pointlist":[[1,1]]}]}',
    ),
    "datadog v2": Service(
        make=lambda env: DatadogProvider(environment=env),
        config=lambda url: {"datadog": {"apiVersion": "v2", "query": "q"}},
        secret="datadog",
        secrets=lambda url: {"address": url, "api-key": SECRET, "app-key": f"app-{SECRET}"},
        good='{"data":{"attributes":{"columns":[{"type":"number","values":[1]}]}}}',
    ),
    "newRelic": Service(
        make=lambda env: NewRelicProvider(),
        config=lambda url: {"newRelic": {"query": "SELECT 1"}},
        secret="newrelic",
        secrets=lambda url: {"personal-api-key": SECRET, "account-id": "1", "base-url-nerdgraph": url},
        good='{"data":{"actor":{"account":{"nrql":{"results":[{"a":1}]}}}}}',
    ),
    "wavefront": Service(
        make=lambda env: WavefrontProvider(),
        config=lambda url: {"wavefront": {"address": url, "query": "ts(a)"}},
        secret="wavefront-api-tokens",
        secrets=lambda url: {url.partition("://")[2]: SECRET},
        good='{"timeseries":[{"data":[[1,1]]}]}',
    ),
    "graphite": Service(
        make=lambda env: GraphiteProvider(),
        config=lambda url: {"graphite": {"address": url, "query": "target=a"}},
        good='[{"target":"a","datapoints":[[1,1]]}]',
    ),
    "influxdb": Service(
        make=lambda env: InfluxDBProvider(),
        config=lambda url: {"influxdb": {"query": "from()"}},
        secret="influxdb",
        secrets=lambda url: {"address": url, "org": "o", "authToken": SECRET},
        good=",result,table,_value\r\n,,0,1\r\n",
    ),
    "skywalking": Service(
        make=lambda env: SkyWalkingProvider(),
        config=lambda url: {"skywalking": {"address": url, "query": "query { a }"}},
        good='{"data":{"a":1}}',
    ),
    "kayenta": Service(
        make=lambda env: KayentaProvider(),
        config=_kayenta,
        good=json.dumps([{"name": "mine", "id": "1"}]),
    ),
    "cloudWatch": Service(
        make=lambda env: CloudWatchProvider(environment=env),
        config=lambda url: {"cloudWatch": {"metricDataQueries": QUERIES}},
        good='{"MetricDataResults":[{"Id":"a","Values":[1],"Timestamps":[1],"StatusCode":"Complete"}]}',
        environment=AWS,
    ),
}


def environment(service: Service, url: str) -> dict[str, str]:
    """The environment of a service whose server is at an address."""
    return {**service.environment, **({"AWS_ENDPOINT_URL": url} if service.environment else {})}
