"""Signatures, with real keys and objects signed by git: what counts, and everything that must not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.errors import VerificationError
from rollouts.gitops.passes import Pipeline
from rollouts.gitops.plan import Policy
from rollouts.gitops.signatures import Keys, Signed, check, commit_parts, pgp_verdict, tag_parts
from rollouts.gitops.source import Repository, Source
from rollouts.gitops.terms import Terms
from rollouts.gitops.verify import ANY_TAG, Mode, Verification, verify
from tests.gitops import keys
from tests.gitops.bare import Bare
from tests.gitops.keys import PgpHome, SshKey


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    made = Bare(tmp_path)
    made.commit({"a.yaml": "a: b\n"})
    return made


@pytest.fixture
def ann(tmp_path: Path) -> SshKey:
    return SshKey(tmp_path, "ann")


@pytest.fixture
def mallory(tmp_path: Path) -> SshKey:
    return SshKey(tmp_path, "mallory")


@pytest.fixture(scope="module")
def pgp() -> Iterator[PgpHome]:
    with tempfile.TemporaryDirectory(prefix="g") as folder:
        home = PgpHome(Path(folder))
        home.make("ann")
        home.make("mallory")
        yield home
        home.close()


async def verified(
    bare: Bare, tmp_path: Path, trusted: dict[str, bytes], *, mode: Mode = Mode.HEAD, tag: str = ""
) -> list[str]:
    source = Source(url=bare.url, revision=tag or "main", allow_local=True)
    repository = Repository(source=source, directory=tmp_path / "store")
    commit = await repository.resolve()
    await repository.fetch(commit)
    verification = Verification(keys=Keys.of(trusted), mode=mode)
    return [str(item) for item in await verify(repository, commit=commit, verification=verification, tag=tag)]


async def refusal(
    bare: Bare, tmp_path: Path, trusted: dict[str, bytes], *, mode: Mode = Mode.HEAD, tag: str = ""
) -> str:
    with pytest.raises(VerificationError) as refused:
        await verified(bare, tmp_path, trusted, mode=mode, tag=tag)
    assert refused.value.step == "verify"
    assert not refused.value.retriable
    return str(refused.value)


async def test_a_commit_signed_with_ssh(bare: Bare, tmp_path: Path, ann: SshKey) -> None:
    id_ = keys.commit(bare, ann.settings)
    said = await verified(bare, tmp_path, {"allowed_signers": ann.signers()})
    assert said[0].startswith(f"commit {id_[:8]} signed by ann@example.com (SHA256:")


async def test_a_bare_public_key_may_sign_under_any_name(bare: Bare, tmp_path: Path, ann: SshKey) -> None:
    keys.commit(bare, ann.settings)
    assert await verified(bare, tmp_path, {"ann.pub": ann.public.encode()})


@pytest.mark.parametrize("armour", [True, False])
async def test_a_commit_signed_with_openpgp(bare: Bare, tmp_path: Path, pgp: PgpHome, armour: bool) -> None:
    keys.commit(bare, pgp.settings("ann"), env={"GNUPGHOME": str(pgp.path)})
    trusted = {"a.asc" if armour else "a.gpg": pgp.public("ann", armour=armour), "m.asc": pgp.public("mallory")}
    assert "signed by ann <ann@example.com>" in (await verified(bare, tmp_path, trusted))[0]


async def test_an_unsigned_commit(bare: Bare, tmp_path: Path, ann: SshKey) -> None:
    assert "is not signed; nothing of it is applied" in await refusal(bare, tmp_path, {"a.pub": ann.public.encode()})


@pytest.mark.parametrize(
    ("trusted", "fragment"),
    [
        pytest.param("{mallory}", "an SSH key that is not among the trusted ones", id="unknown key"),
        pytest.param('ann namespaces="file" {ann}', "may not sign for Git now", id="key for files"),
        pytest.param('ann valid-before="20200101" {ann}', "or not at this time", id="expired"),
        pytest.param('ann valid-after="20990101" {ann}', "or not at this time", id="not yet valid"),
    ],
)
async def test_ssh_keys_that_do_not_count(
    bare: Bare, tmp_path: Path, ann: SshKey, mallory: SshKey, trusted: str, fragment: str
) -> None:
    keys.commit(bare, ann.settings)
    line = trusted.format(ann=ann.public, mallory=f"x {mallory.public}")
    assert fragment in await refusal(bare, tmp_path, {"allowed_signers": line.encode()})


async def test_openpgp_keys_that_do_not_count(bare: Bare, tmp_path: Path, pgp: PgpHome, ann: SshKey) -> None:
    environment = {"GNUPGHOME": str(pgp.path)}
    keys.commit(bare, pgp.settings("ann"), env=environment)
    assert "not among the trusted" in await refusal(bare, tmp_path, {"m.asc": pgp.public("mallory")})
    assert "no OpenPGP key is trusted" in await refusal(bare, tmp_path, {"a.pub": ann.public.encode()})

    fingerprint = pgp.make("gone")
    keys.commit(bare, pgp.settings("gone"), env=environment)
    assert await verified(bare, tmp_path, {"g.asc": pgp.public("gone")})
    pgp.revoke(fingerprint)
    assert "a key that was revoked" in await refusal(bare, tmp_path, {"g.asc": pgp.public("gone")})

    fingerprint = pgp.make("old", "--faked-system-time", "20200101T000000!")
    keys.commit(bare, pgp.settings("old"), env=environment)
    pgp.gpg("--faked-system-time", "20200102T000000!", "--quick-set-expire", fingerprint, "2020-02-01")
    assert "a key that has expired" in await refusal(bare, tmp_path, {"o.asc": pgp.public("old")})


async def test_a_signature_moved_to_another_commit(bare: Bare, tmp_path: Path, ann: SshKey) -> None:
    """Class of attack: the signature of a good commit put on one with other files."""
    good = keys.commit(bare, ann.settings)
    raw = keys.run("git", "cat-file", "commit", good, cwd=bare.work)
    forged = keys.git(bare, "hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.replace(b"signed", b"forged"))
    keys.git(bare, "push", "-q", "-f", "origin", f"{forged}:main")
    assert "does not fit" in await refusal(bare, tmp_path, {"allowed_signers": ann.signers()})


async def test_a_second_signature_is_refused(bare: Bare, tmp_path: Path, ann: SshKey, mallory: SshKey) -> None:
    good = keys.commit(bare, ann.settings)
    raw = keys.run("git", "cat-file", "commit", good, cwd=bare.work)
    signed = commit_parts(raw)
    assert signed
    lines = signed.signature.rstrip().replace(b"\n", b"\n ")
    twice = raw.replace(b"gpgsig ", b"gpgsig " + lines + b"\ngpgsig ", 1)
    forged = keys.git(bare, "hash-object", "-t", "commit", "-w", "--stdin", stdin=twice)
    keys.git(bare, "push", "-q", "-f", "origin", f"{forged}:main")
    assert "more than one signature" in await refusal(bare, tmp_path, {"allowed_signers": ann.signers()})


async def test_tags(bare: Bare, tmp_path: Path, ann: SshKey, mallory: SshKey) -> None:
    trusted = {"allowed_signers": ann.signers()}
    keys.tag(bare, "v1", ann.settings)
    assert [t.split(" signed")[0] for t in await verified(bare, tmp_path, trusted, mode=Mode.TAG, tag="v1")] == [
        "tag v1"
    ]
    said = await refusal(bare, tmp_path, trusted, mode=Mode.TAG_AND_HEAD, tag="v1")
    assert said.startswith("commit ")
    assert "is not signed" in said
    keys.commit(bare, ann.settings)
    keys.tag(bare, "v2", ann.settings)
    assert len(await verified(bare, tmp_path, trusted, mode=Mode.TAG_AND_HEAD, tag="v2")) == 2
    keys.tag(bare, "v3", mallory.settings)
    assert "tag v3 is signed by an SSH key that is not" in await refusal(
        bare, tmp_path, trusted, mode=Mode.TAG, tag="v3"
    )


async def test_tags_that_are_none(bare: Bare, tmp_path: Path, ann: SshKey) -> None:
    trusted = {"allowed_signers": ann.signers()}
    assert "set targetRevision to a tag" in await refusal(bare, tmp_path, trusted, mode=Mode.TAG)
    assert "is no tag" in await refusal(bare, tmp_path, trusted, mode=Mode.TAG, tag="main")
    keys.git(bare, "tag", "light")
    keys.git(bare, "push", "-q", "origin", "light")
    assert "without a signature" in await refusal(bare, tmp_path, trusted, mode=Mode.TAG, tag="light")


async def test_an_old_signed_tag_under_a_new_name(bare: Bare, tmp_path: Path, ann: SshKey) -> None:
    """Class of attack: whoever can push makes v2 point to the signed object of v1, to bring old weaknesses back."""
    keys.tag(bare, "v1", ann.settings)
    keys.git(bare, "push", "-q", "-f", "origin", "refs/tags/v1:refs/tags/v2")
    said = await refusal(bare, tmp_path, {"allowed_signers": ann.signers()}, mode=Mode.TAG, tag="v2")
    assert "made under another name ('v1')" in said


async def test_a_commit_of_the_history_needs_any_signed_tag(
    bare: Bare, tmp_path: Path, ann: SshKey, mallory: SshKey
) -> None:
    trusted = {"allowed_signers": ann.signers()}
    first = keys.git(bare, "rev-parse", "HEAD")
    keys.tag(bare, "aaa", mallory.settings)
    repository = Repository(source=Source(url=bare.url, allow_local=True), directory=tmp_path / "store")
    await repository.fetch(first)
    verification = Verification(keys=Keys.of(trusted), mode=Mode.TAG)
    with pytest.raises(VerificationError, match="none of the 1 tags"):
        await verify(repository, commit=first, verification=verification, tag=ANY_TAG)
    keys.tag(bare, "v1", ann.settings)
    bare.commit({"a.yaml": "c: d\n"})
    keys.tag(bare, "v2", ann.settings)
    (found,) = await verify(repository, commit=first, verification=verification, tag=ANY_TAG)
    assert found.what == "tag v1"


@pytest.mark.parametrize(
    ("data", "fragment"),
    [
        ({}, "no public key"),
        ({"token": b"x"}, "'token' of the Secret is no public key"),
        ({"a.asc": b"-----BEGIN PGP PRIVATE KEY BLOCK-----"}, "holds a private key"),
        ({"a.asc": b"-----BEGIN CERTIFICATE-----"}, "no OpenPGP public key"),
        ({"a.asc": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nA\n-----END PGP PUBLIC KEY BLOCK-----"}, "is damaged"),
        ({"allowed_signers": b"\n"}, "no public key"),
    ],
)
def test_keys_that_cannot_be_used(data: dict[str, bytes], fragment: str) -> None:
    with pytest.raises(VerificationError, match=fragment):
        Keys.of(data)


async def test_damaged_keys_fail_closed(bare: Bare, tmp_path: Path, ann: SshKey, pgp: PgpHome) -> None:
    keys.commit(bare, ann.settings)
    assert await refusal(bare, tmp_path, {"allowed_signers": b"what is this\n"})
    keys.commit(bare, pgp.settings("ann"), env={"GNUPGHOME": str(pgp.path)})
    assert await refusal(bare, tmp_path, {"a.gpg": b"what is this"})


async def test_a_missing_program_fails_closed(
    bare: Bare, tmp_path: Path, ann: SshKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = commit_parts(keys.run("git", "cat-file", "commit", keys.commit(bare, ann.settings), cwd=bare.work))
    assert signed
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VerificationError, match="ssh-keygen was not found"):
        await check(signed, Keys.of({"allowed_signers": ann.signers()}))


async def test_an_armour_nobody_knows_fails_closed(ann: SshKey) -> None:
    signed = Signed(payload=b"x", signature=b"-----BEGIN SIGNED MESSAGE-----\n")
    with pytest.raises(VerificationError, match="neither OpenPGP nor SSH"):
        await check(signed, Keys.of({"allowed_signers": ann.signers()}))


GOOD = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1234 Ann <a@x>\n[GNUPG:] VALIDSIG ABCD 2026 0 FFFF\n"


@pytest.mark.parametrize(
    "output",
    [
        "",
        "[GNUPG:] NEWSIG\n[GNUPG:] VALIDSIG ABCD\n",
        GOOD + GOOD,
        GOOD + "[GNUPG:] BADSIG 1234 x\n",
        GOOD.replace("[GNUPG:] GOODSIG", "gpgv: [GNUPG:] GOODSIG"),
    ],
)
def test_only_one_good_signature_and_nothing_else_counts(output: str) -> None:
    assert pgp_verdict(GOOD).name == "Ann <a@x>"
    with pytest.raises(VerificationError):
        pgp_verdict(output)


def test_what_a_signature_covers() -> None:
    raw = b"tree 1\ngpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n"
    raw += b"encoding x\n\nhello\n\nbody"
    parts = commit_parts(raw)
    assert parts == Signed(
        payload=b"tree 1\nencoding x\n\nhello\n\nbody",
        signature=b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
    )
    assert commit_parts(b"tree 1\n\ngpgsig in the message") is None
    assert tag_parts(b"object 1\n\nhello -----BEGIN SSH SIGNATURE-----\n") is None


class Untouched:
    """A cluster that must not be asked anything."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the cluster was asked: {name}")


async def test_a_pass_ends_before_anything_of_an_unsigned_commit_is_read(
    bare: Bare, tmp_path: Path, ann: SshKey
) -> None:
    bare.commit({"a.yaml": "kind: [not even YAML\n"})
    repository = Repository(source=Source(url=bare.url, allow_local=True), directory=tmp_path / "store")
    verification = Verification(keys=Keys.of({"allowed_signers": ann.signers()}))
    terms = Terms(identity="app", namespace="x", policy=Policy(sync="app"), verification=verification)
    untouched: Any = Untouched()
    pipeline = Pipeline(cluster=untouched, repository=repository, records=untouched, terms=terms)
    with pytest.raises(VerificationError, match="is not signed"):
        await pipeline.compare(await repository.resolve())
