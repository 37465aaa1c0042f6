"""The controller and `rollouts renderer` as the two processes they are in a Pod (deploy/install.yaml, §4.4 (5))."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.controllers import Process
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.gitops.render.sidecars import RendererProcess, running

pytestmark = pytest.mark.usefixtures("helm", "kustomize")

KUSTOMIZATION = "resources: [a.yaml, b.yaml]\nnamePrefix: eu-\n"
RETRY = {"limit": -1, "backoff": {"duration": "1s", "factor": 1}}


@pytest.fixture
def renderer(tmp_path: Path) -> Iterator[RendererProcess]:
    with running(tmp_path) as process:
        yield process


@pytest.fixture
def controller(renderer: RendererProcess, kubeconfig: Path, namespace: str, tmp_path: Path) -> Iterator[Process]:
    flags = ["--namespaced", "--namespace", namespace, "--no-leader-elect", "--renderer-socket", str(renderer.socket)]
    process = Process(kubeconfig=kubeconfig, log=tmp_path / "controller.log", arguments=flags)
    yield process
    process.stop()


def test_while_the_renderer_is_away_nothing_is_deleted(
    opened: Synced, controller: Process, renderer: RendererProcess
) -> None:
    """R13: a render that can't be had is no smaller commit; the same commit is applied once it can."""
    files = {"kustomization.yaml": KUSTOMIZATION, "a.yaml": config("a"), "b.yaml": config("b")}
    first = opened.bare.commit(files)
    opened.create(syncPolicy={"automated": AUTOMATED, "retry": RETRY})
    opened.until_synced(first)
    assert opened.values() == {"eu-a": "1", "eu-b": "1"}
    renderer.kill()
    second = opened.bare.commit({"kustomization.yaml": "resources: [a.yaml]\nnamePrefix: eu-\n"})
    opened.ask("1")
    opened.until("it says so", lambda: opened.condition("Ready").get("reason") == "RenderFailed")
    message = opened.condition("Ready")["message"]
    assert f"the renderer at {renderer.socket} is not to be had" in message
    assert "look whether `rollouts renderer` runs there" in message
    assert opened.values() == {"eu-a": "1", "eu-b": "1"}
    renderer.start()
    opened.until_synced(second)
    assert opened.values() == {"eu-a": "1"}
    assert controller.running
