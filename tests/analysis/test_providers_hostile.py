"""What holds for every provider that asks a service: whatever comes back makes one clear Error with no secret in it.

The server may answer with nonsense, far too much, the wrong types, not at all, too slowly, or with the very credentials
it was sent. Logs are searched too, at their most talkative.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from analysis.providers import default_providers
from analysis.providers.client import LARGEST_ANSWER
from analysis.record import Measured
from tests.analysis.asking import taken
from tests.analysis.services import SECRET, SERVICES, Service, environment
from tests.analysis.wire import Reply, Request, Wire, wire

BASIC = base64.b64encode(f"me:{SECRET}".encode()).decode()
TRACES = {SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), json.dumps(SECRET)[1:-1], BASIC}
LONGEST_MESSAGE = 1_000

WRONG_TYPES = [
    "null",
    "true",
    "1",
    '"text"',
    "[]",
    "[[]]",
    "[null]",
    "{}",
    '[{"name":5}]',
    '{"data":[]}',
    '{"data":{"result":5}}',
]
WRONG_TYPES += [
    '{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}',
    '{"status":"success","data":{"resultType":"vector","result":{"a":1}}}',
    '{"series":[{"pointlist":[[1]]}]}',
    '{"series":[{"pointlist":[[1,{"a":1}]]}]}',
    '{"data":{"attributes":{"columns":[{"type":"number","values":[[1]]}]}}}',
    '{"data":{"actor":{"account":{"nrql":{"results":[1]}}}}}',
    '{"timeseries":[{"data":[[1,"many"]]}]}',
    '[{"target":"a","datapoints":[1,2]}]',
    '{"MetricDataResults":[{"Id":"a","Values":["x"]}]}',
    '{"MetricDataResults":[{"Id":["a"]}]}',
]
BODIES = {
    "empty": "",
    "html": "<html><body>Sign in</body></html>",
    "cut off": '{"data": [1, 2',
    "deep": "[" * 100_000,
    "a long number": '{"series":[{"pointlist":[[1,' + "9" * 5_000 + "]]}]}",
    "quotes": '"' * 10_001,
    "huge": "x" * (LARGEST_ANSWER + 1),
    **{body: body for body in WRONG_TYPES},
}
FINE = {
    ("skywalking", '{"data":[]}'),
    ("skywalking", '{"data":{"result":5}}'),
    ("skywalking", '{"data":{"attributes":{"columns":[{"type":"number","values":[[1]]}]}}}'),
    ("skywalking", '{"data":{"actor":{"account":{"nrql":{"results":[1]}}}}}'),
}
"""Answers that are as good as any."""
REPLIES = {
    "401": Reply(code=401, body="who are you?"),
    "404": Reply(code=404, body='{"error": {"message": "no such thing"}}'),
    "429": Reply(code=429, headers={"Retry-After": "3600"}, body='{"errors": ["slow down"]}'),
    "500": Reply(code=500, body="<html>" + "boom " * 1000),
    "never": Reply(hold=True),
}


@dataclass(frozen=True)
class Outcome:
    """A measurement, and what the server saw."""

    measured: Measured
    server: Wire

    @property
    def message(self) -> str:
        return self.measured.measurement.message or ""


async def asked(
    service: Service,
    answer: Callable[[Request], Reply],
    monkeypatch: pytest.MonkeyPatch,
    **fields: Any,
) -> Outcome:
    with wire(answer) as server:
        for name, text in environment(service, server.url).items():
            monkeypatch.setenv(name, text)
        provider = service.make(environment(service, server.url))
        try:
            found = await taken(provider, service.config(server.url), secrets=service.known(server.url), **fields)
        finally:
            await provider.close()
        return Outcome(found, server)


def test_every_provider_is_here() -> None:
    assert {name.partition(" ")[0] for name in SERVICES} | {"plugin"} == set(default_providers())


@pytest.mark.parametrize("name", SERVICES)
async def test_a_good_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await asked(SERVICES[name], lambda _: Reply(body=SERVICES[name].good), monkeypatch)
    expected = "Error" if name == "kayenta" else "Successful"  # its second answer has another form
    assert found.measured.measurement.phase == expected, found.message


@pytest.mark.parametrize("name", SERVICES)
async def test_bodies_nobody_expects(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for what, body in BODIES.items():
        found = await asked(
            SERVICES[name], lambda _, body=body: Reply(body=body), monkeypatch, successCondition="result == 0.5"
        )
        phase = found.measured.measurement.phase
        assert phase == "Error" or ((name, body) in FINE and phase == "Failed"), (what, found.measured)
        assert "failed unexpectedly" not in found.message, (what, found.message)
        assert len(found.message) < LONGEST_MESSAGE, (what, found.message)


@pytest.mark.parametrize("what", REPLIES)
@pytest.mark.parametrize("name", SERVICES)
async def test_refusals(name: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES[name]
    seconds = 0.3 if what == "never" else 20.0
    monkeypatch.setattr("analysis.providers.base._DEFAULT_TIMEOUTS", dict.fromkeys(service.config(""), seconds))
    monkeypatch.setattr("analysis.providers.newrelic._ON_THE_WAY", 0.0)
    found = await asked(service, lambda _: REPLIES[what], monkeypatch)
    assert found.measured.measurement.phase == "Error"
    assert len(found.message) < LONGEST_MESSAGE
    expected = {
        "401": "refused the request (401 Unauthorized)",
        "404": "refused the request (404 Not Found)",
        "429": "it asks to wait 3600 s, which is longer than the timeout of 20 s",
        "500": "cannot answer now (500 Internal Server Error)",
        "never": "did not answer within 0.3 s",
    }
    assert expected[what] in found.message


def echo(code: int) -> Callable[[Request], Reply]:
    """All that was sent, as the answer, credentials first, in every place where a reason may stand."""

    def serve(request: Request) -> Reply:
        headers = sorted(request.headers.items(), key=lambda item: item[0] in ("Host", "User-Agent", "Accept"))
        sent = " ".join([*(f"{name}: {text}" for name, text in headers), request.body, request.target])
        shown = dict.fromkeys(("ok", "message", "error", "detail", "errorMessage", "Message"), sent)
        return Reply(code=code, body=json.dumps({**shown, "errors": [{"message": sent}], "warnings": [sent]}))

    return serve


@pytest.mark.parametrize("code", [200, 400, 401, 429, 500])
@pytest.mark.parametrize("name", SERVICES)
async def test_secrets_are_nowhere(
    name: str, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in what is kept of a measurement nor in any log, even when the server sends them back."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("analysis.providers.retries.ATTEMPTS", 1)
    found = await asked(SERVICES[name], echo(code), monkeypatch)
    assert found.server.seen
    assert "failed unexpectedly" not in found.message
    kept = f"{found.measured!r} {found.measured.measurement.to_api()} {caplog.text}"
    assert [trace for trace in TRACES if trace in kept] == []


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service.secret])
async def test_a_missing_secret_is_named(name: str) -> None:
    service = SERVICES[name]
    provider = service.make({})
    found = await taken(provider, service.config("http://127.0.0.1:1"))
    await provider.close()
    assert f"secret {service.secret}" in (found.measurement.message or "")


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ("prometheus", "web")])
async def test_redirects_are_not_followed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with wire(lambda _: Reply()) as elsewhere:
        found = await asked(
            SERVICES[name], lambda _: Reply(code=302, headers={"Location": f"{elsewhere.url}/?t=1"}), monkeypatch
        )
        assert elsewhere.seen == []
    assert f"redirects to {elsewhere.url.partition('://')[2]}, which is not followed" in found.message
