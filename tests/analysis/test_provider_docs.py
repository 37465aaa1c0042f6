"""docs/providers.md: every example is a good template, every provider has one, and the plugin's code is a provider."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from analysis.providers import default_providers
from analysis.providers.base import seconds_allowed
from analysis.providers.plugins import GROUP, PluginProvider
from analysis.rules import check_run, check_texts
from analysis.spec import Metric, RunSpec
from rollouts.api import check
from tests.analysis.asking import home, value

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
DOCUMENTS: list[dict[str, Any]] = [
    document for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) for document in yaml.safe_load_all(block)
]
TEMPLATES = [document for document in DOCUMENTS if document["kind"] == "AnalysisTemplate"]
SECRETS = {
    document["metadata"]["name"]: document["stringData"] for document in DOCUMENTS if document["kind"] == "Secret"
}


def metrics() -> list[Metric]:
    return [Metric.model_validate(metric) for template in TEMPLATES for metric in template["spec"]["metrics"]]


def kind(template: dict[str, Any]) -> str:
    return str(next(iter(template["spec"]["metrics"][0]["provider"])))


def test_every_provider_has_an_example() -> None:
    assert {kind(template) for template in TEMPLATES} == {*default_providers(), "job"}


@pytest.mark.parametrize("template", TEMPLATES, ids=kind)
def test_examples_are_good(template: dict[str, Any]) -> None:
    """By the API's rules, and with its arguments filled in by the rules of a run."""
    assert check("AnalysisTemplate", template).errors == ()
    args = [{**arg, **({} if "valueFrom" in arg else {"value": "x"})} for arg in template["spec"].get("args", [])]
    spec = RunSpec.model_validate({"metrics": template["spec"]["metrics"], "args": args})
    check_run(spec)
    check_texts(spec)


@pytest.mark.parametrize("name", ["datadog", "newrelic", "wavefront-api-tokens", "influxdb"])
def test_secrets_are_shown(name: str) -> None:
    assert SECRETS[name]


def test_timeouts_are_as_told() -> None:
    """The table's defaults are the code's."""
    told: dict[str, float] = {}
    for names, seconds in re.findall(r"^\| ([a-zA-Z, ]+) \| (\d+) s", PAGE, re.MULTILINE):
        told |= dict.fromkeys((name.strip() for name in names.split(",")), float(seconds))
    plain = {name: Metric.model_validate({"name": "m", "provider": provider}) for name, provider in BARE.items()}
    assert {name: seconds_allowed(metric) for name, metric in plain.items()} == {name: told[name] for name in plain}


BARE: dict[str, Any] = {
    "prometheus": {"prometheus": {}},
    "web": {"web": {"url": "http://a"}},
    "datadog": {"datadog": {"query": "q"}},
    "newRelic": {"newRelic": {"query": "q"}},
    "wavefront": {"wavefront": {}},
    "cloudWatch": {"cloudWatch": {"metricDataQueries": []}},
    "graphite": {"graphite": {}},
    "influxdb": {"influxdb": {}},
    "skywalking": {"skywalking": {}},
    "plugin": {"plugin": {"a": {}}},
}


async def test_the_plugin_is_a_provider() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "acme_tickets"}
    exec(compile(code, "docs/providers.md", "exec"), names)

    async def count(address: str, token: str, queue: str) -> int:
        assert (address, token, queue) == ("http://tickets", "a-token", "checkout")
        return 3

    names["count"] = count
    (metric,) = [metric for metric in metrics() if metric.provider.plugin]
    (name,) = metric.provider.plugin or {}
    assert f'"{name}" = "acme_tickets:Tickets"' in PAGE
    point = EntryPoint(name=name, value="acme_tickets:Tickets", group=GROUP)
    provider = PluginProvider(find=lambda: cast("Mapping[str, EntryPoint]", {name: _Loaded(point, names["Tickets"])}))
    secrets = home("tickets", address="http://tickets", token="a-token")
    assert await value(provider, {"plugin": metric.provider.plugin}, "result < 5", secrets=secrets) == "3"
    await provider.close()


class _Loaded:
    """An entry point whose module is a page."""

    def __init__(self, point: EntryPoint, found: Any) -> None:
        self.name, self._found = point.name, found

    def load(self) -> Any:
        return self._found
