"""The table of what a Rollout promises (docs/architecture/rollout-rows.md) says what is true of tests and API."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
import yaml

from rollouts.api.bluegreen import BlueGreenStrategy
from rollouts.api.canary import CanaryStrategy
from rollouts.api.rollout import RolloutSpec
from rollouts.api.status import BlueGreenStatus, CanaryStatus, RolloutStatus
from rollouts.api.steps import CanaryStep
from rollouts.strategy import conditions, keys, kstatus
from tests.tables import ROOT, Row, absent, rows, source, unexcused

ROWS = tuple(rows("rollout-rows.md"))
RECORDED = "".join(path.read_text() for path in sorted((ROOT / "tests" / "data" / "recordings").glob("*.yaml")))
LATER = frozenset({"alb", "albs"})
EXCUSE = re.compile(r"in memory: |half: |waits for the (routers|dashboard|notifications)")
FIELDS = {
    "§1.1": RolloutSpec,
    "§1.2": BlueGreenStrategy,
    "§1.3": CanaryStrategy,
    "§1.4": CanaryStep,
    "§1.17": RolloutStatus,
}


def named(row: Row) -> str:
    return f"{row.section} {row.key}"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_the_tests_of_a_row_exist(row: Row) -> None:
    assert not absent(row)
    assert row.tests or row.proof.startswith("waits for")


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_row_without_the_real_api_server_says_so(row: Row) -> None:
    """The first test is one of tests/cluster, or the row begins with the reason why there is none."""
    assert not unexcused(row, EXCUSE)


@pytest.mark.parametrize(("section", "model"), FIELDS.items(), ids=FIELDS)
def test_every_field_has_a_row_and_a_test_that_speaks_of_it(section: str, model: type) -> None:
    aliases = {str(field.alias) for field in model.model_fields.values()}  # type: ignore[attr-defined]
    found: dict[str, str] = defaultdict(str)
    for row in (row for row in ROWS if row.section == section):
        for name in row.names:
            found[name.partition(".")[0]] += spoken(row)
    assert set(found) == aliases
    assert [alias for alias in aliases - LATER if alias not in found[alias]] == []


def spoken(row: Row) -> str:
    """The text of the tests of a row, and of what they compare with."""
    text = "".join(source(file) for file, _ in row.tests)
    return text + RECORDED if "test_rollout_story.py" in row.proof else text


def test_every_label_and_annotation_has_a_row() -> None:
    spelt = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    assert spelt <= {name for row in ROWS if row.section == "§1.16" for name in row.names}


def test_every_condition_has_a_row_and_a_word_at_the_field() -> None:
    types = conditions.TYPES | kstatus.TYPES
    version = yaml.safe_load((ROOT / "crds" / "rollouts.yaml").read_text())["spec"]["versions"][0]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    said = status["conditions"]["description"]
    assert types - {name for row in ROWS if row.section == "§1.15" for name in row.names} == set()
    assert [name for name in sorted(types) if name not in said] == []


@pytest.mark.parametrize(("section", "inner"), [("canary", CanaryStatus), ("blueGreen", BlueGreenStatus)])
def test_every_field_within_a_status_has_a_row(section: str, inner: type) -> None:
    aliases = {f"{section}.{field.alias}" for field in inner.model_fields.values()}  # type: ignore[attr-defined]
    assert aliases == {name for row in ROWS if row.section == "§1.17" for name in row.names if name.startswith(section)}
