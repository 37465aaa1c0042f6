"""InfluxDB: annotated CSV as the server writes it, types, several tables, errors in the middle."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from analysis.providers.influxdb import InfluxDBProvider
from tests.analysis.asking import Secrets, error, home, value
from tests.analysis.wire import Reply, Wire, wire

FLUX = 'from(bucket: "app") |> range(start: -5m) |> mean()'
CONFIG = {"influxdb": {"query": FLUX}}


@pytest.fixture
async def provider() -> AsyncIterator[InfluxDBProvider]:
    found = InfluxDBProvider()
    yield found
    await found.close()


def account(server: Wire, name: str = "influxdb") -> Secrets:
    return home(name, address=server.url, org="acme", authToken="t0ken-of-influx")


def table(kind: str, *values: str) -> str:
    lines = [
        f"#datatype,string,long,dateTime:RFC3339,{kind},string",
        "#default,_result,,,,",
        ",result,table,_time,_value,_field",
        *(f",,0,2026-01-02T03:04:05Z,{text},errors" for text in values),
    ]
    return "\r\n".join(lines) + "\r\n\r\n"


async def test_all_values_of_all_tables(provider: InfluxDBProvider) -> None:
    body = table("double", "0.25", "1e-3") + table("long", "7")
    with wire(lambda _: Reply(body=body)) as server:
        assert (
            await value(provider, CONFIG, "result[0] < 0.5 && result[2] == 7", secrets=account(server))
            == "[0.25,0.001,7]"
        )
        (request,) = server.seen
    assert (request.method, request.path, request.form["org"]) == ("POST", "/api/v2/query", "acme")
    assert request.headers["Authorization"] == "Token t0ken-of-influx"
    assert json.loads(request.body)["query"] == FLUX


@pytest.mark.parametrize(
    ("kind", "text", "condition"),
    [
        ("unsignedLong", "18446744073709551615", "result[0] > 1"),
        ("boolean", "true", "result[0] == true"),
        ("string", '"a, ""b"""', "result[0] == 'a, \"b\"'"),
        ("string", "", "result[0] == ''"),
        ("double", "", "result[0] == nil"),
        ("double", "NaN", "isNaN(result[0])"),
        ("dateTime:RFC3339", "2026-01-02T03:04:05Z", "result[0] startsWith '2026'"),
    ],
)
async def test_types(provider: InfluxDBProvider, kind: str, text: str, condition: str) -> None:
    with wire(lambda _: Reply(body=table(kind, text))) as server:
        await value(provider, CONFIG, condition, secrets=account(server))


@pytest.mark.parametrize(
    ("reply", "fragment"),
    [
        (Reply(body="\r\n"), "no results returned from flux query"),
        (
            Reply(body="#datatype,string,string\r\n,error,reference\r\n,query memory limit,897\r\n"),
            "query memory limit",
        ),
        (Reply(body=",result,table,other\r\n,,0,1\r\n"), "did not answer in the expected form"),
        (Reply(body=table("double", "many")), "did not answer in the expected form"),
        (Reply(body=table("double", "1,2,3,4")), "did not answer in the expected form"),
        (Reply(code=401, body='{"code":"unauthorized","message":"unauthorized access"}'), "unauthorized access; check"),
        (
            Reply(code=400, body='{"code":"invalid","message":"error @1:8: undefined identifier"}'),
            "error @1:8: undefined",
        ),
    ],
)
async def test_answers_without_values(provider: InfluxDBProvider, reply: Reply, fragment: str) -> None:
    with wire(lambda _: reply) as server:
        assert fragment in await error(provider, CONFIG, secrets=account(server))


async def test_the_account(provider: InfluxDBProvider) -> None:
    with wire(lambda _: Reply(body=table("double", "1"))) as server:
        config = {"influxdb": {"query": FLUX, "profile": "other"}}
        await value(provider, config, "result[0] == 1", secrets=account(server, "other"))
    assert (
        await error(provider, CONFIG, secrets=home("influxdb", org="acme"))
        == "secret influxdb lacks address, authToken"
    )
    assert "influxdb query is empty" in await error(provider, {"influxdb": {}})
