"""Every template of the catalog against a real Prometheus: good, bad, idle and unheard-of versions."""

from __future__ import annotations

import re

import pytest

from analysis import catalog
from analysis.catalog import generate
from analysis.catalog.sources import SOURCES
from analysis.measure import judge
from analysis.spec import Argument, RunSpec, RunStatus
from rollouts.cli.linting import lint
from rollouts.cli.manifests import read_all
from tests.analysis.catalog.series import HASHES, NAMESPACE, VERSIONS, WRITERS

AT_ONCE = {"count": "1", "interval": "1s", "initial-delay": "0s"}
VERDICTS = {"good": "Successful", "bad": "Failed", "idle": "Inconclusive", "nobody": "Inconclusive"}


def given(entry: catalog.Entry, version: str) -> dict[str, str]:
    """Arguments as a Rollout `app` would give them for that version."""
    values = {
        "namespace": NAMESPACE,
        "rollout": "app",
        "route": "app",
        "service": f"app-{version}",
        "backend": str(VERSIONS.index(version)) if version in VERSIONS else "9",
        "canary-hash": HASHES.get(version, "0000000000"),
    }
    names = {arg.name for arg in entry.spec.args or ()}
    return {name: value for name, value in values.items() if name in names}


def run_of(entry: catalog.Entry, past: str, **values: str) -> RunSpec:
    args = {arg.name: arg.value for arg in entry.spec.args or ()}
    merged = {**args, **AT_ONCE, "prometheus": past, **{key.replace("_", "-"): v for key, v in values.items()}}
    return RunSpec(
        metrics=list(entry.spec.metrics or ()), args=[Argument(name=key, value=value) for key, value in merged.items()]
    )


async def judged(entry: catalog.Entry, past: str, version: str, **values: str) -> RunStatus:
    return await judge(run_of(entry, past, **given(entry, version), **values))


@pytest.mark.parametrize("entry", catalog.entries(), ids=lambda entry: entry.name)
@pytest.mark.parametrize("version", VERDICTS)
async def test_verdicts(entry: catalog.Entry, version: str, past: str) -> None:
    status = await judged(entry, past, version)
    assert status.phase == VERDICTS[version], status
    for result in status.metric_results or ():
        if version in ("idle", "nobody"):
            assert result.phase == "Inconclusive", result
        # a slow application has a bad p50 as well; a few bad metrics make a bad run, but a good run has none
        assert version != "good" or result.phase == "Successful", result


@pytest.mark.parametrize("name", ["latency-istio", "error-budget-traefik", "saturation", "restarts"])
async def test_each_metric_of_a_template_judges_by_itself(name: str, past: str) -> None:
    status = await judged(catalog.find(name), past, "bad")
    assert {result.name: result.phase for result in status.metric_results or ()} == {
        metric.name: "Failed" for metric in catalog.find(name).spec.metrics or ()
    }


@pytest.mark.parametrize(
    ("name", "version", "value"),
    [
        ("success-rate-istio", "good", 0.9995),
        ("success-rate-istio", "bad", 0.8),
        ("success-rate-traefik", "bad", 0.8),
        # 0.05 % of errors against 99.9 % promised; 20 % of errors
        ("error-budget-linkerd", "good", 0.5),
        ("error-budget-linkerd", "bad", 200.0),
        # all requests of the good version end in the bucket from 50 to 200 ms
        ("latency-http-server-requests", "good", 125.0),
        ("latency-envoy-gateway", "good", 125.0),
        ("saturation", "bad", 0.98),
    ],
)
async def test_values(name: str, version: str, value: float, past: str) -> None:
    status = await judged(catalog.find(name), past, version)
    first = (status.metric_results or ())[0]
    (measurement,) = first.measurements or ()
    assert float(str(measurement.value).strip("[]")) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("source", [source.name for source in SOURCES])
async def test_too_few_requests_are_not_judged(source: str, past: str) -> None:
    status = await judged(catalog.find(f"success-rate-{source}"), past, "bad", min_requests="1000000")
    assert status.phase == "Inconclusive"


async def test_an_alarm_ends_with_the_short_window(past: str) -> None:
    """The burn rate is the smaller of both windows': a bad hour that is over does not fail a release."""
    entry = catalog.find("error-budget-istio")
    alone = {"slow_burn": "1000"}
    phases = [
        (await judged(entry, past, "recovered", **alone, fast_burn_short=short, fast_burn_long=long)).phase
        for short, long in (("5m", "1h"), ("1h", "5m"), ("1h", "1h"))
    ]
    assert phases == ["Successful", "Successful", "Failed"]


async def test_all_hashes_are_judged_together_without_one(past: str) -> None:
    entry = catalog.find("success-rate-http-server-requests")
    values = {**given(entry, "good"), "canary-hash": "[a-z0-9]+"}
    status = await judge(run_of(entry, past, **values))
    (measurement,) = (status.metric_results or ())[0].measurements or ()
    assert float(str(measurement.value).strip("[]")) == pytest.approx(0.89975, rel=1e-3)


@pytest.mark.parametrize("name", ["success-rate-ingress-nginx", "latency-ingress-nginx"])
async def test_labels_kept_by_honor_labels_are_found_as_well(name: str, past: str) -> None:
    assert (await judged(catalog.find(name), past, "honoured")).phase == "Successful"


def test_every_source_has_series_here() -> None:
    assert {source.name for source in SOURCES} == WRITERS.keys() - {"pods"}


def test_the_files_are_what_the_tables_say() -> None:
    written = {template.name: generate.written(template) for template in generate.templates()}
    assert {entry.name: entry.text for entry in catalog.entries()} == written, "run python -m analysis.catalog.generate"


def test_no_argument_is_without_use_or_without_declaration() -> None:
    for entry in catalog.entries():
        used = set(re.findall(r"\{\{args\.([a-z0-9-]+)\}\}", entry.text))
        assert used == {arg.name for arg in entry.spec.args or ()}, entry.name


def test_no_template_has_anything_for_lint_to_find() -> None:
    report = lint(read_all([str(generate.FOLDER)]))
    assert (report.findings, report.objects) == ((), len(catalog.entries()))


def test_what_must_be_given() -> None:
    assert catalog.find("success-rate-istio").required == ("service",)
    assert catalog.find("restarts").required == ()
    with pytest.raises(KeyError, match=r'no "nothing"; it has error-budget-envoy-gateway, '):
        catalog.find("nothing")
