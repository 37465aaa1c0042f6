"""`set image ROLLOUT CONTAINER=IMAGE…`: a new revision by another image."""

from __future__ import annotations

from typing import Annotated

import typer

from rollouts.api.kinds import ROLLOUT
from rollouts.cli.errors import CliError
from rollouts.cli.patches import set_images
from rollouts.cli.session import Session, rollout_names
from rollouts.cli.workload import send, workload_of


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
    pairs: Annotated[list[str], typer.Argument(metavar="CONTAINER=IMAGE", help="`*=IMAGE` sets all containers.")],
) -> None:
    """Set images of a Rollout's containers, or of the workload it refers to."""
    images = dict(_pair(text) for text in pairs)
    session = Session.of(ctx)
    workload = workload_of(session, session.find(ROLLOUT, name))
    operations = set_images(workload.raw, images, path=workload.path)
    if operations:
        send(session, workload, operations)
    changed = "image updated" if operations else "has that image already, nothing to do"
    session.terminal.say(f'{workload.kind.kind.lower()} "{workload.raw["metadata"]["name"]}" {changed}')


def _pair(text: str) -> tuple[str, str]:
    container, found, image = text.partition("=")
    if not (container and found and image):
        raise CliError(
            f'"{text}" is not of the form CONTAINER=IMAGE',
            hint="For example app=example/app:2, or *=example/app:2.",
            code=2,
        )
    return container, image
