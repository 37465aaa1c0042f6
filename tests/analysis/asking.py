"""Measurements by a provider, as a controller takes them: Secrets are read, errors caught, secrets taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analysis.assess import Task
from analysis.measure import measure
from analysis.providers import Context, Provider
from analysis.providers.base import Missing
from analysis.record import Measured
from analysis.spec import Measurement, Metric, RunStatus
from tests.analysis.runs import metric, spec

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOME = "argo-rollouts"
"""The controller's namespace; the run's is `ns`."""


@dataclass
class Secrets:
    """Secrets by `namespace/name`; `asked` lists what was read."""

    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def read(self, name: str, namespaced: bool) -> Mapping[str, str]:
        place = f"{'ns' if namespaced else HOME}/{name}"
        self.asked.append(place)
        if place not in self.values:
            raise Missing(f"secret {name} does not exist in namespace {place.partition('/')[0]}")
        return self.values[place]


def home(name: str, **values: str) -> Secrets:
    """One Secret in the controller's namespace; `_` in keys stands for `-`."""
    return Secrets({f"{HOME}/{name}": {key.replace("_", "-"): value for key, value in values.items()}})


async def taken(
    provider: Provider,
    config: Mapping[str, Any],
    *,
    secrets: Secrets | None = None,
    going_on: Measurement | None = None,
    terminate: bool = False,
    now: datetime = NOW,
    status: RunStatus | None = None,
    **fields: Any,
) -> Measured:
    """What comes of one measurement. `config` is what stands under `provider`; `fields` are the metric's."""
    wanted: Metric = metric(provider=dict(config), **fields)
    context = Context(
        now=now, run_name="run", run_namespace="ns", run_uid="uid", read_account=(secrets or Secrets()).read
    )
    (name,) = config
    (found,) = await measure(
        [Task(metric=wanted, measurement=going_on, terminate=terminate)],
        spec=spec(wanted),
        status=status or RunStatus(),
        providers={name: provider},
        run=context,
        clock=lambda: now,
    )
    return found


async def value(provider: Provider, config: Mapping[str, Any], condition: str = "", **more: Any) -> str:
    """The value of a measurement that must be Successful by a condition."""
    found = (await taken(provider, config, successCondition=condition or "true", **more)).measurement
    assert found.phase == "Successful", found
    return found.value or ""


async def error(provider: Provider, config: Mapping[str, Any], **more: Any) -> str:
    """The message of a measurement that must be an Error."""
    found = (await taken(provider, config, **more)).measurement
    assert found.phase == "Error", found
    return found.message or ""
