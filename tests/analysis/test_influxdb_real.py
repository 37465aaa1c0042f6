"""InfluxDB for real: queries as people write them in Flux, and what a running InfluxDB answers to them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from analysis.providers.influxdb import InfluxDBProvider
from tests.analysis.asking import Secrets, error, home, value
from tests.analysis.influx import TOKEN, influxdb

RECENT = 'from(bucket: "app") |> range(start: -15m) |> filter(fn: (r) => r._measurement == "requests"'
RATIO = f'{RECENT} and r._field == "error_ratio"'


def lines(now: int) -> str:
    """Two points of the service good, one of bad: of every type a field can have."""
    return "\n".join(
        [
            rf'requests,service=good error_ratio=0.01,total=100i,up=true,note="a, \"b\"" {now - 120}',
            rf'requests,service=good error_ratio=0.03,total=300i,up=true,note="a, \"b\"" {now - 60}',
            f"requests,service=bad error_ratio=0.5,total=20i,up=false {now - 60}",
        ]
    )


@pytest.fixture(scope="module")
def influxdb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with influxdb(tmp_path_factory.mktemp("influxdb"), lines(int(time.time()))) as url:
        yield url


@pytest.fixture
def account(influxdb_url: str) -> Secrets:
    return home("influxdb", address=influxdb_url, org="example", authToken=TOKEN)


@pytest.fixture
async def provider() -> AsyncIterator[InfluxDBProvider]:
    found = InfluxDBProvider()
    yield found
    await found.close()


QUERIES = {
    f'{RATIO} and r.service == "good") |> mean()': "result == [0.02]",
    f'{RATIO} and r.service == "good")': "result == [0.01, 0.03]",
    f'{RATIO}) |> mean() |> group() |> sort(columns: ["_value"])': "result == [0.02, 0.5]",
    f"{RATIO}) |> max()": "len(result) == 2 and max(result) == 0.5",  # a table a service
    f'{RECENT} and r._field == "total" and r.service == "bad")': "result == [20]",
    f'{RECENT} and r._field == "up" and r.service == "bad")': "result == [false]",
    f'{RECENT} and r._field == "note") |> last()': "result == ['a, \"b\"']",
    f'{RATIO} and r.service == "good") |> aggregateWindow(every: 1h, fn: count) |> sum()': "result == [2]",
    f'a = {RATIO} and r.service == "bad") |> mean()\nb = {RATIO} and r.service == "good") |> mean()\n'
    'union(tables: [a, b]) |> group() |> yield(name: "both")': "len(result) == 2 and sum(result) == 0.52",
    f'{RATIO}) |> mean() |> yield(name: "means")\n{RATIO}) |> count() |> yield(name: "counts")': "len(result) == 4",
}


@pytest.mark.parametrize("query", QUERIES)
async def test_queries(provider: InfluxDBProvider, account: Secrets, query: str) -> None:
    await value(provider, {"influxdb": {"query": query}}, QUERIES[query], secrets=account)


@pytest.mark.parametrize(
    ("query", "fragment"),
    [
        (f'{RATIO} and r.service == "none")', "no results returned from flux query"),
        ('from(bucket: "app"', "expected RPAREN"),
        ('from(bucket: "nothing") |> range(start: -5m)', "no database"),
        (f"{RATIO}) |> noSuchFunction()", "noSuchFunction"),
        (f'{RATIO}) |> drop(columns: ["_value"])', "did not answer in the expected form"),
    ],
)
async def test_faulty_queries(provider: InfluxDBProvider, account: Secrets, query: str, fragment: str) -> None:
    assert fragment in await error(provider, {"influxdb": {"query": query}}, secrets=account)


async def test_a_wrong_token(provider: InfluxDBProvider, influxdb_url: str) -> None:
    other = home("influxdb", address=influxdb_url, org="example", authToken="rollouts:another-secret")
    message = await error(provider, {"influxdb": {"query": f"{RATIO})"}}, secrets=other)
    assert "authorization failed" in message
    assert "another-secret" not in message
