"""The Experiment: its ReplicaSets and its analyses."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api.errors import FieldError, Path
from rollouts.api.experiment import Experiment, ExperimentSpec, ExperimentTemplate
from rollouts.api.validation import common, pods, tried

SPEC = Path.of("spec")


def errors(experiment: Experiment) -> Iterator[FieldError]:
    """All errors of an Experiment."""
    spec = experiment.spec
    path = SPEC / "templates"
    if not spec.templates:
        yield path.error("at least one template is required")
    yield from common.no_duplicates([template.name for template in spec.templates], path, "name")
    for index, template in enumerate(spec.templates):
        yield from _template_errors(template, spec, path / index)
    yield from tried.duration_errors(spec.duration, SPEC / "duration")
    yield from common.at_least(0, spec.scale_down_delay_seconds, SPEC / "scaleDownDelaySeconds")
    yield from _analysis_errors(spec)


def _template_errors(template: ExperimentTemplate, spec: ExperimentSpec, path: Path) -> Iterator[FieldError]:
    yield from common.dns_label(template.name, path / "name")
    yield from common.at_least(0, template.replicas, path / "replicas")
    yield from common.at_least(0, template.min_ready_seconds, path / "minReadySeconds")
    ready, deadline = template.min_ready_seconds or 0, spec.effective_progress_deadline_seconds
    if ready >= deadline:
        yield (path / "minReadySeconds").error(f"must be less than progressDeadlineSeconds ({deadline}), not {ready}")
    yield from pods.selector_errors(
        selector=template.selector, template=template.template, at=path / "selector", template_at=path / "template"
    )
    yield from pods.template_errors(template.template, path / "template")
    if template.service is not None:
        yield from tried.port_errors(template.template, path / "service")


def _analysis_errors(spec: ExperimentSpec) -> Iterator[FieldError]:
    runs, names = spec.analyses or [], [template.name for template in spec.templates]
    yield from common.no_duplicates([run.name for run in runs], SPEC / "analyses", "name")
    for index, run in enumerate(runs):
        if not run.template_name:
            yield (SPEC / "analyses" / index / "templateName").error("is required")
        args = SPEC / "analyses" / index / "args"
        yield from common.no_duplicates([arg.name for arg in run.args or ()], args, "name")
        yield from tried.tag_errors(run.args or (), templates=names, timed=spec.duration is not None, path=args)
