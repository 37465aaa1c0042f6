"""Kayenta: an analysis from beginning to score, and what may go wrong on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from analysis.providers.kayenta import KayentaProvider
from analysis.spec import Measurement, RunStatus
from tests.analysis.asking import NOW, error, taken
from tests.analysis.wire import Reply, Request, wire

SIDE = {"region": "eu", "step": 60, "start": "2026-01-02T03:00:00Z", "end": "2026-01-02T03:04:00Z"}
SCOPE = {
    "name": "default",
    "controlScope": {"scope": "app-stable", **SIDE},
    "experimentScope": {"scope": "app-canary", **SIDE},
}
CONFIGS = '[{"id":"id-1","name":"other"},{"id":"id-2","name":"mine","applications":["app"]}]'
RUNNING = Measurement(phase="Running", started_at=NOW, metadata={"canaryExecutionId": "01EXEC"})


@pytest.fixture
async def provider() -> AsyncIterator[KayentaProvider]:
    found = KayentaProvider()
    yield found
    await found.close()


def config(url: str, **more: Any) -> dict[str, Any]:
    return {
        "kayenta": {
            "address": url,
            "application": "app",
            "canaryConfigName": "mine",
            "metricsAccountName": "metrics",
            "configurationAccountName": "configs",
            "storageAccountName": "store",
            "threshold": {"pass": 90, "marginal": 75},
            "scopes": [SCOPE],
            **more,
        }
    }


def kayenta(*, begun: str = '{"canaryExecutionId":"01EXEC"}', state: str = "{}") -> Callable[[Request], Reply]:
    def serve(request: Request) -> Reply:
        if request.path == "/canaryConfig":
            return Reply(body=CONFIGS)
        return Reply(body=begun if request.method == "POST" else state)

    return serve


async def test_an_analysis_is_begun(provider: KayentaProvider) -> None:
    with wire(kayenta()) as server:
        found = (await taken(provider, config(server.url))).measurement
        lookup, begun = server.seen
    assert (found.phase, found.finished_at, found.metadata) == ("Running", None, {"canaryExecutionId": "01EXEC"})
    assert found.resume_at == NOW + timedelta(seconds=15)
    assert lookup.form == {"application": "app", "configurationAccountName": "configs"}
    assert (begun.method, begun.path) == ("POST", "/canary/id-2")
    assert begun.form["metricsAccountName"] == "metrics"
    body = json.loads(begun.body)
    assert body["thresholds"] == {"pass": 90, "marginal": 75}
    assert body["scopes"]["default"]["experimentScope"] == {"scope": "app-canary", "location": "eu", **SIDE}


LOOKED = "2026-01-02T03:04:05Z"
OPEN = {name: text for name, text in SIDE.items() if name not in ("start", "end")}


def opened(**more: str) -> dict[str, Any]:
    """Scopes whose sides have these times only."""
    side = {"scope": "app", **OPEN, **more}
    return {"scopes": [{"name": "default", "controlScope": side, "experimentScope": side}]}


@pytest.mark.parametrize(
    ("more", "fields", "start", "end"),
    [
        # the run began 10 minutes before 03:04:05
        ({"lookback": True, **opened()}, {}, "2026-01-02T02:54:05Z", "2026-01-02T03:04:05Z"),
        ({"lookback": True, **opened()}, {"interval": "2m"}, "2026-01-02T02:54:05Z", "2026-01-02T03:04:05Z"),
        ({"lookback": False, **opened()}, {"interval": "2m"}, "2026-01-02T03:02:05Z", "2026-01-02T03:04:05Z"),
        (opened(start=""), {"interval": "1h"}, "2026-01-02T02:04:05Z", "2026-01-02T03:04:05Z"),
        ({"lookback": True, **opened(start="2026-01-01T00:00:00Z")}, {}, "2026-01-01T00:00:00Z", LOOKED),
        ({"lookback": True, **opened(end="2026-01-02T03:00:00Z")}, {}, "2026-01-02T02:54:05Z", "2026-01-02T03:00:00Z"),
        ({"lookback": True}, {"interval": "2m"}, SIDE["start"], SIDE["end"]),
    ],
)  # fmt: skip
async def test_which_time_is_judged(
    provider: KayentaProvider, more: dict[str, Any], fields: dict[str, Any], start: str, end: str
) -> None:
    began = RunStatus(started_at=NOW - timedelta(minutes=10))
    with wire(kayenta()) as server:
        found = await taken(provider, config(server.url, **more), status=began, **fields)
        assert found.measurement.phase == "Running", found
        body = json.loads(server.seen[-1].body)
    for side in body["scopes"]["default"].values():
        assert (side["start"], side["end"]) == (start, end)


@pytest.mark.parametrize(
    ("more", "fragment"),
    [
        (opened(), "needs lookback: true, or the metric an interval"),
        (
            {
                "scopes": [
                    {"name": "s", "controlScope": {"scope": "a", **SIDE}, "experimentScope": {"scope": "a", **OPEN}}
                ]
            },
            "kayenta scope s: set start of both sides, or of neither",
        ),
    ],
)
async def test_times_that_are_not_there(provider: KayentaProvider, more: dict[str, Any], fragment: str) -> None:
    with wire(kayenta()) as server:
        assert fragment in await error(provider, config(server.url, **more))


async def test_an_analysis_that_goes_on(provider: KayentaProvider) -> None:
    with wire(kayenta(state='{"complete":false,"status":"running"}')) as server:
        found = (await taken(provider, config(server.url), going_on=RUNNING)).measurement
        assert (server.seen[0].method, server.seen[0].path) == ("GET", "/canary/01EXEC")
    assert (found.phase, found.resume_at) == ("Running", NOW + timedelta(seconds=15))


@pytest.mark.parametrize(
    ("score", "phase"),
    [
        (100, "Successful"),
        (90, "Successful"),
        (89.9, "Inconclusive"),
        (75, "Inconclusive"),
        (74.9, "Failed"),
        (0, "Failed"),
    ],
)
async def test_the_score_decides(provider: KayentaProvider, score: float, phase: str) -> None:
    state = {"complete": True, "status": "succeeded", "result": {"judgeResult": {"score": {"score": score}}}}
    with wire(kayenta(state=json.dumps(state))) as server:
        found = (await taken(provider, config(server.url), going_on=RUNNING)).measurement
    assert (found.phase, found.value, found.finished_at) == (phase, str(int(score)), NOW)


@pytest.mark.parametrize(
    ("state", "fragment"),
    [
        ('{"complete":true,"status":"terminal"}', "ended the analysis without a score: terminal"),
        ('{"complete":true,"exception":{"details":{"error":"no data"}}}', "without a score: {'details'"),
        ('{"complete":"yes"}', "did not answer in the expected form"),
        ("{}", "did not answer in the expected form"),
        (
            '{"complete":true,"result":{"judgeResult":{"score":{"score":"good"}}}}',
            "did not answer in the expected form",
        ),
        ('{"complete":true,"result":{"judgeResult":{"score":{"score":NaN}}}}', "did not answer in the expected form"),
    ],
)
async def test_faulty_ends(provider: KayentaProvider, state: str, fragment: str) -> None:
    with wire(kayenta(state=state)) as server:
        assert fragment in await error(provider, config(server.url), going_on=RUNNING)


async def test_faulty_beginnings(provider: KayentaProvider) -> None:
    with wire(kayenta(begun='{"canaryExecutionId":""}')) as server:
        assert 'no configuration "theirs"' in await error(provider, config(server.url, canaryConfigName="theirs"))
        assert "did not answer in the expected form" in await error(provider, config(server.url))
        assert "scopes is empty" in await error(provider, config(server.url, scopes=[]))
        lost = RUNNING.model_copy(update={"metadata": None})
        assert "no canaryExecutionId" in await error(provider, config(server.url), going_on=lost)


async def test_beginning_is_not_repeated(provider: KayentaProvider) -> None:
    """It may have begun although the answer was lost."""

    def serve(request: Request) -> Reply:
        return Reply(code=503) if request.method == "POST" else Reply(body=CONFIGS)

    with wire(serve) as server:
        await error(provider, config(server.url))
        assert [request.method for request in server.seen] == ["GET", "POST"]


async def test_ended_early(provider: KayentaProvider) -> None:
    found = (await taken(provider, config("http://127.0.0.1:1"), going_on=RUNNING, terminate=True)).measurement
    assert (found.phase, found.message, found.finished_at) == ("Inconclusive", "Metric Terminated", NOW)
