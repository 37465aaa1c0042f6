"""Signing a commit with a key from a Secret: SSH by ssh-keygen, OpenPGP by gpg, each in an empty folder.

The Secret's keys are Flux's: `identity` for SSH, `git.asc` and perhaps `passphrase` for OpenPGP. The key is in a file
of mode 0600 for as long as signing takes, and never on a command line.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rollouts.gitops import processes
from rollouts.gitops.errors import ImageError


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key. `format` is `ssh` or `gpg`."""

    format: str
    key: bytes = field(repr=False)
    passphrase: str = field(default="", repr=False)

    @classmethod
    def of(cls, format_: str, data: Mapping[str, bytes]) -> SigningKey:
        """From a Secret's data. ImageError naming the key that is missing."""
        name = {"ssh": "identity", "gpg": "git.asc"}[format_]
        if not data.get(name):
            raise ImageError(f"the Secret for signing has no key {name!r}")
        return cls(format=format_, key=data[name], passphrase=data.get("passphrase", b"").decode().strip())


async def signature(payload: bytes, key: SigningKey) -> bytes:
    """The armoured signature. ImageError when it can't be made."""
    with tempfile.TemporaryDirectory(prefix="sign-") as name:
        folder = Path(name)
        file = folder / "key"
        file.touch(mode=0o600)
        file.write_bytes(key.key if key.key.endswith(b"\n") else key.key + b"\n")
        return await (_ssh if key.format == "ssh" else _gpg)(payload, key, folder)


async def _ssh(payload: bytes, key: SigningKey, folder: Path) -> bytes:
    return await _run("ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", "key", folder=folder, stdin=payload)


async def _gpg(payload: bytes, key: SigningKey, folder: Path) -> bytes:
    base = ("gpg", "--homedir", ".", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback")
    (folder / "passphrase").touch(mode=0o600)
    (folder / "passphrase").write_text(key.passphrase)
    try:
        await _run(*base, "--passphrase-file", "passphrase", "--import", "key", folder=folder)
        return await _run(
            *base, "--passphrase-file", "passphrase", "--detach-sign", "--armor", folder=folder, stdin=payload
        )
    finally:
        await _run("gpgconf", "--homedir", str(folder), "--kill", "gpg-agent", folder=folder)


async def _run(program: str, *arguments: str, folder: Path, stdin: bytes = b"") -> bytes:
    try:
        code, output = await processes.ask(program, *arguments, folder=folder, stdin=stdin)
    except (LookupError, TimeoutError) as error:
        raise ImageError(f"the commit can't be signed: {error}") from None
    if code:
        raise ImageError(f"the commit can't be signed: {program} refuses the key or its passphrase")
    return output
