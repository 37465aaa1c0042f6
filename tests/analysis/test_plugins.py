"""Providers of others: found by entry point, loaded once, and their faults kept to the metrics that ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint

import pytest

from analysis.providers import Answer, Context
from analysis.providers.base import Refused
from analysis.providers.plugins import GROUP, PluginProvider, installed
from analysis.spec import Measurement, Metric
from tests.analysis.asking import NOW, error, taken, value
from tests.analysis.runs import metric


class Simple:
    """Answers at once with what its configuration says."""

    made = 0
    closed = 0

    def __init__(self) -> None:
        type(self).made += 1

    async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
        config = (metric.provider.plugin or {})["acme"]
        if config.get("refuse"):
            raise Refused(config["refuse"])
        return Answer(result=config["answer"], value=str(config["answer"]))

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        return {"asked": str((metric.provider.plugin or {})["acme"].get("answer"))}

    async def close(self) -> None:
        type(self).closed += 1


class Slow(Simple):
    """Runs until it is asked again; clears up."""

    kept: list[int] = []  # noqa: RUF012

    async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
        return Measurement(phase="Running", started_at=context.now, metadata={"ticket": "7"})

    async def resume(self, metric: Metric, measurement: Measurement, *, context: Context) -> Answer | Measurement:
        return Answer(result=1, value=f"ticket {(measurement.metadata or {})['ticket']}")

    async def terminate(self, metric: Metric, measurement: Measurement, *, context: Context) -> Measurement:
        return measurement.model_copy(update={"message": "called off"})

    async def collect(self, metric: Metric, *, keep: int, context: Context) -> None:
        self.kept.append(keep)

    async def sweep(self, metric: Metric, *, context: Context) -> None:
        self.kept.append(0)


class Half:
    """Not a provider."""

    def run(self, metric: Metric, *, context: Context) -> None:
        """Not asynchronous."""


def broken() -> None:
    raise RuntimeError("no licence")


def plugins(**names: str) -> PluginProvider:
    points = {name: EntryPoint(name=name, value=f"{__name__}:{what}", group=GROUP) for name, what in names.items()}
    return PluginProvider(find=lambda: points)


async def test_a_plugin_answers() -> None:
    provider = plugins(acme="Simple")
    before = Simple.made
    for _ in range(2):
        config = {"plugin": {"acme": {"answer": 5}}}
        assert await value(provider, config, "result == 5") == "5"
    assert (await taken(provider, config)).metadata == {"asked": "5"}
    assert Simple.made == before + 1
    closed = Simple.closed
    await provider.close()
    assert Simple.closed == closed + 1


async def test_a_plugin_that_takes_long() -> None:
    provider = plugins(acme="Slow")
    config = {"plugin": {"acme": {}}}
    begun = (await taken(provider, config)).measurement
    assert begun.phase == "Running"
    assert await value(provider, config, "result == 1", going_on=begun) == "ticket 7"
    ended = (await taken(provider, config, going_on=begun, terminate=True)).measurement
    assert (ended.phase, ended.message, ended.finished_at) == ("Inconclusive", "called off", NOW)


@pytest.mark.parametrize(("plugin", "told"), [("Slow", [7, 0]), ("Simple", [])])
async def test_a_plugin_is_told_what_to_clear_away_if_it_wants_to_know(plugin: str, told: list[int]) -> None:
    Slow.kept.clear()
    provider = plugins(acme=plugin)
    wanted, context = metric(provider={"plugin": {"acme": {}}}), Context(now=NOW)
    await provider.collect(wanted, keep=7, context=context)
    await provider.sweep(wanted, context=context)
    assert Slow.kept == told


@pytest.mark.parametrize(
    ("config", "fragment"),
    [
        ({"acme": {"refuse": "not today"}}, "not today"),
        ({"other": {}}, 'metric plugin "other" is not installed: no such entry point'),
        ({"acme": {}, "half": {}}, "name exactly one plugin, not 2 (acme, half)"),
        ({"half": {}}, 'metric plugin "half" is not a provider: it needs async run, metadata and async close (missing'),
        ({"broken": {}}, 'metric plugin "broken" cannot be loaded: RuntimeError: no licence'),
        ({"gone": {}}, 'metric plugin "gone" cannot be loaded: AttributeError'),
        ({"acme": {}}, "the provider failed unexpectedly: KeyError: 'answer'"),
    ],
)
async def test_faults(config: dict[str, dict[str, str]], fragment: str) -> None:
    provider = plugins(acme="Simple", half="Half", broken="broken", gone="nothing_here")
    assert fragment in await error(provider, {"plugin": config})


async def test_one_that_cannot_go_on() -> None:
    running = Measurement(phase="Running", started_at=NOW)
    said = await error(plugins(acme="Simple"), {"plugin": {"acme": {"answer": 1}}}, going_on=running)
    assert said == 'metric plugin "acme" cannot go on with a running measurement'


def test_what_is_installed_here() -> None:
    assert all(point.group == GROUP for point in installed().values())
