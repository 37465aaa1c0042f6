"""A Git server for ssh: a real ssh server that runs git's own `git-upload-pack` and, where it may, `git-receive-pack`.

It speaks the first version of git's protocol, as plain servers do: only tips of branches are handed out by their id.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import asyncssh

from tests.gitops.keys import SshKey


class Server(asyncssh.SSHServer):
    """Lets in whoever holds the one key."""

    def __init__(self, allowed: str) -> None:
        self._allowed = asyncssh.import_public_key(allowed)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key == self._allowed


async def _serve(process: asyncssh.SSHServerProcess[bytes], *, programs: frozenset[str]) -> None:
    """Runs git's programs, as a forge would."""
    program, _, argument = (process.command or "").partition(" ")
    if program not in programs:
        process.stderr.write(b"ERROR: this key may only read\n")
        process.exit(1)
        return
    child = await asyncio.create_subprocess_exec(
        program, argument.strip("'"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdin
    assert child.stdout
    feeding = asyncio.create_task(_feed(process, child.stdin))
    while chunk := await child.stdout.read(65536):
        process.stdout.write(chunk)
    process.exit(await child.wait())
    feeding.cancel()


async def _feed(process: asyncssh.SSHServerProcess[bytes], pipe: asyncio.StreamWriter) -> None:
    while chunk := await process.stdin.read(65536):
        pipe.write(chunk)
        await pipe.drain()
    pipe.close()


@asynccontextmanager
async def sshd(host_key: SshKey, user_key: SshKey, *, writes: bool = False) -> AsyncIterator[int]:
    """Serve while the context lasts; the port. `writes`: pushes are taken, too."""
    programs = frozenset({"git-upload-pack", *(("git-receive-pack",) if writes else ())})
    server = await asyncssh.create_server(
        lambda: Server(user_key.public), "127.0.0.1", 0, server_host_keys=[str(host_key.path)],
        process_factory=partial(_serve, programs=programs), encoding=None,
    )  # fmt: skip
    try:
        yield server.get_port()
    finally:
        server.close()
        await server.wait_closed()


def known(directory: Path, port: int, key: SshKey) -> Path:
    """A file of known hosts with this one, in a folder with a space in its name."""
    path = directory / "a folder" / "known hosts"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"[127.0.0.1]:{port} {' '.join(key.public.split()[:2])}\n")
    return path


@contextmanager
def in_background(host_key: SshKey, user_key: SshKey) -> Iterator[int]:
    """Serve from a thread of its own while the context lasts; the port."""
    loop, over = asyncio.new_event_loop(), asyncio.Event()
    ready, ports = threading.Event(), list[int]()

    async def serve() -> None:
        async with sshd(host_key, user_key) as port:
            ports.append(port)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(20), "the ssh server did not start"
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        loop.close()
