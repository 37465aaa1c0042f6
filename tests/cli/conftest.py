"""Verbs run in this process against a small API server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rollouts.cli.main import plugin_app
from tests.cli.apiserver import ApiServer, serving
from tests.cli.recorded import objects

Run = Callable[..., Any]


@pytest.fixture
def served() -> Iterator[tuple[ApiServer, str]]:
    with serving() as both:
        yield both


@pytest.fixture
def api(served: tuple[ApiServer, str]) -> ApiServer:
    """The API server, empty."""
    return served[0]


@pytest.fixture
def kubeconfig(served: tuple[ApiServer, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig for it, with the namespace `canary`; KUBECONFIG points there."""
    path = tmp_path / "kubeconfig"
    config = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "canary"}}],
        "clusters": [{"name": "test", "cluster": {"server": served[1]}}],
        "users": [{"name": "test", "user": {"token": "secret"}}],
    }
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.fixture
def run(kubeconfig: Path) -> Run:
    """`run("promote app")`: what the plugin answers (`.exit_code`, `.stdout`, `.stderr`)."""

    def invoke(line: str, **options: Any) -> Any:
        return CliRunner().invoke(plugin_app, line.split(), prog_name="kubectl rollouts", **options)

    return invoke


@pytest.fixture
def story(api: ApiServer) -> Callable[[str], dict[str, Any]]:
    """`story("canary-2")`: puts all objects of a recording on the server, returns the Rollout."""

    def put(name: str) -> dict[str, Any]:
        found = [item for item in objects(name) if item["kind"] not in ("Service", "VirtualService", "Job")]
        api.put(*found)
        return next(item for item in found if item["kind"] == "Rollout")

    return put
