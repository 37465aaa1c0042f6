"""What a run decides, as tables: by the letters of its measurements (S, F, E, I) and by the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analysis.assess import METRIC_TERMINATED, Measured, assess, record
from analysis.spec import RunStatus, Summary
from tests.analysis.runs import START, Driver, measurement, metric, spec

VERDICTS: list[tuple[dict[str, Any], str, str, int]] = [
    ({}, "S", "Successful", 1),
    ({}, "F", "Failed", 1),
    ({}, "I", "Inconclusive", 1),
    ({}, "EEEEE", "Error", 5),
    ({}, "EEEES", "Successful", 5),
    ({"consecutiveErrorLimit": 0}, "E", "Error", 1),
    ({"count": 3, "interval": "5s"}, "SSS", "Successful", 3),
    ({"count": 3, "interval": "5s"}, "SF", "Failed", 2),
    ({"count": "3", "interval": "5s", "failureLimit": "1"}, "FSS", "Successful", 3),
    ({"count": 3, "interval": "5s", "failureLimit": 1}, "FSF", "Failed", 3),
    ({"count": 3, "interval": "5s", "failureLimit": -1}, "FFF", "Successful", 3),
    ({"count": 3, "interval": "5s", "inconclusiveLimit": 1}, "IIS", "Inconclusive", 2),
    ({"count": 3, "interval": "5s", "inconclusiveLimit": 3}, "III", "Successful", 3),
    ({"count": 2, "interval": "5s", "consecutiveErrorLimit": 1}, "ESES", "Successful", 4),
    ({"count": 2, "interval": "5s", "consecutiveErrorLimit": 1}, "SEE", "Error", 3),
    ({"count": 5, "interval": "5s", "consecutiveSuccessLimit": 2}, "SS", "Successful", 2),
    ({"interval": "5s", "consecutiveSuccessLimit": 3, "failureLimit": -1}, "FSSFSSS", "Successful", 7),
    ({"interval": "5s", "consecutiveSuccessLimit": 2, "failureLimit": -1}, "SESS", "Successful", 4),
    ({"count": 4, "interval": "5s", "consecutiveSuccessLimit": 3, "failureLimit": -1}, "SFSF", "Failed", 4),
    ({"count": 5, "interval": "5s", "consecutiveSuccessLimit": 3, "failureLimit": 2}, "SFSFS", "Inconclusive", 5),
]


@pytest.mark.parametrize(("fields", "letters", "phase", "taken"), VERDICTS)
def test_verdict(fields: dict[str, Any], letters: str, phase: str, taken: int) -> None:
    driver = Driver(spec(metric(**fields)), m=letters)
    status = driver.run()
    assert (status.phase, len(driver.taken)) == (phase, taken)
    assert status.completed_at == driver.now


TIMES: list[tuple[dict[str, Any], str, list[float]]] = [
    ({"count": 3, "interval": "30s"}, "SSS", [0, 30, 60]),
    ({"count": 2, "interval": "30s", "initialDelay": "1m"}, "SS", [60, 90]),
    ({"count": 2, "interval": "5m"}, "ESS", [0, 10, 310]),
    ({"count": 2, "interval": "1s"}, "ESS", [0, 10, 11]),
    ({}, "EES", [0, 10, 20]),
]


@pytest.mark.parametrize(("fields", "letters", "seconds"), TIMES)
def test_when_measurements_are_taken(fields: dict[str, Any], letters: str, seconds: list[float]) -> None:
    driver = Driver(spec(metric(**fields)), m=letters)
    driver.run()
    assert [at for at, _ in driver.taken] == seconds


def test_the_first_look_starts_the_run() -> None:
    look = assess(spec=spec(metric(initialDelay="10s")), status=RunStatus(), now=START)
    assert (look.status.phase, look.status.started_at, look.due) == ("Running", START, ())
    assert look.next_look == START + timedelta(seconds=10)
    assert look.status.run_summary == Summary(count=1)


def test_a_finished_run_is_left_alone() -> None:
    status = RunStatus(phase="Failed", message="as it was")
    look = assess(spec=spec(metric()), status=status, now=START)
    assert look.status is status
    assert (look.due, look.next_look) == ((), None)


def test_messages_name_metric_limit_and_cause() -> None:
    driver = Driver(spec(metric(consecutiveErrorLimit=1)), m="EE")
    status = driver.run()
    reason = 'due to consecutiveErrors (2) > consecutiveErrorLimit (1): "Error Message: broken"'
    assert status.message == f'Metric "m" assessed Error {reason}'
    assert status.metric_results and status.metric_results[0].message == "broken"


def test_a_failure_reads_as_the_peer_writes_it() -> None:
    status = Driver(spec(metric("job", count=2, interval="2s")), job="F").run()
    assert status.to_api() == {
        "phase": "Failed",
        "message": 'Metric "job" assessed Failed due to failed (1) > failureLimit (0)',
        "startedAt": "2026-01-02T03:04:05Z",
        "completedAt": "2026-01-02T03:04:05Z",
        "runSummary": {"count": 1, "failed": 1},
        "dryRunSummary": {},
        "metricResults": [
            {
                "name": "job",
                "phase": "Failed",
                "count": 1,
                "failed": 1,
                "measurements": [
                    {
                        "phase": "Failed",
                        "startedAt": "2026-01-02T03:04:05Z",
                        "finishedAt": "2026-01-02T03:04:05Z",
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("a", "b", "phase"),
    [
        ("S", "F", "Failed"),
        ("I", "F", "Failed"),
        ("EEEEE", "S", "Error"),
        ("I", "S", "Inconclusive"),
        ("S", "S", "Successful"),
    ],
)
def test_the_worst_metric_decides(a: str, b: str, phase: str) -> None:
    assert Driver(spec(metric("a"), metric("b")), a=a, b=b).run().phase == phase


def test_one_bad_metric_ends_the_others() -> None:
    driver = Driver(spec(metric("bad"), metric("endless", interval="1s"), metric("late", initialDelay="1h")), bad="F")
    status = driver.run()
    assert status.phase == "Failed"
    assert [(result.name, result.phase) for result in status.metric_results or ()] == [
        ("bad", "Failed"),
        ("endless", "Successful"),
    ]
    assert status.run_summary == Summary(count=3, successful=1, failed=1)


def test_a_running_measurement_is_resumed_when_it_says() -> None:
    driver = Driver(spec(metric()), m="R")
    driver.turn()
    waiting = measurement("R", START).model_copy(update={"resume_at": START + timedelta(seconds=15)})
    driver.status = record(spec=driver.spec, status=driver.status, measured=[Measured(metric="m", measurement=waiting)])
    look = driver.look()
    assert (look.due, look.next_look, look.status.phase) == ((), waiting.resume_at, "Running")
    driver.now = START + timedelta(seconds=15)
    (task,) = driver.look().due
    assert (task.measurement, task.terminate) == (waiting, False)
    driver.status = record(
        spec=driver.spec,
        status=driver.status,
        measured=[Measured(metric="m", measurement=measurement("S", driver.now))],
    )
    status = driver.look().status
    assert status.phase == "Successful"
    assert status.metric_results and len(status.metric_results[0].measurements or ()) == 1


def test_terminate_ends_what_is_in_flight_and_keeps_the_verdict_so_far() -> None:
    driver = Driver(spec(metric("job"), metric("endless", interval="1s")), job="R", endless="S")
    driver.turn()
    driver.spec = driver.spec.model_copy(update={"terminate": True})
    look = driver.look()
    assert [(task.name, task.terminate) for task in look.due] == [("job", True)]
    ended = measurement("S", driver.now, METRIC_TERMINATED)
    driver.status = record(spec=driver.spec, status=look.status, measured=[Measured(metric="job", measurement=ended)])
    status = driver.look().status
    assert (status.phase, status.message) == ("Successful", "Run Terminated")


def test_terminate_before_anything_was_measured() -> None:
    look = assess(spec=spec(metric(), terminate=True), status=RunStatus(), now=START)
    assert (look.status.phase, look.status.message, look.due) == ("Successful", "Run Terminated", ())


@pytest.mark.parametrize("pattern", ["dry", "d.*", ".*ry"])
def test_dry_runs_never_decide(pattern: str) -> None:
    run = spec(metric("dry"), metric("real", count=2, interval="1s"), dryRun=[{"metricName": pattern}])
    status = Driver(run, dry="F", real="SS").run()
    assert (status.phase, status.message) == ("Successful", None)
    assert status.run_summary == Summary(count=1, successful=1)
    assert status.dry_run_summary == Summary(count=1, failed=1)
    dry = (status.metric_results or [])[0]
    assert (dry.dry_run, dry.phase) == (True, "Failed")
    assert dry.message == "Metric assessed Failed due to failed (1) > failureLimit (0)"


@pytest.mark.parametrize(
    ("pattern", "dry"),
    [
        # as the peer does: an expression is looked for in the name, it need not be all of it
        ("error", {"error", "error-rate"}),
        ("^error$", {"error"}),
        ("rate|p99", {"error-rate", "p99"}),
        ("[[:digit:]]", {"p99"}),
    ],
)
def test_which_metrics_an_entry_is_of(pattern: str, dry: set[str]) -> None:
    names = ("error", "error-rate", "p99")
    run = spec(*map(metric, names), dryRun=[{"metricName": pattern}])
    status = Driver(run, **dict.fromkeys(names, "S")).run()
    assert {result.name for result in status.metric_results or () if result.dry_run} == dry


@pytest.mark.parametrize("field", ["dryRun", "measurementRetention"])
def test_an_entry_of_no_metric_is_an_error(field: str) -> None:
    """A metric meant to be in dry run, but misspelt, would abort a release."""
    entries = [{"metricName": "m", "limit": 3}, {"metricName": "mm", "limit": 3}]
    if field == "dryRun":
        entries = [{"metricName": str(entry["metricName"])} for entry in entries]
    status = assess(spec=spec(metric(), **{field: entries}), status=RunStatus(), now=START).status
    assert status.phase == "Error"
    assert (status.message or "").startswith(f"Analysis spec invalid: {field}[1]: Rule didn't match any metric name(s)")


def test_the_last_entry_that_matches_says_how_many_are_kept() -> None:
    entries = [{"metricName": ".*", "limit": 3}, {"metricName": "m", "limit": 5}]
    run = spec(metric(count=15, interval="1s"), measurementRetention=entries)
    (result,) = Driver(run, m="S" * 15).run().metric_results or []
    assert len(result.measurements or ()) == 5


def test_a_dry_run_of_everything_is_successful() -> None:
    assert Driver(spec(metric(), dryRun=[{"metricName": ".*"}]), m="F").run().phase == "Successful"


@pytest.mark.parametrize(("retention", "kept"), [(None, 10), ([{"metricName": "m", "limit": 3}], 3)])
def test_retention(retention: Any, kept: int) -> None:
    run = spec(metric(count=15, interval="1s"), measurementRetention=retention)
    (result,) = Driver(run, m="S" * 15).run().metric_results or []
    assert (result.count, result.successful, len(result.measurements or ())) == (15, 15, kept)


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"count": 2}, "metrics[0]: interval must be specified when count > 1"),
    ({"count": 2, "interval": "1s", "failureLimit": 3}, "count must be >= failureLimit + consecutiveSuccessLimit"),
    ({"count": 2, "interval": "1s", "inconclusiveLimit": 3}, "count must be >= inconclusiveLimit"),
    ({"failureLimit": -2}, "failureLimit must be >= 0"),
    ({"consecutiveErrorLimit": -1}, "consecutiveErrorLimit must be >= 0"),
    ({"interval": "5"}, 'metrics[0].interval: invalid duration "5"'),
    ({"initialDelay": "soon"}, "metrics[0].initialDelay: invalid duration"),
    ({"count": "many"}, 'metrics[0].count: "many" is not a whole number'),
    ({"count": "{{args.none}}"}, "failed to resolve {{args.none}}"),
    ({"provider": {}}, "metrics[0].provider: no provider specified"),
    (
        {"provider": {"prometheus": {"query": "up"}, "web": {"url": "http://x"}}},
        "multiple providers specified: prometheus, web",
    ),
    ({"successCondition": "result >"}, "metrics[0].successCondition: unexpected end of expression (1:9)"),
    (
        {"provider": {"prometheus": {"query": "{{args.q}}"}}},
        "failed to resolve {{args.q}} in m.provider.prometheus.query",
    ),
]


@pytest.mark.parametrize(("fields", "fragment"), INVALID)
def test_an_invalid_spec_is_an_error_that_says_why(fields: dict[str, Any], fragment: str) -> None:
    look = assess(spec=spec(metric(**fields)), status=RunStatus(), now=START)
    assert (look.status.phase, look.due, look.status.completed_at) == ("Error", (), START)
    assert (look.status.message or "").startswith("Analysis spec invalid: ")
    assert fragment in (look.status.message or "")


def test_all_faults_are_told_at_once() -> None:
    run = spec(metric("a", count=2), metric("a"), metric("b", interval="x"), dryRun=[{"metricName": "z"}])
    message = assess(spec=run, status=RunStatus(), now=START).status.message or ""
    assert all(
        part in message for part in ("metrics[0]: interval", 'metrics[1]: duplicate name "a"', "metrics[2].interval")
    )


@pytest.mark.parametrize(
    ("run", "fragment"),
    [
        (spec(), "no metrics specified"),
        (spec(metric(), dryRun=[{"metricName": "("}]), 'dryRun: "(" is not a regular expression'),
        (spec(metric(), measurementRetention=[{"metricName": "(", "limit": 1}]), "measurementRetention"),
    ],
)
def test_invalid_as_a_whole(run: Any, fragment: str) -> None:
    assert fragment in (assess(spec=run, status=RunStatus(), now=START).status.message or "")


def test_limits_may_come_from_arguments() -> None:
    run = spec(
        metric(count="{{args.n}}", interval="{{args.every}}"),
        args=[{"name": "n", "value": "2"}, {"name": "every", "value": "7s"}],
    )
    driver = Driver(run, m="SS")
    driver.run()
    assert [at for at, _ in driver.taken] == [0, 7]


def test_a_condition_made_with_a_secret_is_not_judged_before_it_is_known() -> None:
    args = [{"name": "key", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    run = spec(metric(successCondition="{{args.key}} result[0] > 1"), args=args)
    assert assess(spec=run, status=RunStatus(), now=START).due
