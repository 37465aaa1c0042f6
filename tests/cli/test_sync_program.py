"""`rollouts sync`: what is mistyped is an error with a way out, before any cluster or repository is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rollouts.cli.main import controller_app


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--repo", "/srv/shop"], 2, "--allow-local of `rollouts controller`, `rollouts sync`"),
        (["--repo", "https://me:secret@git.example.com/shop"], 2, "give credentials separately"),
        (["--repo", "https://git.example.com/shop", "--interval", "2x"], 2, "such as 30s, 5m or 1h30m"),
        (["--repo", "https://git.example.com/shop"], 1, "say which one with --kubeconfig or KUBECONFIG"),
    ],
)
def test_a_mistake_is_said_with_what_to_do(options: list[str], code: int, said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(controller_app, ["sync", *options, "--kubeconfig", str(tmp_path / "none")])
    assert result.exit_code == code
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr
