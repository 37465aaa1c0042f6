"""Faults of metrics found before they are measured: every provider's configuration, conditions, placeholders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.lint import metric_doubts, metric_faults, providers
from analysis.spec import Metric
from analysis.spec.providers import Provider

DOCS = Path(__file__).parents[2] / "docs" / "providers.md"
SIDE = {"scope": "s", "region": "r", "step": 60, "start": "2026-01-02T03:00:00Z", "end": "2026-01-02T03:04:00Z"}
GOOD: dict[str, Any] = {
    "prometheus": {"address": "http://p:9090", "query": "up"},
    "web": {"url": "https://x/y"},
    "job": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "i"}]}}}},
    "kayenta": {
        "address": "http://k",
        "application": "a",
        "canaryConfigName": "c",
        "metricsAccountName": "m",
        "configurationAccountName": "c",
        "storageAccountName": "s",
        "threshold": {"pass": 90, "marginal": 75},
        "scopes": [{"name": "default", "controlScope": SIDE, "experimentScope": SIDE}],
    },
    "datadog": {"query": "q"},
    "newRelic": {"query": "q"},
    "wavefront": {"address": "w.example.com", "query": "q"},
    "cloudWatch": {"metricDataQueries": [{"id": "a", "expression": "1"}]},
    "graphite": {"address": "http://g", "query": "target=a&from=-5min"},
    "influxdb": {"query": "q"},
    "skywalking": {"address": "http://s", "query": "q"},
    "plugin": {"acme/tickets": {}},
}


def faults(provider: dict[str, Any], **fields: Any) -> list[tuple[str, str]]:
    return list(metric_faults(Metric.model_validate({"name": "m", "provider": provider, **fields})))


def changed(kind: str, path: str, value: Any) -> dict[str, Any]:
    """A good configuration with the value at a dotted path replaced; None takes it away."""
    config: Any = json.loads(json.dumps(GOOD[kind]))
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = config
    for part in way:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return {kind: config}


def test_every_provider_has_checks() -> None:
    assert set(providers._CHECKS) == {str(field.alias) for field in Provider.model_fields.values()}


@pytest.mark.parametrize("kind", GOOD)
def test_good_configurations(kind: str) -> None:
    assert faults({kind: GOOD[kind]}) == []


SCOPE = {"name": "default", "controlScope": SIDE, "experimentScope": SIDE}
STAT = {"metric": {"namespace": "n", "metricName": "m"}, "period": 60, "stat": "Sum"}


@pytest.mark.parametrize(
    ("kind", "path", "value", "place", "fragment"),
    [
        ("prometheus", "query", "", "query", "is required"),
        ("prometheus", "address", "prometheus:9090", "address", '"prometheus:9090" is not a URL'),
        ("prometheus", "address", "http://p:99999", "address", "is not a URL"),
        ("prometheus", "timeout", -1, "timeout", "0 or more seconds"),
        ("prometheus", "headers", [{"key": "", "value": "v"}], "headers.0.key", "is required"),
        ("prometheus", "rangeQuery.start", "now(", "rangeQuery.start", "1:5"),
        ("prometheus", "rangeQuery.step", "0s", "rangeQuery.step", "longer than 0"),
        ("prometheus", "rangeQuery.end", "1 + 1", "rangeQuery.end", "expected a time"),
        ("prometheus", "authentication.oauth2.clientId", "c", "authentication.oauth2.tokenUrl", "is required"),
        ("web", "url", "", "url", "is required"),
        ("web", "url", "ftp://x", "url", "is not a URL"),
        ("web", "jsonPath", "{$.[}", "jsonPath", "cannot be used"),
        ("web", "body", "x", "method", "must be POST or PUT"),
        ("web", "authentication.basicAuth.password", "p", "authentication.basicAuth.username", "is required"),
        ("job", "spec.template.spec.containers", [], "spec.template.spec.containers", "is required"),
        ("job", "spec.template.spec.restartPolicy", "Always", "spec.template.spec.restartPolicy", "OnFailure"),
        ("job", "spec.template", None, "spec.template.spec.containers", "is required"),
        ("kayenta", "address", "kayenta", "address", "is not a URL"),
        ("kayenta", "storageAccountName", " ", "storageAccountName", "is required"),
        ("kayenta", "threshold.marginal", 95, "threshold", "marginal <= pass"),
        ("kayenta", "scopes", [], "scopes", "is required"),
        ("kayenta", "scopes", [SCOPE, SCOPE], "scopes.1.name", "more than once"),
        ("kayenta", "scopes.0.controlScope.step", 0, "scopes.0.controlScope.step", "more than 0 seconds"),
        ("kayenta", "scopes.0.controlScope.start", "soon", "scopes.0.controlScope.start", "is no time"),
        ("kayenta", "scopes.0.experimentScope.end", SIDE["start"], "scopes.0.experimentScope.end", "after start"),
        ("kayenta", "scopes.0.experimentScope.start", None, "scopes.0.experimentScope.start", "the other side has one"),
        ("datadog", "query", None, "query", "is required"),
        ("datadog", "queries.a", "q", "", "only one of query, queries"),
        ("datadog", "interval", "5", "interval", "invalid duration"),
        ("datadog", "requestTimeout", "-5s", "requestTimeout", "longer than 0"),
        ("datadog", "aggregator", "avg", "aggregator", "apiVersion v2 only"),
        ("newRelic", "query", " ", "query", "is required"),
        ("newRelic", "timeout", -5, "timeout", "0 or more seconds"),
        ("wavefront", "address", None, "address", "is required"),
        ("wavefront", "query", None, "query", "is required"),
        ("cloudWatch", "interval", "x", "interval", "invalid duration"),
        ("cloudWatch", "metricDataQueries", [], "metricDataQueries", "is required"),
        ("cloudWatch", "metricDataQueries.0.metricStat", STAT, "metricDataQueries.0", "either expression or"),
        ("cloudWatch", "metricDataQueries.0.period", "1m", "metricDataQueries.0.period", "whole number of seconds"),
        ("cloudWatch", "metricDataQueries.0.id", None, "metricDataQueries.0.id", "is required"),
        ("graphite", "address", None, "address", "is required"),
        ("graphite", "query", "target=a&target=b", "query", "target can be given once"),
        ("influxdb", "query", None, "query", "is required"),
        ("skywalking", "address", "oap:12800", "address", "is not a URL"),
        ("skywalking", "interval", "0", "interval", "longer than 0"),
        ("plugin", "acme/more", {}, "", "exactly one plugin"),
    ],
)  # fmt: skip
def test_faulty_configurations(kind: str, path: str, value: Any, place: str, fragment: str) -> None:
    found = faults(changed(kind, path, value))
    assert (f"provider.{kind}.{place}".rstrip("."), True) in [(field, fragment in text) for field, text in found], found


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_filled_in_later_is_left_alone(kind: str) -> None:
    def templated(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: templated(item) for key, item in value.items()}
        if isinstance(value, list):
            return [templated(item) for item in value]
        return "{{args.x}}" if isinstance(value, str) else value

    assert faults({kind: templated(GOOD[kind])}) == []


def test_a_comparison_brings_its_own_queries() -> None:
    sides = {"errors": "e", "total": "t"}
    assert faults({"prometheus": {"address": "http://p"}}, compare={"canary": sides, "stable": sides}) == []


def test_conditions() -> None:
    (found,) = faults({"influxdb": {"query": "q"}}, successCondition="result[0 > 1", failureCondition="{{args.x}}")
    assert found[0] == "successCondition"
    assert "^" in found[1]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"limit": "0.9"}, "unknown name reslt"),
        ({"limit": "0.9 and"}, "unexpected token name 'reslt'"),
        ({}, None),  # who uses the template gives it
    ],
)
def test_conditions_with_arguments_are_read_with_their_defaults(values: dict[str, str], said: str | None) -> None:
    provider = {"influxdb": {"query": "q"}}
    condition = "result[0] > {{args.limit}} && reslt" if said != "unexpected token name 'reslt'" else ""
    condition = condition or "result[0] > {{args.limit}} reslt + reslt reslt"
    metric = Metric.model_validate({"name": "m", "provider": provider, "successCondition": condition})
    found = dict(metric_faults(metric, args=["limit"], values=values))
    assert (said or "") in found.get("successCondition", "")
    assert ("successCondition" in found) == (said is not None)


@pytest.mark.parametrize(
    ("condition", "values", "said"),
    [
        ("result[0] > {{args.limit}}", {}, None),
        ("'{{args.limit}}' == result[0]", {}, None),
        ("reslt > {{args.limit}}", {}, "args.limit has no default; with 1 in its place: unknown name reslt"),
        ("{{ args.a }} {{args.b}} result", {}, "args.a, args.b have no default"),
        ("{{ args.a }} {{args.b}} result", {"a": "1"}, "args.b has no default"),
        ("reslt > {{args.limit}}", {"limit": "2"}, None),  # a fault, not a doubt
        ("reslt > {{limit}}", {}, None),
        ("reslt", {}, None),
    ],
)
def test_what_waits_for_an_argument_is_a_doubt(condition: str, values: dict[str, str], said: str | None) -> None:
    provider = {"influxdb": {"query": "q"}}
    metric = Metric.model_validate({"name": "m", "provider": provider, "failureCondition": condition})
    found = dict(metric_doubts(metric, values=values))
    assert (said or "") in found.get("failureCondition", "")
    assert ("failureCondition" in found) == (said is not None)


def test_placeholders() -> None:
    provider = {
        "job": {"spec": {"template": {"spec": {"containers": [{"image": "{{args.a}}", "name": "{{args.b}}"}]}}}}
    }
    metric = Metric.model_validate({"name": "m", "provider": provider, "count": "{{args.a}}", "interval": "{{x}}"})
    found = dict(metric_faults(metric, args=["a"]))
    assert found["provider.job.spec.template.spec.containers.0.name"].endswith("no such argument (args: a)")
    assert found["interval"] == "{{x}} cannot be filled in: only {{args.…}} can"
    assert "count" not in found
    assert not [text for _, text in metric_faults(metric) if "filled in" in text]


def test_the_examples_of_the_docs_are_good() -> None:
    blocks = DOCS.read_text().split("```yaml\n")[1:]
    documents = [item for block in blocks for item in yaml.safe_load_all(block.partition("```")[0])]
    templates = [item for item in documents if item and item.get("kind") == "AnalysisTemplate"]
    assert len(templates) > 10
    for template in templates:
        args = [arg["name"] for arg in template["spec"].get("args") or ()]
        for metric in template["spec"]["metrics"]:
            assert list(metric_faults(Metric.model_validate(metric), args=args)) == []
