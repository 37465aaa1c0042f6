"""`create analysisrun`: an AnalysisRun from a template of the cluster, a file or the catalog."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rollouts.api.kinds import ANALYSIS_RUN
from rollouts.cli.errors import ApiError, CliError, explain
from rollouts.cli.runspecs import Arguments, Choice, FromRollout, choose

INSTANCE_ID = "argo-rollouts.argoproj.io/controller-instance-id"


def run(
    ctx: typer.Context,
    template: Annotated[str, typer.Option("--from", help="An AnalysisTemplate of the namespace.")] = "",
    file: Annotated[str, typer.Option("--from-file", help="A file with a template, or a run; - for stdin.")] = "",
    from_catalog: Annotated[str, typer.Option("--from-catalog", help="A template of the catalog.")] = "",
    everywhere: Annotated[bool, typer.Option("--global", help="--from is a ClusterAnalysisTemplate.")] = False,
    argument: Arguments = None,
    rollout: FromRollout = "",
    name: Annotated[str, typer.Option("--name", help="The run's name.")] = "",
    generate_name: Annotated[str, typer.Option("--generate-name", help="What its generated name begins with.")] = "",
    instance_id: Annotated[str, typer.Option("--instance-id", help="Label it for this controller only.")] = "",
) -> None:
    """Create an AnalysisRun."""
    if sum(map(bool, (template, file, from_catalog))) != 1:
        raise CliError("give one of --from, --from-file and --from-catalog")
    choice = Choice(
        ctx=ctx,
        name=template or from_catalog,
        file=file,
        everywhere=everywhere,
        catalog=bool(from_catalog),
        arguments=argument or (),
        rollout=rollout,
    )
    chosen = choose(choice)
    metadata: dict[str, Any] = {"name": name} if name else {"generateName": generate_name or f"{chosen.name}-"}
    if instance_id:
        metadata["labels"] = {INSTANCE_ID: instance_id}
    body = {
        "apiVersion": ANALYSIS_RUN.api_version,
        "kind": ANALYSIS_RUN.kind,
        "metadata": metadata,
        "spec": chosen.spec,
    }
    session = choice.session
    try:
        made = session.client.create(ANALYSIS_RUN, session.namespace, body)
    except ApiError as error:
        raise explain(error) from None
    session.terminal.say(f"analysisrun.{ANALYSIS_RUN.group}/{made['metadata']['name']} created")
