"""The judge of counts as a whole: what it remembers, and the router's share."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from analysis.statistics.counts import CountJudge, StateError
from analysis.statistics.evidence import Counts, counts
from analysis.statistics.share import ShareJudge


def looks(ratio: float, n: int = 40, seed: int = 3) -> list[Counts]:
    rng = np.random.default_rng(seed)
    return [counts(rng.binomial(250, 0.02 * ratio), 250, rng.binomial(750, 0.02), 750) for _ in range(n)]


def after(judge: CountJudge, found: list[Counts]) -> CountJudge:
    for look in found:
        judge = judge.after(look)
    return judge


@pytest.mark.parametrize(("ratio", "alarm"), [(0.5, False), (1.0, False), (3.0, True)])
def test_good_and_bad(ratio: float, alarm: bool) -> None:
    finding = after(CountJudge.new(allowed=1.1), looks(ratio)).finding(alpha=0.05)
    assert finding.alarm is alarm
    assert finding.lower < finding.ratio < finding.upper
    assert 0 < finding.effective <= finding.totals.total == 40_000
    assert (finding.evidence >= 20) is alarm


def test_a_restart_between_any_two_looks_changes_nothing() -> None:
    kept = restarted = CountJudge.new(allowed=1.1)
    for look in looks(2.0, n=100):
        kept = kept.after(look)
        restarted = CountJudge.read(restarted.after(look).text(), allowed=1.1)
        assert restarted.finding(alpha=0.05).alarm == kept.finding(alpha=0.05).alarm
    assert restarted.finding(alpha=0.05).log_evidence == pytest.approx(kept.finding(alpha=0.05).log_evidence, abs=0.01)


def test_what_is_remembered_does_not_grow() -> None:
    rng = np.random.default_rng(1)
    judge = CountJudge.new(allowed=1.1)
    for _ in range(2000):
        judge = judge.after(counts(rng.binomial(50_000, 0.02), 50_000, rng.binomial(950_000, 0.02), 950_000))
    assert len(judge.text()) < 2500


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"likelihoods":[1]}', '{"likelihoods":"x","batches":3}'])
def test_a_state_that_cannot_be_read(text: str) -> None:
    with pytest.raises(StateError, match="cannot be read"):
        CountJudge.read(text)


def test_a_state_of_another_comparison() -> None:
    text = after(CountJudge.new(allowed=1.1), looks(1.0)).text()
    with pytest.raises(StateError, match=r"allowed ratio 1\.1, not 2"):
        CountJudge.read(text, allowed=2)


def test_nothing_is_known_at_the_beginning() -> None:
    finding = CountJudge.new().finding(alpha=0.05)
    assert (finding.alarm, finding.lower, finding.upper) == (False, 0.0, math.inf)
    assert math.isnan(finding.ratio)


@pytest.mark.parametrize(
    ("got", "weight", "wrong"),
    [
        (200, 0.2, False), (235, 0.2, False), (165, 0.2, False),
        (0, 0.2, True), (500, 0.2, True), (50, 0.2, True), (500, 0.05, True), (50, 0.05, False), (0, 0.0, False),
    ],
)  # fmt: skip
def test_the_share_of_requests(got: float, weight: float, wrong: bool) -> None:
    judge = ShareJudge.new()
    for _ in range(10):
        judge = judge.after(canary=got, stable=1000 - got, weight=weight)
    judge = ShareJudge.restore(json.loads(json.dumps(judge.state())))
    assert judge.finding().wrong is wrong


def test_a_weight_that_changes_is_followed() -> None:
    judge = ShareJudge.new()
    for weight in (0.05, 0.2, 0.5, 0.8):
        for _ in range(5):
            judge = judge.after(canary=1000 * weight, stable=1000 * (1 - weight), weight=weight)
    finding = judge.finding()
    assert not finding.wrong
    assert finding.expected == pytest.approx(finding.canary / finding.total)
