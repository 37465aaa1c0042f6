"""The table of requirements (docs/architecture/gitops-requirements.md) says what is true of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.tables import docstrings, rows


def cited() -> Iterator[tuple[str, str, str]]:
    """Requirement, file and test."""
    for row in rows("gitops-requirements.md"):
        yield from ((row.key, file, name) for file, name in row.tests)


def test_every_requirement_has_a_test() -> None:
    assert {number for number, _, _ in cited()} == {f"R{number}" for number in range(1, 41)}


@pytest.mark.parametrize(("number", "file", "name"), sorted(set(cited())))
def test_a_test_cites_what_it_proves(number: str, file: str, name: str) -> None:
    said = docstrings(file)
    assert name in said, f"tests/{file} has no {name}"
    assert re.search(rf"\b{number}\b", said[name]), f"{name} does not cite {number}"
