"""The rules that relate fields to one another, one file per area; all errors at once, each with its place.

`validate` looks at one object alone. Whether the Services and templates it names exist is asked apart, by
`references.missing`, because the answer depends on the cluster. Everything here is pure: a model in, errors out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rollouts.api.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from rollouts.api.errors import FieldError, unique
from rollouts.api.experiment import Experiment
from rollouts.api.gitsync import GitSync
from rollouts.api.rollout import Rollout
from rollouts.api.validation import analysis, experiment, gitsync, rollout

_RULES: dict[type, Callable[[Any], Iterator[FieldError]]] = {
    Rollout: rollout.errors,
    AnalysisTemplate: analysis.template_errors,
    ClusterAnalysisTemplate: analysis.template_errors,
    AnalysisRun: analysis.run_errors,
    Experiment: experiment.errors,
    GitSync: gitsync.errors,
}


def validate(model: Any) -> tuple[FieldError, ...]:
    """All errors of an object whose shape is good, in the order of its fields; empty for a valid one.

    `model` is one of the six kinds, as `rollouts.api.parse` gives it; KeyError for anything else.
    """
    return unique(_RULES[type(model)](model))


__all__ = ["validate"]
