"""The programs themselves: names, help, flags anywhere, completion; and that starting one stays cheap."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from rollouts.cli import complete
from rollouts.cli.main import CONTROLLER_VERBS, PLUGIN_VERBS, controller_app, plugin_app, program_name
from rollouts.cli.registry import Verb, load_command

LEAVES = [
    leaf for verb in (*PLUGIN_VERBS, *CONTROLLER_VERBS) for leaf in (verb.verbs or (verb,)) if ".verbs." in leaf.module
]
HEAVY = ("pydantic", "kubernetes", "kopf", "aiohttp", "rich", "rollouts.api.parsing")


@pytest.mark.parametrize("verb", LEAVES, ids=lambda verb: f"{verb.module.rpartition('.')[2]}-{verb.name}")
def test_every_row_of_the_table_is_a_command_with_help(verb: Verb) -> None:
    command: Any = load_command(verb)
    assert command.help
    assert all(param.help for param in command.params if param.param_type_name == "option")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/usr/bin/kubectl-rollouts", "kubectl rollouts"),
        ("kubectl-argo-rollouts", "kubectl argo rollouts"),
        ("kubectl-argo-rollouts.exe", "kubectl argo rollouts"),
        ("/x/rollouts", "rollouts"),
    ],
)
def test_the_name_a_person_types(path: str, name: str) -> None:
    assert program_name(path) == name


def test_under_the_peers_name_hints_are_right(run: Any, story: Any) -> None:
    story("canary-2")
    shown = CliRunner().invoke(plugin_app, ["get", "app"], prog_name="kubectl-argo-rollouts").stdout
    assert "→ kubectl argo rollouts promote app" in shown


@pytest.mark.parametrize("words", [["--help"], ["get", "-h"], ["set", "image", "--help"], ["get", "rollout", "--help"]])
def test_help(words: list[str]) -> None:
    result = CliRunner().invoke(plugin_app, words)
    assert result.exit_code == 0
    assert "Usage: kubectl rollouts" in result.stdout
    assert "--namespace" in result.stdout


def test_a_misspelt_verb() -> None:
    result = CliRunner().invoke(plugin_app, ["promot", "app"])
    assert result.exit_code == 2
    assert "Did you mean 'promote'?" in result.stderr


@pytest.mark.parametrize("words", [["version"], ["version", "--short"]])
def test_version(words: list[str]) -> None:
    for app in (plugin_app, controller_app):
        assert CliRunner().invoke(app, words).stdout.strip().endswith("0.1.0")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    shown = CliRunner().invoke(plugin_app, ["completion", shell]).stdout
    assert "kubectl-rollouts" in shown
    assert "_KUBECTL_ROLLOUTS_COMPLETE" in shown


def test_a_shell_asks_the_executable(kubeconfig: Any, story: Any) -> None:
    story("canary-2")
    asked = {
        "_KUBECTL_ROLLOUTS_COMPLETE": "complete_bash",
        "COMP_WORDS": "kubectl-rollouts promote a",
        "COMP_CWORD": "2",
    }
    program = "from rollouts.cli.main import plugin_app; plugin_app(prog_name='kubectl-rollouts')"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **asked})
    assert (ran.stdout.split(), ran.stderr) == (["app"], "")


def words(typed: list[str]) -> list[str]:
    return [candidate.partition("\t")[0] for candidate in complete.candidates(typed)]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["pro"], ["promote"]),
        (["get", ""], ["rollout", "experiment"]),
        (["promote", "--fu"], ["--full"]),
        (["get", "rollout", ""], ["app"]),
        (["promote", "a"], ["app"]),
        (["promote", "b"], []),
        (["list", "-n", "x", "roll"], ["rollouts", "rollout"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_kubectl_asks_what_could_come_next(run: Any, story: Any, typed: list[str], found: list[str]) -> None:
    story("canary-2")
    assert words(typed) == found


def test_completion_without_a_cluster_is_silent(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("KUBECONFIG", "/no/such/file")
    complete.main(["promote", ""])
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (":4\n", "")


@pytest.mark.parametrize("line", ["--help", "get --help", "get app", "abort app", "version"])
def test_what_is_slow_to_import_is_not_imported(line: str, kubeconfig: Any, story: Any) -> None:
    story("canary-2")
    program = (
        "import sys\nfrom rollouts.cli.main import plugin_app\n"
        f"try: plugin_app({line.split()!r})\nexcept SystemExit: pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "LOADED []"


def test_the_typer_apps_are_what_scripts_call() -> None:
    names = [typer.main.get_command(app).list_commands(None) for app in (plugin_app, controller_app)]  # type: ignore[attr-defined]
    assert {"get", "list", "promote", "abort", "retry", "pause", "restart", "set", "undo", "status", "lint"} <= set(
        names[0]
    )
    assert [name for name in names[1] if name != "sync"] == ["controller", "renderer", "lint", "version"]
