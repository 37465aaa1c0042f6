"""What goes wrong between us and a repository, in words: what, where, and what to do (§2.1, resolve and fetch)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.gitops import faults
from rollouts.gitops.errors import RevisionError, SourceError, SourceUnavailableError
from rollouts.gitops.git import Access, Git
from rollouts.gitops.source import Repository, Source
from tests.gitops import keys
from tests.gitops.bare import Bare
from tests.gitops.keys import SshKey
from tests.gitops.ssh import known, sshd
from tests.gitops.test_security_fetch import https

URL = "https://git.example/shop.git"
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
Add correct host key in /tmp/access-1/known_hosts to get rid of this message.
Offending ED25519 key in /tmp/access-1/known_hosts:1
Host key for git.example has changed and you have requested strict checking.
Host key verification failed.
fatal: Could not read from remote repository.
"""


def told(complaint: str, command: str = "ls-remote", **more: bool) -> SourceError:
    return faults.failure((command, "-q"), complaint, address=URL, limit=9, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("complaint", "says", "waiting"),
    [
        (CHANGED, "shows another key than `known_hosts`", False),
        ("No ED25519 host key is known\nHost key verification failed.", "`ssh-keyscan HOST`, and compare", False),
        ('Load key "/tmp/x/identity": error in libcrypto\nx: Permission denied (publickey).', "`identity` of", False),
        ("git@x: Permission denied (publickey).", "public half of `identity`", False),
        ("fatal: could not read Username for 'x': terminal prompts disabled", "refuses the credentials", False),
        ("fatal: unable to access 'x': The requested URL returned error: 403", "check its rights", True),
        ("fatal: unable to access 'x': The requested URL returned error: 429", "raise spec.interval", True),
        ("fatal: repository 'x' not found", "check the path in spec.source.repoURL", False),
        ("ERROR: Repository not found.", "check the path in spec.source.repoURL", False),
        ("fatal: unable to access 'x': The requested URL returned error: 301", "write the address it leads to", False),
        ("server certificate verification failed. CAfile: none", "into `ca.crt` of", False),
        ("SSL certificate problem: certificate has expired", "must be renewed", False),
        ("SSL: no alternative certificate subject name matches target host name 'x'", "another host name", False),
        ("fatal: unable to access 'x': Could not resolve host: x", "can ask the DNS", True),
        ("ssh: Could not resolve hostname x: Name or service not known", "can ask the DNS", True),
        ("ssh: connect to host x port 22: Connection refused", "NetworkPolicy", True),
        ("ssh: connect to host x port 22: Connection timed out", "NetworkPolicy", True),
        ("Failed to connect to x port 1 after 12 ms: Couldn't connect to server", "NetworkPolicy", True),
        ("fatal: unable to access 'x': The requested URL returned error: 503", "a fault of its own", True),
        ("fatal: transport 'ext' not allowed", "write the address itself", False),
        ("fatal: remote error: upload-pack: not our ref 1", "if the branch was rewritten", True),
        ("error: object 1: gitmodulesUrl\nfatal: fsck error in packed object", "rewrite it without", False),
        ("fatal: write error: No space left on device", "ephemeral storage", True),
        ("fatal: Could not read from remote repository.", "the key of", True),
        ("something nobody has heard of", "failed: something nobody has heard of", True),
    ],
)
def test_each_fault_says_what_to_do(complaint: str, says: str, waiting: bool) -> None:
    error = told(complaint)
    assert says in str(error)
    assert str(error).startswith(f"git ls-remote {URL} failed: ")
    assert (isinstance(error, SourceUnavailableError), error.retriable) == (waiting, waiting)
    assert "\n" not in str(error)


def test_every_row_is_reached_by_itself() -> None:
    """No row is hidden by one before it: the table above tries each."""
    table = next(mark for mark in test_each_fault_says_what_to_do.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    reached = {faults._rule("ls-remote", complaint) for complaint, _, _ in table.args[1]}
    assert [rule for rule in faults.RULES if rule not in reached] == []


def test_what_changes_with_each_try_is_left_out() -> None:
    """A status is the same while the fault is."""
    assert "after" not in str(told("Failed to connect to x port 1 after 12 ms: Couldn't connect to server"))
    assert 'Load key "identity"' in str(told('Load key "/tmp/access-7/identity": invalid format'))
    assert "access-1" not in str(told(CHANGED))
    assert str(told(CHANGED)).count("verification failed") == 1


def test_who_gave_no_credentials_is_told_how() -> None:
    text = str(told("fatal: could not read Username for 'x'", authorized=False))
    assert "name a Secret in spec.source.secretRef" in text
    assert "refuses" not in text


def test_a_push_is_refused_in_the_servers_words() -> None:
    """Who may push is not who may read: the pusher's own advice follows."""
    assert str(told("ERROR: Permission denied (to this)", "push")) == (
        f"git push {URL} failed: ERROR: Permission denied (to this)"
    )
    assert "can ask the DNS" in str(told("Could not resolve host: x", "push"))


def test_commands_of_the_store_have_no_place() -> None:
    assert str(told("fatal: not a tree", "cat-file")) == "git cat-file failed: fatal: not a tree"


@pytest.mark.parametrize("complaint", ["https://me:s3cret@git.example/x not found", "remote: ssh://a:s3cret@h/x"])
def test_no_secret_is_told(complaint: str) -> None:
    assert "s3cret" not in str(told(complaint))


def test_what_is_too_large_names_the_budget() -> None:
    error = told("error: index-pack died of signal 25", "fetch")
    assert f"git fetch {URL} ended" in str(error)
    assert "--sync-budget fetch-bytes=NUMBER, which is 9 now" in str(error)
    assert (error.budget, error.retriable) == ("fetch-bytes", False)


# --- real servers


@pytest.fixture
def store(tmp_path: Path) -> Path:
    made = tmp_path / "store"
    subprocess.run(["git", "init", "-q", "--bare", str(made)], check=True)
    return made


@pytest.mark.parametrize(
    ("status", "headers", "given", "says"),
    [
        (401, {"WWW-Authenticate": 'Basic realm="x"'}, "", "name a Secret in spec.source.secretRef"),
        (401, {"WWW-Authenticate": 'Basic realm="x"'}, "Basic aHVudGVyMjI=", "refuses the credentials"),
        (403, {}, "Bearer hunter22", "may not read this repository"),
        (404, {}, "", "a private repository"),
        (302, {"Location": "https://elsewhere.example/x"}, "", "write the address it leads to"),
        (503, {}, "", "asked again"),
    ],
)
async def test_a_server_that_refuses(
    status: int, headers: dict[str, str], given: str, says: str, store: Path, tmp_path: Path
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    async with https(tmp_path, answer) as (address, access):
        found = Access(ca=access.ca, authorization=given)
        with pytest.raises(SourceError) as refused:
            await Git(store=store, protocols="https", access=found).run("ls-remote", "--", f"{address}/x.git")
    assert says in str(refused.value)
    assert address in str(refused.value)
    assert not any(secret in str(refused.value) for secret in ("hunter22", "aHVudGVyMjI"))


async def test_keys_and_hosts_of_ssh(store: Path, tmp_path: Path) -> None:
    bare = Bare(tmp_path)
    bare.commit({"a.yaml": "a"})
    host, user, other = (SshKey(tmp_path, name) for name in ("host", "user", "other"))
    broken, wrong = tmp_path / "identity", tmp_path / "known_hosts"
    broken.write_text("no key\n")
    broken.chmod(0o600)
    async with sshd(host, user) as port:
        good = known(tmp_path, port, host)
        wrong.write_text(f"[127.0.0.1]:{port} {' '.join(other.public.split()[:2])}\n")
        address = f"ssh://git@127.0.0.1:{port}{bare.path}"

        async def said(identity: Path, hosts: Path | None, url: str = address) -> str:
            git = Git(store=store, protocols="ssh", access=Access(identity=identity, known_hosts=hosts), address=url)
            with pytest.raises(SourceError) as refused:
                await git.run("ls-remote", "--", url)
            return str(refused.value)

        assert "`ssh-keyscan HOST`" in await said(user.path, None)
        assert "find out why" in await said(user.path, wrong)
        assert "as a deploy key" in await said(other.path, good)
        assert "without a passphrase" in await said(broken, good)
        assert "check the path" in await said(user.path, good, f"{address}-not-there")


# --- a revision that is not there


async def resolved(bare: Bare, tmp_path: Path, revision: str) -> str:
    source = Source(url=bare.url, revision=revision, allow_local=True)
    with pytest.raises(RevisionError) as refused:
        await Repository(source=source, directory=tmp_path / "resolving").resolve()
    text = str(refused.value)
    assert bare.url in text
    assert "spec.source.targetRevision" in text
    return text


@pytest.mark.parametrize(
    ("revision", "says"),
    [
        ("mian", "no branch or tag 'mian' (spec.source.targetRevision): did you mean 'main'?"),
        ("Main", "did you mean 'main'?"),
        ("refs/heads/mian", "did you mean 'main'?"),
        ("v1.2.1", "did you mean 'v1.2.0'"),
        ("nothing-like-it", "it has the branches main, next, and the tags v1.2.0"),
        ("0123abc", "all of its 40 digits"),
        (">=3", "none of the 1 tags"),
        (">=3", "the greatest are v1.2.0; pre-releases"),
    ],
)
async def test_a_revision_that_is_not_there(bare: Bare, tmp_path: Path, revision: str, says: str) -> None:
    bare.commit({"a.yaml": "a"})
    bare.tag("v1.2.0", annotated=True)
    keys.git(bare, "push", "-q", "origin", "HEAD:refs/heads/next")
    assert says in await resolved(bare, tmp_path, revision)


@pytest.mark.parametrize("revision", ["main", "HEAD"])
async def test_a_repository_without_a_commit(bare: Bare, tmp_path: Path, revision: str) -> None:
    assert "push the first commit" in await resolved(bare, tmp_path, revision)


async def test_a_commit_that_is_not_there(bare: Bare, tmp_path: Path) -> None:
    bare.commit({"a.yaml": "a"})
    found = Repository(source=Source(url=bare.url, allow_local=True), directory=tmp_path / "fetching")
    with pytest.raises(SourceUnavailableError, match="if the branch was rewritten") as refused:
        await found.fetch("1" * 40)
    assert bare.url in str(refused.value)


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)
