"""Real keys for tests, and commits and tags signed with them by git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.gitops.bare import Bare


class SshKey:
    """A key pair in `directory`."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / name
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@example.com", "-f", str(self.path))

    @property
    def public(self) -> str:
        return self.path.with_suffix(".pub").read_text().strip()

    def signers(self, options: str = 'namespaces="git"', who: str = "ann@example.com") -> bytes:
        """A line of an allowed-signers file."""
        return f"{who} {options} {self.public}\n".encode()

    @property
    def settings(self) -> tuple[str, ...]:
        """For git, to sign with it."""
        return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={self.path}")


class PgpHome:
    """A private GnuPG home. Its path must be short: the agent's socket is in it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        directory.chmod(0o700)

    def make(self, name: str, *options: str) -> str:
        """A new key, valid for ever unless an option says otherwise; its fingerprint."""
        self.gpg(
            "--passphrase", "", *options, "--quick-gen-key", f"{name} <{name}@example.com>", "ed25519", "sign", "0"
        )
        return next(line.split(":")[9] for line in self.listing(name) if line.startswith("fpr"))

    def listing(self, name: str) -> list[str]:
        return self.gpg("--list-keys", "--with-colons", f"{name}@example.com").decode().splitlines()

    def public(self, name: str, *, armour: bool = True) -> bytes:
        return self.gpg(*(["--armor"] if armour else []), "--export", f"{name}@example.com")

    def revoke(self, fingerprint: str) -> None:
        """With the certificate that was made beside the key."""
        certificate = self.path / "openpgp-revocs.d" / f"{fingerprint}.rev"
        certificate.write_text(certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))
        self.gpg("--import", str(certificate))

    def gpg(self, *arguments: str) -> bytes:
        return run("gpg", "--batch", "--quiet", "--no-tty", *arguments, env={"GNUPGHOME": str(self.path)})

    def settings(self, name: str) -> tuple[str, ...]:
        """For git, to sign with it."""
        return ("-c", "gpg.format=openpgp", "-c", f"user.signingkey={name}@example.com")

    def close(self) -> None:
        run("gpgconf", "--kill", "gpg-agent", env={"GNUPGHOME": str(self.path)})


def commit(bare: Bare, settings: tuple[str, ...], env: dict[str, str] | None = None) -> str:
    """A signed commit on the branch, pushed; its id."""
    git(bare, *settings, "commit", "-q", "--allow-empty", "-S", "-m", "signed\n\nwith a body", env=env)
    git(bare, "push", "-q", "-f", "origin", "HEAD:main")
    return git(bare, "rev-parse", "HEAD")


def tag(bare: Bare, name: str, settings: tuple[str, ...], env: dict[str, str] | None = None) -> None:
    """A signed tag of the branch, pushed."""
    git(bare, *settings, "tag", "-f", "-s", "-m", "released", name, env=env)
    git(bare, "push", "-q", "-f", "origin", f"refs/tags/{name}")


def git(bare: Bare, *arguments: str, env: dict[str, str] | None = None, stdin: bytes = b"") -> str:
    who = {f"GIT_{role}_{what}": "t@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**who, "GIT_CONFIG_GLOBAL": os.devnull, **(env or {})}
    return run("git", *arguments, env=environment, cwd=bare.work, stdin=stdin).decode().strip()


def run(*command: str, env: dict[str, str] | None = None, cwd: Path | None = None, stdin: bytes = b"") -> bytes:
    ran = subprocess.run(command, env={**os.environ, **(env or {})}, cwd=cwd, input=stdin, capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout
