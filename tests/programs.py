"""Programs that tests ask for by a fixture of that name; they are made before the first test (see `conftest.py`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.local.tools import ON_DEMAND, ensure_tool

BEHIND = {"past": "prometheus", "influxdb_url": "influxd", "argo_rollouts": "kubectl-argo-rollouts"}
"""Programs behind fixtures of another name."""


def wanted(items: list[pytest.Item]) -> list[str]:
    """The programs that these tests need."""
    fixtures = {name for item in items for name in getattr(item, "fixturenames", ())}
    return sorted((fixtures & set(ON_DEMAND)) | {program for name, program in BEHIND.items() if name in fixtures})


def _on_path(name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = ensure_tool(name)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


@pytest.fixture
def kustomize(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kustomize program, on PATH."""
    return _on_path("kustomize", monkeypatch)


@pytest.fixture
def helm(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The helm program, on PATH."""
    return _on_path("helm", monkeypatch)


@pytest.fixture
def registry() -> Path:
    """A registry program."""
    return ensure_tool("registry")


@pytest.fixture
def argo_rollouts() -> Path:
    """The plugin of Argo Rollouts for kubectl."""
    return ensure_tool("kubectl-argo-rollouts")
