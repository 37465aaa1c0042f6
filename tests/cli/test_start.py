"""Ctrl-C at any moment of a program's life, from the first import to the interpreter's end: silent, exit code 130."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
AT_IMPORT = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["kubectl-rollouts", *{words!r}]
from rollouts.cli.start import {program}
{program}()
"""
AT_THE_END = """
import atexit, os, signal, sys
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
sys.argv = ["kubectl-rollouts", "version", "--short"]
from rollouts.cli.start import plugin
plugin()
"""
BEFORE_THE_VERB = """
import os, signal, sys
from rollouts.cli import main, registry
def interrupted(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)
main.asked_to_complete = interrupted
from rollouts.cli.start import plugin
plugin()
"""


def ran(program: str, *, ignoring: bool = False) -> Any:
    """The program, run with Ctrl-C as a terminal's foreground job has it, or ignored as in the background."""
    handler = signal.SIG_IGN if ignoring else signal.SIG_DFL
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, handler),
    )


@pytest.mark.parametrize(
    ("program", "module", "words"),
    [
        ("plugin", "rollouts.cli.main", ["list"]),
        ("plugin", "typer", ["list"]),
        ("plugin", "rollouts.cli.verbs.list", ["list"]),
        ("plugin", "rollouts.cli.verbs.promote", ["promote", "app"]),
        ("controller", "rollouts.cli.registry", ["controller"]),
        ("controller", "rollouts.cli.controller", ["controller"]),
    ],
)
def test_while_something_is_imported(program: str, module: str, words: list[str]) -> None:
    ended = ran(AT_IMPORT.format(program=program, module=module, words=words))
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.parametrize("program", [BEFORE_THE_VERB, AT_THE_END])
def test_before_and_after_the_verb(program: str) -> None:
    ended = ran(program)
    assert (ended.returncode, ended.stderr) == (130, "")


def test_a_job_in_the_background_goes_on_ignoring_it() -> None:
    ended = ran(AT_THE_END, ignoring=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip()


def test_nothing_comes_before_it_that_takes_its_time() -> None:
    """Until the signal is minded, an interrupt would still be shown."""
    program = (
        "import sys; before = set(sys.modules); import rollouts.cli.start; print(*sorted(set(sys.modules) - before))"
    )
    loaded = ran(program).stdout.split()
    assert set(loaded) <= {"__future__", "_signal", "os", "rollouts", "rollouts.cli", "rollouts.cli.start"}


def test_the_programs_begin_there() -> None:
    scripts = tomllib.loads(PROJECT.read_text())["project"]["scripts"]
    assert (scripts["rollouts"], scripts["kubectl-rollouts"]) == (
        "rollouts.cli.start:controller",
        "rollouts.cli.start:plugin",
    )
