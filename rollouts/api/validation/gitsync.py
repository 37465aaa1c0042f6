"""The GitSync: addresses, durations, options, ignored fields, and what can't be carried out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rollouts.api import fieldpaths
from rollouts.api.durations import parse_duration
from rollouts.api.errors import FieldError, Path
from rollouts.api.gitsync import IN_CLUSTER, Forge, GitSync, GitSyncSpec, IgnoreDifference, Retry, SyncPolicy
from rollouts.api.gitsync_images import ImageUpdate
from rollouts.api.gitsync_revert import Revert
from rollouts.api.gitsync_source import GitSource, Kustomize
from rollouts.api.refspecs import is_branch, refspec
from rollouts.api.validation import common

JSON = Mapping[str, Any]
SPEC = Path.of("spec")
SOURCE = SPEC / "source"
FORGE = SPEC / "forge"
POLICY = SPEC / "syncPolicy"

ALWAYS_ON = ("ServerSideApply", "ApplyOutOfSyncOnly", "RespectIgnoreDifferences", "FailOnSharedResource", "PruneLast")
PER_OBJECT = ("Replace", "Force")
SINGLE = "is possible for single objects only: annotate them with gitops.rollouts.dev/sync-options"
PROPAGATION = ("background", "foreground", "orphan")


def errors(sync: GitSync) -> Iterator[FieldError]:
    """All errors of a GitSync."""
    spec = sync.spec
    yield from _source_errors(spec.source)
    yield from _destination_errors(spec)
    yield from _duration(spec.interval, SPEC / "interval")
    yield from _duration(spec.timeout, SPEC / "timeout")
    yield from common.at_least(0, spec.revision_history_limit, SPEC / "revisionHistoryLimit")
    yield from _dependency_errors(sync)
    yield from _policy_errors(spec.sync_policy or SyncPolicy())
    for index, row in enumerate(spec.ignore_differences or ()):
        yield from _ignore_errors(row, SPEC / "ignoreDifferences" / index)
    if spec.image_update is not None:
        yield from _image_errors(spec.image_update)
    if spec.forge is not None:
        yield from _forge_errors(spec.forge)
    if spec.revert is not None:
        yield from _revert_errors(spec.revert)
    for index, note in enumerate(spec.info or ()):
        if not note.name:
            yield (SPEC / "info" / index / "name").error("is required")


def _source_errors(source: GitSource) -> Iterator[FieldError]:
    if not source.repo_url.strip():
        yield (SOURCE / "repoURL").error("is required")
    path = source.path or "."
    if path.startswith("/") or ".." in path.split("/"):
        yield (SOURCE / "path").error(f'must be a folder inside the repository, not "{path}"')
    kinds = ("directory", "kustomize", "helm")
    chosen = [kind for kind in kinds if getattr(source, kind) is not None]
    if len(chosen) > 1:
        yield SOURCE.error(f"set only one of {', '.join(chosen)}")
    if source.helm is not None:
        yield from _helm_errors(source)
    if source.kustomize is not None:
        yield from _kustomize_errors(source.kustomize)


def _forge_errors(forge: Forge) -> Iterator[FieldError]:
    if forge.api_url is not None and not re.fullmatch(r"https://[^/@\s?#]+(/[^\s?#]*)?", forge.api_url):
        yield (FORGE / "apiURL").error(f'"{forge.api_url}" is not taken: use https://host/path')
    if forge.context is not None and not (forge.context.strip() and forge.context.isprintable()):
        yield (FORGE / "context").error("must be one line of printable text")
    if forge.deployments and forge.provider == "gitea":
        yield (FORGE / "deployments").error("gitea has no deployments: take it out, statuses are set anyway")


def _revert_errors(revert: Revert) -> Iterator[FieldError]:
    git = SPEC / "revert" / "git"
    author = revert.git.commit.author
    for field, value in (("name", author.name), ("email", author.email)):
        if value is not None and (not value.strip() or re.search(r"[<>\n\r\0]", value)):
            yield (git / "commit" / "author" / field).error("must be one line without angle brackets")
    branch = revert.git.push.branch if revert.git.push else None
    if branch is not None and not is_branch(branch):
        yield (git / "push" / "branch").error(f'"{branch}" is no name of a branch')


def _helm_errors(source: GitSource) -> Iterator[FieldError]:
    assert source.helm is not None
    for index, name in enumerate(source.helm.value_files or ()):
        if "://" in name or name.startswith("$"):
            yield (SOURCE / "helm" / "valueFiles" / index).error("must be a file of the repository")


def _kustomize_errors(kustomize: Kustomize) -> Iterator[FieldError]:
    for field, value in (("kubeVersion", kustomize.kube_version), ("apiVersions", kustomize.api_versions)):
        if value:
            why = "has no effect: only charts inside a kustomization would ask, and those are not rendered; take it out"
            yield (SOURCE / "kustomize" / field).error(why)


def _image_errors(update: ImageUpdate) -> Iterator[FieldError]:
    path = SPEC / "imageUpdate"
    yield from _duration(update.interval, path / "interval")
    push = update.git.push
    if push and push.branch is not None and not is_branch(push.branch):
        yield (path / "git" / "push" / "branch").error(f'"{push.branch}" is no name of a branch')
    if push and push.refspec is not None:
        yield from _refspec_errors(push.refspec, path / "git" / "push" / "refspec")


def _refspec_errors(text: str, path: Path) -> Iterator[FieldError]:
    try:
        refspec(text)
    except ValueError as error:
        yield path.error(str(error))


def _destination_errors(spec: GitSyncSpec) -> Iterator[FieldError]:
    destination = spec.destination
    if destination is None:
        return
    for field in ("server", "name"):
        value = getattr(destination, field)
        if value is not None and value not in IN_CLUSTER:
            yield (SPEC / "destination" / field).error(
                f'"{value}" is another cluster; a GitSync applies to its own: run a controller there'
            )
    yield from common.dns_label(destination.namespace, SPEC / "destination" / "namespace")


def _dependency_errors(sync: GitSync) -> Iterator[FieldError]:
    for index, row in enumerate(sync.spec.depends_on or ()):
        path = SPEC / "dependsOn" / index
        if row.namespace not in (None, sync.metadata.namespace):
            yield (path / "namespace").error("must be the GitSync's own namespace")
        if row.name == sync.metadata.name:
            yield (path / "name").error("is the GitSync itself")


def _duration(text: str | None, path: Path) -> Iterator[FieldError]:
    """A time to wait: without arguments to fill in, and never none at all."""
    try:
        if text is not None and parse_duration(text) <= 0:
            yield path.error("must be longer than 0s")
    except ValueError as error:
        yield path.error(str(error))


def _retry_errors(retry: Retry | None, path: Path) -> Iterator[FieldError]:
    if retry is not None and retry.backoff is not None:
        yield from _duration(retry.backoff.duration, path / "backoff" / "duration")
        yield from _duration(retry.backoff.max_duration, path / "backoff" / "maxDuration")
        yield from common.at_least(1, retry.backoff.factor, path / "backoff" / "factor")


def operation_problem(operation: JSON) -> str | None:
    """What is wrong with a command, in JSON form; None when it can be carried out."""
    path = Path.of("operation")
    options = (operation.get("sync") or {}).get("syncOptions") or ()
    problems = [
        (path / "sync" / "syncOptions" / index).error(text)
        for index, option in enumerate(options)
        if (text := option_problem(str(option)))
    ]
    retry = Retry.model_validate(operation["retry"]) if operation.get("retry") else None
    return next((str(problem) for problem in (*problems, *_retry_errors(retry, path / "retry"))), None)


def _policy_errors(policy: SyncPolicy) -> Iterator[FieldError]:
    yield from _retry_errors(policy.retry, POLICY / "retry")
    guards = policy.prune_guards
    if guards is not None:
        yield from common.between(0, 100, guards.max_percent, POLICY / "pruneGuards" / "maxPercent")
        yield from common.at_least(0, guards.min_objects, POLICY / "pruneGuards" / "minObjects")
    for index, text in enumerate(policy.sync_options or ()):
        problem = option_problem(text)
        if problem:
            yield (POLICY / "syncOptions" / index).error(problem)
    if policy.managed_namespace_metadata and "CreateNamespace=true" not in (policy.sync_options or ()):
        yield (POLICY / "managedNamespaceMetadata").error("needs the sync option CreateNamespace=true")


def option_problem(text: str) -> str | None:
    """What is wrong with a sync option of the whole sync, None when it can be carried out."""
    name, equals, value = text.partition("=")
    if not equals:
        return f'"{text}" is no option: write Name=value'
    if name in PER_OBJECT:
        return f"{name} {SINGLE}"
    if name == "Delete":
        return "Delete is possible for single objects only: for all of them there is spec.deletionPolicy"
    teller = _OPTIONS.get(name)
    return teller(value) if teller else f'unknown option "{name}"; known are {", ".join(sorted(_OPTIONS))}'


def _switch(value: str) -> str | None:
    return None if value in ("true", "false") else "must be true or false"


def _always(value: str) -> str | None:
    return None if value == "true" else "can't be switched off: a GitSync always works this way"


def _validate(value: str) -> str | None:
    return f"Validate=false {SINGLE}" if value == "false" else _switch(value)


def _consent(value: str) -> str | None:
    return None if value in ("true", "false", "confirm") else "must be true, false or confirm"


def _propagation(value: str) -> str | None:
    return None if value in PROPAGATION else f"must be one of {', '.join(PROPAGATION)}"


_OPTIONS: dict[str, Callable[[str], str | None]] = {
    "CreateNamespace": _switch,
    "PrunePropagationPolicy": _propagation,
    "Validate": _validate,
    "SkipDryRunOnMissingResource": _switch,
    "ClientSideApplyMigration": _switch,
    "Prune": _consent,
    **dict.fromkeys(ALWAYS_ON, _always),
}


def _ignore_errors(row: IgnoreDifference, path: Path) -> Iterator[FieldError]:
    if not (row.json_pointers or row.jq_path_expressions):
        yield path.error("name fields by jsonPointers or jqPathExpressions")
    for index, text in enumerate(row.json_pointers or ()):
        yield from _field_errors(fieldpaths.pointer, text, path / "jsonPointers" / index)
    for index, text in enumerate(row.jq_path_expressions or ()):
        yield from _field_errors(fieldpaths.expression, text, path / "jqPathExpressions" / index)


def _field_errors(read: Callable[[str], Any], text: str, path: Path) -> Iterator[FieldError]:
    try:
        found = read(text)
    except ValueError as error:
        yield path.error(str(error))
        return
    if len(found) < 2:
        yield path.error(f"covers all of {text}: name the field below it that somebody else changes")
