"""Each budget of §2.6: it is there, it can be set, and what exceeds it ends with an error that names it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from rollouts.api.kinds import CONFIG_MAP
from rollouts.gitops.budgets import NAMES, ROWS, Budgets, exceeded
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.errors import RenderError, RenderFailedError, SyncError
from rollouts.gitops.objects import Manifest
from rollouts.gitops.render.options import Options
from rollouts.gitops.render.renderer import Renderer, read
from rollouts.gitops.source import Repository, Source
from tests.gitops.bare import Bare
from tests.gitops.render.trees import config

ENDLESS = "local f(x) = f(x + 1) tailstrict; f(0)"
LARGE = config("a").replace("a: b", f"a: {'x' * 5000}")
ALIASES = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: &d {k: v}\nx: [" + "*d, " * 50 + "*d]\n"
WIDE = (
    "apiVersion: v1\nkind: Widget\nmetadata: {name: a}\n"
    + "a: &a [" + "x, " * 300 + "x]\nb: [" + "*a, " * 60 + "*a]\n"
)  # fmt: skip
CASES: tuple[tuple[str, int, dict[str, str | None], str], ...] = (
    ("fetch-bytes", 100_000, {"noise": "NOISE"}, "larger than this sync allows"),
    ("tree-files", 1, {"a.yaml": config("a"), "b.yaml": config("b")}, "has 2 files, more than 1"),
    ("tree-bytes", 100, {"a.yaml": config("a"), "b.yaml": config("b")}, "more than 100"),
    ("file-bytes", 50, {"a.yaml": config("a")}, "a.yaml has"),
    ("manifest-bytes", 100, {"a.yaml": config("a"), "b.yaml": config("b")}, "manifests hold"),
    ("yaml-depth", 5, {"a.yaml": config("a") + "x: [[[[[[[]]]]]]]\n"}, "a.yaml:5: the file nests deeper than 5"),
    ("yaml-nodes", 5, {"a.yaml": config("a")}, "too large once its aliases are expanded"),
    ("yaml-aliases", 5, {"a.yaml": ALIASES}, "has over 5 aliases"),
    ("yaml-expansion", 2, {"a.yaml": WIDE}, "too large once its aliases are expanded"),
    ("objects", 1, {"a.yaml": config("a") + "---\n" + config("b")}, "2 objects, more than 1"),
    ("object-bytes", 5000, {"b.yaml": config("b"), "a.yaml": LARGE}, "a.yaml:1: ConfigMap has"),
    ("render-seconds", 1, {"a.jsonnet": ENDLESS}, "took longer than 1 s"),
    ("render-cpu-seconds", 1, {"a.jsonnet": ENDLESS}, "1 s of processor time"),
    ("render-output-bytes", 2000, {"a.yaml": LARGE}, "more than 2000 bytes"),
    ("render-memory-bytes", 40_000_000, {"a.yaml": "- " + "x" * 9_000_000}, "memory"),
)
ELSEWHERE = {
    "fetch-seconds": "a test of its own below",
    "dry-runs": "a test of its own below",
    "render-processes": "tests/gitops/test_security_render.py",
    "webhook-bytes": "tests/gitops/gitsync/test_webhooks.py",
    "webhooks-per-second": "tests/gitops/gitsync/test_webhooks.py",
}


async def rendered(bare: Bare, folder: Path, budgets: Budgets) -> tuple[Manifest, ...]:
    """All that reads a commit, as a GitSync is wired."""
    source = Source(url=bare.url, revision="main", allow_local=True)
    limits: dict[str, Any] = {"timeout": budgets["fetch-seconds"], "most": budgets["fetch-bytes"]}
    repository = Repository(source=source, directory=folder / "store", **limits)
    renderer = Renderer(limits=budgets.render(), tree=budgets.tree())
    commit = await repository.resolve()
    await repository.fetch(commit)
    tree = await read(repository.git, commit=commit, limits=renderer.tree_limits)
    return await renderer.render(tree, options=Options())


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


@pytest.mark.parametrize(("name", "value", "files", "says"), CASES, ids=[case[0] for case in CASES])
async def test_what_exceeds_a_budget_is_refused_and_says_which(
    name: str, value: int, files: dict[str, str | None], says: str, bare: Bare, tmp_path: Path
) -> None:
    written = {file: text for file, text in files.items() if text != "NOISE"}
    if len(written) < len(files):
        (bare.work / "noise").write_bytes(os.urandom(1_000_000))
    bare.commit(written)
    with pytest.raises(SyncError) as refused:
        await rendered(bare, tmp_path, Budgets.parse([f"{name}={value}"]))
    assert says in str(refused.value)
    assert exceeded(refused.value) == name


async def test_what_is_within_all_of_them_is_rendered(bare: Bare, tmp_path: Path) -> None:
    bare.commit({"a.yaml": config("a"), "b.yaml": ALIASES.replace("name: a", "name: b")})
    assert len(await rendered(bare, tmp_path, Budgets())) == 2


async def test_a_repository_that_is_too_slow(bare: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "slow" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    bare.commit({"a.yaml": config("a")})
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    with pytest.raises(SyncError, match="did not finish within 1 s") as refused:
        await rendered(bare, tmp_path, Budgets.parse(["fetch-seconds=1"]))
    assert exceeded(refused.value) == "fetch-seconds"


def test_every_budget_is_tried() -> None:
    assert {case[0] for case in CASES} | set(ELSEWHERE) == NAMES


async def test_all_syncs_together_have_so_many_dry_runs_under_way() -> None:
    """And what is applied does not queue behind them."""

    class Slow:
        def __init__(self) -> None:
            self.now = self.most = 0

        async def apply(self, *arguments: Any, dry_run: bool, **more: Any) -> dict[str, Any]:
            self.now += 1
            self.most = max(self.most, self.now)
            for _ in range(5):
                await asyncio.sleep(0)
            self.now -= 1
            return {}

    async def most(*, dry_run: bool) -> int:
        api, gate = Slow(), asyncio.Semaphore(3)
        clusters = [Cluster(api, dry_runs=gate) for _ in range(4)]  # type: ignore[arg-type]
        items = [Manifest(body=json.loads(json.dumps(BODY)), file="a", line=1) for _ in range(20)]
        calls = (
            in_parallel(items, lambda item, one=cluster: one.apply(CONFIG_MAP, item, dry_run=dry_run))
            for cluster in clusters
        )
        await asyncio.gather(*calls)
        return api.most

    assert await most(dry_run=True) == 3
    assert await most(dry_run=False) > 3


BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}


@pytest.mark.parametrize("text", ["tree-files", "tree-files=", "tree-files=0", "tree-files=-1", "tree-files=many"])
def test_a_budget_is_a_number(text: str) -> None:
    with pytest.raises(ValueError, match="such as tree-files=20000"):
        Budgets.parse([text])


def test_a_budget_nobody_knows_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'tree' is no budget; there are .*tree-files"):
        Budgets.parse(["tree=1"])


def test_a_child_can_not_invent_a_budget() -> None:
    """Its answer is data of a stranger, and would be a label of the metric."""
    forged = RenderFailedError((RenderError("no", file="a", budget="x" * 10),))
    assert exceeded(forged) == ""


def test_the_documentation_lists_them() -> None:
    text = (Path(__file__).parents[2] / "docs" / "gitops.md").read_text()
    table = text[text.index("## Budgets") :]
    rows = re.findall(r"^\| `([a-z-]+)` \| ([\d,]+)", table, re.MULTILINE)
    assert [(name, int(number.replace(",", ""))) for name, number in rows] == [(row.name, row.default) for row in ROWS]
