"""Asks one metric's provider several queries at once, each with `$window` filled in, and reads the answers as numbers.

`$window` is the time since the last look that counted, in whole seconds, so that looks lie side by side however long an
answer took and whatever failed in between. The first look spans one interval, or five minutes without one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from analysis.providers.base import Answer, Context, Misconfigured, Provider, Refused
from analysis.spec import Metric, parse_duration

WINDOW = "$window"
FIRST_WINDOW = 300.0
"""Seconds that a single look without an interval spans."""
LONGEST_WINDOW = 6 * 3600.0


def window(metric: Metric, last: float | None, now: datetime) -> float:
    """Seconds the next look spans; `last` is when the last one was, in seconds since the epoch."""
    if last is None:
        return max(1.0, parse_duration(metric.interval)) if metric.interval else FIRST_WINDOW
    return min(LONGEST_WINDOW, max(1.0, now.timestamp() - last))


async def ask(
    metric: Metric, queries: Mapping[str, str], provider: Provider, *, context: Context, span: float
) -> dict[str, Answer]:
    """The answers by the queries' names. Raises ProviderError that names the query it came from."""
    texts = {name: text.replace(WINDOW, f"{round(span)}s") for name, text in queries.items()}
    found = await asyncio.gather(*(_asked(metric, name, text, provider, context) for name, text in texts.items()))
    return dict(zip(texts, found, strict=True))


async def _asked(metric: Metric, name: str, text: str, provider: Provider, context: Context) -> Answer:
    answer = await provider.run(with_query(metric, text), context=context)
    if not isinstance(answer, Answer):
        raise Misconfigured(f"compare.{name}: the provider does not answer at once, so it cannot be compared")
    return answer


def with_query(metric: Metric, text: str) -> Metric:
    """The metric with another query."""
    (kind,) = metric.provider.kinds
    config = metric.provider.configuration.model_copy(update={"query": text})
    name = next(field for field, info in type(metric.provider).model_fields.items() if info.alias == kind)
    return metric.model_copy(update={"provider": metric.provider.model_copy(update={name: config})})


def numbers(answer: Answer, name: str) -> list[float]:
    """All numbers of an answer. Raises Refused for anything that is none, or not finite."""
    values = answer.result if isinstance(answer.result, list) else [answer.result]
    return [_finite(value, name) for value in values if value is not None]


def series(answer: Answer, name: str) -> list[float]:
    """All numbers of an answer, NaN where one is missing. Raises Refused for anything that is no number."""
    values = answer.result if isinstance(answer.result, list) else [answer.result]
    return [math.nan if value is None or value != value else _finite(value, name) for value in values]


def _finite(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"compare.{name}: the query must give a number, not {str(value)[:60]!r}")
    if not math.isfinite(value):
        raise Refused(f"compare.{name}: the query gave {value}, which cannot be judged: is something divided by zero?")
    return float(value)


def count(answer: Answer, name: str) -> float:
    """An answer as a count; no data is 0. Raises Refused for several numbers, or less than nothing."""
    found = numbers(answer, name)
    if len(found) > 1:
        raise Refused(f"compare.{name}: the query gave {len(found)} series where one is needed: put sum(…) around it")
    if found and found[0] < 0:
        raise Refused(f"compare.{name}: the query gave {found[0]:g}, which is no count: use increase(…[$window])")
    return found[0] if found else 0.0
