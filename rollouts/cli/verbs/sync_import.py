"""`sync import KIND/NAME`: a GitSync that means the same, suspended, and the steps to take then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from rollouts.api.kinds import GIT_SYNC, Kind
from rollouts.api.parsing import check
from rollouts.cli.errors import ApiError, CliError
from rollouts.cli.manifests import Unreadable, read_all
from rollouts.cli.output import Format, printed
from rollouts.cli.session import Session
from rollouts.gitops.former import status_of
from rollouts.gitops.importing import Import, from_argo
from rollouts.gitops.importing_flux import from_flux

JSON = Mapping[str, Any]
APPLICATION = Kind(group="argoproj.io", version="v1alpha1", kind="Application", plural="applications")
KUSTOMIZATION = Kind(group="kustomize.toolkit.fluxcd.io", version="v1", kind="Kustomization", plural="kustomizations")
REPOSITORY = Kind(group="source.toolkit.fluxcd.io", version="v1", kind="GitRepository", plural="gitrepositories")
KINDS = {"application": APPLICATION, "app": APPLICATION, "kustomization": KUSTOMIZATION, "ks": KUSTOMIZATION}


def run(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(metavar="[KIND/NAME]", help="application/NAME or kustomization/NAME.")] = "",
    files: Annotated[list[str] | None, typer.Option("--filename", "-f", help="Read them from files instead.")] = None,
    account: Annotated[str, typer.Option("--service-account", help="The ServiceAccount whose rights are used.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Create the GitSync, suspended.")] = False,
) -> None:
    """Make a GitSync of an Argo CD Application or a Flux Kustomization. Ends with 2 when something can't be moved."""
    session = Session.of(ctx)
    found = _imported(_from_files(files) if files else _from_cluster(session, what), account)
    session.terminal.say(printed(found.sync, form=Format.yaml, kind=GIT_SYNC))
    problems = [*found.refused, *map(str, check(GIT_SYNC, found.sync).errors)]
    for title, rows in (("note", found.remarks), ("refused", problems), ("then", found.steps)):
        for row in rows:
            session.terminal.remark(f"{title}: {row}")
    if problems:
        raise typer.Exit(2)
    if apply:
        _create(session, found)
        session.terminal.remark(f"gitsync '{found.sync['metadata']['name']}' created, suspended")


def _create(session: Session, found: Import) -> None:
    """The GitSync, suspended, and then what it knows: it looks at nothing before it is resumed."""
    metadata = found.sync["metadata"]
    try:
        session.client.create(GIT_SYNC, metadata["namespace"], found.sync)
    except ApiError as error:
        if not error.missing_object:
            raise
        raise CliError(error.message, hint=f"Create it: kubectl create namespace {metadata['namespace']}") from None
    if found.known:
        path = GIT_SYNC.path(metadata["namespace"], metadata["name"], "status")
        session.client.patch(path, {"status": status_of(found.known)})


def _imported(objects: list[JSON], account: str) -> Import:
    by_kind = {str(item.get("kind")): item for item in objects}
    makers: dict[str, Callable[[], Import]] = {
        "Application": lambda: from_argo(by_kind["Application"], account=account),
        "Kustomization": lambda: from_flux(by_kind["Kustomization"], by_kind.get("GitRepository"), account=account),
    }
    chosen = [make for kind, make in makers.items() if kind in by_kind]
    if len(chosen) != 1:
        raise CliError("give one Application, or one Kustomization with its GitRepository", code=2)
    return chosen[0]()


def _from_files(files: list[str]) -> list[JSON]:
    found = read_all(files)
    for item in found:
        if isinstance(item, Unreadable):
            raise CliError(f"{item.file}:{item.line}: {item.message}", code=2)
    return [item.value for item in found if not isinstance(item, Unreadable)]


def _from_cluster(session: Session, what: str) -> list[JSON]:
    word, _, name = what.partition("/")
    kind = KINDS.get(word.partition(".")[0].rstrip("s") if word not in KINDS else word)
    if kind is None or not name:
        raise CliError(f'"{what}" is none of application/NAME and kustomization/NAME', code=2)
    root = {**session.find(kind, name), "kind": kind.kind}
    if kind is APPLICATION:
        return [root]
    reference = root["spec"].get("sourceRef") or {}
    if reference.get("kind") != REPOSITORY.kind:
        return [root]
    try:
        namespace = reference.get("namespace") or session.namespace
        return [root, {**session.client.get(REPOSITORY, namespace, reference["name"]), "kind": REPOSITORY.kind}]
    except ApiError as error:
        raise session.missing(REPOSITORY, reference["name"], error) from None
