"""From AnalysisTemplates and the Rollout's own arguments to the spec of one AnalysisRun (§1.6).

Templates are flattened (they may name others), their metrics joined, their arguments filled from the Rollout. Every
problem is found before a run is made and returned as text with the path it belongs to; a Rollout with one is invalid
and nothing of it moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.rules import RuleError, matches, score_faults
from analysis.spec.score import RunScore
from rollouts.strategy import sound
from rollouts.strategy.fields import read_field
from rollouts.strategy.runnable import examine
from rollouts.strategy.snapshot import Snapshot

JSON = Mapping[str, Any]
_STATUS = "status."
_LISTS = ("metrics", "dryRun", "measurementRetention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with an analysis, and where: `path: message`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that was found, as people call it, and its spec."""

    kind: str
    name: str
    spec: JSON


class UnusableAnalysisError(Exception):
    """The analysis can't be made into a run; carries its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def run_spec(
    analysis: JSON,
    snapshot: Snapshot,
    *,
    path: str,
    stable_hash: str,
    latest_hash: str,
    background: bool = False,
    strict: bool = False,
) -> dict[str, Any]:
    """The spec of an AnalysisRun for one `analysis` block. `background`: it may go on without end. `strict`: metrics
    that can't be measured are problems, too. Raises `UnusableAnalysisError` with every problem found."""
    problems: list[Problem] = []
    found = list(_flatten(analysis.get("templates") or (), snapshot, path, problems))
    spec: dict[str, Any] = {}
    for key in _LISTS:
        joined = [entry for template in found for entry in template.spec.get(key) or ()]
        joined += list(analysis.get(key) or ()) if key != "metrics" else []
        if joined:
            spec[key] = joined
    scores = [template.spec["score"] for template in found if template.spec.get("score") is not None]
    if scores:
        spec["score"] = scores[0]
        problems += (Problem(path=f"{path}.templates", message=text) for text in _score_faults(scores, spec))
    _check_names(spec.get("metrics") or (), path, problems)
    given = _given(analysis.get("args") or (), snapshot.rollout, path, problems, stable=stable_hash, latest=latest_hash)
    args = _arguments([template.spec for template in found], given, snapshot.rollout, path, problems)
    if args:
        spec["args"] = args
    if not problems:
        for template in found:
            problems += _faults(template, args, path, background=background, strict=strict)
    if problems:
        raise UnusableAnalysisError(problems)
    return spec


def one_run_spec(
    analysis: JSON,
    snapshot: Snapshot,
    *,
    path: str,
    dry_run: Sequence[JSON] = (),
    retention: Sequence[JSON] = (),
    strict: bool = False,
) -> dict[str, Any]:
    """The spec of an AnalysisRun for one analysis of an Experiment, which names a single template: `{templateName,
    clusterScope, args, requiredForCompletion}`. One that is not required may go on without end; the Experiment ends it.
    Raises `UnusableAnalysisError`."""
    block = {
        "templates": [{key: analysis[key] for key in ("templateName", "clusterScope") if key in analysis}],
        "args": analysis.get("args") or (),
        "dryRun": dry_run,
        "measurementRetention": retention,
    }
    endless = not analysis.get("requiredForCompletion")
    try:
        spec = run_spec(block, snapshot, path=path, stable_hash="", latest_hash="", background=endless, strict=strict)
        return _of_its_own(spec, {"dryRun": dry_run, "measurementRetention": retention})
    except UnusableAnalysisError as error:
        named = [Problem(path=_singular(problem.path), message=problem.message) for problem in error.problems]
        raise UnusableAnalysisError(named) from error


def _of_its_own(spec: dict[str, Any], shared: Mapping[str, Sequence[JSON]]) -> dict[str, Any]:
    """Without those entries of an Experiment's lists that are meant for the metrics of its other analyses."""
    names = [metric.get("name") or "" for metric in spec.get("metrics") or ()]
    for key, entries in shared.items():
        strange = [entry for entry in entries if not any(_is_of(entry, name, key) for name in names)]
        spec[key] = [entry for entry in spec.get(key) or () if entry not in strange]
    return {key: value for key, value in spec.items() if value or key not in shared}


def _is_of(entry: JSON, name: str, field: str) -> bool:
    try:
        return matches(str(entry.get("metricName") or ""), name, field)
    except RuleError:
        return True  # the run says what is wrong with it


def _singular(path: str) -> str:
    return path.removesuffix(".templates") + ".templateName" if path.endswith(".templates") else path


def given(args: Sequence[JSON], rollout: JSON, path: str, *, stable: str, latest: str) -> list[dict[str, Any]]:
    """Arguments with what they refer to filled in: `{name, value}` each. Raises `UnusableAnalysisError`."""
    problems: list[Problem] = []
    values = _given(args, rollout, path, problems, stable=stable, latest=latest)
    if problems:
        raise UnusableAnalysisError(problems)
    return [{"name": name, **({} if value is None else {"value": str(value)})} for name, value in values.items()]


def _flatten(refs: Sequence[JSON], snapshot: Snapshot, path: str, problems: list[Problem]) -> Iterator[Template]:
    seen: set[tuple[str, bool]] = set()

    def visit(entries: Sequence[JSON]) -> Iterator[Template]:
        for ref in entries:
            name, wide = ref.get("templateName") or "", bool(ref.get("clusterScope"))
            if (name, wide) in seen:
                continue
            seen.add((name, wide))
            template = (snapshot.cluster_templates if wide else snapshot.templates).get(name)
            kind = "ClusterAnalysisTemplate" if wide else "AnalysisTemplate"
            if template is None:
                problems.append(
                    Problem(path=f"{path}.templates", message=f"Invalid value: \"{name}\": {kind} '{name}' not found")
                )
                continue
            spec = template.get("spec") or {}
            if not sound.fits(spec, sound.TEMPLATE):
                message = f'Invalid value: "{name}": its spec can\'t be read: `kubectl rollouts lint` says where'
                problems.append(Problem(path=f"{path}.templates", message=message))
                continue
            yield Template(kind=kind, name=name, spec=spec)
            yield from visit(spec.get("templates") or ())

    if not refs:
        problems.append(Problem(path=f"{path}.templates", message="Required value: no template is named"))
    yield from visit(refs)


def _check_names(metrics: Sequence[JSON], path: str, problems: list[Problem]) -> None:
    names = [metric.get("name") or "" for metric in metrics]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [
        Problem(path=f"{path}.templates", message=f"two metrics have the same name '{name}'") for name in twice
    ]


def _faults(
    template: Template, args: Sequence[JSON], path: str, *, background: bool, strict: bool
) -> Iterator[Problem]:
    """What is wrong with the metrics of one template, in the peer's words where it has any."""
    metrics = template.spec.get("metrics") or ()
    if not metrics:
        return
    seen = examine(metrics, args)
    counts = {metric.get("name"): metric.get("count") for metric in metrics}
    texts = [f": {seen.fault}"] if seen.fault and strict else []
    texts += [
        f" has metric {name} which runs indefinitely. Invalid value for count: {counts[name] or '<nil>'}; "
        "only background analysis may"
        for name in (() if background else seen.endless)
    ]
    for text in texts:
        message = f'Invalid value: "{template.name}": {template.kind} {template.name}{text}'
        yield Problem(path=f"{path}.templates", message=message)


def _score_faults(scores: Sequence[Any], spec: JSON) -> Iterator[str]:
    """What is wrong with the scores of the templates of one run."""
    if any(other != scores[0] for other in scores):
        yield "two templates have different scores: keep one"
        return
    try:
        score = RunScore.model_validate(scores[0])
    except ValueError as error:
        yield f"score can't be read: {str(error).splitlines()[-1].strip()}: `kubectl rollouts lint` says where"
        return
    groups = {group for metric in spec.get("metrics") or () for group in metric.get("groups") or [metric.get("name")]}
    yield from (f"score.{field} {text}" for field, text in score_faults(score, groups))


def _given(
    args: Sequence[JSON], rollout: JSON, path: str, problems: list[Problem], *, stable: str, latest: str
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for position, arg in enumerate(args):
        where = f"{path}.args[{position}]"
        value, source = arg.get("value"), arg.get("valueFrom") or {}
        if value is None and source.get("podTemplateHashValue"):
            value = {"Stable": stable, "Latest": latest}.get(source["podTemplateHashValue"])
        elif value is None and source.get("fieldRef"):
            value = _field(rollout, source["fieldRef"].get("fieldPath") or "", where, problems)
        elif value is None and source.get("secretKeyRef"):
            value = arg  # an Experiment's: read by the run itself
        values[arg.get("name") or ""] = value
    return values


def _field(rollout: JSON, field_path: str, where: str, problems: list[Problem]) -> str | None:
    value = read_field(rollout, field_path)
    if value is None and field_path.startswith(_STATUS):
        return ""  # as with the peer: before the first deploy there is none, and no deploy if that were a fault
    if value is None:
        message = f'Invalid value: "{field_path}": the {rollout.get("kind", "Rollout")} has no such field'
        problems.append(Problem(path=f"{where}.valueFrom.fieldRef.fieldPath", message=message))
    return value


def _arguments(
    templates: Sequence[JSON], given: JSON, rollout: JSON, path: str, problems: list[Problem]
) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for template in templates:
        for declared in template.get("args") or ():
            _declare(merged, dict(declared), path, problems)
    for name, arg in merged.items():
        if given.get(name) is not None:
            value = given[name]
            merged[name] = dict(value) if isinstance(value, Mapping) else {"name": name, "value": str(value)}
        elif (arg.get("valueFrom") or {}).get("fieldRef"):
            value = _field(rollout, arg["valueFrom"]["fieldRef"].get("fieldPath") or "", f"{path}.args", problems)
            merged[name] = {"name": name, "value": value}
        elif arg.get("value") is None and not arg.get("valueFrom"):
            problems.append(Problem(path=f"{path}.args", message=f"args.{name} was not resolved: no value is given"))
    return list(merged.values())


def _declare(merged: dict[str, dict[str, Any]], arg: dict[str, Any], path: str, problems: list[Problem]) -> None:
    name = arg.get("name") or ""
    before = merged.get(name)
    if before is None or set(before) == {"name"}:
        merged[name] = arg
    elif set(arg) != {"name"} and before != arg:
        problems.append(
            Problem(path=f"{path}.args", message=f"Argument `{name}` specified multiple times with different values")
        )
