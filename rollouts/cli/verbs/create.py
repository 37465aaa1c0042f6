"""`create -f FILE`: make Rollouts, Experiments, analysis templates and runs from manifests."""

from __future__ import annotations

from typing import Annotated

import typer

from rollouts.api.kinds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT, ROLLOUT
from rollouts.cli.errors import ApiError, CliError, explain
from rollouts.cli.session import Session

_KINDS = {kind.kind: kind for kind in (ROLLOUT, EXPERIMENT, ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)}


def run(
    ctx: typer.Context,
    files: Annotated[
        list[str], typer.Option("--filename", "-f", help="A file, a folder, or - for standard input; may be repeated.")
    ],
) -> None:
    """Create the objects of manifests."""
    from rollouts.cli.manifests import Manifest, read_all

    found = read_all(files)
    wrong = [item for item in found if not isinstance(item, Manifest) or item.value.get("kind") not in _KINDS]
    if wrong:
        item = wrong[0]
        told = f"can't create a {item.value.get('kind')}" if isinstance(item, Manifest) else item.message
        line = item.line() if isinstance(item, Manifest) else item.line
        raise CliError(f"{item.file}:{line}: {told}", hint=f"Kinds to create: {', '.join(_KINDS)}.")
    session = Session.of(ctx)
    for item in found:
        _create(session, item)


def _create(session: Session, item: object) -> None:
    from rollouts.cli.manifests import Manifest

    assert isinstance(item, Manifest)
    kind, value = _KINDS[str(item.value["kind"])], dict(item.value)
    namespace = str((value.get("metadata") or {}).get("namespace") or session.namespace)
    try:
        made = session.client.create(kind, namespace if kind.namespaced else None, value)
    except ApiError as error:
        told = explain(error)
        raise CliError(f"{item.file}:{item.line()}: {told.message}", hint=told.hint) from None
    session.terminal.say(f"{kind.kind.lower()}.{kind.group}/{made['metadata']['name']} created")
