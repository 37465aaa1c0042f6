"""The Git side of the demo: a bare repository, and commits that people would make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

MANIFESTS = Path(__file__).parent / "manifests"

MEASURED: tuple[Mapping[str, Any], ...] = (
    {"setWeight": 25},
    {
        "analysis": {
            "templates": [{"templateName": "success-rate"}],
            "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
        }
    },
    {"setWeight": 50},
    {"pause": {"duration": "2s"}},
)
BY_HAND: tuple[Mapping[str, Any], ...] = (
    {"setWeight": 25},
    {"pause": {}},
    {"setWeight": 50},
    {"pause": {"duration": "1s"}},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a commit releases. `error_rate`: share of requests answered with 500, 0 to 1."""

    name: str
    error_rate: float = 0.0
    steps: Sequence[Mapping[str, Any]] = MEASURED


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A bare repository at `directory`/app.git and the clone the commits are made in."""

    directory: Path
    prometheus: str

    @property
    def bare(self) -> Path:
        """What the sync fetches from."""
        return self.directory / "app.git"

    def create(self) -> None:
        """Make both; `main` is the branch."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), where=self.directory)
        self._git("clone", "--quiet", str(self.bare), "work", where=self.directory)
        self._git("checkout", "--quiet", "-B", "main")

    def commit(self, version: Version, message: str) -> str:
        """Commit and push the manifests of a version; the short commit id."""
        values = {
            "version": version.name,
            "error_rate": str(version.error_rate),
            "steps": json.dumps(list(version.steps)),
            "prometheus": self.prometheus,
            "python": sys.executable,
            "pythonpath": str(Path(__file__).parents[3]),
        }
        for source in sorted(MANIFESTS.glob("*.yaml")):
            (self.directory / "work" / source.name).write_text(Template(source.read_text()).safe_substitute(values))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        self._git("push", "--quiet", "origin", "main")
        return self._git("rev-parse", "--short", "HEAD").strip()

    def revert(self) -> str:
        """Revert the last commit and push; the short commit id."""
        self._git("revert", "--no-edit", "HEAD")
        self._git("push", "--quiet", "origin", "main")
        return self._git("rev-parse", "--short", "HEAD").strip()

    def _git(self, *arguments: str, where: Path | None = None) -> str:
        who = {"GIT_AUTHOR_NAME": "Demo", "GIT_AUTHOR_EMAIL": "demo@example.com"}
        who |= {
            "GIT_COMMITTER_NAME": "Demo",
            "GIT_COMMITTER_EMAIL": "demo@example.com",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        ran = subprocess.run(
            ["git", *arguments],
            cwd=where or self.directory / "work",
            env={**os.environ, **who},
            text=True,
            capture_output=True,
            check=False,
        )
        if ran.returncode:
            raise RuntimeError(f"git {' '.join(arguments)}: {ran.stderr.strip()}")
        return ran.stdout
