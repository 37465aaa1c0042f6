"""`analysis run` on a terminal: the table is redrawn in place, Ctrl-C ends the run and leaves the terminal whole."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.analysis.wire import Reply, Request, wire
from tests.cli.pseudo import CTRL_C, PLUGIN, Session, session

ISTIO = "analysis run --catalog success-rate-istio -a namespace=shop -a interval=1s -a initial-delay=0s"
ONE = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}'
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def metric(url: str, **fields: Any) -> dict[str, Any]:
    return {"name": "m", "interval": "1s", "provider": {"prometheus": {"address": url, "query": "vector(1)"}}, **fields}


def template(tmp_path: Path, *metrics: dict[str, Any]) -> Path:
    path = tmp_path / "template.yaml"
    item = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "t"}}
    path.write_text(yaml.safe_dump({**item, "spec": {"metrics": list(metrics)}}))
    return path


def whole(shown: Session) -> bool:
    """Whether the cursor is there again and typing is echoed."""
    return shown.shown.rfind(SHOW) > shown.shown.rfind(HIDE) and shown.echoes()


def test_the_table_is_redrawn_in_place(kubeconfig: Path, past: str) -> None:
    line = f"{ISTIO} -a service=app-bad -a count=3 -a failure-limit=2 --prometheus {past}"
    with session(line, kubeconfig=kubeconfig) as shown:
        assert shown.ended() == 1
        assert whole(shown)
    screen = shown.screen()
    assert [row.split() for row in screen if row.startswith("success-rate")] == [
        ["success-rate", "✖", "Failed", "3/3", "[0.8]", "✖✖✖"]
    ]
    assert screen[0] == "Analysis:  success-rate-istio"
    assert sum("METRIC" in row for row in screen) == 1
    for seen in ("0/3", "1/3", "2/3"):
        assert seen in shown.text


@pytest.mark.parametrize(
    ("count", "code"),
    [(300, 130), (None, 0)],  # two of 300 are no verdict; without an end of its own the run has been good until now
)
def test_an_interrupted_run(kubeconfig: Path, past: str, tmp_path: Path, count: int | None, code: int) -> None:
    path = template(tmp_path, metric(past, count=count))
    with session(f"analysis run -f {path}", kubeconfig=kubeconfig) as shown:
        shown.until(r"Running +2" + ("/300" if count else " "))
        shown.type(CTRL_C)
        assert shown.ended() == code
        assert whole(shown)
    assert any(row == "Message:   Run Terminated" for row in shown.screen())
    assert "Traceback" not in shown.text


def test_interrupted_when_it_cannot_pass_any_more(kubeconfig: Path, past: str, tmp_path: Path) -> None:
    """What was measured decides: a comparison that still waits for data is Inconclusive."""
    sides = {"errors": "vector(0)", "total": "vector(1)"}
    path = template(tmp_path, metric(past, count=300, compare={"canary": sides, "stable": sides}))
    with session(f"analysis run -f {path}", kubeconfig=kubeconfig) as shown:
        shown.until("2/300")
        shown.type(CTRL_C)
        assert shown.ended() == 2


@contextlib.contextmanager
def silent() -> Iterator[tuple[str, threading.Event]]:
    """A server that takes a question and never answers it."""
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])
                    asked.set()

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
        for one in taken:
            one.close()


def test_a_prometheus_that_never_answers_holds_nobody(kubeconfig: Path, tmp_path: Path) -> None:
    """With a timeout of ten minutes; nothing was measured, so there is no verdict."""
    with silent() as (url, asked):
        path = template(tmp_path, metric(url, provider={"prometheus": {"address": url, "query": "up", "timeout": 600}}))
        with session(f"analysis run -f {path}", kubeconfig=kubeconfig) as shown:
            assert asked.wait(45)
            shown.until("Running")
            shown.type(CTRL_C)
            assert shown.ended() == 130
            assert whole(shown)
    assert "Traceback" not in shown.text


def test_a_measurement_that_goes_on_elsewhere_is_ended(kubeconfig: Path, tmp_path: Path) -> None:
    def serve(request: Request) -> Reply:
        if request.path == "/canaryConfig":
            return Reply(body='[{"id":"id-1","name":"mine"}]')
        return Reply(body='{"canaryExecutionId":"01EXEC"}' if request.method == "POST" else '{"complete":false}')

    with wire(serve) as server:
        path = template(tmp_path, {"name": "score", "provider": {"kayenta": configuration(server.url)}})
        with session(f"analysis run -f {path}", kubeconfig=kubeconfig) as shown:
            shown.until(r"score +◌ Running")
            shown.type(CTRL_C)
            assert shown.ended() == 2
    assert any("Inconclusive" in row for row in shown.screen() if row.startswith("score"))


@pytest.mark.usefixtures("kubeconfig")
def test_an_interrupt_of_a_run_whose_output_is_a_pipe(tmp_path: Path) -> None:
    """SIGINT as a pipeline sends it that is cancelled; nothing but the status is printed."""
    asked = threading.Semaphore(0)

    def serve(_: Request) -> Reply:
        asked.release()
        return Reply(body=ONE)

    with wire(serve) as server:
        path = template(tmp_path, metric(server.url, count=300))
        argv = [*PLUGIN, "analysis", "run", "-f", str(path), "-o", "json"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert asked.acquire(timeout=45)
            assert asked.acquire(timeout=45)  # so the first is counted
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=45)
    assert (process.returncode, err) == (130, "")
    status = json.loads(out)
    assert (status["phase"], status["message"]) == ("Successful", "Run Terminated")


def configuration(url: str) -> dict[str, Any]:
    side = {"scope": "s", "region": "r", "step": 60, "start": "2026-01-02T03:00:00Z", "end": "2026-01-02T03:04:00Z"}
    accounts = dict.fromkeys(("metricsAccountName", "configurationAccountName", "storageAccountName"), "a")
    return {
        "address": url,
        "application": "app",
        "canaryConfigName": "mine",
        **accounts,
        "threshold": {"pass": 90, "marginal": 75},
        "scopes": [{"name": "default", "controlScope": side, "experimentScope": side}],
    }
