"""numpy and scipy take longer to import than everything else together, so only those who need them may."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, {modules}
heavy = [name for name in ("numpy", "scipy") if name in sys.modules]
assert not heavy, heavy
"""


@pytest.mark.parametrize("modules", ["rollouts.cli.main", "rollouts.operator", "analysis.measure"])
def test_start_up_needs_neither(modules: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(modules=modules)], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
