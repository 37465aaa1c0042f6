"""docs/analysis.md and docs/statistics.md: snippets run, templates are good, figures keep the promise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.assess import assess
from analysis.compare.faults import faults
from analysis.spec import Metric, RunStatus
from analysis.spec.compare import Compare
from rollouts.api import kinds, parse
from tests.analysis.runs import START, metric, spec
from tests.performance.simulation import ALPHA, BEGIN, END, GOOD, JUDGES

DOCS = Path(__file__).parents[2] / "docs"
ANALYSIS, STATISTICS = ((DOCS / name).read_text() for name in ("analysis.md", "statistics.md"))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


SNIPPETS = blocks(ANALYSIS, "python")
NEEDS_PROMETHEUS = [text for text in SNIPPETS if "localhost:9090" in text]
PRINTED = [
    r'Failed Metric "errors" assessed Failed due to failed \(1\) > failureLimit \(0\)\n',
    r'Failed Metric "errors" assessed Failed .*: the canary fails \S+ times as often as stable, at least \S+ times.*\n',
]
BY_THEMSELVES = {
    "CountJudge": r"True [1-9]\.\d \d+\n",
    "compare_ranks": r"1\.2\d times, 1\.[0-2]\d to 1\.[2-4]\d\n",
    "classify": "High 50.0 latency is High\n",
}


def test_there_is_an_example_for_each_expectation() -> None:
    assert len(SNIPPETS) == len(NEEDS_PROMETHEUS) + len(BY_THEMSELVES)


@pytest.mark.parametrize("word", BY_THEMSELVES)
def test_snippets_of_judges(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = (snippet for snippet in SNIPPETS if f"import {word}" in snippet or f", {word}" in snippet)
    exec(compile(text, "docs/analysis.md", "exec"), {})
    assert re.fullmatch(BY_THEMSELVES[word], capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "said"),
    list(zip(NEEDS_PROMETHEUS, PRINTED, strict=True)),
    ids=["condition", "comparison"],
)
def test_snippets_of_runs(text: str, said: str, prometheus_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = text.replace("http://localhost:9090", prometheus_url)
    exec(compile(text, "docs/analysis.md", "exec"), {})
    assert re.fullmatch(said, capsys.readouterr().out)
    assert len([line for line in text.splitlines() if line and not line.startswith("import")]) <= 6


TEMPLATE, _, *OTHERS = [yaml.safe_load(text) for text in blocks(STATISTICS, "yaml") if "phase:" not in text]
COMPARISONS = [block for block in OTHERS if "compare" in block]


def test_the_template() -> None:
    assert not parse(kinds.ANALYSIS_TEMPLATE, TEMPLATE).errors
    item = Metric.model_validate(TEMPLATE["spec"]["metrics"][0])
    assert not list(faults(item))
    args = [{"name": "canary", "value": "abc"}, {"name": "stable", "value": "def"}]
    assert assess(spec=spec(item, args=args), status=RunStatus(), now=START).due


@pytest.mark.parametrize("block", COMPARISONS, ids=lambda block: str(block["compare"]["judge"]))
def test_the_other_judges(block: dict[str, Any]) -> None:
    item = metric(**{"provider": {"prometheus": {"address": "http://p:9090"}}, **block})
    assert not list(faults(item))


def test_the_score() -> None:
    (block,) = (block for block in OTHERS if block not in COMPARISONS)
    metrics = [metric(**fields) for fields in block["spec"]["metrics"]]
    assert assess(spec=spec(*metrics, score=block["spec"]["score"]), status=RunStatus(), now=START).due


def test_every_field_is_explained() -> None:
    for info in Compare.model_fields.values():
        assert f"`{info.alias}`" in STATISTICS


def test_the_figures_keep_the_promise() -> None:
    """Good releases that were failed, in the table as it was written by the simulation."""
    figures = STATISTICS.split(BEGIN)[1].split(END)[0]
    rows = [line.split("|")[1:-1] for line in figures.splitlines() if line.startswith("|")]
    header = next(index for index, row in enumerate(rows) if "Good releases" in row[0])
    assert [cell.strip() for cell in rows[header][1:]] == list(JUDGES)
    shares = {row[0].strip(): [float(cell.split("%")[0]) for cell in row[1:]] for row in rows[header + 2 : header + 10]}
    assert len(shares) == len(GOOD)
    assert all(values[0] <= 100 * ALPHA for values in shares.values())
    highest = [float(row[1].partition(" to ")[2].partition(")")[0]) for row in rows[header + 2 : header + 10]]
    assert max(highest) <= 100 * ALPHA, "the true share may be higher than promised"
    assert shares["requests fail independently"][2] > 20
