"""What an Experiment and the `experiment` step of a canary have in common, and what the step asks of the Rollout.

Found here, before anything is made, instead of by an Experiment that ends in Error halfway through a release: an
argument that speaks of a template there is not, a Service for pods without ports, labels the selector does not match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.spec.arguments import Argument
from rollouts.api.canary import CanaryStrategy
from rollouts.api.errors import FieldError, Path
from rollouts.api.rollout import RolloutSpec
from rollouts.api.steps import RolloutArgument, RolloutExperimentStep, RolloutExperimentTemplate
from rollouts.api.validation import common

_TAG = re.compile(r"\{\{\s*(.*?)\s*\}\}")


def duration_errors(duration: str | None, path: Path) -> Iterator[FieldError]:
    """A duration of an experiment; arguments are not known there."""
    yield from common.duration(duration, path)
    if common.TEMPLATED.search(duration or ""):
        yield path.error("arguments are not known here: write a duration such as 30s or 1h")


def tag_errors(
    args: Sequence[Argument | RolloutArgument], *, templates: Sequence[str], timed: bool, path: Path
) -> Iterator[FieldError]:
    """Arguments whose value speaks of something the experiment does not have. `timed`: it has a duration."""
    known = ["experiment.availableAt", *(["experiment.finishedAt"] if timed else [])]
    known += [f"templates.{name}.{what}" for name in templates for what in ("podTemplateHash", "replicaset.name")]
    for index, arg in enumerate(args):
        for tag in _TAG.findall(str(arg.value or "")):
            if tag not in known:
                hint = "; it needs a duration" if tag == "experiment.finishedAt" else f"; known are {', '.join(known)}"
                yield (path / index / "value").error(f"{{{{{tag}}}}} is not known{hint}")


def port_errors(pods: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    """A Service is asked for, for pods that name no port."""
    containers = common.items(common.mapping(pods.get("spec")).get("containers"))
    if not any(common.items(common.mapping(container).get("ports")) for container in containers):
        yield path.error("a Service needs ports, but no container of the pod template names a containerPort")


def errors(spec: RolloutSpec, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    """Errors of the `experiment` steps of a canary, held against the Rollout. `path`: of the steps."""
    for index, step in enumerate(strategy.steps or ()):
        if step.experiment:
            yield from _step_errors(spec, step.experiment, path / index / "experiment")


def _step_errors(spec: RolloutSpec, step: RolloutExperimentStep, path: Path) -> Iterator[FieldError]:
    names, timed = [template.name for template in step.templates], step.duration is not None
    for index, run in enumerate(step.analyses or ()):
        place = path / "analyses" / index / "args"
        yield from tag_errors(run.args or (), templates=names, timed=timed, path=place)
    for index, template in enumerate(step.templates) if spec.template else ():
        yield from _template_errors(spec, template, path / "templates" / index)


def _template_errors(spec: RolloutSpec, template: RolloutExperimentTemplate, path: Path) -> Iterator[FieldError]:
    pods = spec.template or {}
    if template.service is not None or template.weight is not None:
        yield from port_errors(pods, path / ("weight" if template.service is None else "service"))
    labels = dict(common.mapping(common.mapping(pods.get("metadata")).get("labels")))
    labels |= (template.metadata.labels if template.metadata else None) or {}
    selector, whose = template.selector or spec.selector, "selector" if template.selector else "metadata"
    if selector and not common.matches(selector, labels) and (template.selector or template.metadata):
        yield (path / whose).error("the selector must match the labels of the pods, those of metadata included")
