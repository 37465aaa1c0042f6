"""Whether the metrics of a template can be measured at all (§2.17).

A run with a metric that has no provider, an interval that is none, or a condition nobody can read fails at its first
look, in the middle of a release. So metrics are held against the same rules (`analysis.rules`), with their arguments
filled in, before anything moves. The same ones are asked about at each decision, so answers are kept by what was asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from analysis.rules import RuleError, check_run, check_texts
from rollouts.api import kinds
from rollouts.api.parsing import parse

JSON = Mapping[str, Any]
_KEPT: Final = 2048
_DRAWING: Final = re.compile(r"\n \|[^\n;]*")
"""The lines that show where in a condition it goes wrong; a status has one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """`fault`: why the metrics can't be measured, None when they can. `endless`: names of those that never end by
    themselves."""

    fault: str | None = None
    endless: tuple[str, ...] = ()


def examine(metrics: Sequence[JSON], args: Sequence[JSON]) -> Examined:
    """Look at metrics with the arguments of their run. Arguments an Experiment has yet to fill in stay unknown, and
    with them what they are used for."""
    if any("{{" in str(arg.get("value") or "") for arg in args):
        return Examined()
    return _examined(json.dumps({"metrics": list(metrics), "args": list(args)}, default=str))


@lru_cache(maxsize=_KEPT)
def _examined(spec: str) -> Examined:
    parsed = parse(kinds.ANALYSIS_RUN, {"spec": json.loads(spec)})
    if parsed.model is None:
        return Examined(fault="; ".join(str(error).removeprefix("spec.") for error in parsed.errors))
    try:
        limits = check_run(parsed.model.spec)
        check_texts(parsed.model.spec)
    except RuleError as error:
        return Examined(fault=one_line(str(error)))
    return Examined(endless=tuple(name for name, limit in limits.items() if limit.count is None))


def one_line(fault: str) -> str:
    """A fault without the drawing of where it is."""
    return _DRAWING.sub("", fault)
