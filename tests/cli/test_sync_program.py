"""`rollouts sync`: what is mistyped is an error with a way out, before any cluster or repository is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rollouts.cli import sync as program
from rollouts.cli.main import controller_app
from rollouts.gitops.budgets import Budgets, exceeded
from rollouts.gitops.errors import SyncError
from rollouts.gitops.plan import COMMAND_LINE, Policy
from rollouts.gitops.source import Source
from rollouts.gitops.sync import Settings, Syncer
from tests.gitops.bare import Bare


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--repo", "/srv/shop"], 2, "--allow-local of `rollouts controller`, `rollouts sync`"),
        (["--repo", "https://me:secret@git.example.com/shop"], 2, "give credentials separately"),
        (["--repo", "https://git.example.com/shop", "--interval", "2x"], 2, "such as 30s, 5m or 1h30m"),
        (["--repo", "https://git.example.com/shop", "--sync-budget", "trees=1"], 2, "there are fetch-seconds, "),
        (["--repo", "https://git.example.com/shop", "--confirm-prune"], 2, "give it with --once"),
        (["--repo", "https://git.example.com/shop"], 1, "say which one with --kubeconfig or KUBECONFIG"),
    ],
)
def test_a_mistake_is_said_with_what_to_do(options: list[str], code: int, said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(controller_app, ["sync", *options, "--kubeconfig", str(tmp_path / "none")])
    assert result.exit_code == code
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr


OPTIONS = ["--no-prune", "--confirm-prune", "--allow-empty", "--adopt", "--sync-budget"]


@pytest.mark.parametrize("option", OPTIONS)
def test_what_errors_and_reasons_advise_can_be_given(option: str) -> None:
    """What keeps deletions back says by which option they are let go."""
    named = " ".join(COMMAND_LINE.values())
    assert {word.strip("()") for word in named.split() if "--" in word} < set(OPTIONS)
    app = typer.Typer()
    app.command()(program.sync)
    assert option in {
        word for given in typer.main.get_command(app).params for word in (*given.opts, *given.secondary_opts)
    }


def test_options_become_what_holds_for_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Settings] = []

    async def run(settings: Settings, **_: object) -> bool:
        found.append(settings)
        return True

    monkeypatch.setattr(program, "_run", run)
    base = ["sync", "--repo", "https://git.example.com/shop", "--once"]
    given = ["--no-prune", "--confirm-prune", "--allow-empty", "--adopt", "--sync-budget", "tree-files=7"]
    for options in ([], given):
        assert CliRunner().invoke(controller_app, [*base, *options]).exit_code == 0
    plain, asked = found
    assert (plain.policy, plain.adopt, plain.budgets) == (Policy(sync="main"), False, Budgets())
    assert asked.policy == Policy(sync="main", prune=False, confirm=True, allow_empty=True)
    assert (asked.adopt, asked.budgets["tree-files"]) == (True, 7)


async def test_budgets_hold_for_the_command_too(tmp_path: Path) -> None:
    """A repository that takes more than it may ends the pass, before anything of it is read."""
    bare = Bare(tmp_path)
    bare.commit({"a.yaml": "a: 1", "b.yaml": "b: 1"})
    settings = Settings(
        name="main",
        namespace="shop",
        source=Source(url=bare.url, revision="main", allow_local=True),
        policy=Policy(sync="main"),
        budgets=Budgets.parse(["tree-files=1", "fetch-seconds=41", "fetch-bytes=4000000"]),
    )
    syncer = Syncer(api=None, settings=settings, directory=tmp_path / "store")  # type: ignore[arg-type]
    commit = await syncer.repository.resolve()
    with pytest.raises(SyncError, match="files") as caught:
        await syncer.pipeline._read(commit)
    assert exceeded(caught.value) == "tree-files"
    assert (syncer.repository.git.timeout, syncer.repository.git.file_limit) == (41, 4_000_000)
