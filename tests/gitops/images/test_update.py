"""Image updates from end to end: a real registry, a real repository, real commits."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rollouts.api.gitsync_images import ImageUpdate
from rollouts.gitops.errors import ImageError, SourceError
from rollouts.gitops.images.plan import Memory
from rollouts.gitops.images.signing import SigningKey
from rollouts.gitops.images.update import Outcome, Work, update
from rollouts.gitops.signatures import Keys
from rollouts.gitops.source import Repository, Source
from rollouts.gitops.verify import Verification, verify
from tests.gitops import keys
from tests.gitops.bare import Bare
from tests.gitops.images.registries import RealRegistry, real_registry
from tests.gitops.keys import PgpHome, SshKey

FILE = (
    '# shop\r\nspec:\r\n  image: \'HOST/shop/web:1.0.0\'   # {"$imagepolicy": "shop:web"}\r\n'
    "  other: HOST/shop/web:1.0.0\r\n"
)


@pytest.fixture
async def real(registry: Path) -> AsyncIterator[RealRegistry]:
    async with real_registry(registry) as made:
        await made.push("shop/web", ["1.0.0"], content="1.0.0")
        yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


class World:
    """A repository that follows one image, and looks at it; what is remembered goes from look to look."""

    def __init__(self, directory: Path, real: RealRegistry, session: aiohttp.ClientSession) -> None:
        self.bare = Bare(directory)
        self.directory, self.real, self.session = directory, real, session
        self.memory = Memory()
        self.rejected: frozenset[str] = frozenset()
        self.key: SigningKey | None = None
        self.write(FILE.replace("HOST", real.host))

    def write(self, text: str, path: str = "app/web.yaml") -> str:
        """Commit a file, bytes as given."""
        keys.git(self.bare, "fetch", "-q", "origin")
        keys.git(self.bare, "checkout", "-q", "-B", "main", *self._origin())
        file = self.bare.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        keys.git(self.bare, "add", "--all")
        keys.git(self.bare, "commit", "-q", "-m", "by a person")
        keys.git(self.bare, "push", "-q", "origin", "main")
        return keys.git(self.bare, "rev-parse", "HEAD")

    def _origin(self) -> list[str]:
        found = keys.git(self.bare, "branch", "-r", "--list", "origin/main")
        return ["origin/main"] if found else []

    def read(self, branch: str = "main", path: str = "app/web.yaml") -> str:
        return keys.run("git", "show", f"{branch}:{path}", cwd=self.bare.path).decode()

    def log(self, branch: str = "main") -> list[str]:
        return keys.run("git", "log", "--format=%s", branch, cwd=self.bare.path).decode().splitlines()

    async def look(self, *, revision: str = "main", image: dict[str, Any] | None = None, **spec: Any) -> Outcome:
        name = f"{self.real.host}/shop/web"
        follow = {"name": "web", "image": name, "policy": {"semver": {"range": "1.x"}}, **(image or {})}
        git = {"commit": {"author": {"name": "Bot", "email": "bot@example.com"}}, **spec.pop("git", {})}
        source = Source(url=self.bare.url, revision=revision, allow_local=True)
        work = Work(
            namespace="shop", name="app", path="app", memory=self.memory, rejected=self.rejected, key=self.key,
            spec=ImageUpdate.model_validate({"git": git, "images": [follow], **spec}),
            repository=Repository(source=source, directory=self.directory / "store"),
        )  # fmt: skip
        now = datetime(2026, 11, 21, 12, tzinfo=UTC)
        found = await update(work, session=self.session, now=now, insecure=frozenset({self.real.host}))
        self.memory = Memory.from_json(found.memory.to_json())
        return found


@pytest.fixture
async def world(tmp_path: Path, real: RealRegistry, session: aiohttp.ClientSession) -> World:
    return World(tmp_path, real, session)


async def test_a_newer_tag_is_committed_and_nothing_else_changes(world: World) -> None:
    assert (await world.look()).changes == ()
    await world.real.push("shop/web", ["1.1.0", "2.0.0", "latest"], content="1.1.0")
    found = await world.look()
    assert [(change.old[-5:], change.new[-5:]) for change in found.changes] == [("1.0.0", "1.1.0")]
    before = FILE.replace("HOST", world.real.host)
    assert world.read() == before.replace("web:1.0.0'", "web:1.1.0'")
    assert world.log()[0] == "Update images of shop/app"
    raw = keys.run("git", "cat-file", "commit", "main", cwd=world.bare.path).decode()
    assert "author Bot <bot@example.com>" in raw
    assert "\nImage-Update: shop/app\n" in raw
    assert found.commit == keys.run("git", "rev-parse", "main", cwd=world.bare.path).decode().strip()
    assert (await world.look()).commit == ""
    assert len(world.log()) == 2


async def test_the_rest_of_the_tree_is_as_it_was(world: World) -> None:
    for path in ("top.txt", "app/deep/er/x.bin", "zz/é.txt"):
        world.write("same", path)
    keys.git(world.bare, "update-index", "--chmod=+x", "top.txt")
    keys.git(world.bare, "commit", "-q", "-m", "mode")
    keys.git(world.bare, "push", "-q", "origin", "main")
    await world.real.push("shop/web", ["1.1.0"])
    await world.look()
    listing = keys.run("git", "diff-tree", "-r", "--name-status", "main~1", "main", cwd=world.bare.path).decode()
    assert listing == "M\tapp/web.yaml\n"
    keys.run("git", "fsck", "--strict", cwd=world.bare.path)


async def test_what_a_person_reverted_stays_until_another_tag_comes(world: World) -> None:
    await world.real.push("shop/web", ["1.1.0"])
    await world.look()
    world.write(FILE.replace("HOST", world.real.host))
    for _ in range(2):
        found = await world.look()
        assert (found.commit, [held.reason for held in found.held]) == ("", ["TakenBack"])
    assert world.log()[0] == "by a person"
    await world.real.push("shop/web", ["1.2.0"])
    assert (await world.look()).commit
    assert "web:1.2.0'" in world.read()


async def test_a_rejected_digest_is_passed_over_under_any_tag(world: World) -> None:
    """R36."""
    bad = await world.real.push("shop/web", ["1.2.0"], content="bad")
    await world.real.push("shop/web", ["1.1.0"], content="good")
    world.rejected = frozenset({f"{world.real.host}/shop/web@{bad}"})
    assert [change.new[-5:] for change in (await world.look()).changes] == ["1.1.0"]
    await world.real.push("shop/web", ["1.3.0"], content="bad")
    assert (await world.look()).changes == ()
    await world.real.push("shop/web", ["1.3.0"], content="mended")
    assert [change.new[-5:] for change in (await world.look()).changes] == ["1.3.0"]


async def test_a_rejection_by_tag_is_for_what_the_tag_meant_then(world: World) -> None:
    """A Rollout that names no digest was aborted: the same image under the tag is passed over, a rebuild is not."""
    image = {"policy": {"tag": "main"}, "digestReflectionPolicy": "Always"}
    await world.real.push("shop/web", ["main"], content="good")
    await world.look(image=image)
    await world.real.push("shop/web", ["main"], content="bad")
    world.rejected = frozenset({f"{world.real.host}/shop/web:main", "other/web:main", "what is this", "x@y"})
    for _ in range(2):
        found = await world.look(image=image)
        assert (found.changes, "all rejected" in str(found.errors["web"])) == ((), True)
    rebuilt = await world.real.push("shop/web", ["main"], content="mended")
    assert [change.new.partition("@")[2] for change in (await world.look(image=image)).changes] == [rebuilt]
    world.rejected = frozenset()
    assert (await world.look(image=image)).memory.rejected == {}


async def test_a_rejected_tag_that_git_has_is_no_reason_to_go_down(world: World) -> None:
    await world.real.push("shop/web", ["1.1.0"], content="aborted")
    await world.look()
    world.rejected = frozenset({f"{world.real.host}/shop/web:1.1.0"})
    found = await world.look()
    assert (found.changes, found.held, dict(found.errors)) == ((), (), {})


async def test_never_down(world: World) -> None:
    await world.real.push("shop/web", ["1.5.0"])
    await world.look()
    await world.real.delete("shop/web", "1.5.0")
    found = await world.look()
    assert (found.commit, [held.reason for held in found.held]) == ("", ["Downgrade"])
    assert (await world.look(image={"allowDowngrade": True})).commit


async def test_digests_follow_a_moving_tag(world: World) -> None:
    first = await world.real.push("shop/web", ["main"], content="a")
    image = {"policy": {"tag": "main"}, "digestReflectionPolicy": "Always"}
    await world.look(image=image)
    assert f"web:main@{first}'" in world.read()
    assert (await world.look(image=image)).commit == ""
    second = await world.real.push("shop/web", ["main"], content="b")
    await world.look(image=image)
    assert f"web:main@{second}'" in world.read()


@pytest.mark.parametrize(
    ("image", "fragment"),
    [
        ({"policy": {"semver": {"range": "9.x"}}}, "none of the tags"),
        ({"policy": {"semver": {"range": "what"}}}, "no range of versions"),
        ({"policy": {}}, "exactly one"),
        ({"image": "localhost:1/web"}, "the controller itself"),
        ({"policy": {"tag": "main"}}, "needs digestReflectionPolicy"),
    ],
)
async def test_what_is_wrong_with_an_image_is_said_and_nothing_is_written(
    world: World, image: dict[str, Any], fragment: str
) -> None:
    found = await world.look(image=image)
    assert fragment in str(found.errors["web"])
    assert (found.changes, found.commit) == ((), "")


async def test_markers_of_other_namespaces_and_policies_are_left_alone(world: World) -> None:
    text = world.read().replace("shop:web", "other:web") + 'a: x:1 # {"$imagepolicy": "shop:api"}\n'
    world.write(text)
    await world.real.push("shop/web", ["1.1.0"])
    found = await world.look()
    assert (found.changes, dict(found.errors), world.read()) == ((), {}, text)


async def test_more_markers_than_a_status_can_remember_are_refused(world: World) -> None:
    world.write('- x:1 # {"$imagepolicy": "shop:web"}\n' * 1001, "app/many.yaml")
    with pytest.raises(ImageError, match="more than 1000 values"):
        await world.look()


async def test_a_push_that_comes_between_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody pushes after the branch was read and before ours arrives: theirs stays, ours follows on top."""
    from rollouts.gitops.images import update as module

    await world.real.push("shop/web", ["1.1.0"])
    honest, left = module.push, [1, 2]

    async def slow(*arguments: Any, **options: Any) -> None:
        if left:
            world.write(f"push {left.pop()}", "app/theirs.txt")
        await honest(*arguments, **options)

    monkeypatch.setattr(module, "push", slow)
    assert (await world.look()).commit
    assert world.log()[:3] == ["Update images of shop/app", "by a person", "by a person"]
    assert world.read(path="app/theirs.txt") == "push 1"
    assert "web:1.1.0'" in world.read()


async def test_five_beaten_pushes_are_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from rollouts.gitops.images import update as module

    await world.real.push("shop/web", ["1.1.0"])
    honest, tries = module.push, []

    async def beaten(*arguments: Any, **options: Any) -> None:
        tries.append(1)
        world.write(f"push {len(tries)}", "app/theirs.txt")
        await honest(*arguments, **options)

    monkeypatch.setattr(module, "push", beaten)
    with pytest.raises(SourceError, match="5 times in a row") as refused:
        await world.look()
    assert (len(tries), refused.value.retriable) == (5, True)
    assert "web:1.0.0'" in world.read()


async def test_a_branch_of_our_own(world: World) -> None:
    await world.real.push("shop/web", ["1.1.0"])
    push = {"push": {"branch": "updates"}}
    first = await world.look(git=push)
    assert (first.branch, world.log()[0]) == ("updates", "by a person")
    assert "web:1.1.0'" in world.read("updates")
    again = await world.look(git=push)
    assert (again.commit, len(world.log("updates"))) == (first.commit, 2)

    world.write("news", "app/news.txt")
    rebuilt = await world.look(git=push)
    assert rebuilt.commit != first.commit
    assert world.log("updates") == ["Update images of shop/app", "by a person", "by a person"]

    keys.git(world.bare, "push", "-q", "-f", "origin", "main:updates")
    with pytest.raises(ImageError, match="has commits of somebody else"):
        await world.look(git=push)
    assert world.log("updates")[0] == "by a person"


@pytest.mark.parametrize("text", ["refs/heads/main:refs/heads/auto", "HEAD:refs/heads/auto", "refs/heads/auto"])
async def test_a_refspec_leads_to_a_branch(world: World, text: str) -> None:
    """Under the rules of a branch of our own: made once, rebuilt when the followed one moves, never over others."""
    await world.real.push("shop/web", ["1.1.0"])
    push = {"push": {"refspec": text}}
    first = await world.look(git=push)
    assert (first.branch, first.base, world.log()[0]) == ("auto", "main", "by a person")
    assert "web:1.1.0'" in world.read("auto")
    assert (await world.look(git=push)).commit == first.commit
    world.write("news", "app/news.txt")
    assert (await world.look(git=push)).commit != first.commit
    assert world.log("auto") == ["Update images of shop/app", "by a person", "by a person"]
    keys.git(world.bare, "push", "-q", "-f", "origin", "main:auto")
    with pytest.raises(ImageError, match="'auto' has commits of somebody else"):
        await world.look(git=push)
    assert world.log("auto")[0] == "by a person"


async def test_a_branch_and_a_refspec(world: World) -> None:
    """As Flux has it: both get the same commit; and one that is not ours keeps it from all of them."""
    await world.real.push("shop/web", ["1.1.0"])
    push = {"push": {"branch": "one", "refspec": "refs/heads/main:refs/heads/two"}}
    keys.git(world.bare, "push", "-q", "origin", "main:two")
    with pytest.raises(ImageError, match="'two' has commits of somebody else"):
        await world.look(git=push)
    assert "one" not in keys.run("git", "branch", cwd=world.bare.path).decode()
    keys.git(world.bare, "push", "-q", "origin", ":two")
    found = await world.look(git=push)
    heads = [keys.run("git", "rev-parse", name, cwd=world.bare.path).decode().strip() for name in ("one", "two")]
    assert ({found.commit}, found.branch, world.log()[0]) == (set(heads), "one", "by a person")
    keys.git(world.bare, "push", "-q", "origin", ":two")
    assert (await world.look(git=push)).commit == found.commit
    assert keys.run("git", "rev-parse", "two", cwd=world.bare.path).decode().strip() == found.commit


async def test_the_followed_branch_comes_last(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beaten there, the look begins anew, and the other branch gets what is made then."""
    from rollouts.gitops.images import update as module

    await world.real.push("shop/web", ["1.1.0"])
    honest, pushed = module.push, []

    async def between(*arguments: Any, target: str, **options: Any) -> None:
        pushed.append(target)
        if pushed == ["refs/heads/copy", "refs/heads/main"]:
            world.write("theirs", "app/theirs.txt")
        await honest(*arguments, target=target, **options)

    monkeypatch.setattr(module, "push", between)
    found = await world.look(git={"push": {"branch": "main", "refspec": "refs/heads/copy"}})
    assert pushed == ["refs/heads/copy", "refs/heads/main"] * 2
    assert world.log() == world.log("copy") == ["Update images of shop/app", "by a person", "by a person"]
    assert found.commit == keys.run("git", "rev-parse", "main", cwd=world.bare.path).decode().strip()
    assert (await world.look(git={"push": {"branch": "main", "refspec": "refs/heads/copy"}})).changes == ()


async def test_a_refspec_about_another_branch_is_refused(world: World) -> None:
    await world.real.push("shop/web", ["1.1.0"])
    with pytest.raises(ImageError, match="commits are made on main, not on release: write HEAD:refs/heads/auto"):
        await world.look(git={"push": {"refspec": "refs/heads/release:refs/heads/auto"}})


async def test_a_pull_request_gets_a_branch(world: World) -> None:
    await world.real.push("shop/web", ["1.1.0"])
    found = await world.look(pullRequest={"enabled": True})
    assert found.base == "main"
    assert found.branch == "image-updates/shop-app"
    assert "web:1.0.0'" in world.read()


async def test_head_is_the_branch_it_stands_for_and_a_tag_is_none(world: World) -> None:
    await world.real.push("shop/web", ["1.1.0"])
    keys.git(world.bare, "push", "-q", "origin", "HEAD:refs/tags/v1")
    with pytest.raises(ImageError, match="has no branch 'refs/heads/v1'"):
        await world.look(revision="v1")
    assert (await world.look(revision="HEAD")).branch == "main"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("the branch is protected", "the branch is protected$"),
        ("You are not allowed to push here", "here: the account of source.secretRef must be allowed to push$"),
    ],
)
async def test_a_server_that_refuses_says_why(world: World, said: str, told: str) -> None:
    hook = world.bare.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    hook.chmod(0o755)
    await world.real.push("shop/web", ["1.1.0"])
    with pytest.raises(SourceError, match=told):
        await world.look()


@pytest.mark.parametrize("format_", ["ssh", "gpg"])
async def test_signed_commits_pass_our_own_verification(world: World, tmp_path: Path, format_: str) -> None:
    if format_ == "ssh":
        ssh = SshKey(tmp_path, "bot")
        world.key = SigningKey.of("ssh", {"identity": ssh.path.read_bytes()})
        trusted = {"allowed_signers": ssh.signers()}
    else:
        with tempfile.TemporaryDirectory(prefix="g") as folder:
            home = PgpHome(Path(folder))
            home.make("bot")
            secret = home.gpg("--passphrase", "", "--pinentry-mode", "loopback", "--export-secret-keys", "--armor")
            world.key = SigningKey.of("gpg", {"git.asc": secret})
            trusted = {"bot.asc": home.public("bot")}
            home.close()
    await world.real.push("shop/web", ["1.1.0"])
    found = await world.look()
    repository = Repository(source=Source(url=world.bare.url, allow_local=True), directory=tmp_path / "other")
    await repository.fetch(found.commit)
    assert await verify(repository, commit=found.commit, verification=Verification(keys=Keys.of(trusted)))
    assert "PRIVATE KEY" not in repr(world.key)


async def test_markers_are_looked_for_in_the_folder_that_is_named(world: World) -> None:
    world.write(FILE.replace("HOST", world.real.host), "elsewhere/web.yaml")
    await world.real.push("shop/web", ["1.1.0"])
    assert (await world.look(update={"path": "elsewhere"})).commit
    assert "web:1.1.0'" in world.read(path="elsewhere/web.yaml")
    assert "web:1.0.0'" in world.read()


async def test_what_a_commit_says_and_who_it_is_by(world: World) -> None:
    await world.real.push("shop/web", ["1.1.0"])
    commit = {
        "author": {"email": "bot@example.com"},
        "messageTemplate": "{{ Values.team }}: {% for change in Changed.Changes %}{{ change.NewValue }}{% endfor %}",
        "messageTemplateValues": {"team": "ops"},
    }
    assert (await world.look(git={"commit": commit})).commit
    assert world.log()[0] == f"ops: {world.real.host}/shop/web:1.1.0"
    raw = keys.run("git", "cat-file", "commit", "main", cwd=world.bare.path).decode()
    assert "author bot@example.com <bot@example.com>" in raw


async def test_push_options_reach_the_server(world: World) -> None:
    keys.run("git", "config", "receive.advertisePushOptions", "true", cwd=world.bare.path)
    hook = world.bare.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\necho "$GIT_PUSH_OPTION_0" > "$GIT_DIR/told"\n')
    hook.chmod(0o755)
    await world.real.push("shop/web", ["1.1.0"])
    assert (await world.look(git={"push": {"options": {"topic": "images"}}})).commit
    assert (world.bare.path / "told").read_text() == "topic=images\n"


TAGS = ["1.0.0", "main-9-a", "main-10-b", "main-8-c", "dev-99-d", "2.0.0"]


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ({"policy": {"semver": {"range": ">=1"}}}, "2.0.0"),
        ({"policy": {"alphabetical": {}}, "filterTags": {"glob": "main-*"}}, "main-9-a"),
        ({"policy": {"alphabetical": {"order": "desc"}}, "filterTags": {"glob": "main-*"}}, "main-10-b"),
        (
            {
                "policy": {"numerical": {"order": "asc"}},
                "filterTags": {"pattern": "^main-(?P<n>[0-9]+)-.$", "extract": "$n"},
            },
            "main-10-b",
        ),
        (
            {"policy": {"numerical": {"order": "desc"}}, "filterTags": {"pattern": "-([0-9]+)-", "extract": "$1"}},
            "main-8-c",
        ),
        ({"policy": {"semver": {"range": ">=1"}}, "exclude": ["2.*"]}, ""),
    ],
)
async def test_every_policy_and_filter_chooses_its_tag(world: World, image: dict[str, Any], tag: str) -> None:
    for name in TAGS[1:]:
        await world.real.push("shop/web", [name], content=name)
    changes = (await world.look(image={**image, "allowDowngrade": True})).changes
    assert [change.new.rpartition(":")[2] for change in changes] == ([tag] if tag else [])
