"""What probes and hooks can do: ask by HTTP, open a connection, run a command, sleep.

One row each. A handler that returns has succeeded; HandlerError says why it hasn't, for people. Time limits are the
caller's (`asyncio.timeout`).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deploy.local.node.client import UNREACHABLE, Object
from deploy.local.node.processes import exit_code, signal_group, spawn

OUTPUT_BYTES = 1024


class HandlerError(Exception):
    """A probe or hook did not succeed."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The container that is asked: `ports` by name, and how a command is run in it."""

    address: str
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    cwd: Path
    http: aiohttp.ClientSession


async def handle(handler: Object, target: Target) -> None:
    """Do what a probe or a hook says; HandlerError if that fails."""
    kind = next((kind for kind in HANDLERS if kind in handler), None)
    if kind is None:
        named = ", ".join(handler) or "an empty handler"
        raise HandlerError(f"{named} is not supported by the process node: use {', '.join(HANDLERS)}")
    await HANDLERS[kind](handler[kind], target)


async def http_get(spec: Object, target: Target) -> None:
    """2xx and 3xx are success."""
    scheme = spec.get("scheme", "HTTP").lower()
    port = _port(spec["port"], target)
    url = f"{scheme}://{spec.get('host') or target.address}:{port}/{spec.get('path', '').lstrip('/')}"
    headers = [(header["name"], header["value"]) for header in spec.get("httpHeaders", [])]
    try:
        async with target.http.get(url, headers=headers, allow_redirects=False, ssl=False) as response:
            if not 200 <= response.status < 400:
                raise HandlerError(f"HTTP probe failed with statuscode: {response.status}")
    except UNREACHABLE as error:
        raise HandlerError(f"Get {url!r}: {_reason(error)}") from error


async def tcp_socket(spec: Object, target: Target) -> None:
    """A connection that opens is success."""
    port = _port(spec["port"], target)
    try:
        _, writer = await asyncio.open_connection(spec.get("host") or target.address, port)
    except OSError as error:
        raise HandlerError(f"dial tcp {target.address}:{port}: {_reason(error)}") from error
    writer.close()


async def run_command(spec: Object, target: Target) -> None:
    """Exit code 0 is success."""
    command = spec.get("command") or []
    try:
        process = await spawn(command, env=target.environment, cwd=target.cwd, output=asyncio.subprocess.PIPE)
    except OSError as error:
        raise HandlerError(f"command {command} could not be started: {error.strerror}") from error
    try:
        output, _ = await process.communicate()
    finally:
        signal_group(process, signal.SIGKILL)
    if process.returncode:
        told = output[-OUTPUT_BYTES:].decode(errors="replace").strip()
        raise HandlerError(f"command {command} exited with {exit_code(process)}: {told}")


async def sleep(spec: Object, target: Target) -> None:
    """Always a success, in the end."""
    await asyncio.sleep(float(spec["seconds"]))


HANDLERS: Mapping[str, Callable[[Any, Target], Awaitable[None]]] = {
    "exec": run_command,
    "httpGet": http_get,
    "tcpSocket": tcp_socket,
    "sleep": sleep,
}


def _reason(error: BaseException) -> str:
    """In the system's words where there are some: asyncio's own repeat the address."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error) or type(error).__name__


def _port(port: int | str, target: Target) -> int:
    if isinstance(port, int) or port.isdigit():
        return int(port)
    if port not in target.ports:
        raise HandlerError(f"the container has no port named {port!r}; it has {', '.join(target.ports) or 'none'}")
    return target.ports[port]
