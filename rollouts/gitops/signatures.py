"""Checking one signature of one Git object: OpenPGP with gpgv, SSH with ssh-keygen, against keys that are given.

`git verify-commit` is not asked: it takes the format from the object and much else from whatever is configured around
it. Here the raw object is taken apart, the signature and what it covers go to one program in an empty folder with an
empty environment, and only its precise words count: gpgv's exit code is 0 for revoked and expired keys too, and
ssh-keygen names principals for keys that may not sign for Git.

Anything unusual is a failure: two signatures, an unknown armour, a word nobody knows.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rollouts.gitops import processes
from rollouts.gitops.errors import VerificationError

_PGP, _SSH = b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN SSH SIGNATURE-----"
_HEADERS = (b"gpgsig ", b"gpgsig-sha256 ")
_KEY_BLOCK = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+: [^\r\n]*\r?\n)*\r?\n(.*?)-----END PGP PUBLIC",
    re.DOTALL,
)
_SSH_KEY = re.compile(rb"(?:ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+")
_SSH_GOOD = re.compile(r'Good "git" signature for (?P<who>.*) with \S+ key (?P<key>SHA256:\S+)')

#: gpgv's words for a signature that does not count -> what people are told.
_REASONS = {
    "NO_PUBKEY": "is signed by a key that is not among the trusted ones ({detail})",
    "BADSIG": "carries a signature that does not fit its content",
    "EXPKEYSIG": "is signed by a key that has expired ({detail})",
    "REVKEYSIG": "is signed by a key that was revoked ({detail})",
    "EXPSIG": "carries a signature that has expired",
    "ERRSIG": "carries a signature that can't be checked (an unknown key or algorithm)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What an object says, and the signature over exactly that."""

    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed: the name the key goes by, and its fingerprint."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Trusted keys: OpenPGP public keys as one binary keyring, and an allowed-signers file for SSH."""

    keyring: bytes = b""
    allowed_signers: bytes = b""

    @classmethod
    def of(cls, data: Mapping[str, bytes]) -> Keys:
        """From a Secret's data: `allowed_signers`, and any `*.asc`, `*.gpg` or `*.pub`. VerificationError for others.

        A `*.pub` with an SSH key may sign under any name; `allowed_signers` says who is who.
        """
        keyring, signers = b"", b""
        for name, content in sorted(data.items()):
            if name == "allowed_signers":
                signers += content.strip() + b"\n"
            elif name.endswith(".pub") and (key := _SSH_KEY.match(content.strip())):
                signers += b'* namespaces="git" ' + key[0] + b"\n"
            elif name.endswith((".asc", ".gpg", ".pub")):
                keyring += dearmoured(content, name=name)
            else:
                raise VerificationError(
                    f"the key {name!r} of the Secret is no public key: name it `*.asc`, `*.pub` or `allowed_signers`"
                )
        if not keyring and not signers.strip():
            raise VerificationError("the Secret holds no public key: add `*.asc`, `*.pub` or `allowed_signers`")
        return cls(keyring=keyring, allowed_signers=signers)


def dearmoured(content: bytes, *, name: str) -> bytes:
    """OpenPGP public keys as gpgv reads them. VerificationError when there are none."""
    if b"PRIVATE KEY" in content:
        raise VerificationError(f"{name!r} holds a private key: replace it by the public one, and the key itself too")
    if b"-----BEGIN" not in content and content:
        return content
    blocks = _KEY_BLOCK.findall(content)
    if not blocks:
        raise VerificationError(f"{name!r} holds no OpenPGP public key")
    try:
        return b"".join(base64.b64decode(re.sub(rb"\r?\n=[A-Za-z0-9+/]{4}\s*$", b"", block)) for block in blocks)
    except binascii.Error as error:
        raise VerificationError(f"{name!r} is damaged: {error}") from error


def commit_parts(raw: bytes) -> Signed | None:
    """A commit without its signature, and the signature. None when it has none."""
    head, _, message = raw.partition(b"\n\n")
    kept: list[bytes] = []
    signatures: list[list[bytes]] = []
    inside = False
    for line in head.split(b"\n"):
        inside = line.startswith(_HEADERS) or (inside and line.startswith(b" "))
        if line.startswith(_HEADERS):
            signatures.append([line.partition(b" ")[2]])
        elif inside:
            signatures[-1].append(line[1:])
        else:
            kept.append(line)
    if len(signatures) > 1:
        raise VerificationError("carries more than one signature")
    if not signatures:
        return None
    return Signed(payload=b"\n".join(kept) + b"\n\n" + message, signature=b"\n".join(signatures[0]) + b"\n")


def tag_parts(raw: bytes) -> Signed | None:
    """A tag without its signature, and the signature. None when it has none."""
    marks = re.compile(rb"^(?:" + re.escape(_PGP) + rb"|" + re.escape(_SSH) + rb")", re.MULTILINE)
    starts = [found.start() for found in marks.finditer(raw)]
    if len(starts) > 1:
        raise VerificationError("carries more than one signature")
    return Signed(payload=raw[: starts[0]], signature=raw[starts[0] :]) if starts else None


async def check(signed: Signed, keys: Keys) -> Signer:
    """Who signed. VerificationError, as the end of a sentence about the object, when no trusted key did."""
    for armour, check_ in ((_PGP, _check_pgp), (_SSH, _check_ssh)):
        if signed.signature.startswith(armour):
            with _folder() as folder:
                return await check_(signed, keys, folder)
    raise VerificationError("carries a signature that is neither OpenPGP nor SSH")


async def _check_pgp(signed: Signed, keys: Keys, folder: Path) -> Signer:
    if not keys.keyring:
        raise VerificationError("is signed with OpenPGP, and no OpenPGP key is trusted")
    (folder / "keys.gpg").write_bytes(keys.keyring)
    (folder / "signature").write_bytes(signed.signature)
    command = ("gpgv", "--homedir", ".", "--status-fd", "1", "--weak-digest", "SHA1", "--keyring", "./keys.gpg")
    _, output = await _run(*command, "signature", "-", stdin=signed.payload, folder=folder)
    return pgp_verdict(output)


def pgp_verdict(output: str) -> Signer:
    """What gpgv's status lines amount to. VerificationError unless there is one good signature and nothing else."""
    words = [line.split(" ")[1:] for line in output.splitlines() if line.startswith("[GNUPG:] ")]
    said = {word[0]: word[1:] for word in words if word}
    for word, reason in _REASONS.items():
        if word in said:
            raise VerificationError(reason.format(detail=" ".join(said[word][:1])))
    counted = [word[0] for word in words if word[:1] in (["NEWSIG"], ["GOODSIG"], ["VALIDSIG"])]
    if counted != ["NEWSIG", "GOODSIG", "VALIDSIG"]:
        raise VerificationError("carries a signature that gpgv does not call good")
    return Signer(name=" ".join(said["GOODSIG"][1:]), key=said["VALIDSIG"][-1])


async def _check_ssh(signed: Signed, keys: Keys, folder: Path) -> Signer:
    if not keys.allowed_signers:
        raise VerificationError("is signed with SSH, and no SSH key is trusted")
    (folder / "allowed").write_bytes(keys.allowed_signers)
    (folder / "signature").write_bytes(signed.signature)
    _, found = await _run("ssh-keygen", "-Y", "find-principals", "-f", "allowed", "-s", "signature", folder=folder)
    for name in (part for line in found.splitlines() for part in line.split(",")):
        command = ("ssh-keygen", "-Y", "verify", "-n", "git", "-f", "allowed", "-s", "signature", "-I", name)
        code, output = await _run(*command, stdin=signed.payload, folder=folder)
        if code == 0 and (good := _SSH_GOOD.search(output)):
            return Signer(name=good["who"], key=good["key"])
    if found:
        raise VerificationError("carries a signature that does not fit, or by a key that may not sign for Git now")
    raise VerificationError("is signed by an SSH key that is not among the trusted ones, or not at this time")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="verify-") as name:
        yield Path(name)


async def _run(program: str, *arguments: str, folder: Path, stdin: bytes = b"") -> tuple[int, str]:
    try:
        code, output = await processes.ask(program, *arguments, folder=folder, stdin=stdin)
    except (LookupError, TimeoutError) as error:
        raise VerificationError(f"can't be verified: {error}") from None
    return code, output.decode("utf-8", errors="replace")
