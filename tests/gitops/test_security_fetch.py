"""Attacks by way of the address, the transport and the repository's contents (§2.5 A, B, C), each tried on real git and
real ssh.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from deploy.local.certs import Authority, Subject
from rollouts.gitops import url
from rollouts.gitops.errors import SourceError, SourceUnavailableError, SyncError, TreeError
from rollouts.gitops.git import Access, Git, environment
from rollouts.gitops.materialise import materialise
from rollouts.gitops.source import Repository, Source
from tests.gitops import keys
from tests.gitops.bare import Bare
from tests.gitops.keys import SshKey
from tests.gitops.ssh import known, sshd

SECRET = "s3cret-token-of-the-sync"


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    made = Bare(tmp_path)
    made.commit({"a.yaml": "a: b\n"})
    return made


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    subprocess.run(["git", "init", "-q", "--bare", "--template=", str(path)], check=True)
    return path


def repository(bare: Bare, store: Path) -> Repository:
    return Repository(source=Source(url=bare.url, allow_local=True), directory=store)


@pytest.mark.parametrize(
    "text",
    [
        "ext::sh -c 'touch /tmp/x'", "fd::17", "http::https://host/x", "transport::address",
        "-oProxyCommand=touch", "ssh://-oProxyCommand=touch/x", "git@-oProxyCommand=x:y", "-u@host:x", "git@host:-x",
        "ssh://git@-host/x", "ssh://user:password@host/x", "https://user@host/x", "https://user:password@host/x",
        "http://host/x", "git://host/x", "ftp://host/x", "gopher://host/x", "file:///etc", "/etc", "./x", "../x", "~/x",
        "https://host", "https://host/x?y=z", "https://host/x#y", "https://host/x y", "https://host/x\nfoo",
        "https://host/\u202ex", "https://ho\x00st/x", "", " https://host/x", "host", "C:\\x", "a@b@c:d", "h:x:y",
        "https://169.254.169.254/latest", "https://[fe80::1]/x", "https://0xA9FEA9FE/x", "https://2852039166/x",
        "https://0251.0376.0251.0376/x", "https://[::ffff:169.254.169.254]/x", "https://metadata.google.internal/x",
        "ssh://git@169.254.169.254/x", "git@169.254.169.254:x", "https://0.0.0.0/x", "https://[fd00:ec2::254]/x",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_before_any_program_sees_them(text: str) -> None:
    with pytest.raises(SourceError) as refused:
        url.parse(text)
    assert "password@" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "transport"),
    [
        ("https://host/org/repo.git", "https"),
        ("https://host:8443/org/repo", "https"),
        ("https://[2001:db8::1]/repo", "https"),
        ("ssh://git@host:22/org/repo.git", "ssh"),
        ("git@host:org/repo.git", "ssh"),
    ],
)
def test_addresses_that_are_taken(text: str, transport: str) -> None:
    assert url.parse(text).transport == transport


@pytest.mark.parametrize("address", ["ext::sh -c touch% {mark}", "file://{bare}", "{bare}", "fd::0"])
async def test_git_itself_speaks_only_the_one_transport(address: str, bare: Bare, store: Path, tmp_path: Path) -> None:
    """Should the grammar ever let one through; and a store whose own configuration allows it changes nothing."""
    mark = tmp_path / "mark"
    with (store / "config").open("a") as config:
        config.write('[protocol "ext"]\n\tallow = always\n[protocol "file"]\n\tallow = always\n')
    with pytest.raises(SourceError, match="not allowed"):
        await Git(store=store, protocols="https").run("ls-remote", "--", address.format(mark=mark, bare=bare.path))
    assert not mark.exists()


async def test_nothing_of_the_machine_configures_git(
    bare: Bare, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a home, nor the system, nor variables: each would run a program or change the address."""
    mark, home = tmp_path / "mark", tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    evil = f"touch {mark}"
    (home / ".gitconfig").write_text(
        f'[core]\n\tsshCommand = {evil}\n\tfsmonitor = {evil}\n[url "file:///nowhere"]\n\tinsteadOf = {bare.url}\n'
    )
    (home / ".ssh" / "config").write_text(f"Host *\n  ProxyCommand {evil}\n")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    for name in ("GIT_SSH_COMMAND", "GIT_SSH", "GIT_ASKPASS", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND", "GIT_PAGER"):
        monkeypatch.setenv(name, evil)
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.fsmonitor={evil}'")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(home))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    found = repository(bare, store)
    await found.fetch(await found.resolve())
    assert not mark.exists()
    assert not (tmp_path / "trace").exists()
    assert {"HOME", "PATH"} <= set(environment(home=store, protocols="https", access=Access()))


async def test_hooks_do_not_run(bare: Bare, store: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for folder in (store / "hooks", bare.path / "hooks"):
        folder.mkdir(exist_ok=True)
        for name in ("reference-transaction", "post-checkout", "post-merge", "pre-auto-gc", "post-index-change"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
            (folder / name).chmod(0o755)
    found = repository(bare, store)
    await found.fetch(await found.resolve())
    assert not mark.exists()


async def test_a_submodule_is_refused_and_never_fetched(bare: Bare, store: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    keys.git(bare, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},evil")
    (bare.work / ".gitmodules").write_text(f'[submodule "evil"]\n\tpath = evil\n\turl = ext::sh -c touch% {mark}\n')
    keys.git(bare, "add", ".gitmodules")
    keys.git(bare, "commit", "-q", "-m", "a submodule")
    keys.git(bare, "push", "-q", "origin", "HEAD:main")
    found = repository(bare, store)
    with pytest.raises(SyncError):
        await found.fetch(commit := await found.resolve())
        await materialise(found.git, commit=commit)
    assert not mark.exists()


TREES = [
    pytest.param("120000", "a.yaml", b"/etc/passwd", id="link out of the commit"),
    pytest.param("120000", "a.yaml", b"../../../x", id="link upwards"),
    pytest.param("100644", ".git", b"x", id="dot git"),
    pytest.param("100644", ".GIT", b"x", id="dot git in capitals"),
    pytest.param("100644", "git~1", b"x", id="its short name"),
    pytest.param("100644", ".git ", b"x", id="dot git and a blank"),
    pytest.param("100644", "..", b"x", id="parent"),
    pytest.param("100644", "a\\..\\b", b"x", id="backslashes"),
    pytest.param("100644", "a\nb", b"x", id="line break"),
    pytest.param("100644", "a\x1b[31m", b"x", id="terminal code"),
]


@pytest.mark.parametrize(("mode", "name", "content"), TREES)
async def test_trees_that_mean_harm(bare: Bare, store: Path, mode: str, name: str, content: bytes) -> None:
    """Made by hand, as no honest git would: refused on arrival, or when its list of files is read."""
    blob = keys.git(bare, "hash-object", "-w", "--stdin", stdin=content)
    raw = f"{mode} {name}".encode() + b"\0" + bytes.fromhex(blob)
    tree = keys.git(bare, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=raw)
    commit = keys.git(bare, "commit-tree", "-m", "evil", tree)
    keys.git(bare, "push", "-q", "-f", "origin", f"{commit}:refs/heads/main")
    found = repository(bare, store)
    with pytest.raises((SourceError, TreeError)):
        await found.fetch(commit)
        await materialise(found.git, commit=commit)


async def test_strange_files_beside_the_folder_are_left_out_and_inside_refused(bare: Bare, store: Path) -> None:
    commit = bare.commit({"app/a.yaml": "a: b\n", "other/link": "-> /etc/passwd"})
    found = repository(bare, store)
    await found.fetch(commit)
    assert set((await materialise(found.git, commit=commit, path="app", around=True)).files) == {"a.yaml", "app/a.yaml"}
    with pytest.raises(TreeError, match="symbolic link"):
        await materialise(found.git, commit=commit, path="other", around=True)


async def test_a_huge_pack_is_not_taken(bare: Bare, store: Path) -> None:
    (bare.work / "noise").write_bytes(os.urandom(3_000_000))
    commit = bare.commit({})
    git = Git(store=store, protocols="file", file_limit=1_000_000)
    with pytest.raises(SourceError, match="larger than this sync allows") as refused:
        await git.run("fetch", "-q", "--depth=1", "--", bare.url, commit)
    assert not refused.value.retriable
    assert sum(file.stat().st_size for file in store.rglob("*") if file.is_file()) < 2_000_000


async def test_output_beyond_the_limit_ends_git_at_once(bare: Bare, store: Path) -> None:
    """Far more than a pipe holds: git is still writing when it is ended, and the wait for it must end too."""
    (bare.work / "big").write_bytes(b"x" * 5_000_000)
    commit = bare.commit({})
    found = repository(bare, store)
    await found.fetch(commit)
    git = Git(store=store, protocols="file", output_limit=100_000, timeout=50.0)
    with pytest.raises(SourceError, match="more than 100000 bytes"):
        await git.run("cat-file", "blob", f"{commit}:big")


@asynccontextmanager
async def https(directory: Path, handler: Callable[[web.Request], object]) -> AsyncIterator[tuple[str, Access]]:
    """A TLS server, its address, and what makes it trusted."""
    authority = Authority(directory=directory / "tls")
    certificate, key = authority.issue("git", Subject(user="git", hosts=("127.0.0.1", "localhost")))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host="127.0.0.1", port=0, ssl_context=tls).start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}", Access(ca=authority.bundle)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "http://127.0.0.1:1/x", "https://localhost:1/x", "/elsewhere"]
)
async def test_redirects_are_not_followed(target: str, store: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": target})

    async with https(tmp_path, redirect) as (address, access):
        with pytest.raises(SourceError):
            await Git(store=store, protocols="https", access=access).run("ls-remote", "--", f"{address}/x.git")
    assert asked == ["/x.git/info/refs"]


async def test_a_server_nobody_vouches_for_is_refused(store: Path, tmp_path: Path) -> None:
    async def never(_: web.Request) -> web.Response:
        raise AssertionError("a request was made")

    async with https(tmp_path, never) as (address, _):
        with pytest.raises(SourceError, match="certificate") as refused:
            await Git(store=store, protocols="https").run("ls-remote", "--", f"{address}/x.git")
    assert not refused.value.retriable


async def test_a_server_that_never_answers_costs_a_timeout_and_leaves_no_process(store: Path, tmp_path: Path) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with https(tmp_path, hang) as (address, access):
        git = Git(store=store, protocols="https", access=access, timeout=1.0)
        with pytest.raises(SourceUnavailableError, match="did not finish within 1 s"):
            await git.run("ls-remote", "--", f"{address}/x.git")
        running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert not [line for line in running if address.encode() in line]


async def test_a_flood_of_references_is_cut_off(store: Path, tmp_path: Path) -> None:
    async def flood(_: web.Request) -> web.Response:
        line = "1" * 40 + "\trefs/heads/" + "x" * 200 + "\n"
        return web.Response(text=line * 20_000)  # the old, plain protocol

    async with https(tmp_path, flood) as (address, access):
        git = Git(store=store, protocols="https", access=access, output_limit=100_000)
        with pytest.raises(SourceError):
            await git.run("ls-remote", "--", f"{address}/x.git")


async def test_ssh_asks_who_the_host_is(bare: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, other, user = (SshKey(tmp_path, name) for name in ("host", "other", "user"))
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text("Host *\n  StrictHostKeyChecking no\n")
    monkeypatch.setenv("HOME", str(home))

    async with sshd(host, user) as port:
        source = Source(url=f"ssh://git@127.0.0.1:{port}{bare.path}")

        async def resolved(access: Access) -> str:
            found = Repository(source=Source(url=source.url, access=access), directory=tmp_path / "store")
            commit = await found.resolve()
            await found.fetch(commit)
            return commit

        good = known(tmp_path, port, host)
        assert await resolved(Access(identity=user.path, known_hosts=good)) == keys.git(bare, "rev-parse", "HEAD")

        with pytest.raises(SourceError, match="Host key verification failed") as refused:
            await resolved(Access(identity=user.path))
        assert not refused.value.retriable

        with pytest.raises(SourceError, match="Permission denied") as refused:
            await resolved(Access(identity=other.path, known_hosts=good))
        assert not refused.value.retriable

        with pytest.raises(SourceError, match="Host key verification failed"):
            await resolved(Access(identity=user.path, known_hosts=known(tmp_path, port, other)))


async def test_a_token_is_on_no_command_line_and_in_no_error(store: Path, tmp_path: Path) -> None:
    """Class C. The server looks at every process of the machine while it is asked."""
    seen: list[str] = []
    lines: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                lines.append(path.read_bytes())
        return web.Response(status=401, text=f"no {SECRET}", headers={"WWW-Authenticate": 'Basic realm="x"'})

    async with https(tmp_path, handler) as (address, access):
        private = replace(access, authorization=f"Bearer {SECRET}")
        with pytest.raises(SourceError) as refused:
            await Git(store=store, protocols="https", access=private).run("ls-remote", "--", f"{address}/x.git")
    assert seen[0] == f"Bearer {SECRET}"
    assert any(b"ls-remote" in line for line in lines)
    assert not [line for line in lines if SECRET.encode() in line]
    assert SECRET not in str(refused.value)
    assert not refused.value.retriable
    assert SECRET not in repr(private)


async def test_a_token_goes_to_no_other_host(store: Path, tmp_path: Path) -> None:
    """Class C: a repository that sends git elsewhere, by redirect, does not take the token along."""
    elsewhere: list[str] = []

    async def other(request: web.Request) -> web.Response:
        elsewhere.append(request.headers.get("Authorization", ""))
        return web.Response(status=404)

    (tmp_path / "other").mkdir()
    async with https(tmp_path / "other", other) as (target, _):

        async def redirect(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{target}{request.path_qs}"})

        async with https(tmp_path, redirect) as (address, access):
            private = replace(access, authorization=f"Bearer {SECRET}")
            with pytest.raises(SourceError):
                await Git(store=store, protocols="https", access=private).run("ls-remote", "--", f"{address}/x.git")
    assert elsewhere == []


ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "https",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "GIT_LFS_SKIP_SMUDGE": "1",
}
SETTINGS = {
    "credential.helper": "",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "false",
    "core.askPass": "",
    "protocol.version": "2",
    "http.followRedirects": "false",
    "transfer.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
SSH_OPTIONS = (
    "-F /dev/null",
    "-o BatchMode=yes",
    "-o StrictHostKeyChecking=yes",
    "-o IdentitiesOnly=yes",
    "-o ProxyCommand=none",
    "-o PermitLocalCommand=no",
    "-o GlobalKnownHostsFile=/dev/null",
)


def test_each_rule_of_the_transport_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """§2.5, Git transport rules, one by one; and nothing else of the machine's environment is there but PATH."""
    for name in ("GIT_DIR", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "https_proxy", "SSH_AUTH_SOCK", "GIT_TRACE"):
        monkeypatch.setenv(name, "/somewhere")
    access = Access(identity=tmp_path / "key", known_hosts=tmp_path / "hosts", ca=tmp_path / "ca", authorization="x")
    found = environment(home=tmp_path, protocols="https", access=access)
    count = int(found["GIT_CONFIG_COUNT"])
    settings = {found[f"GIT_CONFIG_KEY_{at}"]: found[f"GIT_CONFIG_VALUE_{at}"] for at in range(count)}
    assert ENVIRONMENT.items() <= found.items()
    assert SETTINGS.items() <= settings.items()
    assert settings["http.sslCAInfo"] == str(tmp_path / "ca")
    assert settings["http.extraHeader"] == "Authorization: x"
    assert found["HOME"] == str(tmp_path)
    command = found["GIT_SSH_COMMAND"]
    assert [option for option in SSH_OPTIONS if option not in command] == []
    assert f'UserKnownHostsFile="{tmp_path / "hosts"}"' in command
    assert f"-i {tmp_path / 'key'}" in command
    known = {"PATH", "HOME", "LC_ALL", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", *ENVIRONMENT}
    assert {name for name in found if not name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))} == known


async def test_addresses_come_after_the_options_and_nothing_is_checked_out(
    bare: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§2.5: of every command git is given, from a branch to its files."""
    asked: list[tuple[str, ...]] = []
    real = Git._execute

    async def noted(self: Git, arguments: Sequence[str], stdin: bytes) -> tuple[int, bytes, str]:
        asked.append(tuple(arguments))
        return await real(self, arguments, stdin)

    monkeypatch.setattr(Git, "_execute", noted)
    commit = bare.commit({"a.yaml": "a: b"})
    found = repository(bare, tmp_path / "made")
    assert await found.resolve() == commit
    await found.fetch(commit)
    await materialise(found.git, commit=commit)
    assert {words[0] for words in asked} <= {"init", "ls-remote", "fetch", "rev-parse", "ls-tree", "cat-file"}
    for words in (words for words in asked if words[0] in ("ls-remote", "fetch")):
        assert words.index("--") < words.index(bare.url)
    (fetch,) = (words for words in asked if words[0] == "fetch")
    assert {"--depth=1", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--refmap="} <= set(fetch)
    assert f"+{commit}:refs/sync/{commit}" in fetch
    assert not list((tmp_path / "made").rglob("a.yaml"))
