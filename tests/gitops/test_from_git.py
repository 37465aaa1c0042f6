"""From a branch to manifests, with real repositories: one commit, its files and no more, errors with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.errors import SyncError
from rollouts.gitops.objects import Manifest
from rollouts.gitops.render.options import Options
from rollouts.gitops.render.renderer import Renderer, read, render
from rollouts.gitops.source import Repository, Source
from tests.gitops import keys
from tests.gitops.bare import Bare

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: b}\n"


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


async def manifests(bare: Bare, tmp_path: Path, *, path: str = ".", revision: str = "main") -> tuple[Manifest, ...]:
    source = Source(url=bare.url, revision=revision, path=path, allow_local=True)
    repository = Repository(source=source, directory=tmp_path / "store")
    commit = await repository.resolve()
    await repository.fetch(commit)
    return await render(await read(repository.git, commit=commit, path=path))


def config(name: str) -> str:
    return CONFIG.replace("NAME", name)


async def test_the_branch_is_resolved_to_its_newest_commit(bare: Bare, tmp_path: Path) -> None:
    bare.commit({"a.yaml": config("one")})
    newest = bare.commit({"a.yaml": config("two")})
    source = Source(url=bare.url, revision="main", allow_local=True)
    assert await Repository(source=source, directory=tmp_path / "store").resolve() == newest
    assert [m.ref.name for m in await manifests(bare, tmp_path)] == ["two"]


async def test_an_older_commit_can_be_asked_for(bare: Bare, tmp_path: Path) -> None:
    first = bare.commit({"a.yaml": config("one")})
    bare.commit({"a.yaml": config("two")})
    assert [m.ref.name for m in await manifests(bare, tmp_path, revision=first)] == ["one"]


async def test_a_push_in_the_middle_mixes_nothing(bare: Bare, tmp_path: Path) -> None:
    """R2: what was resolved once is fetched, read and rendered, whatever the branch means by then."""
    first = bare.commit({"a.yaml": config("one")})
    source = Source(url=bare.url, revision="main", allow_local=True)
    repository = Repository(source=source, directory=tmp_path / "store")
    commit = await repository.resolve()
    bare.commit({"a.yaml": config("two"), "b.yaml": config("three")})
    await repository.fetch(commit)
    bare.reset(bare.commit({"a.yaml": config("four")}))
    assert commit == first
    assert [m.ref.name for m in await render(await read(repository.git, commit=commit))] == ["one"]


async def test_an_answer_is_remembered_for_exactly_its_inputs(bare: Bare, tmp_path: Path) -> None:
    """R1: other files, other options, or another target are another question."""
    renderer, rendered = Renderer(), []
    work = renderer._rendered

    async def counted(*arguments: Any) -> Any:
        rendered.append(arguments)
        return await work(*arguments)

    renderer._rendered = counted  # type: ignore[method-assign]
    repository = Repository(source=Source(url=bare.url, allow_local=True), directory=tmp_path / "store")

    async def ask(files: dict[str, str | None], **options: Any) -> int:
        commit = bare.commit(files)
        await repository.fetch(commit)
        chosen = Options.of(options)
        await renderer.render(await read(repository.git, commit=commit, options=chosen), options=chosen)
        return len(rendered)

    assert await ask({"a.yaml": config("one")}) == 1
    assert await ask({}) == 1
    assert await ask({"a.yaml": config("two")}) == 2
    assert await ask({}, directory={"exclude": "b*"}) == 3
    assert await ask({"a.yaml": config("one")}) == 3


@pytest.mark.parametrize(
    ("revision", "name", "tag"),
    [
        ("HEAD", "two", ""),
        ("main", "two", ""),
        ("v1", "one", "v1"),
        ("signed", "one", "signed"),
        ("refs/heads/main", "two", ""),
        ("refs/tags/v1", "one", "v1"),
        ("refs/tags/signed", "one", "signed"),
    ],
)
async def test_what_a_revision_may_be(bare: Bare, tmp_path: Path, revision: str, name: str, tag: str) -> None:
    """Full references too, which Flux has as `ref.name`; of an annotated tag its commit, never the tag itself."""
    first = bare.commit({"a.yaml": config("one")})
    bare.tag("v1")
    bare.tag("signed", annotated=True)
    bare.commit({"a.yaml": config("two")})
    assert [m.ref.name for m in await manifests(bare, tmp_path, revision=revision)] == [name]
    repository = Repository(
        source=Source(url=bare.url, revision=revision, allow_local=True), directory=tmp_path / "again"
    )
    found = await repository.resolve()
    assert (found == first, repository.tag) == (name == "one", tag)


async def test_several_documents_files_and_json(bare: Bare, tmp_path: Path) -> None:
    bare.commit(
        {
            "a.yaml": config("one") + "---\n" + config("two"),
            "sub/b.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "three"}}',
            "README.md": "not a manifest",
        }
    )
    assert sorted(m.ref.name for m in await manifests(bare, tmp_path)) == ["one", "three", "two"]


async def test_only_the_folder_that_is_asked_for(bare: Bare, tmp_path: Path) -> None:
    bare.commit({"deploy/a.yaml": config("in"), "other/b.yaml": config("out")})
    assert [m.ref.name for m in await manifests(bare, tmp_path, path="deploy")] == ["in"]


@pytest.mark.parametrize(
    ("files", "fragment"),
    [
        pytest.param({"a.yaml": "kind: [unclosed\n"}, "a.yaml:", id="not yaml"),
        pytest.param({"a.yaml": "-> /etc/passwd"}, "link", id="a link out of the commit"),
        pytest.param({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"}, "name", id="no name"),
        pytest.param({"a.yaml": "a: &a [x]\nb: [" + "*a, " * 20000 + "*a]\n"}, "a.yaml", id="a YAML bomb"),
    ],
)
async def test_what_cannot_be_read_is_refused_whole_and_says_where(
    bare: Bare, tmp_path: Path, files: dict[str, str | None], fragment: str
) -> None:
    bare.commit({"good.yaml": config("good"), **files})
    with pytest.raises(SyncError) as refused:
        await manifests(bare, tmp_path)
    assert fragment in str(refused.value)


@pytest.mark.parametrize("url", ["ext::sh -c true", "file:///etc", "/etc", "--upload-pack=true", "http://x y/"])
def test_hostile_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SyncError):
        Repository(source=Source(url=url), directory=tmp_path)


@pytest.mark.parametrize("path", ["../x", "/etc", "a/../../b"])
async def test_paths_out_of_the_repository_are_refused(bare: Bare, tmp_path: Path, path: str) -> None:
    bare.commit({"a.yaml": config("one")})
    with pytest.raises(SyncError, match="inside the repository"):
        await manifests(bare, tmp_path, path=path)


async def test_a_branch_that_does_not_exist_is_named(bare: Bare, tmp_path: Path) -> None:
    bare.commit({"a.yaml": config("one")})
    with pytest.raises(SyncError, match="no branch or tag 'nope'"):
        await manifests(bare, tmp_path, revision="nope")


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        (">=1.0.0 <2.0.0", "v1.10.0"),
        ("1.x", "v1.10.0"),
        ("~1.2", "v1.2.0"),
        ("*", "v2.0.0"),
        (">=1.0.0-0 <2", "v1.11.0-rc.1"),
        ("v1.2.0", "v1.2.0"),
        ("main", ""),
    ],
)
async def test_a_range_means_the_greatest_version_among_the_tags(
    bare: Bare, tmp_path: Path, revision: str, expected: str
) -> None:
    commits = {}
    for tag in ("v1.2.0", "v1.10.0", "v1.11.0-rc.1", "v2.0.0", "latest", "nightly-1.3.0"):
        commits[tag] = bare.commit({"a.yaml": config(tag.replace(".", "-"))}, tag)
        keys.git(bare, "tag", *(["-a", "-m", "x"] if tag == "v1.10.0" else []), tag)
    keys.git(bare, "push", "-q", "--tags", "origin")
    commits[""] = commits["nightly-1.3.0"]
    found = Repository(source=Source(url=bare.url, revision=revision, allow_local=True), directory=tmp_path / "store")
    assert (await found.resolve(), found.tag) == (commits[expected], expected)


async def test_a_branch_that_looks_like_a_range_is_a_branch(bare: Bare, tmp_path: Path) -> None:
    commit = bare.commit({"a.yaml": config("one")})
    keys.git(bare, "push", "-q", "origin", "HEAD:refs/heads/1.x", "HEAD:refs/tags/1.5.0")
    found = Repository(source=Source(url=bare.url, revision="1.x", allow_local=True), directory=tmp_path / "store")
    assert (await found.resolve(), found.tag) == (commit, "")


@pytest.mark.parametrize("revision", ["^9", "9.x"])
async def test_a_range_without_a_version_in_it_is_said(bare: Bare, tmp_path: Path, revision: str) -> None:
    bare.commit({"a.yaml": config("one")})
    with pytest.raises(SyncError, match="none of the 0 tags"):
        await manifests(bare, tmp_path, revision=revision)


@pytest.mark.parametrize("revision", ["--upload-pack=x", "a..b", "a b", ">=what", "HEAD@{1}", "refs/*", "a\nb"])
def test_what_is_neither_a_reference_nor_a_range(revision: str, tmp_path: Path) -> None:
    with pytest.raises(SyncError, match="is no branch, tag or commit id"):
        Repository(source=Source(url="https://host/x", revision=revision), directory=tmp_path)
