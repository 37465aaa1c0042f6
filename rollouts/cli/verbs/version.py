"""`version`: ours, and nothing else, so that it works without a cluster."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer


def run(short: Annotated[bool, typer.Option("--short", help="The number alone.")] = False) -> None:
    """Print the version."""
    number = _number()
    typer.echo(number if short else f"rollouts v{number}")


def _number() -> str:
    try:
        return version("rollouts")
    except PackageNotFoundError:
        return "unknown (not installed as a package)"
