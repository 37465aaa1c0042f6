"""Programs that tests of the sync ask for by a fixture of that name are made before the first test.

A test has a time limit, which a first build (minutes) would break.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.errors import LocalError
from deploy.local.tools import ON_DEMAND, ensure_tool


def pytest_collection_finish(session: pytest.Session) -> None:
    """Runs once it is known which tests will run."""
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    wanted = sorted(fixtures & set(ON_DEMAND))
    if session.config.option.collectonly or not wanted:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    assert capture
    with capture.global_and_fixture_disabled():
        try:
            for name in wanted:
                ensure_tool(name)
        except LocalError as error:
            pytest.exit(f"a program the tests need could not be made: {error}", returncode=3)


def _on_path(name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = ensure_tool(name)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
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
