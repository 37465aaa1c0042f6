"""What is wrong with manifests: every error of every object, with file, line, document and field.

What can't be told from the files alone is a note: it is shown, and no error.

The same check that the controller makes, so what passes here is not refused there; in addition, Services that are in
the same files are held against the Rollouts that name them, and metrics are searched for what would be an Error only
when they are measured: conditions, placeholders, the configuration of their providers.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.lint import metric_doubts, metric_faults
from analysis.spec import Metric
from rollouts.api.errors import FieldError, Path
from rollouts.api.gitsync import GitSync
from rollouts.api.kinds import ARGO, GIT_SYNC, GITOPS
from rollouts.api.loose import listed, mapping
from rollouts.api.parsing import MODELS, check, left_over
from rollouts.api.podschema import unknown_fields
from rollouts.api.validation.references import Existing, missing, references
from rollouts.cli.manifests import Manifest, Unreadable
from rollouts.cli.objectlint import Remark, no_objects, twice
from rollouts.gitops import url
from rollouts.gitops.errors import SourceError
from rollouts.gitops.images.faults import image_faults
from rollouts.gitops.validate import faults
from rollouts.strategy.unsupported import unsupported
from rollouts.traffic import ROUTERS

_METRICS = frozenset(("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"))
_GROUPS = {kind: GITOPS if kind == GIT_SYNC.kind else ARGO for kind in MODELS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One error, ready to print. `line`, `document` from 1; `path` empty for the file as a whole."""

    file: str
    line: int | None
    document: int | None
    title: str
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        title = f"{self.title} (document {self.document}): " if self.document else ""
        return f"{place}: {title}{self.path + ': ' if self.path else ''}{self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All errors, what could not be checked, how many objects were looked at (others, such as Services, count where
    something is wrong with them), and how many files or documents could not be read."""

    findings: tuple[Finding, ...]
    objects: int
    unreadable: int = 0
    notes: tuple[Finding, ...] = ()


def lint(manifests: Sequence[Manifest | Unreadable]) -> Report:
    """The report on all manifests together."""
    readable = [item for item in manifests if isinstance(item, Manifest)]
    ours = [item for item in readable if _is_ours(item.value)]
    lost = [_unreadable(item) for item in manifests if isinstance(item, Unreadable)]
    found = [finding for item in ours for finding in _wrong(item, readable)]
    others = [item for item in readable if not _is_ours(item.value)]
    bad = [*no_objects(others, beside=readable), *(remark for remark in twice(readable) if remark.error)]
    near = [remark for remark in twice(readable) if not remark.error]
    notes = [_finding(item, note) for item in ours for note in _doubts(item)]
    return Report(
        findings=(*lost, *found, *map(_of_remark, bad)),
        objects=len({id(item) for item in (*ours, *(remark.item for remark in bad))}),
        unreadable=len(lost),
        notes=(*notes, *map(_of_remark, near)),
    )


def _wrong(item: Manifest, readable: Sequence[Manifest]) -> list[Finding]:
    # what none of these rules knows, and a sync would refuse
    errors = tuple(_errors(item, readable)) or faults(item.value)
    return sorted((_finding(item, error) for error in errors), key=lambda row: row.line or 0)


def _of_remark(remark: Remark) -> Finding:
    return _finding(remark.item, FieldError("", remark.message))


def _unreadable(item: Unreadable) -> Finding:
    return Finding(file=item.file, line=item.line, document=None, title="", path="", message=item.message)


def _finding(item: Manifest, error: FieldError) -> Finding:
    return Finding(
        file=item.file,
        line=item.line(error.path),
        document=item.document,
        title=item.title,
        path=error.path,
        message=error.message,
    )


def _is_ours(value: Mapping[str, Any]) -> bool:
    """Whether we know the kind, or it is one misspelt; the group has kinds of other programs too."""
    kind, group = str(value.get("kind")), str(value.get("apiVersion")).partition("/")[0]
    return group in _GROUPS.values() and (kind in MODELS or bool(_meant(kind)))


def _meant(kind: str) -> list[str]:
    return difflib.get_close_matches(kind, MODELS, n=1, cutoff=0.75)


def _errors(item: Manifest, others: Sequence[Manifest]) -> Iterator[FieldError]:
    value, kind = item.value, str(item.value.get("kind"))
    version = f"{_GROUPS[kind if kind in MODELS else _meant(kind)[0]]}/v1alpha1"
    if value.get("apiVersion") != version:
        yield FieldError("apiVersion", f'must be "{version}", not "{value.get("apiVersion")}"')
    if kind not in MODELS:
        yield FieldError("kind", f'unknown kind "{kind}", did you mean "{_meant(kind)[0]}"?')
        return
    parsed = check(kind, dict(value))
    yield from parsed.errors
    yield from _measuring(kind, mapping(value.get("spec")))
    for path, template in _pod_templates(kind, mapping(value.get("spec"))):
        yield from unknown_fields(template, path)
    if isinstance(parsed.model, GitSync):
        yield from _of_sync(parsed.model)
    if kind == "Rollout":
        said = {error.path for error in parsed.errors}
        yield from (e for e in unsupported(mapping(value.get("spec")), ROUTERS) if e.path not in said)
    if kind == "Rollout" and parsed.model is not None:
        yield from _references(item, parsed.model, others)


def _of_sync(sync: GitSync) -> Iterator[FieldError]:
    """What the sync would find before it asks a repository or a registry."""
    spec = Path.of("spec")
    try:
        url.parse(sync.spec.source.repo_url, allow_local=True)
    except SourceError as error:
        yield (spec / "source" / "repoURL").error(str(error))
    if sync.spec.image_update is not None:
        yield from image_faults(sync.spec.image_update, spec / "imageUpdate")


def _measuring(kind: str, spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """What would make a metric an Error when it is measured, whatever else is wrong with its object."""
    declared = [str(mapping(arg).get("name")) for arg in listed(spec.get("args"))]
    # other templates may bring arguments
    args = None if spec.get("templates") else declared
    for place, metric in _metrics(kind, spec):
        for field, text in metric_faults(metric, args=args, values=_defaults(spec)):
            yield FieldError(str(_placed(place, field)), text)


def _doubts(item: Manifest) -> Iterator[FieldError]:
    """What can't be told about metrics before somebody gives the arguments."""
    spec = mapping(item.value.get("spec"))
    for place, metric in _metrics(str(item.value.get("kind")), spec):
        for field, text in metric_doubts(metric, values=_defaults(spec)):
            yield FieldError(str(_placed(place, field)), text)


def _metrics(kind: str, spec: Mapping[str, Any]) -> Iterator[tuple[Path, Metric]]:
    for index, metric in enumerate(listed(spec.get("metrics"))) if kind in _METRICS else ():
        found = left_over(Metric, mapping(metric))
        if found is not None:
            yield Path.of("spec", "metrics", index), found


def _defaults(spec: Mapping[str, Any]) -> dict[str, str]:
    declared = [mapping(arg) for arg in listed(spec.get("args"))]
    return {str(arg.get("name")): str(arg["value"]) for arg in declared if arg.get("value") is not None}


def _placed(path: Path, field: str) -> Path:
    for part in field.split(".") if field else ():
        path = path / (int(part) if part.isdigit() else part)
    return path


def _pod_templates(kind: str, spec: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The pod templates of an object, with their places."""
    if kind == "Rollout":
        yield Path.of("spec", "template"), spec.get("template")
    for index, template in enumerate(listed(spec.get("templates"))) if kind == "Experiment" else ():
        yield Path.of("spec", "templates", index, "template"), mapping(template).get("template")
    for index, metric in enumerate(listed(spec.get("metrics"))) if kind in _METRICS else ():
        job = mapping(mapping(mapping(metric).get("provider")).get("job"))
        place = Path.of("spec", "metrics", index, "provider", "job", "spec", "template")
        yield place, mapping(job.get("spec")).get("template")


def _references(item: Manifest, rollout: Any, others: Sequence[Manifest]) -> Iterator[FieldError]:
    """Errors of Services that are there and can't serve this Rollout; those that aren't may be in the cluster."""
    services = {
        str(other.value["metadata"]["name"]): other.value
        for other in others
        if other.value.get("kind") == "Service" and _namespace(other) == _namespace(item) and "?" not in other.title
    }
    named = {str(found.path) for found in references(rollout) if found.kind == "Service" and found.name in services}
    yield from (error for error in missing(rollout, Existing(services=services)) if error.path in named)


def _namespace(item: Manifest) -> str:
    meta = item.value.get("metadata")
    return str(meta.get("namespace") or "") if isinstance(meta, Mapping) else ""
