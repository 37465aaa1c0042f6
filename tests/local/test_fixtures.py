"""The cluster tests' fixtures when the plane dies under a test: a run of pytest within this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.processes import REPOSITORY

pytestmark = pytest.mark.cluster

DOOMED = """
import os, signal

def test_waits_in_vain(plane):
    os.kill(plane.processes.pids()["etcd"], signal.SIGKILL)
    plane.kubectl("create", "namespace", "web")

def test_is_not_reached(kubectl):
    raise AssertionError("reached")
"""


def test_a_plane_that_dies_ends_the_run_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "test_doomed.py").write_text(DOOMED)
    options = ["-p", "tests.cluster.conftest", "-c", str(REPOSITORY / "pyproject.toml"), "--rootdir", str(tmp_path)]
    argv = [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_doomed.py")]
    ran = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True)
    assert ran.returncode == 3, ran.stdout
    assert "the control plane died: etcd ended with signal 9; the end of its log" in ran.stdout + ran.stderr
    assert "reached" not in ran.stdout.replace("test_is_not_reached", "")
