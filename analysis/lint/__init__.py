"""What would go wrong when a metric is measured, found beforehand: for people who write templates, before a release.

    metric_faults   conditions, placeholders and the provider's configuration of one metric
    metric_doubts   conditions that can't be read before somebody gives the arguments
    providers       each provider's configuration, a row a provider

A run finds the same when it measures, as an Error that is tried again; here all faults are named at once, by field. A
text that is still to be filled in from arguments (`{{args.x}}`) is left out, but for its placeholders' names; a
condition is read with the values arguments have by default.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from analysis.language import ConditionError, compile_condition
from analysis.lint.providers import Fault, provider_faults
from analysis.spec.metric import Metric
from analysis.templating import TemplatingError, fill

_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_CONDITIONS = (("successCondition", "success_condition"), ("failureCondition", "failure_condition"))


def metric_faults(
    metric: Metric, *, args: Collection[str] | None = None, values: Mapping[str, str] | None = None
) -> Iterator[Fault]:
    """Everything that would make this metric an Error: a field's path below the metric, and why.

    `args`: names of the arguments there are, None where they are not known; `values`: the defaults of some.
    """
    for field, name in _CONDITIONS:
        yield from _condition_faults(field, getattr(metric, name), values or {})
    if args is not None:
        yield from _placeholder_faults(metric.to_api(), args, "")
    yield from ((f"provider.{field}", text) for field, text in provider_faults(metric))


def _condition_faults(field: str, text: str | None, values: Mapping[str, str]) -> Iterator[Fault]:
    try:
        if text:
            compile_condition(fill(text, values))
    except TemplatingError:
        return  # who uses the template gives the value
    except ConditionError as error:
        yield field, str(error)


def metric_doubts(metric: Metric, *, values: Mapping[str, str]) -> Iterator[Fault]:
    """Conditions with arguments that have no default, and that read wrong with a number in their place: perhaps they
    are wrong, perhaps the argument is more than a value."""
    for field, name in _CONDITIONS:
        missing = _without_default(getattr(metric, name) or "", values)
        if not missing:
            continue
        try:
            compile_condition(fill(getattr(metric, name), {**dict.fromkeys(missing, "1"), **values}))
        except TemplatingError:
            continue  # a fault already: it is no argument
        except ConditionError as error:
            yield field, f"not checked, because {_names(missing)} no default; with 1 in its place: {error}"


def _without_default(text: str, values: Mapping[str, str]) -> list[str]:
    names = (found.strip().removeprefix("args.") for found in _PLACEHOLDER.findall(text))
    return sorted({name for name in names if name not in values})


def _names(missing: Collection[str]) -> str:
    return f"{', '.join(f'args.{name}' for name in missing)} {'has' if len(missing) == 1 else 'have'}"


def _placeholder_faults(value: Any, args: Collection[str], path: str) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _placeholder_faults(item, args, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _placeholder_faults(item, args, f"{path}.{index}")
    elif isinstance(value, str):
        yield from ((path, text) for found in _PLACEHOLDER.findall(value) if (text := _unknown(found.strip(), args)))


def _unknown(name: str, args: Collection[str]) -> str:
    if not name.startswith("args."):
        return f"{{{{{name}}}}} cannot be filled in: only {{{{args.…}}}} can"
    wanted = name.removeprefix("args.")
    known = ", ".join(sorted(args)) or "none"
    return "" if wanted in args else f"{{{{{name}}}}} cannot be filled in: there is no such argument (args: {known})"


__all__ = ["Fault", "metric_doubts", "metric_faults", "provider_faults"]
