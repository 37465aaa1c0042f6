"""What passes between the sync and a render child: a task on standard input, an answer on standard output.

Both are JSON and nothing else, so a child that was taken over by a hostile repository can only say wrong objects, which
are examined like any others; it can't hand over code, paths or half an answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rollouts.gitops.errors import RenderError
from rollouts.gitops.objects import JSON, Manifest

TREE, SCRATCH = "tree", "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One render. `path` is the folder in the tree that is rendered.

    Said where it happens: `root`, which holds `tree` (the files) and `scratch` (for anything else), and `program`, the
    absolute path of kustomize or helm, empty for renderers that need none.
    """

    renderer: str
    path: str
    root: Path = Path("/nonexistent")
    options: JSON = field(default_factory=dict)
    target: JSON = field(default_factory=dict)
    program: str = ""
    max_objects: int = 5_000
    output_bytes: int = 64 * 1024 * 1024
    object_bytes: int = 1_500_000
    manifest_bytes: int = 10 * 1024 * 1024
    yaml: JSON = field(default_factory=dict)

    def to_json(self) -> bytes:
        """For standard input."""
        return json.dumps(asdict(self) | {"root": str(self.root)}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Task:
        """The reverse."""
        values = json.loads(text)
        return cls(**{**values, "root": Path(values["root"])})

    @property
    def tree(self) -> Path:
        """The folder with the repository's files."""
        return self.root / TREE

    @property
    def scratch(self) -> Path:
        """An empty folder."""
        return self.root / SCRATCH

    @property
    def folder(self) -> Path:
        """The folder that is rendered."""
        return self.tree / self.path


def objects_answer(manifests: Iterable[Manifest]) -> Mapping[str, Any]:
    """What a child says when all went well."""
    return {"objects": [[manifest.file, manifest.line, manifest.body] for manifest in manifests]}


def errors_answer(errors: Iterable[RenderError]) -> Mapping[str, Any]:
    """What a child says otherwise: everything that is wrong."""
    return {"errors": [[error.reason, error.file, error.line, error.budget] for error in errors]}


def manifests_of(answer: Any) -> tuple[Manifest, ...]:
    """The objects of an answer. KeyError, TypeError or ValueError when it is none."""
    return tuple(Manifest(body=body, file=str(file), line=int(line)) for file, line, body in answer["objects"])


def errors_of(answer: Any) -> tuple[RenderError, ...]:
    """The errors of an answer, empty when it holds objects. Exceptions as above."""
    return tuple(
        RenderError(str(reason), file=str(file), line=None if line is None else int(line), budget=str(budget))
        for reason, file, line, budget in answer.get("errors", ())
    )
