"""What is judged: queries and conditions by kind of template, over any row of `sources`. Pure text.

    success rate    good requests of the window / all of it, a share from 0 to 1
    latency         quantiles of the window's requests, in milliseconds
    error budget    how many times faster than allowed the budget burns, in a short and a long window at once:
                    0.5 % of errors against an objective of 99.9 % is a burn rate of 5
    saturation      use of the busiest pod / what it may use, a share
    restarts        restarts in the window, and containers that can't start

A query finds nothing where there is too little to judge, and both conditions are then false: Inconclusive. The same
holds for NaN, with which no comparison is true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analysis.catalog.sources import POD_ARGS, PODS, Arg, Source

MIN_REQUESTS = Arg(name="min-requests", what="Requests in the window below which nothing is judged.", value="10")
WINDOW = Arg(name="window", what="Span each measurement looks back over.", value="2m")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One metric of a template: holds while its result is `at` (`>=` or `<=`) the argument named `limit`."""

    name: str
    query: str
    at: str
    limit: str

    @property
    def success(self) -> str:
        """The successCondition."""
        return f"len(result) > 0 && result[0] {self.at} {{{{args.{self.limit}}}}}"

    @property
    def failure(self) -> str:
        """The failureCondition; not the plain opposite, since no comparison holds for NaN."""
        opposite = {">=": "<", "<=": ">"}[self.at]
        return f"len(result) > 0 && result[0] {opposite} {{{{args.{self.limit}}}}}"


@dataclass(frozen=True, kw_only=True)
class Template:
    """All that is written into one file."""

    name: str
    description: str
    needs: str
    args: tuple[Arg, ...]
    questions: tuple[Question, ...]


def _over(function: str, series: str, source: Source, extra: str, window: str) -> str:
    """`rate(series{…}[window])` for each selector of the source, joined by `or`."""
    more = f",{extra}" if extra else ""
    found = [f"{function}({series}{{{selector}{more}}}[{window}])" for selector in source.selectors]
    return "\n    or ".join(found)


def _requests(source: Source, window: str, *, good: bool = False) -> str:
    return f"sum(\n    {_over('rate', source.requests, source, source.good if good else '', window)}\n)"


def _enough(source: Source, window: str) -> str:
    counted = _over("increase", source.requests, source, "", window)
    return f"and sum(\n    {counted}\n) >= {{{{args.min-requests}}}}"


def _share(source: Source, window: str) -> str:
    """The share of good requests; the `or vector(0)` is for a service that does nothing but fail."""
    return f"({_requests(source, window, good=True)} or vector(0))\n/ {_requests(source, window)}"


def success_rate(source: Source) -> Template:
    """Good requests by all requests."""
    window = "{{args.window}}"
    query = f"{_share(source, window)}\n{_enough(source, window)}"
    return Template(
        name=f"success-rate-{source.name}",
        description=f"Share of requests that did not fail (5xx), counted by {source.title}.",
        needs=source.needs,
        args=(
            *source.args,
            Arg(name="success-rate", what="Least share of good requests, from 0 to 1.", value="0.95"),
            MIN_REQUESTS,
            WINDOW,
        ),
        questions=(Question(name="success-rate", query=query, at=">=", limit="success-rate"),),
    )


_QUANTILES = (("p50", "0.5", "250"), ("p95", "0.95", "500"), ("p99", "0.99", "1000"))


def latency(source: Source) -> Template:
    """Three quantiles of the response time."""
    return Template(
        name=f"latency-{source.name}",
        description=f"Response times p50, p95 and p99 in milliseconds, counted by {source.title}.",
        needs=source.needs,
        args=(
            *source.args,
            *(Arg(name=f"{name}-ms", what=f"Most milliseconds at {name}.", value=most) for name, _, most in _QUANTILES),
            MIN_REQUESTS,
            WINDOW,
        ),
        questions=tuple(
            Question(name=f"latency-{name}", query=_quantile(source, share), at="<=", limit=f"{name}-ms")
            for name, share, _ in _QUANTILES
        ),
    )


def _quantile(source: Source, share: str) -> str:
    window = "{{args.window}}"
    buckets = _over("rate", source.buckets, source, "", window)
    quantile = f"histogram_quantile({share}, sum by (le) (\n    {buckets}\n))"
    in_ms = quantile if source.unit == 1000 else f"1000 * {quantile}"
    return f"{in_ms}\n{_enough(source, window)}"


_WINDOWS = (("fast-burn", "5m", "1h", "14.4"), ("slow-burn", "30m", "6h", "6"))


def error_budget(source: Source) -> Template:
    """Burn rates, each over a short and a long window."""
    limits = tuple(
        arg
        for name, short, long, most in _WINDOWS
        for arg in (
            Arg(name=name, what=f"Most times the budget may burn faster than allowed in {long}.", value=most),
            Arg(name=f"{name}-short", what="Its short window.", value=short),
            Arg(name=f"{name}-long", what="Its long window.", value=long),
        )
    )
    objective = Arg(name="objective", what="Share of good requests that is promised, less than 1.", value="0.999")
    return Template(
        name=f"error-budget-{source.name}",
        description=f"How fast the error budget burns, in two pairs of windows, counted by {source.title}.",
        needs=source.needs,
        args=(*source.args, objective, *limits, MIN_REQUESTS),
        questions=tuple(
            Question(name=name, query=_burn(source, f"{{{{args.{name}-short}}}}", f"{{{{args.{name}-long}}}}"), at="<=",
                     limit=name)
            for name, *_ in _WINDOWS
        ),
    )  # fmt: skip


def _burn(source: Source, short: str, long: str) -> str:
    """The smaller of both windows' burn rates: `a < b or b`. Too few requests in the short one: nothing."""
    errors = [f"1 - {_share(source, window)}" for window in (short, long)]
    smaller = f"(({errors[0]})\n< ({errors[1]})\nor ({errors[1]}))"
    return f"{smaller}\n/ (1 - {{{{args.objective}}}})\n{_enough(source, short)}"


def _pods_of(series: str, extra: str = "") -> str:
    return f"{series}{{{PODS}{extra}}}"


def saturation() -> Template:
    """CPU and memory of the fullest pod."""
    cpu = _pods_of("container_cpu_usage_seconds_total", ',container!=""')
    memory = _pods_of("container_memory_working_set_bytes", ',container!=""')
    kinds = (("cpu", f"rate({cpu}[{{{{args.window}}}}])"), ("memory", memory))
    return Template(
        name="saturation",
        description="CPU and memory of the busiest pod, as a share of what its containers may use.",
        needs="cAdvisor (the kubelet) and kube-state-metrics are scraped with honorLabels, as kube-prometheus-stack "
        "does. Containers without limits are not judged; compare with requests instead where there are none.",
        args=(
            *POD_ARGS,
            Arg(name="cpu", what="Most CPU, as a share.", value="0.9"),
            Arg(name="memory", what="Most memory, as a share.", value="0.9"),
            Arg(name="of", what="limits or requests.", value="limits"),
            WINDOW,
        ),
        questions=tuple(
            Question(name=name, query=_fullest(used, name), at="<=", limit=name) for name, used in kinds
        ),
    )  # fmt: skip


def _fullest(used: str, resource: str) -> str:
    may = _pods_of("kube_pod_container_resource_{{args.of}}", f',resource="{resource}"')
    return f"max(\n  sum by (pod) ({used})\n  / sum by (pod) ({may})\n)"


_STUCK = "CrashLoopBackOff|ImagePullBackOff|ErrImagePull|InvalidImageName|CreateContainerConfigError"


def restarts() -> Template:
    """Restarts, and containers that can't start."""
    counted = _pods_of("kube_pod_container_status_restarts_total")
    stuck = _pods_of("kube_pod_container_status_waiting_reason", f',reason=~"{_STUCK}"')
    return Template(
        name="restarts",
        description="Restarts of containers, and containers that can't start.",
        needs="kube-state-metrics is scraped with honorLabels, as kube-prometheus-stack does.",
        args=(
            *POD_ARGS,
            Arg(name="max-restarts", what="Most restarts in the window, all pods together.", value="0"),
            Arg(name="max-stuck", what="Most containers that can't start (crash loop, image).", value="0"),
            WINDOW,
        ),
        questions=(
            Question(name="restarts", query=f"round(sum(increase({counted}[{{{{args.window}}}}])))", at="<=",
                     limit="max-restarts"),
            Question(name="stuck", query=f"sum({stuck})\nor 0 * count({counted})", at="<=", limit="max-stuck"),
        ),
    )  # fmt: skip


BY_SOURCE: tuple[Callable[[Source], Template], ...] = (success_rate, latency, error_budget)
ALONE: tuple[Callable[[], Template], ...] = (saturation, restarts)
"""Kinds that need no counts of requests."""
