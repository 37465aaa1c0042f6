"""`rollouts renderer`: render for a controller in another container of the same Pod, which says `--renderer-socket`."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from socket import socket as Socket  # noqa: N812
from typing import Annotated

import typer

from rollouts.cli.errors import CliError

_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def renderer(
    socket: Annotated[Path, typer.Option(help="Unix socket to serve at; its folder is shared with the controller.")],
    loglevel: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    logformat: Annotated[str, typer.Option(help="json, or text for the console.")] = "text",
) -> None:
    """Render for a controller until told to stop (SIGTERM or Ctrl-C), without a network and without a token."""
    import structlog

    from rollouts.engine import logs
    from rollouts.gitops.errors import SyncError
    from rollouts.gitops.render import service

    try:
        logs.configure(level=loglevel, form=logformat)
        listener = service.listen(socket)
    except ValueError as error:
        raise CliError(str(error)) from error
    except OSError as error:
        hint = "its folder must exist and be writable; say another with --socket"
        raise CliError(f"cannot serve at {socket}: {error.strerror or error}", hint=hint) from error
    log = structlog.get_logger(__name__)
    if not service.isolate():
        log.warning("this system has no seccomp: nothing but a NetworkPolicy keeps renderers off the network")
    if _TOKEN.exists():
        log.warning("a token of a ServiceAccount is mounted here; a renderer needs none", file=str(_TOKEN))
    try:
        asyncio.run(_run(listener))
    except SyncError as error:
        raise CliError(f"nothing can be rendered here: {error}") from error


async def _run(listener: Socket) -> None:
    import structlog

    from rollouts.gitops.render import service

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with service.serving(listener):
        await service.check()
        log = structlog.get_logger(__name__)
        found = service.programs()
        log.info("serving", socket=listener.getsockname(), programs=sorted(found))
        for name in sorted(service.PROGRAMS - found.keys()):
            log.warning("not on PATH: folders that need it are refused", program=name)
        await stop.wait()
        log.info("stopping")
    log.info("stopped")
