"""Commits without Git: files as text, and what they render to."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops.errors import SyncError
from rollouts.gitops.materialise import Tree
from rollouts.gitops.objects import Manifest
from rollouts.gitops.render.options import Options, Target
from rollouts.gitops.render.renderer import render
from rollouts.gitops.render.sandbox import Limits

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: b}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "nginx:1.0"}]
"""


def config(name: str) -> str:
    return CONFIG.replace("NAME", name)


def tree(files: dict[str, str], path: str = ".") -> Tree:
    contents = {name: text.encode("utf-8", errors="surrogateescape") for name, text in sorted(files.items())}
    return Tree(commit="0" * 40, path=path, files=contents)


async def rendered(
    files: dict[str, str], path: str = ".", *, limits: Limits | None = None, target: Target | None = None, **source: Any
) -> tuple[Manifest, ...]:
    """The objects; keyword arguments are fields of the source, such as `kustomize={...}`."""
    return await render(tree(files, path), options=Options.of(source), target=target, limits=limits)


async def names(files: dict[str, str], path: str = ".", **source: Any) -> list[str]:
    return sorted(manifest.ref.name for manifest in await rendered(files, path, **source))


async def refusal(files: dict[str, str], path: str = ".", *, limits: Limits | None = None, **source: Any) -> str:
    """What is said of files that must not render."""
    with pytest.raises(SyncError) as refused:
        await rendered(files, path, limits=limits, **source)
    return str(refused.value)
