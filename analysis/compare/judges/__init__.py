"""The judges, by the name people write under `compare.judge`. One file each, one row here."""

from __future__ import annotations

from analysis.compare.judgement import Judge
from analysis.compare.judges.kayenta import Kayenta
from analysis.compare.judges.latency import Latency
from analysis.compare.judges.ranks import Ranks
from analysis.compare.judges.sequential import Sequential
from analysis.spec.compare import Compare

JUDGES: dict[str, Judge] = {
    "Sequential": Sequential(),
    "Latency": Latency(),
    "MannWhitney": Ranks(),
    "Kayenta": Kayenta(),
}


def judge_of(compare: Compare) -> Judge:
    """The judge a comparison names, or the default."""
    return JUDGES[compare.effective_judge]


__all__ = ["JUDGES", "judge_of"]
