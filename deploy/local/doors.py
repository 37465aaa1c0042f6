"""Listening sockets of a plane's owner: ports that are ours before anyone is told about them.

Without a network namespace the API server shares the port with a socket of ours that is bound but never listens, so
nobody can take it in between, nor while the API server is being restarted. With one, our socket listens outside and a
forwarder inside accepts from it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

Popen = Callable[..., "subprocess.Popen[bytes]"]

BACKLOG = 512


def hold_port() -> socket.socket:
    """A free port of 127.0.0.1, kept for a server that shares ports; it is ours until the socket is closed."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    return held


def listen() -> socket.socket:
    """A listening socket on a free port of 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.set_inheritable(True)
    return listener


def port_of(sock: socket.socket) -> int:
    """The port that a socket is bound to."""
    port: int = sock.getsockname()[1]
    return port


@dataclass(frozen=True, kw_only=True)
class Door:
    """Connections to `port` of 127.0.0.1 outside arrive at an address inside."""

    port: int
    process: subprocess.Popen[bytes]

    def close(self) -> None:
        """Stop forwarding; may be called again."""
        self.process.kill()
        self.process.wait()


def open_door(*, listener: socket.socket, host: str, port: int, popen: Popen) -> Door:
    """Forward from a listening socket to an address; `popen` starts a process inside. The socket is taken over."""
    number = listener.fileno()
    argv = [sys.executable, "-m", "deploy.local.forwarder", str(number), host, str(port)]
    with listener:
        return Door(port=port_of(listener), process=popen(argv, pass_fds=[number]))
