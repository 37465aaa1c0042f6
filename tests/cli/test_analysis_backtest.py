"""`analysis backtest`: a real past of Prometheus replayed, and what runs begun then would have come to."""

from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from analysis.spec import Measurement, RunSpec
from rollouts.cli.backtest.outcomes import counted, outcomes
from rollouts.cli.backtest.plot import buckets, chart, level
from rollouts.cli.backtest.replay import Track, first_number, moments
from rollouts.cli.terminal import plain

START = datetime(2026, 1, 2, tzinfo=UTC)
PHASES = {"S": "Successful", "F": "Failed", "E": "Error", "I": "Inconclusive"}
RECOVERED = "analysis backtest --catalog success-rate-istio -a namespace=shop -a service=app-recovered"


def track(letters: str, *, name: str = "m", interval: float = 60.0) -> Track:
    """A track of these phases; the values count up."""
    taken = tuple(
        Measurement(phase=PHASES[letter], started_at=START + timedelta(seconds=interval * at), value=f"[{at}]")  # type: ignore[arg-type]
        for at, letter in enumerate(letters)
    )
    return Track(metric=name, interval=interval, measurements=taken)


def spec(*names: str, **fields: Any) -> RunSpec:
    provider = {"prometheus": {"query": "up"}}
    metrics = [{"name": name, "interval": "1m", "provider": provider, **fields} for name in names or ("m",)]
    return RunSpec.model_validate({"metrics": metrics})


def came_to(run: RunSpec, *tracks: Track) -> str:
    """First letters of the outcomes, in order."""
    end = max(item.started_at for one in tracks for item in one.measurements if item.started_at)
    return "".join(outcome.phase[0] for outcome in outcomes(run, tracks, end=end))


@pytest.mark.parametrize(
    ("fields", "letters", "expected"),
    [
        ({"count": 1}, "SFI", "SFI"),
        ({"count": 2}, "SSFS", "SFF"),
        ({"count": 3, "failureLimit": 1}, "SFSFS", "SFS"),
        ({"count": 3, "failureLimit": 1}, "SSFFS", "SFF"),
        ({"count": 2, "initialDelay": "2m"}, "FFSSF", "SFF"),
        ({"count": 2, "inconclusiveLimit": 1}, "IISS", "ISS"),
        # without an end it goes on until it fails, or the range is over
        ({}, "SSS", "SSS"),
        ({}, "SSFS", "FFFS"),
    ],
)
def test_outcomes(fields: dict[str, Any], letters: str, expected: str) -> None:
    assert came_to(spec(**fields), track(letters)) == expected


def test_a_run_is_as_bad_as_its_worst_metric() -> None:
    assert came_to(spec("a", "b", count=1), track("SSF", name="a"), track("SIS", name="b")) == "SIF"


def test_a_run_that_would_not_have_ended_is_left_out() -> None:
    assert came_to(spec(count=5), track("SSS")) == ""


def test_errors_are_tried_again_and_end_a_run_when_they_go_on() -> None:
    found = outcomes(spec(count=1), [track("EEE")], end=START + timedelta(minutes=2))
    # five errors in a row, 10 s apart
    assert (found[0].phase, found[0].ended - found[0].begun) == ("Error", timedelta(seconds=40))
    assert "consecutiveErrors (5) > consecutiveErrorLimit (4)" in found[0].message


def test_counted_best_first() -> None:
    found = outcomes(spec(count=1), [track("FSSI")], end=START + timedelta(minutes=3))
    assert list(counted(found).items()) == [("Successful", 2), ("Inconclusive", 1), ("Failed", 1)]


@pytest.mark.parametrize(
    ("text", "number"),
    [("[0.97,1]", 0.97), ("12", 12.0), ("[-1.5e-3]", -0.0015), ("[]", None), ("[NaN]", None), ("[+Inf]", None),
     (None, None), ("text", None)],
)  # fmt: skip
def test_numbers_of_values(text: str | None, number: float | None) -> None:
    assert first_number(text) == number


def test_moments() -> None:
    assert [(at - START).total_seconds() for at in moments(START, START + timedelta(seconds=150), 60)] == [0, 60, 120]


@pytest.mark.parametrize(("total", "width"), [(1, 10), (10, 10), (61, 10), (9, 10), (1000, 72)])
def test_columns_hold_each_measurement_once(total: int, width: int) -> None:
    columns = buckets(total, width)
    assert [at for column in columns for at in column] == list(range(total))
    assert len(columns) == min(total, width)
    assert all(columns)


@pytest.mark.parametrize(("value", "row"), [(0.0, 0), (10.0, 7), (5.0, 4), (1.4, 1)])
def test_levels(value: float, row: int) -> None:
    assert level(value, low=0.0, high=10.0, height=8) == row


def test_the_chart() -> None:
    assert plain(chart(track("SSFI"), height=3)).splitlines()[:-1] == [
        "m, every 1m: 4 measurements  ✔ 2  ? 1  ✖ 1",
        "  3 ┤   •",
        "    │ ••",
        "  0 ┤•",
        "     ✔✔✖?",
    ]


def test_a_chart_of_what_never_changes_is_one_row() -> None:
    taken = tuple(item.model_copy(update={"value": "[0]"}) for item in track("SSS").measurements)
    assert plain(chart(Track(metric="m", interval=60.0, measurements=taken))).splitlines()[:-1] == [
        "m, every 1m: 3 measurements  ✔ 3",
        "  0 ┤•••",
        "     ✔✔✔",
    ]


def test_a_chart_of_nothing() -> None:
    empty = Track(metric="m", interval=60.0, measurements=(Measurement(phase="Inconclusive", value="[]"),))
    assert "no values at all" in plain(chart(empty))


def test_the_past_of_a_version_that_recovered(run: Any, past: str) -> None:
    """An hour: every tenth request failed for 45 minutes, none since."""
    result = run(f"{RECOVERED} --prometheus {past} --since 55m -o json")
    found = json.loads(result.stdout)
    (metric,) = found["metrics"]
    times = [datetime.fromisoformat(item["startedAt"]) for item in metric["measurements"]]
    assert len(times) == 56
    assert {(after - before).total_seconds() for before, after in itertools.pairwise(times)} == {60.0}
    values = [float(item["value"].strip("[]")) for item in metric["measurements"]]
    assert all(math.isclose(value, 0.9, abs_tol=1e-6) for value in values[:38])
    assert values[-8:] == [1.0] * 8
    assert [item["phase"] for item in metric["measurements"][-8:]] == ["Successful"] * 8
    phases = [outcome["phase"] for outcome in found["runs"]]
    assert (phases[0], phases[-1], len(phases)) == ("Failed", "Successful", 50)


def test_on_a_terminal_and_as_a_page(run: Any, past: str) -> None:
    shown = run(f"{RECOVERED} --prometheus {past} --since 30m --until 2m --every 2m").stdout
    assert "success-rate, every 2m: 15 measurements" in shown
    assert "A run begun at" in shown
    page = run(f"{RECOVERED} --prometheus {past} --since 30m -o html").stdout
    root = ElementTree.fromstring(page.removeprefix("<!doctype html>\n").replace('<meta charset="utf-8">', ""))
    assert len(list(root.iter("circle"))) == 31
    assert "script" not in {element.tag for element in root.iter()}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--since 1m --until 2m", "is not before --until"),
        ("--every 0s", "--every must be longer than 0"),
        ("--since soon", "--since: "),
        ("--since 2026-13-01T00:00:00Z", "--since: "),
        ("--since 1000h", "questions to Prometheus\nAsk about less time"),
        (
            "--since 1h --prometheus http://127.0.0.1:1",
            "no question was answered: Prometheus at http://127.0.0.1:1 is unr",
        ),
    ],
)
def test_what_cannot_be_replayed(run: Any, line: str, message: str) -> None:
    result = run(f"{RECOVERED} {line}")
    assert result.exit_code in (1, 2)
    assert message in result.stderr


def test_only_prometheus_knows_the_past(run: Any, tmp_path: Any) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        "kind: AnalysisTemplate\nmetadata: {name: t}\n"
        "spec: {metrics: [{name: m, provider: {web: {url: 'http://x', jsonPath: '{$.a}'}}}]}\n"
    )
    result = run(f"analysis backtest -f {path}")
    assert (result.exit_code, 'metric "m" asks web: only Prometheus' in result.stderr) == (1, True)


def side(service: str) -> dict[str, str]:
    counts = (
        f'sum(increase(istio_requests_total{{reporter="destination",destination_service_name="{service}"%s}}[$window]))'
    )
    return {"errors": counts % ',response_code=~"5.."', "total": counts % ""}


def gauge(service: str) -> str:
    return f'sum(rate(istio_requests_total{{destination_service_name="{service}",response_code=~"5.."}}[2m]))'


def histogram(service: str) -> dict[str, str]:
    labels = f'reporter="destination",destination_service_name="{service}"'
    return {"buckets": f"sum by (le) (increase(istio_request_duration_milliseconds_bucket{{{labels}}}[$window]))"}


def ranked(service: str) -> dict[str, Any]:
    return {"judge": "MannWhitney", "canary": {"query": gauge(service)}, "stable": {"query": gauge("app-good")}}


def scored(service: str) -> dict[str, Any]:
    metric = {"name": "rate", "canary": gauge(service), "stable": gauge("app-good"), "direction": "Increase"}
    return {"judge": "Kayenta", "metrics": [metric]}


RANGE = {"rangeQuery": {"start": 'now() - duration("15m")', "end": "now()", "step": "1m"}}


def comparison(tmp_path: Path, compare: dict[str, Any], *, range_query: bool = False, **fields: Any) -> Path:
    provider = {"prometheus": {"address": "http://elsewhere", **(RANGE if range_query else {})}}
    metric = {"name": "m", "interval": "1m", "count": 20, "provider": provider, "compare": compare, **fields}
    path = tmp_path / "template.yaml"
    item = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "t"}}
    path.write_text(yaml.safe_dump({**item, "spec": {"metrics": [metric]}}))
    return path


def replayed(run: Any, path: Path, past: str, *, since: str = "50m") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        run(f"analysis backtest -f {path} --prometheus {past} --since {since} -o json").stdout
    )
    return found


@pytest.mark.parametrize(
    ("compare", "verdict"),
    [
        ({"canary": side("app-bad"), "stable": side("app-good")}, "worse"),
        ({"canary": side("app-good"), "stable": side("app-good")}, "no worse"),
        ({"canary": side("app-idle"), "stable": side("app-good")}, "too little data"),
        ({"canary": side("app-good"), "stable": side("app-good"), "weight": 5}, "weight not applied"),
        ({"judge": "Latency", "canary": histogram("app-bad"), "stable": histogram("app-good")}, "worse"),
        ({"judge": "Latency", "canary": histogram("app-good"), "stable": histogram("app-good")}, "no worse"),
        (ranked("app-bad"), "worse"),
        (scored("app-bad"), "worse"),
        (scored("app-good"), "no worse"),
    ],
)  # fmt: skip
def test_comparisons_of_the_past(run: Any, past: str, tmp_path: Path, compare: dict[str, Any], verdict: str) -> None:
    path = comparison(tmp_path, compare, range_query=compare.get("judge") == "Kayenta")
    found = replayed(run, path, past)
    (metric,) = found["metrics"]
    phases = {"worse": "Failed", "no worse": "Successful"}
    ended = {outcome["phase"] for outcome in found["runs"]}
    assert ended == {phases.get(verdict, "Inconclusive")}
    last = {item["metadata"]["verdict"] for item in metric["measurements"] if item["startedAt"] in ends(found)}
    assert last == {verdict}


def ends(found: dict[str, Any]) -> set[str]:
    """When the runs ended, as measurements write times."""
    return {datetime.fromisoformat(outcome["ended"]).strftime("%Y-%m-%dT%H:%M:%SZ") for outcome in found["runs"]}


def test_comparisons_are_replayed_one_run_after_the_other(run: Any, past: str, tmp_path: Path) -> None:
    """Ten per cent failed for 45 minutes and none since; what a run has learnt is not carried over into the next."""
    compare = {"canary": side("app-recovered"), "stable": side("app-good")}
    found = replayed(run, comparison(tmp_path, compare, count=6), past)
    phases = [outcome["phase"] for outcome in found["runs"]]
    assert (phases[0], phases[-1]) == ("Failed", "Successful")
    assert phases == sorted(phases)  # never failed again once it had recovered
    times = [datetime.fromisoformat(item["startedAt"]) for item in found["metrics"][0]["measurements"]]
    assert {(after - before).total_seconds() for before, after in itertools.pairwise(times)} == {60.0}
    begun = [datetime.fromisoformat(outcome["begun"]) for outcome in found["runs"]]
    assert {(after - before).total_seconds() for before, after in itertools.pairwise(begun[-2:])} == {360.0}
    shown = [item["metadata"]["canary"] for item in found["metrics"][0]["measurements"]]
    assert shown[-1].endswith("(0 %)")


def test_the_verdicts_of_a_comparison_are_shown(run: Any, past: str, tmp_path: Path) -> None:
    path = comparison(tmp_path, {"canary": side("app-bad"), "stable": side("app-good")})
    line = f"analysis backtest -f {path} --prometheus {past} --since 30m"
    shown = run(line).stdout
    assert "no worse" in shown
    assert ", worse " in shown
    assert "begun one after the other:  ✖ Failed" in shown
    page = run(f"{line} -o html").stdout
    root = ElementTree.fromstring(page.removeprefix("<!doctype html>\n").replace('<meta charset="utf-8">', ""))
    titles = [element.text or "" for element in root.iter("title")]
    assert any("verdict: worse\n" in title and "evidence: " in title for title in titles)


def test_comparisons_without_an_end_of_their_own(run: Any, past: str, tmp_path: Path) -> None:
    path = comparison(tmp_path, {"canary": side("app-good"), "stable": side("app-good")}, count=None)
    found = replayed(run, path, past, since="20m")
    assert [outcome["phase"] for outcome in found["runs"]] == ["Successful"]
    assert len(found["metrics"][0]["measurements"]) == 21


def test_a_comparison_with_a_wrong_query(run: Any, tmp_path: Path, past: str) -> None:
    sides = {"errors": "sum(", "total": "up"}
    path = comparison(tmp_path, {"canary": sides, "stable": sides})
    result = run(f"analysis backtest -f {path} --prometheus {past} --since 10m")
    assert (result.exit_code, "no question was answered" in result.stderr) == (1, True)
