"""From files to objects: which renderer a folder asks for, and the one door all of them go through.

A renderer is a plain function `Tree -> tuple[Manifest, ...]` that raises `RenderFailedError` with all that is wrong.
`RENDERERS` is the table, in order of precedence: the first whose marker file lies in the folder renders it, and a
folder without any marker holds plain manifests. Kustomize, Helm and Jsonnet are told apart here already, so that
their folders are refused with a reason today instead of being applied as if they were plain files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from rollouts.gitops.errors import TreeError
from rollouts.gitops.materialise import Tree
from rollouts.gitops.objects import Manifest
from rollouts.gitops.render import plain

Renderer = Callable[[Tree], tuple[Manifest, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A way of rendering: its name, the files that ask for it, and the function (None: not supported)."""

    name: str
    markers: frozenset[str] = frozenset()
    renderer: Renderer | None = None


RENDERERS = (
    Row(name="Helm", markers=frozenset({"Chart.yaml", "Chart.yml"})),
    Row(name="Kustomize", markers=frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})),
    Row(name="Jsonnet", markers=frozenset({"main.jsonnet"})),
    Row(name="Directory", renderer=plain.render),
)


def choose(tree: Tree) -> Row:
    """The row that renders the folder, by the files directly in it."""
    here = {name for path in tree.files if str((at := PurePosixPath(path)).parent) == tree.path for name in (at.name,)}
    return next(row for row in RENDERERS if row.markers & here or not row.markers)


def render(tree: Tree) -> tuple[Manifest, ...]:
    """The objects of the folder. RenderFailedError or TreeError when any of it can't be rendered: all or nothing."""
    row = choose(tree)
    if row.renderer is None:
        raise TreeError(f"{tree.path} is a folder for {row.name}, which this sync does not render: commit plain YAML")
    return row.renderer(tree)
