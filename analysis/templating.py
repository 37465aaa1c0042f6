"""Arguments: `{{args.name}}` in a metric is replaced by the argument's value, and secrets are kept out of sight.

Substitution works on the strings of the metric one by one, after YAML or JSON has been read, so a value can hold
quotes, braces or new lines and stay a value. It reaches everything a metric holds: queries, conditions, limits, a Job's
containers, keys of maps. A placeholder that cannot be filled is an error that names it and what there is.

Values of secrets are looked up at each measurement and are in the substituted metric only. `Secrets.redact` takes
them out of every text that is kept: messages, values, metadata.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import ValidationError

from analysis.spec import Argument, Measurement, Metric, SecretKeyRef

HIDDEN = "*****"
"""What stands for a secret's value in everything that is kept."""
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_SHORTEST_PART = 4
"""Characters. Lines of a secret shorter than this are hidden only as part of the whole."""


class TemplatingError(Exception):
    """A placeholder that cannot be filled, or a metric that is not valid once all are filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Values of the secret arguments, by argument name."""

    values: Mapping[str, str]

    def redact(self, text: str) -> str:
        """The text with every secret replaced by `*****`, also where it is quoted for JSON, a URL or Python."""
        for form in self._forms():
            text = text.replace(form, HIDDEN)
        return text

    def _forms(self) -> list[str]:
        forms = {form for value in self.values.values() for form in _spellings(value)}
        return sorted(forms, key=len, reverse=True)


NO_SECRETS = Secrets(values={})


def _spellings(value: str) -> Iterable[str]:
    if not value.strip():
        return ()
    stripped = value.strip()
    lines = [line for line in stripped.splitlines() if len(line) >= _SHORTEST_PART]
    quoted = (json.dumps(stripped)[1:-1], repr(stripped)[1:-1], quote(stripped), quote(stripped, safe=""))
    return (value, stripped, quote_plus(stripped), *quoted, *lines)


def secret_refs(args: Iterable[Argument] | None) -> dict[str, SecretKeyRef]:
    """The arguments whose values are secrets, by name, with the place of each value."""
    found = {arg.name: arg.value_from.secret_key_ref for arg in args or () if arg.value_from is not None}
    return {name: ref for name, ref in found.items() if ref is not None}


def plain_values(args: Iterable[Argument] | None) -> dict[str, str]:
    """The arguments that have a value written out, by name."""
    return {arg.name: arg.value for arg in args or () if arg.value is not None}


def fill(text: str, values: Mapping[str, str], *, where: str = "") -> str:
    """`text` with each `{{args.name}}` replaced. `where` names the place for the error. Raises TemplatingError."""

    def replacement(found: re.Match[str]) -> str:
        name = found[1].strip()
        value = values.get(name.removeprefix("args.")) if name.startswith("args.") else None
        if value is None:
            raise TemplatingError(_unresolved(found[0], values, where))
        return value

    return _PLACEHOLDER.sub(replacement, text)


def _unresolved(placeholder: str, values: Mapping[str, str], where: str) -> str:
    known = ", ".join(f"args.{name}" for name in sorted(values)) or "none"
    at = f" in {where}" if where else ""
    return f"failed to resolve {placeholder[:100]}{at}: no such argument with a value (there are: {known})"


def fill_metric(metric: Metric, values: Mapping[str, str]) -> Metric:
    """The metric with all placeholders replaced.

    Raises TemplatingError where one cannot be, or when the outcome is not a valid metric.
    """
    if "{{" not in metric.model_dump_json(exclude_none=True):  # most have none, and this is asked at every measurement
        return metric
    filled = _fill_any(metric.to_api(), values, metric.name)
    try:
        return Metric.model_validate(filled)
    except ValidationError as error:
        raise TemplatingError(f'metric "{metric.name}" is not valid with its arguments: {_first(error)}') from error


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"


def _fill_any(value: Any, values: Mapping[str, str], path: str) -> Any:
    if isinstance(value, str):
        return fill(value, values, where=path) if "{{" in value else value
    if isinstance(value, dict):
        return {
            fill(key, values, where=path) if "{{" in key else key: _fill_any(item, values, f"{path}.{key}")
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_fill_any(item, values, f"{path}[{index}]") for index, item in enumerate(value)]
    return value


def redact_measurement(measurement: Measurement, secrets: Secrets) -> Measurement:
    """A measurement whose message, value and metadata show no secret."""
    if not secrets.values:
        return measurement
    changes: dict[str, Any] = {
        name: secrets.redact(text)
        for name, text in (("message", measurement.message), ("value", measurement.value))
        if text
    }
    if measurement.metadata:
        changes["metadata"] = {key: secrets.redact(text) for key, text in measurement.metadata.items()}
    return measurement.model_copy(update=changes)
