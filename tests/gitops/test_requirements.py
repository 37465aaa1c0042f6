"""The table of requirements (docs/architecture/gitops-requirements.md) says what is true of the tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "architecture" / "gitops-requirements.md"


def rows() -> Iterator[tuple[str, str]]:
    """Requirement and test."""
    for line in TABLE.read_text().splitlines():
        if found := re.match(r"\| (R\d+) \|", line):
            for test in re.findall(r"`([^`]+::[^`]+)`", line):
                yield found[1], test


@cache
def docstrings(file: str) -> dict[str, str]:
    """What the tests of a file say of themselves, each with what the file says."""
    tree = ast.parse((ROOT / "tests" / file).read_text())
    common = ast.get_docstring(tree) or ""
    tests = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: f"{common} {ast.get_docstring(node) or ''}" for node in tests}


def test_every_requirement_has_a_test() -> None:
    assert {number for number, _ in rows()} == {f"R{number}" for number in range(1, 41)}


@pytest.mark.parametrize(("number", "test"), sorted(set(rows())))
def test_a_test_cites_what_it_proves(number: str, test: str) -> None:
    file, _, name = test.partition("::")
    said = docstrings(file)
    assert name in said, f"tests/{file} has no {name}"
    assert re.search(rf"\b{number}\b", said[name]), f"{name} does not cite {number}"
