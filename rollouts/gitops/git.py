"""Running git, and nothing but git: one hardened process for each command.

Repositories are written by strangers, so git starts from an empty environment and an empty configuration:

* only the one transport of the address is allowed (`GIT_ALLOW_PROTOCOL`), redirects are not followed, hooks, file
  system monitors, submodules, maintenance and prompts are off, received objects are checked;
* settings travel by `GIT_CONFIG_KEY_n`, never on the command line; addresses come after `--`;
* there is never a work tree and never a checkout: links, filters and hooks of a repository have nothing to act on;
* every command has a time limit, a limit on what it prints and one on any file it writes (a pack, that is what a
  repository is until it has been looked at), and its whole process group ends when either is passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rollouts.gitops.errors import SourceError, SourceUnavailableError
from rollouts.gitops.faults import SPARED, failure
from rollouts.gitops.processes import end

CONFIG = {
    "protocol.version": "2",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "false",
    "core.askPass": "",
    "credential.helper": "",
    "http.followRedirects": "false",
    "transfer.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "safe.directory": "*",
    "advice.detachedHead": "false",
}

SSH = (
    "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o IdentityAgent=none"
    " -o GlobalKnownHostsFile=/dev/null -o KnownHostsCommand=none -o UpdateHostKeys=no -o ProxyCommand=none"
    " -o PermitLocalCommand=no -o ControlPath=none -o ClearAllForwardings=yes -o ForwardAgent=no -o ConnectTimeout=20"
)

_BOUNDED = ("/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"')
_BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Files that open a private repository. `identity` and `known_hosts` are for ssh, `ca` is for https.

    Without `known_hosts` every ssh host is unknown and therefore refused. `authorization`: value of the header for
    https, such as `Bearer …`; it travels in the environment, never on a command line.
    """

    identity: Path | None = None
    known_hosts: Path | None = None
    ca: Path | None = None
    authorization: str = field(default="", repr=False)

    def ssh_command(self) -> str:
        """The ssh command line git is to use."""
        hosts = shlex.quote(f'UserKnownHostsFile="{self.known_hosts or os.devnull}"')
        identity = f" -i {shlex.quote(str(self.identity))}" if self.identity else ""
        return f"{SSH} -o {hosts}{identity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """Runs git in the bare repository `store`. `protocols`: what it may speak, such as `https`.

    `timeout` in seconds, `output_limit` and `file_limit` in bytes hold for each command. `address`: of the repository
    that commands are about, for errors.
    """

    store: Path
    protocols: str
    access: Access = field(default_factory=Access)
    timeout: float = 60.0
    output_limit: int = 128 * 1024 * 1024
    file_limit: int = 200 * 1024 * 1024
    address: str = ""

    async def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What the command printed. SourceError when it failed, SourceUnavailableError when it took too long."""
        code, output, complaint = await self._execute(arguments, stdin)
        if code:
            known = bool(self.access.authorization or self.access.identity)
            raise failure(arguments, complaint, address=self.address, authorized=known, limit=self.file_limit)
        return output

    async def succeeds(self, *arguments: str) -> bool:
        """Whether the command ended with 0."""
        code, _, _ = await self._execute(arguments, b"")
        return code == 0

    async def _execute(self, arguments: Sequence[str], stdin: bytes) -> tuple[int, bytes, str]:
        process = await asyncio.create_subprocess_exec(
            *_BOUNDED,
            str(self.file_limit // _BLOCK),
            executable(),
            *arguments,
            cwd=self.store,
            env=environment(home=self.store, protocols=self.protocols, access=self.access),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self.timeout):
                output, errors = await self._converse(process, stdin)
                code = await process.wait()
        except TimeoutError:
            raise SourceUnavailableError(
                f"git {arguments[0]} {self.address} did not finish within {self.timeout:g} s: nobody answers there, or "
                "the repository is slow or too large; check spec.source.repoURL and NetworkPolicies, or allow more: "
                "--sync-budget fetch-seconds=NUMBER",
                budget="fetch-seconds",
            ) from None
        finally:
            await end(process)
        return code, output, errors.decode(errors="replace")

    async def _converse(self, process: asyncio.subprocess.Process, stdin: bytes) -> tuple[bytes, bytes]:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("git was started without pipes")
        _, output, errors = await asyncio.gather(
            _feed(process.stdin, stdin),
            _capped(process.stdout, self.output_limit),
            _capped(process.stderr, 1024 * 1024),
        )
        return output, errors


def executable() -> str:
    """The path of git. SourceError when there is none."""
    found = shutil.which("git")
    if found is None:
        raise SourceError("git was not found on PATH: install the package `git`")
    return found


def environment(*, home: Path, protocols: str, access: Access) -> dict[str, str]:
    """The whole environment of a git process; nothing is inherited but PATH."""
    settings = dict(CONFIG)
    if access.ca:
        settings["http.sslCAInfo"] = str(access.ca)
    if access.authorization:
        settings["http.extraHeader"] = f"Authorization: {access.authorization}"
    values = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_SSH_COMMAND": access.ssh_command(),
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for index, (key, value) in enumerate(settings.items()):
        values |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return values


async def _feed(pipe: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(data)
        await pipe.drain()
    pipe.close()


async def _capped(pipe: asyncio.StreamReader, limit: int) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while chunk := await pipe.read(65536):
        total += len(chunk)
        if total > limit:
            text = f"git printed more than {limit} bytes: the repository is larger than this sync allows"
            raise SourceError(f"{text}: {SPARED.format(limit=limit)}", budget="fetch-bytes")
        chunks.append(chunk)
    return b"".join(chunks)
