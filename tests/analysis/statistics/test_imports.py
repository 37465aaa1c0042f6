"""numpy and scipy take longer to import than all else together, Jinja2 and JSONPath 7 MB: only who needs them may."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, {modules}
heavy = [name for name in ("numpy", "scipy", "jinja2", "jsonpath") if name in sys.modules]
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "modules", ["rollouts.cli.main", "rollouts.operator", "analysis.measure", "rollouts.gitops.gitsync.controller"]
)
def test_start_up_needs_none_of_them(modules: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(modules=modules)], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
