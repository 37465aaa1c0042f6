"""From the files of a commit to objects: the one door, with a cache by content behind it.

Which renderer a folder asks for is said by the options, else by a marker file in it; a folder without either holds
plain manifests. Whatever it is, it happens in a confined child, here or in another container (`place.py`), a few at a
time.

The key of the cache is everything the result depends on: each file's path and bytes, folder, options, target, the
program's path, size and age, the limits. So two commits with the same tree render once, and a result can't be anybody
else's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

import orjson

from rollouts.gitops.errors import RenderError, RenderFailedError
from rollouts.gitops.git import Git
from rollouts.gitops.materialise import Limits as TreeLimits
from rollouts.gitops.materialise import Tree, materialise
from rollouts.gitops.objects import JSON, Manifest
from rollouts.gitops.render.collect import complain
from rollouts.gitops.render.installed import Program
from rollouts.gitops.render.options import Options, Target
from rollouts.gitops.render.place import Here, Place, missing
from rollouts.gitops.render.sandbox import Limits
from rollouts.gitops.render.task import Task, errors_of, manifests_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A way of rendering: its name, the one people see, the files that ask for it, the program it needs (or none)."""

    name: str
    label: str
    markers: frozenset[str] = frozenset()
    program: str = ""


#: In order of precedence.
RENDERERS = (
    Row(name="helm", label="Helm", markers=frozenset({"Chart.yaml"}), program="helm"),
    Row(
        name="kustomize",
        label="Kustomize",
        markers=frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"}),
        program="kustomize",
    ),
    Row(name="directory", label="Directory"),
)


def choose(tree: Tree, options: Options) -> Row:
    """The row that renders the folder: what the options ask for, else by the files directly in it."""
    if options.wanted:
        return next(row for row in RENDERERS if row.name == options.wanted)
    here = {at.name for path in tree.files if str((at := PurePosixPath(path)).parent) == tree.path}
    return next(row for row in RENDERERS if row.markers & here or not row.markers)


async def read(
    git: Git, *, commit: str, path: str = ".", options: Options | None = None, limits: TreeLimits | None = None
) -> Tree:
    """The files of the commit that rendering needs: the folder, or the whole repository where it may look around."""
    chosen = options or Options()
    tree = await materialise(git, commit=commit, path=path, limits=limits)
    if not looks_around(tree, chosen):
        return tree
    return await materialise(git, commit=commit, path=path, around=True, limits=limits)


def looks_around(tree: Tree, options: Options) -> bool:
    """Whether files outside the folder may matter: bases, value files, libraries."""
    name = choose(tree, options).name
    helm = options.for_renderer("helm")
    return (
        name == "kustomize"
        or (name == "helm" and bool(helm.get("valueFiles") or helm.get("fileParameters")))
        or any(path.endswith(".jsonnet") for path in tree.files)
    )


class Renderer:
    """Renders folders at a place, `concurrency` at a time, and remembers up to `cache_bytes` of answers."""

    def __init__(
        self,
        *,
        place: Place | None = None,
        limits: Limits | None = None,
        tree: TreeLimits | None = None,
        concurrency: int = 2,
        cache_bytes: int = 128 * 1024 * 1024,
    ) -> None:
        self.place = place or Here()
        self.limits = limits or Limits()
        self.tree_limits = tree or TreeLimits()
        self._turns = asyncio.Semaphore(concurrency)
        self._cache = _Cache(cache_bytes)

    async def render(
        self, tree: Tree, *, options: Options | None = None, target: Target | None = None
    ) -> tuple[Manifest, ...]:
        """The objects of the folder, all or nothing. RenderError or RenderFailedError says what is wrong."""
        chosen, to = options or Options(), target or Target()
        row = choose(tree, chosen)
        program = await self._program(row, tree.path)
        given = chosen.for_renderer(row.name)
        key = digest(tree, row=row, options=given, target=to, program=program, limits=self.limits)
        if (known := self._cache.get(key)) is None:
            async with self._turns:
                known = await self._rendered(tree, row, given, to, program)
            self._cache.put(key, known)
        return manifests_of(orjson.loads(known))

    async def _program(self, row: Row, folder: str) -> Program | None:
        if not row.program:
            return None
        found = await self.place.program(row.program)
        if found is None:
            raise missing(row.program, folder=folder)
        return found

    async def _rendered(self, tree: Tree, row: Row, options: JSON, target: Target, program: Program | None) -> bytes:
        task = Task(
            renderer=row.name, path=tree.path, options=options, target=target.as_json(),
            max_objects=self.limits.objects, output_bytes=self.limits.answer_bytes,
            object_bytes=self.limits.object_bytes, manifest_bytes=self.limits.manifest_bytes,
            yaml=asdict(self.limits.yaml),
        )  # fmt: skip
        text = await self.place.answer(task, tree.files, program=program, limits=self.limits)
        try:
            said = orjson.loads(text)
            if errors := errors_of(said):
                raise RenderFailedError(errors)
            if forged := next(filter(None, (complain(manifest.body) for manifest in manifests_of(said))), None):
                raise ValueError(forged)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RenderError(f"the renderer gave no usable answer ({error})", file=tree.path) from error
        return text


async def render(
    tree: Tree, *, options: Options | None = None, target: Target | None = None, limits: Limits | None = None
) -> tuple[Manifest, ...]:
    """One render without a cache."""
    return await Renderer(limits=limits).render(tree, options=options, target=target)


def digest(tree: Tree, *, row: Row, options: JSON, target: Target, program: Program | None, limits: Limits) -> str:
    """What the result depends on, as one hash (R1)."""
    head = [row.name, tree.path, options, target.as_json(), program and asdict(program), asdict(limits)]
    hash_ = hashlib.sha256(orjson.dumps(head, option=orjson.OPT_SORT_KEYS))
    for name, data in _sorted(tree.files):
        hash_.update(orjson.dumps([name, hashlib.sha256(data).hexdigest()]))
    return hash_.hexdigest()


def _sorted(files: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    return sorted(files.items())


class _Cache:
    """Answers by key, the least recently used ones given up first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def put(self, key: str, answer: bytes) -> None:
        self._held += len(answer) - len(self._answers.pop(key, b""))
        self._answers[key] = answer
        while self._held > self._limit:
            _, oldest = self._answers.popitem(last=False)
            self._held -= len(oldest)
