"""Step plugins as foreign code: found by entry point, and whatever they do is an answer."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rollouts.engine import plugins
from rollouts.engine.plugins import StepPlugins, StepResult
from rollouts.strategy.plugins import Call, Outcome


class Good:
    async def run(self, *, rollout: Any, config: Any, state: Any) -> StepResult:
        return StepResult(phase="Running", message=config["say"], requeue_after=12, status={"seen": state})


class Bad:
    async def run(self, **_: Any) -> Any:
        raise RuntimeError("boom")


class Odd:
    async def run(self, **_: Any) -> Any:
        return {"phase": "Successful"}


class Lost:
    async def run(self, **_: Any) -> StepResult:
        return StepResult(phase="Error", message="no line")


class Slow:
    async def run(self, **_: Any) -> Any:
        await asyncio.Event().wait()


class Point:
    def __init__(self, value: Any) -> None:
        self.load = lambda: value


KNOWN: Any = {
    "good": Point(Good),
    "bad": Point(Bad),
    "odd": Point(Odd),
    "slow": Point(Slow),
    "lost": Point(Lost),
}


def ask(name: str, operation: str = "Run", **options: Any) -> Outcome:
    call = Call(index=1, operation=operation, name=name, config={"say": "hello"}, **options)
    return asyncio.run(StepPlugins(find=lambda: KNOWN).ask(call, {"kind": "Rollout"}))


def test_an_answer() -> None:
    found = ask("good", state={"n": 1})
    assert (found.phase, found.message, found.again, found.state) == ("Running", "hello", 12, {"seen": {"n": 1}})


def test_what_a_plugin_need_not_do_is_done() -> None:
    assert ask("good", "Abort", state={"n": 1}).phase == "Successful"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad", "RuntimeError: boom"),
        ("odd", "must answer with a StepResult"),
        (
            "gone",
            "is not installed: no such entry point in group rollouts.step_plugins (there: bad, good, lost, odd, slow)",
        ),
        ("slow", "gave no answer to Run within"),
        ("lost", "no line"),
    ],
)
def test_what_goes_wrong_is_said(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "TIMEOUT", 0.01)
    found = ask(name, state={"n": 1})
    assert found.phase == "Error"
    assert words in found.message
    assert found.state == {"n": 1}


def test_installed_plugins_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rollouts.step_plugins]\nacme/approve = acme_steps:Approve\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plugins.installed()["acme/approve"].value == "acme_steps:Approve"
