"""The table of requirements (docs/architecture/gitops-requirements.md) says what is true of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.tables import docstrings, rows


def cited() -> Iterator[tuple[str, str, str]]:
    """Requirement (of a clause `R13a`: the whole, R13), file and test."""
    for row in rows("gitops-requirements.md"):
        yield from ((re.sub(r"(?<=\d)[a-z]$", "", row.key), file, name) for file, name in row.tests)


def references(text: str) -> set[str]:
    """Requirements such as `R7`, and of `§2.5 A, B` the classes of attack."""
    classes = re.findall(r"§2\.5 ((?:[A-I]\b(?:, )?)+)", text)
    return {*re.findall(r"\bR\d+\b", text), *(letter for group in classes for letter in group.split(", "))}


def test_every_requirement_has_a_test() -> None:
    found = {number for number, _, _ in cited()}
    assert found == {f"R{number}" for number in range(1, 41)} | set("ABCDEFGH"), "class I, a terminal, has none"


@pytest.mark.parametrize(("number", "file", "name"), sorted(set(cited())))
def test_a_test_cites_what_it_proves(number: str, file: str, name: str) -> None:
    said = docstrings(file)
    assert name in said, f"tests/{file} has no {name}"
    assert number in references(said[name]), f"{name} does not cite {number}"


def test_each_clause_has_its_row_in_order() -> None:
    keys = [row.key for row in rows("gitops-requirements.md") if row.key.startswith("R")]
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys, key=lambda key: (int(re.sub(r"\D", "", key)), key))
    assert all(row.tests for row in rows("gitops-requirements.md") if row.key.startswith("R"))
