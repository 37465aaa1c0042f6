"""Accounts of providers on the real API server: read where they are kept, used, and seen nowhere."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from rollouts.api import kinds
from tests.analysis.wire import Reply, wire
from tests.cluster.space import JSON, Space

KEY = "swordfish-42"
SERIES = Reply(body='{"status":"ok","series":[{"pointlist":[[1,0.5]]}]}')
ECHO = Reply(code=403, body=json.dumps({"errors": [f"the key {KEY} is not known"]}))


def secret(name: str, url: str) -> JSON:
    values = {"address": url, "api-key": KEY, "app-key": f"app-{KEY}"}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def run(name: str, **datadog: Any) -> JSON:
    metric = {
        "name": "errors",
        "successCondition": "result < 1",
        "consecutiveErrorLimit": 0,
        "provider": {"datadog": {"query": "avg:errors{*}", **datadog}},
    }
    return {
        "apiVersion": kinds.ANALYSIS_RUN.api_version,
        "kind": "AnalysisRun",
        "metadata": {"name": name},
        "spec": {"metrics": [metric]},
    }


def test_an_account_is_used_and_seen_nowhere(
    space: Space, own_controller: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """From the controller's namespace, from the run's, refused by the service that repeats it, and missing."""
    monkeypatch.setenv("POD_NAMESPACE", space.namespace)
    for variable in ("DD_API_KEY", "DD_APP_KEY", "DD_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    with wire(lambda _: SERIES) as good, wire(lambda _: ECHO) as bad:
        space.create(secret("datadog", good.url), secret("own", good.url), secret("refused", bad.url))
        own_controller()
        space.create(
            run("default"),
            run("namespaced", secretRef={"name": "own", "namespaced": True}),
            run("refused", secretRef={"name": "refused"}),
        )
        found = {name: ended(space, name) for name in ("default", "namespaced", "refused")}
        assert [request.headers["DD-API-KEY"] for request in good.seen] == [KEY, KEY]
    assert {name: status["phase"] for name, status in found.items()} == {
        "default": "Successful",
        "namespaced": "Successful",
        "refused": "Error",
    }
    assert "(403 Forbidden): the key ***** is not known" in found["refused"]["message"]
    said = capfd.readouterr()
    seen = [found, space.list(kinds.ANALYSIS_RUN), space.events.text(), said.out, said.err]
    assert KEY not in json.dumps(seen)


def test_an_account_that_is_missing_is_named(
    space: Space, own_controller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POD_NAMESPACE", space.namespace)
    own_controller()
    space.create(run("run", secretRef={"name": "own", "namespaced": True}))
    assert "no api-key and app-key found in secret own" in ended(space, "run")["message"]


def ended(space: Space, name: str) -> JSON:
    def look() -> JSON:
        status: JSON = space.get(kinds.ANALYSIS_RUN, name).get("status") or {}
        assert status.get("completedAt"), status
        return status

    found: JSON = space.until(f"{name} ended", look)
    return found
