"""The key under which an answer of a renderer is remembered (R1): a row for each thing that goes into rendering."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.render.confinement import Budget
from rollouts.gitops.render.installed import find
from rollouts.gitops.render.options import Target
from rollouts.gitops.render.renderer import RENDERERS, digest
from rollouts.gitops.render.sandbox import Limits
from tests.gitops.render.trees import config, tree

HELM, KUSTOMIZE, _ = RENDERERS
TARGET = Target(name="shop", namespace="apps", kube_version="v1.36.3", api_versions=("v1", "apps/v1"))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "helm"
    made.write_bytes(b"version one")
    made.chmod(0o755)
    os.utime(made, ns=(1, 1))
    return made


def key(program: Path, **changed: Any) -> str:
    given: dict[str, Any] = {
        "tree": tree({"chart/a.yaml": config("a")}, "chart"),
        "row": HELM,
        "options": {"values": "color: blue"},
        "target": TARGET,
        "program": find(str(program)),
        "limits": Limits(),
    }
    asked = {**given, **changed}
    return digest(asked.pop("tree"), **asked)


@pytest.mark.parametrize(
    "changed",
    [
        {"tree": tree({"chart/a.yaml": config("b")}, "chart")},
        {"tree": tree({"chart/b.yaml": config("a")}, "chart")},
        {"tree": tree({"chart/a.yaml": config("a"), "chart/b.yaml": ""}, "chart")},
        {"tree": tree({"chart/a.yaml": config("a")}, ".")},
        {"row": KUSTOMIZE},
        {"options": {"values": "color: red"}},
        {"options": {"valuesObject": {"color": "blue"}}},
        {"target": replace(TARGET, name="other")},
        {"target": replace(TARGET, namespace="other")},
        {"target": replace(TARGET, kube_version="v1.37.0")},
        {"target": replace(TARGET, api_versions=("v1", "apps/v1", "argoproj.io/v1alpha1"))},
        {"limits": Limits(objects=10)},
        {"limits": Limits(budget=Budget(cpu_seconds=1))},
        {"limits": Limits(walls=())},
    ],
    ids=str,
)
def test_each_input_is_part_of_the_key(program: Path, changed: dict[str, Any]) -> None:
    """R1: files by name and content, folder, renderer, options and values, target, Kubernetes version, API list,
    policy."""
    assert key(program) == key(program)
    assert key(program, **changed) != key(program)


def test_another_version_of_the_tool_is_another_question(program: Path, tmp_path: Path) -> None:
    """R1: at another place, of another size, or of another age."""
    before = key(program)
    other = tmp_path / "helm2"
    other.write_bytes(program.read_bytes())
    other.chmod(0o755)
    os.utime(other, ns=(1, 1))
    assert key(other) != before
    os.utime(program, ns=(2, 2))
    assert key(program) != before
    program.write_bytes(b"version three")
    os.utime(program, ns=(1, 1))
    assert key(program) != before


def test_the_commit_itself_is_no_part_of_it(program: Path) -> None:
    """Two commits with the same files render once."""
    same = replace(tree({"chart/a.yaml": config("a")}, "chart"), commit="1" * 40)
    assert key(program, tree=same) == key(program)
