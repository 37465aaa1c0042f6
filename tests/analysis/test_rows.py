"""The table of what analysis promises (docs/architecture/analysis-rows.md) says what is true of tests and API."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from analysis.spec import Metric, RunSpec, RunStatus
from analysis.spec.providers import Provider
from analysis.spec.template import TemplateSpec
from rollouts.api.experiment import ExperimentSpec, ExperimentStatus
from tests.tables import CODE, Row, absent, rows, unexcused

ROWS = tuple(rows("analysis-rows.md"))
EXCUSE = re.compile(r"(in memory|on the wire): ")
FIELDS: dict[str, tuple[type[BaseModel], ...]] = {
    "§1.6": (TemplateSpec, RunSpec, Metric, RunStatus),
    "§1.7": (Provider,),
    "§1.8": (ExperimentSpec, ExperimentStatus),
}


def named(row: Row) -> str:
    return f"{row.section} {row.key}"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_row_is_proved_by_tests_there_are(row: Row) -> None:
    assert row.tests
    assert not absent(row)
    assert not unexcused(row, EXCUSE)


@pytest.mark.parametrize(("section", "models"), FIELDS.items(), ids=FIELDS)
def test_every_field_has_a_row(section: str, models: tuple[type[BaseModel], ...]) -> None:
    told = {name for row in ROWS if row.section == section for name in CODE.findall(row.key)}
    assert {str(info.alias) for model in models for info in model.model_fields.values()} <= told


def test_every_section_is_here() -> None:
    assert {row.section for row in ROWS} == {*FIELDS, "§2.10", "§2.11", "§2.12"}


def test_each_provider_is_tried_with_every_field() -> None:
    """But plugins: what stands under their names is theirs."""
    tried = "test_a_field_makes_a_difference"
    without = {row.key for row in ROWS if row.section == "§1.7" and tried not in {name for _, name in row.tests}}
    assert without == {"`plugin`", "every provider"}
