"""Servers of others from PyPI, whose requirements do not fit ours.

They are installed into the cache, run with nothing else on their path, and choose their port.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.cache import cache_home, ensure_folder
from deploy.local.wheels import installer
from deploy.local.work import run_long


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A server: the key it is cached by, its packages, and a program that prints `port N` once it listens."""

    key: str
    packages: Sequence[str]
    program: str
    install_environment: Mapping[str, str] = field(default_factory=dict)

    def ensure(self) -> Path:
        """The folder it is installed in; installed now if it isn't there."""
        return ensure_folder(self.key, make=self._install, waiting=lambda: None)

    def _install(self, target: Path) -> None:
        run_long(
            [*installer(), "--target", str(target), *self.packages],
            title=f"{self.key}: installing from PyPI",
            log=cache_home() / f"{self.key}.log",
            env={**os.environ, **self.install_environment},
        )

    @contextlib.contextmanager
    def serving(self, home: Path, **environment: str) -> Iterator[str]:
        """Its address, as long as this lasts. Its log goes into `home`."""
        known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.ensure()), **environment}
        argv = [sys.executable, "-S", "-W", "ignore", "-c", self.program]
        with (home / "server.log").open("w") as log:
            process = subprocess.Popen(argv, env=known, cwd=home, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:1] == ["port"], (home / "server.log").read_text()[-2000:]
            yield f"http://127.0.0.1:{words[1]}"
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
