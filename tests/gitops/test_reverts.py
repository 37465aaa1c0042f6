"""R31: a rejected commit is taken back in Git, once, and never over a person's head."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.errors import ImageError, RevertError, SourceError
from rollouts.gitops.git import Access
from rollouts.gitops.images import commit as commits
from rollouts.gitops.images.commit import Author, PushBeatenError
from rollouts.gitops.images.signing import SigningKey
from rollouts.gitops.reverts import Reverted, Work, revert
from rollouts.gitops.signatures import Keys
from rollouts.gitops.source import Repository, Source
from rollouts.gitops.verify import Verification, verify
from tests.gitops import keys
from tests.gitops.bare import Bare
from tests.gitops.keys import SshKey
from tests.gitops.ssh import known, sshd

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GOOD = {"app/a.yaml": "1", "app/deep/b.yaml": "1", "other/c.yaml": "1", "top": "1"}


class World:
    """A repository and a sync of its folder `app`."""

    def __init__(self, directory: Path) -> None:
        self.bare, self.directory = Bare(directory), directory
        self.good = self.bare.commit(dict(GOOD))

    def files(self, branch: str = "main") -> dict[str, str]:
        listing = keys.run("git", "ls-tree", "-r", "--name-only", branch, cwd=self.bare.path).decode().split()
        return {name: keys.run("git", "show", f"{branch}:{name}", cwd=self.bare.path).decode() for name in listing}

    def head(self, branch: str = "main") -> str:
        return keys.run("git", "rev-parse", branch, cwd=self.bare.path).decode().strip()

    def repository(self, revision: str = "main") -> Repository:
        source = Source(url=self.bare.url, revision=revision, allow_local=True)
        return Repository(source=source, directory=self.directory / "store")

    def by_ssh(self, port: int, host: SshKey, user: SshKey) -> Repository:
        access = Access(identity=user.path, known_hosts=known(self.directory, port, host))
        source = Source(url=f"ssh://git@127.0.0.1:{port}{self.bare.path}", revision="main", access=access)
        return Repository(source=source, directory=self.directory / "by-ssh")

    async def revert(self, rejected: str, *, revision: str = "main", **options: Any) -> Reverted:
        work = Work(
            **{
                "sync": "team/shop",
                "repository": self.repository(revision),
                "rejected": rejected,
                "good": self.good,
                "reason": "Rollout team/web: aborted",
                "author": Author(name="Bot", email="bot@example.com"),
                "path": "app",
                **options,
            }
        )
        return await revert(work, now=NOW)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_commits_of_others_on_top_stay_and_do_not_stop_it(world: World) -> None:
    """R31: only the folder of the sync goes back, and only if nobody has changed it since."""
    bad = world.bare.commit({"app/a.yaml": "2"})
    innocent = world.bare.commit({"other/c.yaml": "theirs", "top": "2"})
    found = await world.revert(bad)
    assert found.commit == world.head()
    assert world.files() == {**GOOD, "other/c.yaml": "theirs", "top": "2"}
    assert world.head("main^") == innocent


async def test_one_commit_is_taken_back_as_a_whole(world: World) -> None:
    bad = world.bare.commit({"app/a.yaml": "2", "other/c.yaml": "2", "app/new.yaml": "2"}, 'the "new" one')
    found = await world.revert(bad)
    assert (found.commit, found.branch, found.base) == (world.head(), "main", "main")
    assert world.files() == GOOD
    raw = keys.run("git", "cat-file", "commit", "main", cwd=world.bare.path).decode()
    assert f"parent {bad}\n" in raw
    assert "author Bot <bot@example.com>" in raw
    message = raw.partition("\n\n")[2]
    assert message.startswith("Revert \"the 'new' one\"\n\n")
    assert bad in message
    assert "Rollout team/web: aborted" in message
    assert message.endswith("Signed-off-by: Bot <bot@example.com>\nGitSync-Revert: team/shop\n")
    keys.run("git", "fsck", "--strict", cwd=world.bare.path)


async def test_of_several_commits_only_the_folder_of_the_sync(world: World) -> None:
    """What others did in the same time to their own folders is none of this sync's business."""
    world.bare.commit({"other/c.yaml": "theirs"})
    world.bare.commit({"app/a.yaml": "2", "top": "2"})
    bad = world.bare.commit({"app/deep/b.yaml": None, "app/deep/er/new.yaml": "3"})
    await world.revert(bad)
    assert world.files() == {**GOOD, "other/c.yaml": "theirs", "top": "2"}


async def test_the_whole_repository_may_be_the_folder(world: World) -> None:
    world.bare.commit({"other/c.yaml": "2"})
    bad = world.bare.commit({"top": "2"})
    await world.revert(bad, path=".")
    assert world.files() == GOOD


async def test_what_people_pushed_since_stays(world: World) -> None:
    bad = world.bare.commit({"app/a.yaml": "2"})
    theirs = world.bare.commit({"app/a.yaml": "3"})
    assert await world.revert(bad) == Reverted()
    assert world.head() == theirs


async def test_who_pushes_in_between_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = world.bare.commit({"app/a.yaml": "2"})
    theirs: list[str] = []
    real = commits.stored

    async def slow(*arguments: Any) -> str:
        theirs.append(world.bare.commit({"app/a.yaml": "3"}, "by a person"))
        return await real(*arguments)

    monkeypatch.setattr("rollouts.gitops.reverts.stored", slow)
    with pytest.raises(PushBeatenError, match="somebody else"):
        await world.revert(bad)
    assert [world.head()] == theirs
    assert await world.revert(bad) == Reverted()


async def test_a_revert_is_never_reverted(world: World) -> None:
    """The pods of the good commit fail as well: taking turns for ever helps nobody."""
    bad = world.bare.commit({"app/a.yaml": "2"})
    ours = (await world.revert(bad)).commit
    with pytest.raises(RevertError, match="takes another commit back already"):
        await world.revert(ours, good=bad)
    assert world.head() == ours


async def test_what_would_change_nothing_is_no_commit(world: World) -> None:
    world.bare.commit({"top": "2"})
    bad = world.bare.commit({"top": "3"})
    with pytest.raises(RevertError, match="nothing below 'app' differs"):
        await world.revert(bad)
    assert world.head() == bad


async def test_a_folder_that_was_not_there_before_is_not_guessed(world: World) -> None:
    world.bare.commit({"fresh/a.yaml": "1"})
    bad = world.bare.commit({"fresh/a.yaml": "2"})
    with pytest.raises(RevertError, match="has no folder 'fresh': take it back by hand"):
        await world.revert(bad, path="fresh")


async def test_a_branch_of_its_own_leaves_the_followed_one_alone(world: World) -> None:
    bad = world.bare.commit({"app/a.yaml": "2"})
    found = await world.revert(bad, branch="reverts/x")
    assert (found.branch, found.base, world.head()) == ("reverts/x", "main", bad)
    assert world.files("reverts/x") == GOOD
    assert (await world.revert(bad, branch="reverts/x")).commit == found.commit == world.head("reverts/x")


async def test_a_branch_with_a_persons_commits_is_left_alone(world: World) -> None:
    keys.git(world.bare, "push", "-q", "origin", "main:refs/heads/reverts/x")
    bad = world.bare.commit({"app/a.yaml": "2"})
    with pytest.raises(ImageError, match="commits of somebody else"):
        await world.revert(bad, branch="reverts/x")
    assert world.head("reverts/x") == world.good


async def test_a_tag_can_not_be_mended(world: World) -> None:
    world.bare.tag("v1")
    with pytest.raises(RevertError, match="need one, not a tag or a commit"):
        await world.revert(world.good, revision="v1")


async def test_a_server_that_refuses_is_quoted(world: World) -> None:
    bad = world.bare.commit({"app/a.yaml": "2"})
    hook = world.bare.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected branch >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(SourceError, match="protected branch"):
        await world.revert(bad)
    assert world.head() == bad


async def test_it_is_signed_if_a_key_is_given(world: World, tmp_path: Path) -> None:
    key = SshKey(tmp_path, "bot")
    bad = world.bare.commit({"app/a.yaml": "2"})
    found = await world.revert(bad, key=SigningKey.of("ssh", {"identity": key.path.read_bytes()}))
    repository = world.repository()
    await repository.fetch(found.commit)
    allowed = Keys.of({"allowed_signers": f"bot@example.com {key.public}\n".encode()})
    assert await verify(repository, commit=found.commit, verification=Verification(keys=allowed), tag="")


async def test_it_is_pushed_by_ssh(world: World, tmp_path: Path) -> None:
    """With the key that opens the repository; a newer push of a person still wins."""
    host, user = (SshKey(tmp_path, name) for name in ("host", "user"))
    bad = world.bare.commit({"app/a.yaml": "2"})
    async with sshd(host, user, writes=True) as port:
        repository = world.by_ssh(port, host, user)
        own = await world.revert(bad, repository=repository, branch="reverts/x")
        assert (own.commit, world.head()) == (world.head("reverts/x"), bad)
        theirs = world.bare.commit({"app/a.yaml": "3"})
        assert await world.revert(bad, repository=repository) == Reverted()
        assert world.head() == theirs
        found = await world.revert(theirs, repository=repository)
        assert (found.commit, world.files()) == (world.head(), GOOD)


async def test_a_commit_that_is_out_of_reach_is_told(world: World, tmp_path: Path) -> None:
    """A plain server hands out the history of a branch, and that is fetched only so far back."""
    host, user = (SshKey(tmp_path, name) for name in ("host", "user"))
    bad = world.bare.commit({"app/a.yaml": "2"})
    async with sshd(host, user, writes=True) as port:
        with pytest.raises(SourceError, match=r"tips of its branches only, and commit abab.* is none of the last 50"):
            await world.revert(bad, repository=world.by_ssh(port, host, user), good="ab" * 20)
    assert world.head() == bad


async def test_a_key_that_may_only_read_is_told_so(world: World, tmp_path: Path) -> None:
    """The usual deploy key."""
    host, user = (SshKey(tmp_path, name) for name in ("host", "user"))
    bad = world.bare.commit({"app/a.yaml": "2"})
    async with sshd(host, user) as port:
        with pytest.raises(SourceError, match="this key may only read"):
            await world.revert(bad, repository=world.by_ssh(port, host, user))
    assert world.head() == bad
