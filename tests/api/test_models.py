"""Scalars of the API, and the defaults that are applied on reading but never stored."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from analysis.spec import Metric, RunSpec, RunStatus
from analysis.spec.base import Model, read_time, write_time
from rollouts.api import defaults, parse
from rollouts.api.bluegreen import BlueGreenStrategy
from rollouts.api.canary import CanaryStrategy
from rollouts.api.experiment import ExperimentSpec
from rollouts.api.rollout import AnalysisHistory, RolloutSpec
from rollouts.api.steps import RolloutExperimentStep
from rollouts.api.traffic import TrafficRouting
from tests.api.samples import METRIC, rollout, with_spec

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-02T12:00:00Z",
        "2026-01-02t12:00:00z",
        "2026-01-02T12:00:00.000000Z",
        "2026-01-02T14:00:00+02:00",
        datetime(2026, 1, 2, 12),
        datetime(2026, 1, 2, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_times_are_read_as_utc(value: Any) -> None:
    assert read_time(value) == NOON
    assert read_time(value).tzinfo is UTC


@pytest.mark.parametrize("value", ["", "2026-01-02", "2026-01-02T12:00:00", 5, None, True, "2026-01-02T25:00:00Z", []])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        read_time(value)


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)))
def test_a_time_written_is_read_again(value: datetime) -> None:
    assert read_time(write_time(value)) == value.replace(microsecond=0)


def test_statuses_are_written_as_kubernetes_does() -> None:
    status = RunStatus(phase="Running", started_at=NOON)
    assert status.to_api() == {"phase": "Running", "startedAt": "2026-01-02T12:00:00Z"}


def test_models_can_not_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Metric.model_validate(METRIC).name = "other"


def test_python_builds_models_by_attribute_names() -> None:
    spec = RunSpec.model_validate({"metrics": [METRIC], "terminate": True})
    assert spec == RunSpec(metrics=[Metric.model_validate(METRIC)], terminate=True)


def test_an_empty_phase_is_unset() -> None:
    assert RunStatus.model_validate({"phase": ""}).phase is None


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 1),
        ({"interval": "5s"}, None),
        ({"interval": "5s", "count": 3}, 3),
        ({"interval": "5s", "count": 0}, None),
        ({"count": "{{args.n}}"}, "{{args.n}}"),
    ],
)
def test_the_count_of_a_metric(fields: dict[str, Any], count: Any) -> None:
    assert Metric.model_validate({**METRIC, **fields}).effective_count == count


def test_a_provider_names_its_keys() -> None:
    metric = Metric.model_validate(
        {**METRIC, "provider": {"newRelic": {"query": "x"}, "cloudWatch": {"metricDataQueries": []}}}
    )
    assert metric.provider.kinds == ("newRelic", "cloudWatch")


@pytest.mark.parametrize(
    ("given_spec", "name", "expected"),
    [
        ({}, "effective_revision_history_limit", 10),
        ({"revisionHistoryLimit": 0}, "effective_revision_history_limit", 0),
        ({}, "effective_progress_deadline_seconds", 600),
        ({}, "effective_min_ready_seconds", 0),
    ],
)
def test_defaults_of_a_rollout(given_spec: dict[str, Any], name: str, expected: Any) -> None:
    assert getattr(parse("Rollout", with_spec(**given_spec)).model.spec, name) == expected


@pytest.mark.parametrize(
    ("canary", "name", "expected"),
    [
        ({}, "effective_max_surge", "25%"),
        ({"maxSurge": 0}, "effective_max_surge", 0),
        ({}, "effective_max_unavailable", "25%"),
        ({}, "effective_max_traffic_weight", 100),
        ({"trafficRouting": {"maxTrafficWeight": 1000}}, "effective_max_traffic_weight", 1000),
    ],
)
def test_defaults_of_a_canary(canary: dict[str, Any], name: str, expected: Any) -> None:
    assert getattr(parse("Rollout", rollout(canary=canary)).model.spec.canary, name) == expected


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (RolloutSpec, "replicas", defaults.REPLICAS),
        (RolloutSpec, "revision_history_limit", defaults.REVISION_HISTORY_LIMIT),
        (RolloutSpec, "progress_deadline_seconds", defaults.PROGRESS_DEADLINE_SECONDS),
        (AnalysisHistory, "successful_run_history_limit", defaults.RUN_HISTORY_LIMIT),
        (AnalysisHistory, "unsuccessful_run_history_limit", defaults.RUN_HISTORY_LIMIT),
        (CanaryStrategy, "max_surge", defaults.MAX_SURGE),
        (CanaryStrategy, "max_unavailable", defaults.MAX_UNAVAILABLE),
        (CanaryStrategy, "scale_down_delay_seconds", defaults.SCALE_DOWN_DELAY_SECONDS),
        (CanaryStrategy, "abort_scale_down_delay_seconds", defaults.ABORT_SCALE_DOWN_DELAY_SECONDS),
        (TrafficRouting, "max_traffic_weight", defaults.MAX_TRAFFIC_WEIGHT),
        (BlueGreenStrategy, "scale_down_delay_seconds", defaults.SCALE_DOWN_DELAY_SECONDS),
        (BlueGreenStrategy, "abort_scale_down_delay_seconds", defaults.ABORT_SCALE_DOWN_DELAY_SECONDS),
        (ExperimentSpec, "progress_deadline_seconds", defaults.PROGRESS_DEADLINE_SECONDS),
        (ExperimentSpec, "scale_down_delay_seconds", defaults.EXPERIMENT_SCALE_DOWN_DELAY_SECONDS),
        (RolloutExperimentStep, "scale_down_delay_seconds", defaults.EXPERIMENT_SCALE_DOWN_DELAY_SECONDS),
    ],
)
def test_what_users_are_told_is_the_default(model: type[Model], field: str, value: Any) -> None:
    told = re.search(rf'\n    {field}: [^"]*"""(.*?)"""', inspect.getsource(model), re.DOTALL)
    assert told is not None
    assert told[1].endswith(f"Default {value}.")
