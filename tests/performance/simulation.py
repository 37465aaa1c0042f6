"""Releases made up by a seeded generator, judged by each judge: how often a good one is failed, how soon a bad one.

    python -m tests.performance.simulation                   the tables of docs/statistics.md, printed
    python -m tests.performance.simulation --write           … and written into it
    python -m tests.performance.simulation --releases 50     quick and rough

A release is 90 looks while the weight goes from 5 to 20 to 50 %. Three things can be wrong with its data besides the
canary: the error rate of the whole service wanders (`together`), each side's wanders by itself (`apart`), and what
wanders stays where it is for some looks (`rho`, the correlation from look to look). Everything follows from the seed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, median

import numpy as np

from analysis.statistics.classify import HIGH, Options, classify
from analysis.statistics.counts import CountJudge
from analysis.statistics.evidence import NOTHING, Counts, counts
from analysis.statistics.latency import LatencyJudge
from analysis.statistics.ranks import compare_ranks
from analysis.statistics.share import ShareJudge
from analysis.statistics.spending import Spent, spend

DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"
BEGIN, END = "<!-- figures of tests/performance/simulation.py -->", "<!-- end of figures -->"
ALPHA = 0.05
LOOKS = 90
KAYENTA_EVERY = 15
PROCESSES = 3
SEED = 20260401
Generator = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How requests of a release fail. `requests` per look; `ratio`: the canary's error rate to stable's."""

    requests: int = 500
    errors: float = 0.01
    ratio: float = 1.0
    together: float = 0.0
    apart: float = 0.0
    rho: float = 0.0


def weight_at(look: int) -> float:
    """The canary's share of requests at a look, from 0."""
    return (0.05, 0.2, 0.5)[min(2, 3 * look // LOOKS)]


def wandering(rng: Generator, *, rho: float, looks: int = LOOKS, size: int = 3) -> Iterator[np.ndarray]:
    """Standard normal values that stay near where they were."""
    at = rng.normal(size=size)
    for _ in range(looks):
        yield at
        at = rho * at + math.sqrt(1 - rho * rho) * rng.normal(size=size)


def release(service: Service, rng: Generator) -> Iterator[Counts]:
    """The looks of one release."""
    spreads = np.array([service.apart, service.apart, service.together])
    for look, at in enumerate(wandering(rng, rho=service.rho)):
        canary, stable, whole = np.exp(spreads * at - spreads**2 / 2)
        asked = rng.binomial(service.requests, weight_at(look))
        rates = [min(1.0, service.errors * whole * own) for own in (canary * service.ratio, stable)]
        left = service.requests - asked
        yield counts(rng.binomial(asked, rates[0]), asked, rng.binomial(left, rates[1]), left)


# -- judges: the look (from 1) at which a release is failed, None: never -----------------------------------------------

Judge = Callable[[Sequence[Counts]], int | None]


def sequential(allowed: float) -> Judge:
    """Ours, at every look."""

    def judge(looks: Sequence[Counts]) -> int | None:
        found = CountJudge.new(allowed=allowed)
        for number, look in enumerate(looks, 1):
            found = found.after(look)
            if found.alarmed(alpha=ALPHA):
                return number
        return None

    return judge


def z_test(looks: Sequence[Counts]) -> int | None:
    """The usual test of two proportions on all counts so far, at every look, at 5 % one-sided."""
    need = NormalDist().inv_cdf(1 - ALPHA)
    total = NOTHING
    for number, look in enumerate(looks, 1):
        total = total + look
        if min(total.canary_total, total.stable_total) < 100 or not total.errors:
            continue
        share = total.errors / total.total
        spread = math.sqrt(share * (1 - share) * (1 / total.canary_total + 1 / total.stable_total))
        difference = total.canary_errors / total.canary_total - total.stable_errors / total.stable_total
        if difference / spread > need:
            return number
    return None


def kayenta(looks: Sequence[Counts]) -> int | None:
    """Kayenta's judge on the error rates of all looks so far, at every 15th look."""
    rates = [
        (look.canary_errors / max(1, look.canary_total), look.stable_errors / max(1, look.stable_total))
        for look in looks
    ]
    for number in range(KAYENTA_EVERY, len(looks) + 1, KAYENTA_EVERY):
        if _is_high(*zip(*rates[:number], strict=True)):
            return number
    return None


def _is_high(canary: Sequence[float], stable: Sequence[float]) -> bool:
    return classify(canary, stable, Options(direction="increase")).label == HIGH


JUDGES: dict[str, Judge] = {
    "Sequential": sequential(1.1),
    "Sequential, allowedIncrease 0": sequential(1.0),
    "repeated z-test": z_test,
    "Kayenta": kayenta,
}


def failed_at(judge: Judge, service: Service, releases: int, seed: int = SEED) -> list[int]:
    """The looks at which releases were failed; the same releases for every judge."""
    rng = np.random.default_rng(seed)
    found = (judge(list(release(service, rng))) for _ in range(releases))
    return [number for number in found if number is not None]


# -- gauges, histograms, weights ---------------------------------------------------------------------------------------

POINTS = 60


def gauge(rng: Generator, *, rho: float, factor: float = 1.0) -> tuple[list[float], list[float]]:
    """Values of canary and stable with a deviation of 10 %."""
    values = [0.2 * np.exp(0.1 * at) for at in wandering(rng, rho=rho, looks=POINTS, size=2)]
    return [factor * float(pair[0]) for pair in values], [float(pair[1]) for pair in values]


def by_ranks(canary: Sequence[float], stable: Sequence[float]) -> int | None:
    """Ours: at most six looks share the level; canary may be 10 % higher."""
    spent = Spent()
    for number in range(10, POINTS + 1):
        level, spent = spend(spent, number=number, count=POINTS, alpha=ALPHA)
        if level and compare_ranks(canary[:number], stable[:number], level=level).lower > 1.1:
            return number
    return None


def by_kayenta(canary: Sequence[float], stable: Sequence[float]) -> int | None:
    """Kayenta's judge at every fifth value."""
    numbers = range(5, POINTS + 1, 5)
    return next((number for number in numbers if _is_high(canary[:number], stable[:number])), None)


BOUNDS = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, math.inf])


def by_histogram(rng: Generator, *, factor: float, rho: float, apart: float) -> int | None:
    """Ours on a histogram of 500 requests a look, weights as above."""
    judge = LatencyJudge.new(allowed=1.1)
    for look, at in enumerate(wandering(rng, rho=rho, size=2)):
        asked = rng.binomial(500, weight_at(look))
        sides = []
        for requests, slower, own in ((asked, factor, at[0]), (500 - asked, 1.0, at[1])):
            times = 0.08 * slower * math.exp(apart * own) * rng.lognormal(sigma=0.9, size=requests)
            sides.append({float(bound): float((times <= bound).sum()) for bound in BOUNDS})
        judge = judge.after(sides[0], sides[1], minimum=100)
        if any(one.alarmed(alpha=ALPHA / len(judge.judges)) for one in judge.judges.values()):
            return look + 1
    return None


def by_share(rng: Generator, *, wanted: float, given: float, apart: float) -> int | None:
    """The guard of the weight: 500 requests a look, 30 looks."""
    judge = ShareJudge.new()
    for look, at in enumerate(wandering(rng, rho=0.8, looks=30, size=1)):
        odds = given / (1 - given) * math.exp(apart * float(at[0])) if given else 0.0
        canary = rng.binomial(500, odds / (1 + odds))
        judge = judge.after(canary=canary, stable=500 - canary, weight=wanted)
        if judge.finding().wrong:
            return look + 1
    return None


# -- tables ------------------------------------------------------------------------------------------------------------

WANDERING = Service(apart=0.3, rho=0.8)
GOOD: dict[str, Service] = {
    "requests fail independently": Service(),
    "the whole service wanders by 50 %, rho 0.8": Service(together=0.5, rho=0.8),
    "each side by itself by 30 %, rho 0": Service(apart=0.3),
    "each side by itself by 30 %, rho 0.8": WANDERING,
    "… 5,000 requests a look": Service(apart=0.3, rho=0.8, requests=5000),
    "… 50,000 requests a look, by 20 %": Service(apart=0.2, rho=0.8, requests=50_000),
    "… 50,000 requests a look, by 30 %": Service(apart=0.3, rho=0.8, requests=50_000),
    "independently, the canary 10 % worse (allowed)": Service(ratio=1.1),
}
BAD: dict[str, Service] = {
    f"{ratio} times, {requests:,} requests a look{more}": Service(ratio=ratio, requests=requests, **fields)
    for requests, fields, more in ((500, {}, ""), (5000, {}, ""), (5000, {"apart": 0.3, "rho": 0.8}, ", wandering"))
    for ratio in (1.5, 2, 4)
}


def share_of(found: Sequence[int], releases: int) -> str:
    """How many were failed, in percent, and between which shares the true one is with 95 % confidence."""
    low, high = (100 * bound for bound in interval(len(found), releases))
    return f"{100 * len(found) / releases:.1f} % ({low:.1f} to {high:.1f})"


def interval(found: int, of: int) -> tuple[float, float]:
    """Wilson's interval for a share of which `found` of `of` were seen, at 95 %."""
    z = NormalDist().inv_cdf(0.975)
    middle, weight = (found + z * z / 2) / (of + z * z), z / (of + z * z)
    half = weight * math.sqrt(found * (of - found) / of + z * z / 4)
    return max(0.0, middle - half), middle + half


def power_of(found: Sequence[int], releases: int) -> str:
    """How many were failed, and at which look half of those were."""
    return f"{100 * len(found) / releases:.0f} %, {median(found):.0f}" if found else "0 %"


def table(title: str, columns: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {title} | {' | '.join(columns)} |"
    yield "|---|" + "---:|" * len(columns)
    for row in rows:
        print(" | ".join(row), flush=True)  # noqa: T201
        yield f"| {' | '.join(row)} |"


def _counted(
    services: dict[str, Service], say: Callable[[Sequence[int], int], str], releases: int
) -> Iterator[list[str]]:
    tasks = [(name, service, releases) for service in services.values() for name in JUDGES]
    with ProcessPoolExecutor(PROCESSES) as pool:
        cells = pool.map(_found, tasks)
        for name in services:
            yield [name, *(say(next(cells), releases) for _ in JUDGES)]


def _found(task: tuple[str, Service, int]) -> list[int]:
    name, service, releases = task
    return failed_at(JUDGES[name], service, releases)


def _gauges(releases: int) -> Iterator[list[str]]:
    judges = (by_ranks, by_kayenta)
    for name, rho, factor in (
        ("good, independent", 0.0, 1.0), ("good, rho 0.8", 0.8, 1.0),
        ("15 % higher, independent", 0.0, 1.15), ("20 % higher, independent", 0.0, 1.2),
        ("50 % higher, rho 0.8", 0.8, 1.5),
    ):  # fmt: skip
        row = [name]
        for judge in judges:
            rng = np.random.default_rng(SEED)
            found = [judge(*gauge(rng, rho=rho, factor=factor)) for _ in range(releases)]
            row.append(power_of([number for number in found if number], releases))
        yield row


def _made(one: Callable[[Generator], int | None], releases: int) -> str:
    rng = np.random.default_rng(SEED)
    return power_of([number for number in (one(rng) for _ in range(releases)) if number], releases)


def _histograms(releases: int) -> Iterator[list[str]]:
    for name, factor, rho, apart in (
        ("good, independent", 1.0, 0.0, 0.0), ("good, each side wanders by 5 %, rho 0.8", 1.0, 0.8, 0.05),
        ("1.25 times as slow", 1.25, 0.0, 0.0), ("1.5 times as slow", 1.5, 0.0, 0.0), ("twice as slow", 2.0, 0.0, 0.0),
    ):  # fmt: skip
        yield [name, _made(lambda rng: by_histogram(rng, factor=factor, rho=rho, apart=apart), releases)]  # noqa: B023


def _shares(releases: int) -> Iterator[list[str]]:
    for wanted, given, apart in (
        (0.2, 0.2, 0.0), (0.2, 0.2, 0.2), (0.05, 0.05, 0.2), (0.2, 0.1, 0.0), (0.2, 0.5, 0.0), (0.05, 0.0, 0.0),
    ):  # fmt: skip
        name = f"weight {100 * wanted:g} %, the canary gets {100 * given:g} %{', wandering by 20 %' if apart else ''}"
        yield [name, _made(lambda rng: by_share(rng, wanted=wanted, given=given, apart=apart), releases)]  # noqa: B023


def figures(releases: int) -> str:
    """All tables."""
    few = max(10, releases // 10)
    lines = [
        f"{releases} good releases each, {few} in all other tables; seed {SEED}. Kayenta judges at every 15th look.",
        "In brackets: between which shares the true one is, with 95 % confidence.",
        "",
        *table("Good releases that were failed", list(JUDGES), _counted(GOOD, share_of, releases)),
        "",
        "Bad releases: how many were failed, and at which of 90 looks half of those were.",
        "",
        *table("Error rate of the canary", list(JUDGES), _counted(BAD, power_of, few)),
        "",
        "Gauges: 60 values a side with a deviation of 10 %; how many were failed, half of those by which value.",
        "",
        *table("Canary", ["MannWhitney", "Kayenta"], _gauges(few)),
        "",
        "Histograms of 500 requests a look, twelve bounds, allowed increase 10 %, 90 looks.",
        "",
        *table("Canary", ["Latency"], _histograms(few)),
        "",
        "The guard of the weight: 500 requests a look, 30 looks, promised 1 %.",
        "",
        *table("Router", ["called wrong, look"], _shares(few)),
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=1000, help="good releases per scenario (default 1000)")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {DOCUMENT.name}")
    options = parser.parse_args()
    found = figures(options.releases)
    if options.write:
        before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
