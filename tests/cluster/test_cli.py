"""`kubectl rollouts` as people use it, with the real API server and our controller: each verb does what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.local.plane import Plane
from rollouts.api.kinds import POD
from rollouts.cli.main import plugin_app
from tests.cluster.controllers import OwnController
from tests.cluster.space import Space, rollout

STEPS = [{"setWeight": 50}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
PLUGIN = [sys.executable, "-c", "from rollouts.cli.main import plugin_app; plugin_app()"]
Run = Callable[..., Any]


@pytest.fixture
def run(kubeconfig: Path, namespace: str) -> Run:
    """`run("promote app")` in this test's namespace; what it answers, which must be a success unless `code` says."""

    def invoke(line: str, *, code: int = 0, config: Path = kubeconfig) -> Any:
        words = [*line.split(), "--kubeconfig", str(config), "--namespace", namespace]
        result = CliRunner().invoke(plugin_app, words, prog_name="kubectl rollouts")
        assert result.exit_code == code, result.stdout + result.stderr
        return result

    return invoke


@pytest.fixture
def paused(space: Space, controller: OwnController) -> Space:
    """A namespace with a Rollout `app`, paused at its second step on the way to revision 2."""
    space.create(rollout(replicas=2, steps=STEPS))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    return space


def test_a_release_from_set_image_to_the_end(space: Space, controller: OwnController, run: Run) -> None:
    space.create(rollout(replicas=2, steps=STEPS))
    assert run("status app --timeout 30s").stdout.splitlines()[-1] == "Healthy"
    run("set image app app=example/app:2")
    space.until_paused(at=1)
    shown = run("get rollout app").stdout
    assert "Status:          ‖ Paused" in shown
    assert "(step 2 of 4, pause)" in shown
    assert "  ActualWeight:  50" in shown
    assert shown.count("✔ Running") == 2
    run("promote app")
    space.until_paused(at=3)
    run("promote app")
    assert run("status app --timeout 30s").stdout.splitlines()[-1] == "Healthy"
    assert [line.split()[2] for line in run("history app").stdout.splitlines()[1:]] == ["stable", "-"]


def test_undo_leaves_out_what_a_controller_put_on_the_pods(space: Space, controller: OwnController, run: Run) -> None:
    """Labels of a role are none of the template's; the ReplicaSet of that revision is used again."""
    roles = {"canaryMetadata": {"labels": {"role": "canary"}}, "stableMetadata": {"labels": {"role": "stable"}}}
    space.create(rollout(replicas=1, steps=STEPS, canary=roles))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    run("undo app")
    space.until("revision 1 is used again", lambda: sorted(space.sets()) == ["2", "3"])
    assert space.rollout()["spec"]["template"]["metadata"]["labels"] == {"app": "app"}
    space.until_phase("Healthy")
    assert sorted(space.sets()) == ["2", "3"]


def test_abort_retry_and_promote_in_full(paused: Space, run: Run) -> None:
    run("abort app")
    paused.until_phase("Degraded")
    failed = run("status app", code=1)
    assert "RolloutAborted" in failed.stderr
    assert "is aborted, so there is nothing to promote" in run("promote app", code=1).stderr
    run("retry rollout app")
    paused.until_paused(at=1)
    run("promote app --full")
    paused.until_phase("Healthy")
    assert paused.sizes() == {"1": 0, "2": 2}


def test_undo_and_undo_to_a_revision(paused: Space, run: Run) -> None:
    assert "back to revision 1 (example/app:1)" in run("undo app").stdout
    paused.until_phase("Healthy")
    assert paused.sizes() == {"2": 0, "3": 2}
    assert "nothing to do" in run("undo app --to-revision 3").stdout
    run("undo app --to-revision 2")
    paused.until_paused(at=1)
    assert paused.rollout()["spec"]["template"]["metadata"] == {"labels": {"app": "app"}}
    assert "there is no revision 9" in run("undo app --to-revision 9", code=1).stderr


def test_pause_and_restart(space: Space, controller: OwnController, run: Run) -> None:
    space.create(rollout(replicas=2))
    space.until_phase("Healthy")
    before = {pod["metadata"]["uid"] for pod in space.list(POD)}
    run("restart app --in 1s")  # times of pods are whole seconds: now could be before they were made
    space.until("both pods are new", lambda: not before & {pod["metadata"]["uid"] for pod in space.pods()})
    space.until_phase("Healthy")
    run("pause app")
    space.until_phase("Paused", message="manually paused")
    run("promote app")
    space.until_phase("Healthy")


def test_a_status_that_can_not_come_in_time(paused: Space, run: Run) -> None:
    told = run("status app --timeout 300ms", code=1)
    assert told.stdout.splitlines() == ["Paused - CanaryPauseStep"]
    assert "Rollout status watch exceeded timeout" in told.stderr
    assert run("status app --watch=false").stdout.strip() == "Paused - CanaryPauseStep"


def test_list_and_output_formats(paused: Space, run: Run) -> None:
    assert run("list rollouts").stdout.splitlines()[1].split() == [
        "app",
        "Canary",
        "‖",
        "Paused",
        "1/4",
        "50",
        "2",
        "2",
        "1",
        "2",
    ]
    assert paused.namespace in run("list -A").stdout
    assert run("get app -o name").stdout.strip() == "rollout.argoproj.io/app"
    assert "kind: Rollout" in run("get app -o yaml").stdout


def test_an_image_of_a_container_that_was_renamed_meanwhile_is_not_set(paused: Space, run: Run) -> None:
    assert 'no container "web"' in run("set image app web=example/app:3", code=1).stderr
    assert "does not allow" not in run("set image app *=example/app:3").stderr
    assert paused.rollout()["spec"]["template"]["spec"]["containers"][0]["image"] == "example/app:3"


def test_who_may_not_is_told_so(plane: Any, paused: Space, run: Run) -> None:
    if not isinstance(plane, Plane):
        pytest.skip("users are made on the local plane only")
    nobody = plane.credentials_for("nobody", user="nobody")
    for line in ("get app", "abort app", "list"):
        told = run(line, code=1, config=nobody).stderr
        assert 'User "nobody" cannot' in told
        assert "kubectl auth can-i --list" in told


def test_names_like_it(paused: Space, run: Run) -> None:
    assert 'Did you mean "app"?' in run("abort apo", code=1).stderr
    run("terminate analysisrun nothing", code=1)


@pytest.fixture
def watching(kubeconfig: Path, namespace: str) -> Iterator[Any]:
    """`watching("get app -w")`: the plugin as a process."""
    started: list[subprocess.Popen[str]] = []

    def start(line: str) -> subprocess.Popen[str]:
        words = [*line.split(), "--kubeconfig", str(kubeconfig), "-n", namespace]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        started.append(
            subprocess.Popen(
                [*PLUGIN, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """All that is printed up to the line that holds `text`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"{text!r} never came; there was: {''.join(lines)}")


def test_watch_follows_a_release_and_ends_with_ctrl_c(paused: Space, run: Run, watching: Any) -> None:
    process = watching("get rollout app --watch")
    read_until(process, "# revision:1")
    run("promote app --full")
    read_until(process, "rollout/app  Healthy  step 4/4")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


def test_watch_outlives_a_restart_of_the_api_server(plane: Any, paused: Space, run: Run, watching: Any) -> None:
    process = watching("get rollout app --watch")
    read_until(process, "# revision:1")
    plane.restart_apiserver()
    run("promote app --full")
    read_until(process, "rollout/app  Healthy  step 4/4")
