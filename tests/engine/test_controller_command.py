"""`rollouts controller`: flags of the peer, faults of its surroundings told to people, a real start and end."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from analysis.providers import Context
from analysis.providers.web import WebProvider
from analysis.spec import Metric
from rollouts.cli.main import controller_app
from rollouts.engine import logs
from rollouts.engine.lease import Timing
from tests.analysis.wire import Reply, wire

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
"""


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    ours = logging.getLogger("rollouts")
    handlers, level, configured = root.handlers[:], (root.level, ours.level), structlog.get_config()
    ours.setLevel(logging.NOTSET)
    yield
    root.handlers[:] = handlers
    root.setLevel(level[0])
    ours.setLevel(level[1])
    structlog.configure(**configured)


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(controller_app, ["controller", *arguments], env=environment)
    return result.exit_code, result.output + (result.stderr if result.stderr_bytes else "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--loglevel", "loud"], "log level loud is not known"),
        (["--leader-election-retry-period", "2"], '--leader-election-retry-period): invalid duration "2"'),
        (["--leader-election-lease-duration", "x"], '--leader-election-lease-duration): invalid duration "x"'),
        (["--leader-election-renew-deadline", "20s"], "each must be longer than the next"),
        (["--kubeconfig", "/does/not/exist"], "no cluster to connect to: there is no file /does/not/exist"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(flags: list[str], message: str) -> None:
    code, output = run(*flags)
    assert code == 1
    assert message in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("flag", "said"),
    [("--metricsPort", "cannot serve probes and metrics"), ("--webhook-port", "cannot hear of pushes")],
)
def test_a_port_that_is_taken_is_said_so(tmp_path: Path, flag: str, said: str) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(KUBECONFIG)
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output = run("--metricsPort", "-1", "--healthzPort", "-1", flag, port, KUBECONFIG=str(kubeconfig))
    assert code == 1
    assert said in output
    assert flag in output
    assert "Traceback" not in output


def test_help_names_the_flags_people_know() -> None:
    code, output = run("--help")
    assert code == 0
    for flag in ("--namespaced", "--metricsPort", "--instance-id", "--leader-election-lease-duration", "--logformat"):
        assert flag in output


@pytest.mark.parametrize(
    ("texts", "fits"),
    [
        (("15s", "10s", "2s"), True),
        (("1m", "30s", "500ms"), True),
        (("10s", "10s", "2s"), False),
        (("15s", "2s", "2s"), False),
        (("15s", "10s", "0s"), False),
        (("900ms", "500ms", "100ms"), False),
    ],
)
def test_lease_timings_must_fit_together(texts: tuple[str, str, str], fits: bool) -> None:
    duration, deadline, retry = texts
    if fits:
        assert Timing.of(duration=duration, renew_deadline=deadline, retry=retry).duration >= 1
    else:
        with pytest.raises(ValueError, match="lease duration"):
            Timing.of(duration=duration, renew_deadline=deadline, retry=retry)


def emitted(capsys: pytest.CaptureFixture[str], form: str, level: str = "info") -> list[str]:
    logs.configure(level=level, form=form)
    with structlog.contextvars.bound_contextvars(rollout="ns/web", reconcile=7):
        structlog.get_logger("rollouts.test").info("acting", writes=2)
        logging.getLogger("library").info("from %s", "elsewhere")
        logging.getLogger("kopf.objects").info("chatter")
    return capsys.readouterr().err.splitlines()


def test_json_logs_carry_the_object_and_the_reconcile_on_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in emitted(capsys, "json")]
    assert [line["event"] for line in lines] == ["acting", "from elsewhere"]
    assert all((line["rollout"], line["reconcile"], line["level"]) == ("ns/web", 7, "info") for line in lines)
    assert lines[0]["writes"] == 2


def test_console_logs_are_one_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    lines = emitted(capsys, "text")
    assert len(lines) == 2
    assert "acting" in lines[0]
    assert "rollout=ns/web" in lines[0]


def test_a_traceback_shows_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    """What a function holds may be a token."""

    def fails(token: str) -> None:
        raise ValueError("no")

    logs.configure(level="info", form="text")
    try:
        fails("sword" + "fish")
    except ValueError:
        structlog.get_logger("rollouts.test").exception("it failed")
    said = capsys.readouterr().err
    assert "ValueError: no" in said
    assert "swordfish" not in said


def test_below_the_level_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert emitted(capsys, "json", level="warn") == []


async def test_the_most_talkative_log_shows_no_secret_of_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="debug", form="json")
    provider = WebProvider()
    with wire(lambda _: Reply(body="1")) as server:
        config = {"web": {"url": f"{server.url}/?token=swordfish"}}
        metric = Metric.model_validate({"name": "m", "provider": config})
        await provider.run(metric, context=Context(now=datetime.now(UTC)))
        assert server.seen[0].form == {"token": "swordfish"}
    await provider.close()
    logging.getLogger("library").debug("something is said")
    said = capsys.readouterr().err
    assert "something is said" in said
    assert "swordfish" not in said
