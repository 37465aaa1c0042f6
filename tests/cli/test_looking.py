"""Verbs that only look: get, list, status, history; what they say when they can't; following changes."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

from tests.cli.apiserver import ApiServer

PATH = "/apis/argoproj.io/v1alpha1/namespaces/canary/rollouts"
ABORTED = "RolloutAborted: Rollout aborted update to revision 2"
PLUGIN = [sys.executable, "-c", "from rollouts.cli.main import plugin_app; plugin_app()"]


@pytest.mark.parametrize(
    "line", ["get rollout app", "get app", "get ro app", "get rollout/app", "-n canary get app", "get -n canary app"]
)
def test_get_shows_header_and_tree(story: Any, run: Any, line: str) -> None:
    story("canary-2")
    result = run(line)
    assert result.exit_code == 0, result.stderr
    assert "Status:          ‖ Paused" in result.stdout
    assert "□ app-5f5db89b74-7fzrg" in result.stdout
    assert "\x1b" not in result.stdout


def test_get_reads_only_what_belongs_to_the_rollout(story: Any, api: ApiServer, run: Any) -> None:
    story("canary-2")
    run("get app")
    reads = {path.rsplit("/", 1)[-1]: query for _, path, query in api.requests}
    assert set(reads) == {"app", "replicasets", "pods", "analysisruns", "experiments"}
    assert reads["pods"] == reads["replicasets"] == {"labelSelector": "app=app"}


def test_get_shows_both_sides_of_blue_green(story: Any, api: ApiServer, run: Any) -> None:
    """The scale subresource's selector names only the active side."""
    rollout = story("bluegreen-2")
    assert "rollouts-pod-template-hash" in rollout["status"]["selector"]
    shown = run("get app -n bluegreen").stdout
    assert ("# revision:1" in shown, "# revision:2" in shown) == (True, True)
    assert "preview" in shown


def test_get_leaves_out_what_may_not_be_read(story: Any, api: ApiServer, run: Any) -> None:
    story("canary-2")
    api.refusals["GET", "/api/v1/namespaces/canary/pods"] = (403, "no")
    result = run("get app")
    assert (result.exit_code, "ReplicaSet" in result.stdout, "□" in result.stdout) == (0, True, False)


def test_output_formats(story: Any, run: Any) -> None:
    rollout = story("canary-2")
    rollout["metadata"]["managedFields"] = [{"manager": "x"}]
    del rollout["metadata"]["managedFields"][0]["manager"]
    assert json.loads(run("get app -o json").stdout)["status"] == rollout["status"]
    assert yaml.safe_load(run("get app -o yaml").stdout)["metadata"]["name"] == "app"
    assert "managedFields" not in run("get app -o yaml").stdout
    assert run("get app -o name").stdout == "rollout.argoproj.io/app\n"
    assert "IMAGES" in run("get app -o wide").stdout
    assert run("list -o name").stdout == "rollout.argoproj.io/app\n"


def test_get_experiment(story: Any, run: Any) -> None:
    story("experiment-1")
    shown = run("get experiment app-5f5db89b74-2-0 -n experiment").stdout
    assert "Σ app-5f5db89b74-2-0" in shown
    assert "baseline" in shown


def test_list(story: Any, run: Any) -> None:
    for name in ("canary-2", "bluegreen-1", "analysis-2"):
        story(name)
    assert [line.split() for line in run("list -A").stdout.splitlines()[1:]] == [
        ["analysis", "app", "Canary", "✖", "Degraded", "0/3", "0", "2", "2", "0", "2"],
        ["bluegreen", "app", "BlueGreen", "✔", "Healthy", "-", "-", "3", "3", "3", "3"],
        ["canary", "app", "Canary", "‖", "Paused", "1/4", "20", "5", "5", "1", "5"],
    ]
    assert run("list rollouts").stdout.splitlines()[0].split()[0] == "NAME"
    assert run("list rollouts --name other").stderr.strip() == "no rollouts found in namespace canary (-A looks in all)"


def test_history(story: Any, run: Any) -> None:
    story("canary-6")
    rows = [line.split() for line in run("history app").stdout.splitlines()[1:]]
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("3", "canary", "example/app:does-not-exist"),
        ("2", "stable", "example/app:2"),
        ("1", "-", "example/app:1"),
    ]


@pytest.mark.parametrize(
    ("refusal", "told", "hint"),
    [
        ((403, 'User "bob" cannot get resource "rollouts"'), 'User "bob" cannot get', "kubectl auth can-i"),
        ((401, "Unauthorized"), "does not accept your credentials", "--context"),
        ((500, "etcd is on fire"), "etcd is on fire", ""),
        ((409, "the object has been modified"), "somebody else changed the object", "again"),
    ],
)
def test_refusals_are_told_for_people(api: ApiServer, run: Any, refusal: tuple[int, str], told: str, hint: str) -> None:
    api.refusals["GET", f"{PATH}/app"] = refusal
    result = run("get app")
    assert result.exit_code == 1
    assert told in result.stderr
    assert hint in result.stderr
    assert "Traceback" not in result.stderr


def test_a_name_that_does_not_exist_suggests_one_that_does(story: Any, run: Any) -> None:
    story("canary-2")
    assert run("get ap").stderr.splitlines() == [
        'Error: there is no Rollout "ap" in namespace "canary"',
        'Did you mean "app"?',
    ]
    assert "There are: app." in run("get zzzzzz").stderr
    assert "-A" in run("get app -n empty").stderr


def test_no_crds(api: ApiServer, run: Any) -> None:
    api.refusals["GET", f"{PATH}/app"] = (404, "the server could not find the requested resource")
    assert "Are the CRDs installed?" in run("get app").stderr


def test_an_unreachable_server(run: Any) -> None:
    result = run("get app --server http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "can't reach the API server at http://127.0.0.1:1: Connection refused" in result.stderr


def test_a_busy_server_is_asked_again(story: Any, api: ApiServer, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollouts.cli.client._BUSY_PAUSES", (0.0, 0.0, 0.0))
    story("canary-2")
    api.busy = 2
    assert run("abort app").exit_code == 0
    api.busy = 99
    assert "overloaded" in run("abort app").stderr


def test_credentials_are_sent(story: Any, api: ApiServer, run: Any) -> None:
    story("canary-2")
    run("get app -o name --as=alice --as-group=a --as-group=b")
    (headers,) = api.headers
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Impersonate-User"] == "alice"


@pytest.mark.parametrize(
    ("recording", "code", "said", "error"),
    [
        ("canary-5", 0, "Healthy", ""),
        ("canary-2", 0, "Paused - CanaryPauseStep", ""),
        (
            "canary-3",
            1,
            f"Degraded - {ABORTED}",
            f"Error: The rollout is in a degraded state with message: {ABORTED}",
        ),
    ],
)
@pytest.mark.parametrize("switch", ["--watch=false", "--no-watch", "-w=false"])
def test_status_once(story: Any, run: Any, recording: str, code: int, said: str, error: str, switch: str) -> None:
    story(recording)
    result = run(f"status app {switch}")
    assert (result.exit_code, result.stdout.strip(), result.stderr.strip()) == (code, said, error)


def test_status_of_what_is_through_ends_at_once(story: Any, run: Any) -> None:
    story("canary-5")
    assert run("status app").exit_code == 0
    story("canary-3")
    assert run("status app").exit_code == 1


def test_status_gives_up_when_the_time_is_over(story: Any, run: Any) -> None:
    story("canary-2")
    result = run("status app --timeout 50ms")
    assert result.exit_code == 1
    assert "Rollout status watch exceeded timeout" in result.stderr
    assert "waits for a promotion" in result.stderr


@pytest.fixture
def started(kubeconfig: Path) -> Any:
    """`started("get app -w")`: the plugin as a process of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start(line: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [*PLUGIN, *line.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.default_int_handler
            ),  # a job in the background ignores it
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def read_until(stream: IO[str] | None, text: str) -> list[str]:
    """Lines up to the one that holds `text`; a stream that ends fails, one that hangs meets the test's time limit."""
    assert stream is not None
    lines: list[str] = []
    for line in stream:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"{text!r} never came; there was: {lines}")


def healthy(rollout: dict[str, Any]) -> dict[str, Any]:
    status = {**rollout["status"], "phase": "Healthy", "message": "", "pauseConditions": None, "controllerPause": False}
    return {**copy.deepcopy(rollout), "status": {**status, "currentStepIndex": 4}}


def test_status_waits_for_the_end(story: Any, api: ApiServer, started: Any) -> None:
    rollout = story("canary-2")
    process = started("status app")
    read_until(process.stdout, "Paused - CanaryPauseStep")
    api.put(healthy(rollout))
    out, _ = process.communicate()
    assert (process.returncode, out.strip()) == (0, "Healthy")


def test_watch_tells_what_changes_and_ends_with_ctrl_c(story: Any, api: ApiServer, started: Any) -> None:
    rollout = story("canary-2")
    process = started("get app --watch")
    assert read_until(process.stdout, "□ app-65757c859c-l62xr")[0] == "Name:            app"
    api.put(healthy(rollout))
    assert "step 4/4, weight 100/100" in read_until(process.stdout, "rollout/app  Healthy")[-1]
    pod = next(item for key, item in api.objects.items() if key.endswith("app-65757c859c-l62xr"))
    api.delete(pod)
    read_until(process.stdout, "pod/app-65757c859c-l62xr  gone")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


def test_watch_ends_with_the_rollout(story: Any, api: ApiServer, started: Any) -> None:
    rollout = story("canary-2")
    process = started("get app --watch")
    read_until(process.stdout, "app-65757c859c-l62xr")
    api.delete(rollout)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "Rollout app was deleted\n")


def test_list_watch_tells_rows_that_change(story: Any, api: ApiServer, started: Any) -> None:
    rollout = story("canary-2")
    process = started("list rollouts -w")
    read_until(process.stdout, "Paused")
    api.put(healthy(rollout))
    read_until(process.stdout, "Healthy")
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
