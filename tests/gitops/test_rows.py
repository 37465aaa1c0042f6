"""The page of what a GitSync promises (docs/architecture/gitops-rows.md) says what is true of API and tests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.api.validation import gitsync as validation
from rollouts.gitops import former, health, hooks, importing, importing_flux, marks, objectoptions, remarks
from rollouts.gitops.gitsync import conditions, decide, reading, work
from tests.tables import ROOT, Row, absent, rows, source, unexcused

ROWS = tuple(rows("gitops-rows.md"))
EXCUSE = re.compile(r"(in memory|rendered|in Git|on the wire): ")
CRD: dict[str, Any] = yaml.safe_load((ROOT / "crds" / "gitsyncs.yaml").read_text())["spec"]["versions"][0]
BRACES = re.compile(r"\{([^{}]*)\}")
REASON = re.compile(r'Aspect\(\s*value="\w+",\s*reason="(\w+)"|(?:_not_ready|_stalled)\("(\w+)"')
STEPS = ("Fetch", "Verify", "Checkout", "Render", "Validate", "Apply", "Compare")
DERIVED = {f"{step}Failed" for step in STEPS}
"""Reasons that are made of the step which failed."""


def named(row: Row) -> str:
    return f"{row.section} {row.key[:60]}"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_the_tests_of_a_row_exist(row: Row) -> None:
    assert not absent(row)
    assert row.tests


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_row_without_the_real_api_server_says_so(row: Row) -> None:
    assert not unexcused(row, EXCUSE)


def spelt(text: str) -> Iterator[str]:
    """`a.{b,c}` is `a.b` and `a.c`."""
    parts = [part.split(",") for part in BRACES.split(text)[1::2]]
    frame = BRACES.sub("\0", text).split("\0")
    for chosen in product(*parts):
        yield "".join(a + b for a, b in zip(frame, (*chosen, ""), strict=True))


def keys(*sections: str) -> Counter[str]:
    """All that the rows of the sections name."""
    listed = (name for row in ROWS if row.section in sections for text in row.names for name in spelt(text))
    return Counter(listed)


def leaves(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """The fields of a schema that hold no others, such as `spec.info.name`."""
    if schema.get("type") == "array":
        yield from leaves(schema["items"], path)
    elif "properties" in schema:
        for name, inner in schema["properties"].items():
            yield from leaves(inner, f"{path}.{name}")
    else:
        yield path


FIELDS = {
    part: set(leaves(CRD["schema"]["openAPIV3Schema"]["properties"][part], part))
    for part in ("spec", "operation", "status")
}


@pytest.mark.parametrize("part", FIELDS)
def test_every_field_has_one_row(part: str) -> None:
    found = {name: count for name, count in keys("§3.1", "§3.2").items() if name.partition(".")[0] == part}
    assert found == dict.fromkeys(FIELDS[part], 1)


@pytest.mark.parametrize("row", [row for row in ROWS if row.section in ("§3.1", "§3.2")], ids=named)
def test_a_test_of_a_row_speaks_of_its_fields(row: Row) -> None:
    text = "".join(source(file) for file, _ in row.tests)
    names = {name.rpartition(".")[2] for key in row.names for name in spelt(key)}
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []


def test_every_condition_with_every_reason_has_a_row() -> None:
    """The literals of what makes them, wherever that is."""
    text = "".join(Path(str(module.__file__)).read_text() for module in (conditions, decide))
    written = {word for found in REASON.findall(text) for word in found if word}
    stalled = set(conditions.DENIED.values()) | {"InvalidSpec"}
    types = {*conditions.ORDER, "ImageUpdateReady", "Reverted", "ForgeReady", "WebhookReady"}
    assert types <= set(re.findall(r"\w+", condition_docs()))
    found = set(keys("§3.3"))
    assert (types | written | stalled | DERIVED) - found == set()


def condition_docs() -> str:
    rows_of = CRD["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]
    return str(rows_of["items"]["properties"]["type"]["description"])


def test_every_column_has_a_row() -> None:
    columns = {str(column["name"]).upper() for column in CRD["additionalPrinterColumns"]}
    assert columns - set(keys("§3.3")) == set()


def test_every_option_has_a_row() -> None:
    known = {*objectoptions._OPTIONS, *validation._OPTIONS, *validation.PER_OBJECT}
    assert set(keys("§1.3")) == known


def test_every_annotation_and_label_has_a_row() -> None:
    known = {
        marks.TRACKING, marks.MANAGED, marks.SYNC_OPTIONS, *marks.WAVES, *marks._FOREIGN_ANNOTATIONS,
        *marks._FOREIGN_LABELS, hooks.HOOK, hooks.DELETE, hooks.TIMEOUT, hooks.RUN, hooks.ARGO_HOOK, hooks.HELM_HOOK,
        objectoptions.ARGO_OPTIONS, objectoptions.COMPARE, *objectoptions._OTHERS, *health.IGNORED, *remarks._UNHEARD,
        *reading.REQUESTED, reading.CONFIRMED, *work.APPROVED, former.IMPORTED, former.MIGRATION_MANAGER,
    }  # fmt: skip
    assert known - set(keys("§3.4")) == set()


@pytest.mark.parametrize(("key", "meanings"), objectoptions._OTHERS.items(), ids=objectoptions._OTHERS)
def test_every_value_of_an_annotation_of_others_is_named(key: str, meanings: Mapping[str, Any]) -> None:
    (row,) = [row for row in ROWS if row.section == "§3.4" and key in row.names]
    assert set(meanings) <= {word.lower() for word in re.findall(r"`(\w+)`", row.promise)}


IMPORTED = {
    "Application": {*importing._ARGO_KNOWN, *(f"source.{key}" for key in importing._ARGO_REFUSED)},
    "Kustomization": importing_flux._KNOWN,
    "GitRepository": importing_flux._REPOSITORY_KNOWN,
}


@pytest.mark.parametrize(("kind", "known"), IMPORTED.items(), ids=IMPORTED)
def test_every_field_of_an_import_has_a_row(kind: str, known: frozenset[str]) -> None:
    found = set(keys("§3.5"))
    assert {f"{kind}.{field}" for field in known} - found == set()
