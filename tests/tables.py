"""Tables in docs/architecture which say what is promised and which test proves it: read, so that tests can hold them.

A row begins with `| key | promise | proof |`; a test is named in backticks, by its path below `tests/` and its name:
`cluster/test_scale.py::test_while_it_is_aborted`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "docs" / "architecture"
TEST = re.compile(r"`([^`\s]+\.py)::(\w+)`")
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`section`: the heading it stands under; `key`, `promise` and `proof`: its cells, as written."""

    section: str
    key: str
    promise: str
    proof: str

    @property
    def names(self) -> tuple[str, ...]:
        """What its key has in backticks."""
        return tuple(CODE.findall(self.key))

    @property
    def tests(self) -> tuple[tuple[str, str], ...]:
        """File and name of each test, in the order given."""
        return tuple(TEST.findall(self.proof))


def rows(page: str) -> Iterator[Row]:
    """The rows of all tables of a page in docs/architecture, without their heads."""
    section, lines = "", (ARCHITECTURE / page).read_text().splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("#"):
            section = line.lstrip("# ").partition(" ")[0]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and not following.startswith("|--"):
            yield Row(section=section, key=cells[0], promise=cells[1], proof=cells[2])


@cache
def source(file: str) -> str:
    """The text of a file below tests."""
    return (ROOT / "tests" / file).read_text()


@cache
def docstrings(file: str) -> dict[str, str]:
    """What the tests of a file say of themselves, each with what the file says."""
    tree = ast.parse(source(file))
    common = ast.get_docstring(tree) or ""
    tests = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: f"{common} {ast.get_docstring(node) or ''}" for node in tests}


def absent(row: Row) -> list[str]:
    """The tests a row names that are not there."""
    return [f"tests/{file} has no {name}" for file, name in row.tests if name not in docstrings(file)]


def unexcused(row: Row, excuse: re.Pattern[str]) -> str:
    """What is wrong with a row's tests on the real API server; empty when nothing is.

    They come first, or the proof begins with an excuse why there is none.
    """
    real = [file.startswith("cluster/") for file, _ in row.tests]
    if not excuse.match(row.proof) and real[:1] != [True]:
        return "no test on the real API server, and nothing said about that"
    if real != sorted(real, reverse=True):
        return "tests on the real API server come first"
    if row.proof.startswith(("in memory", "on the wire")) and any(real):
        return "there is a test on the real API server: the row says too little"
    return ""
