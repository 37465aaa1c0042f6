"""The analyses of an Experiment as they stand, and the runs still to be started.

They begin once all templates are available. A run is current when the status names it; named and not there (the
controller died before it could make it, or somebody deleted it), it is made again.
Arguments may speak of the experiment itself:

    {{templates.<name>.podTemplateHash}}      {{experiment.availableAt}}
    {{templates.<name>.replicaset.name}}      {{experiment.finishedAt}}     availableAt and the duration
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from analysis.spec.durations import as_timedelta
from rollouts.api.experiment import Experiment
from rollouts.experiments import names
from rollouts.experiments.looks import Look
from rollouts.experiments.recorded import ERROR, PENDING, Entry, Recorded
from rollouts.experiments.snapshot import Snapshot
from rollouts.strategy import runs, templates, times
from rollouts.strategy import snapshot as rollout
from rollouts.strategy.snapshot import Run

JSON = Mapping[str, Any]

_TAG: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One analysis as it stands. `run`: the name of its AnalysisRun, empty while there is none; `create`: the spec of
    the run, when it is to be created now; `live`: the run itself, None when it is not there (yet, or any more)."""

    name: str
    required: bool
    before: Entry
    run: str = ""
    status: str = ""
    message: str = ""
    live: Run | None = None
    create: JSON | None = None

    @property
    def ongoing(self) -> bool:
        """Whether its run is there and has not finished."""
        return self.live is not None and not self.live.finished


def look(
    snapshot: Snapshot, model: Experiment, recorded: Recorded, looks: Sequence[Look], *, available_at: datetime
) -> tuple[Analysis, ...]:
    """Every analysis, in the order of the spec, with those to start."""
    live = [Run.of(raw) for raw in snapshot.analysis_runs]
    found = [_current(snapshot, model, recorded, live, position) for position in range(len(model.spec.analyses or ()))]
    values = _values(model, looks, available_at)
    return tuple(
        each if each.status else _started(each, snapshot, values, position) for position, each in enumerate(found)
    )


def known(snapshot: Snapshot, model: Experiment, recorded: Recorded) -> tuple[Analysis, ...]:
    """The analyses that were started; nothing is started any more."""
    live = [Run.of(raw) for raw in snapshot.analysis_runs]
    found = [_current(snapshot, model, recorded, live, position) for position in range(len(model.spec.analyses or ()))]
    return tuple(each for each in found if each.status)


def _current(snapshot: Snapshot, model: Experiment, recorded: Recorded, live: Sequence[Run], position: int) -> Analysis:
    spec = (model.spec.analyses or [])[position]
    before, required = recorded.analysis(spec.name), bool(spec.required_for_completion)
    named = before.raw.get("analysisRun") or ""
    run = next((run for run in live if run.name == named), None)
    if run is None:
        status = before.status if before.final else ""
        return Analysis(
            name=spec.name, required=required, before=before, run=named, status=status, message=before.message
        )
    status, message = (before.status, before.message) if before.final else (run.phase or PENDING, run.message)
    return Analysis(
        name=spec.name, required=required, before=before, run=run.name, status=status, message=message, live=run
    )


def _started(each: Analysis, snapshot: Snapshot, values: Mapping[str, str], position: int) -> Analysis:
    experiment = snapshot.experiment
    taken = {run["metadata"]["name"] for run in snapshot.analysis_runs} | snapshot.taken_runs
    name = runs.free_name(names.run(experiment["metadata"]["name"], each.name, 0), taken)
    try:
        spec = _run_spec(snapshot, values, position)
    except templates.UnusableAnalysisError as error:
        return replace(each, run="", status=ERROR, message=str(error))
    return replace(each, run=name, status=PENDING, message="", create=spec)


def _run_spec(snapshot: Snapshot, values: Mapping[str, str], position: int) -> dict[str, Any]:
    written = snapshot.experiment["spec"]
    analysis, path = written["analyses"][position], f"spec.analyses[{position}]"
    args = [_filled(arg, values) for arg in analysis.get("args") or ()]
    library = rollout.Snapshot(
        rollout=snapshot.experiment, templates=snapshot.templates, cluster_templates=snapshot.cluster_templates
    )
    return templates.one_run_spec(
        {**analysis, "args": args},
        library,
        path=path,
        dry_run=written.get("dryRun") or (),
        retention=written.get("measurementRetention") or (),
    )


def _filled(arg: JSON, values: Mapping[str, str]) -> JSON:
    """With what it says of the experiment filled in; the validation has seen to it that all of that is known."""
    value = arg.get("value")
    if not isinstance(value, str):
        return arg
    return {**arg, "value": _TAG.sub(lambda tag: values.get(tag.group(1), tag.group(0)), value)}


def _values(model: Experiment, looks: Sequence[Look], available_at: datetime) -> dict[str, str]:
    values = {"experiment.availableAt": times.text(available_at)}
    if model.spec.duration is not None:
        finished = available_at + as_timedelta(model.spec.duration)
        values["experiment.finishedAt"] = times.text(finished)
    for each in looks:
        values[f"templates.{each.spec.name}.podTemplateHash"] = each.hash
        values[f"templates.{each.spec.name}.replicaset.name"] = each.name
    return values
