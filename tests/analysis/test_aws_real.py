"""CloudWatch and STS against moto, which speaks AWS's protocols by AWS's own models: a second opinion on what we send.

It checks no signatures (`test_aws` does), and answers only what it can read as a request.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest
import requests

from analysis.providers.cloudwatch import CloudWatchProvider
from analysis.providers.prometheus import PrometheusProvider
from tests.analysis.asking import NOW, value
from tests.analysis.moto import MOTO
from tests.analysis.wire import prometheus_answer, wire

REGION = "eu-west-1"
SCOPE = f"AWS4-HMAC-SHA256 Credential=AKID/20260102/{REGION}/monitoring/aws4_request, SignedHeaders=host, Signature=0"
STAT = {"metric": {"namespace": "App", "metricName": "Errors", "dimensions": [{"name": "service", "value": "web"}]}}


@pytest.fixture(scope="module")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with MOTO.serving(tmp_path_factory.mktemp("moto")) as url:
        for age, count in ((400, 3), (30, 5)):
            _put(url, time.time() - age, count)
        yield url


def _put(url: str, at: float, count: int) -> None:
    """By the oldest of CloudWatch's protocols."""
    form = {
        "Action": "PutMetricData",
        "Version": "2010-08-01",
        "Namespace": "App",
        "MetricData.member.1.MetricName": "Errors",
        "MetricData.member.1.Value": str(count),
        "MetricData.member.1.Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
        "MetricData.member.1.Dimensions.member.1.Name": "service",
        "MetricData.member.1.Dimensions.member.1.Value": "web",
    }
    requests.post(url, data=form, headers={"Authorization": SCOPE}, timeout=30).raise_for_status()


@pytest.fixture
async def provider(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CloudWatchProvider]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key")
    found = CloudWatchProvider(environment={"AWS_REGION": REGION, "AWS_ENDPOINT_URL": moto_url})
    yield found
    await found.close()


async def test_a_statistic(provider: CloudWatchProvider) -> None:
    query = {"id": "errors", "label": "Errors", "metricStat": {**STAT, "period": "60", "stat": "Sum"}}
    config = {"cloudWatch": {"interval": "30m", "metricDataQueries": [query]}}
    condition = "sum(result[0].Values) == 8 && result[0].Id == 'errors' && result[0].StatusCode == 'Complete'"
    found = await value(provider, config, condition, now=NOW.fromtimestamp(time.time() + 60, NOW.tzinfo))
    assert found == "[[5,3]]"


async def test_a_metric_nobody_knows(provider: CloudWatchProvider) -> None:
    stat = {**STAT, "metric": {"namespace": "Nothing", "metricName": "Here"}, "period": 60, "stat": "Sum"}
    config = {"cloudWatch": {"metricDataQueries": [{"id": "a", "metricStat": stat}]}}
    assert await value(provider, config, "len(result[0].Values) == 0") == "[[]]"


async def test_a_role(provider: CloudWatchProvider, moto_url: str) -> None:
    """The credentials that STS gives are those the query is signed with."""
    role = {"region": REGION, "roleArn": "arn:aws:iam::123456789012:role/metrics"}
    prometheus = PrometheusProvider(environment={"AWS_ENDPOINT_URL": moto_url})
    with wire(lambda _: prometheus_answer("0.5")) as server:
        config = {"prometheus": {"address": server.url, "query": "up", "authentication": {"sigv4": role}}}
        await value(prometheus, config, "result == 0.5")
        (request,) = server.seen
    await prometheus.close()
    assert "Credential=ASIA" in request.headers["Authorization"]
    assert len(request.headers["X-Amz-Security-Token"]) > 100
