"""A door into a plane's network namespace: connections to a port outside go to an address inside.

A socket belongs to the namespace it was made in, wherever it is used. So the owner listens outside, and hands the
listening socket to this process, which runs inside: it accepts from outside and connects inside. No relay in between,
no port to race for, and it speaks whatever its two ends speak.

    python -m deploy.local.forwarder LISTENING_FD HOST PORT
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

CHUNK_BYTES = 64 * 1024


async def forward(*, listener: socket.socket, host: str, port: int) -> None:
    """Serve until cancelled."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            inner_reader, inner_writer = await asyncio.open_connection(host, port)
            with contextlib.closing(inner_writer):
                await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    server = await asyncio.start_server(accept, sock=listener)
    async with server:
        await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until its end; then say so to the other side, whose own direction may go on."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def main(arguments: list[str]) -> None:
    """Take over the listening socket by its number."""
    number, host, port = arguments
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forward(listener=socket.socket(fileno=int(number)), host=host, port=int(port)))


if __name__ == "__main__":
    main(sys.argv[1:])
