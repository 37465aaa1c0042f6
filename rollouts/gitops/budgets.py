"""How much a repository, a render or a webhook may take, before a stranger's files can cost the controller anything.

One row for each budget: what it is called on the command line (`--sync-budget tree-files=50000`, may be repeated) and
in the metric `gitsync_budget_exceeded_total{budget}`, and what holds unless something else is said. Whatever exceeds
one ends the pass with an error that names the number; nothing is applied, and nothing is deleted.

Not here: 256 kB of status (`gitsync/status.py`, cut and never an error), 10 s for a small program (`processes.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollouts.gitops import materialise
from rollouts.gitops.render import documents, sandbox
from rollouts.gitops.render.confinement import Budget

MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A budget: `name`, what holds by `default`, and what it is of, for people."""

    name: str
    default: int
    of: str


ROWS: tuple[Row, ...] = (
    Row(name="fetch-seconds", default=60, of="seconds of one git command"),
    Row(name="fetch-bytes", default=200 * MB, of="bytes of a pack, or of anything else git writes"),
    Row(name="tree-files", default=20_000, of="files of a folder"),
    Row(name="tree-bytes", default=100 * MB, of="bytes of all its files"),
    Row(name="file-bytes", default=10 * MB, of="bytes of one file"),
    Row(name="manifest-bytes", default=10 * MB, of="bytes of all YAML and JSON of a folder of plain manifests"),
    Row(name="yaml-depth", default=100, of="levels of nesting"),
    Row(name="yaml-nodes", default=1_000_000, of="values of a file, aliases expanded"),
    Row(name="yaml-aliases", default=1_000, of="aliases of a file"),
    Row(name="yaml-expansion", default=20, of="times that aliases may multiply a file"),
    Row(name="objects", default=5_000, of="objects of a GitSync"),
    Row(name="object-bytes", default=1_500_000, of="bytes of one object, as JSON"),
    Row(name="render-seconds", default=60, of="seconds of a render"),
    Row(name="render-cpu-seconds", default=30, of="seconds of processor of a render"),
    Row(name="render-memory-bytes", default=1024 * MB, of="bytes of memory of a render's process"),
    Row(name="render-output-bytes", default=64 * MB, of="bytes of what is rendered"),
    Row(name="render-processes", default=128, of="processes and threads of a render"),
    Row(name="dry-runs", default=32, of="dry runs at once, of all GitSyncs"),
    Row(name="webhook-bytes", default=1 * MB, of="bytes of a webhook's body"),
    Row(name="webhooks-per-second", default=10, of="webhooks answered"),
)
NAMES = frozenset(row.name for row in ROWS)
_DEFAULTS: Mapping[str, int] = {row.name: row.default for row in ROWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The budgets that hold. `given`: those that are not the defaults, by name."""

    given: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Budgets:
        """Of `name=number`. ValueError says what is no budget, and what are."""
        return cls(given=dict(map(_parsed, texts)))

    def __getitem__(self, name: str) -> int:
        return self.given.get(name, _DEFAULTS[name])

    def tree(self) -> materialise.Limits:
        """For the files of a commit."""
        return materialise.Limits(
            files=self["tree-files"], file_bytes=self["file-bytes"], total_bytes=self["tree-bytes"]
        )

    def render(self) -> sandbox.Limits:
        """For a render."""
        budget = Budget(
            cpu_seconds=self["render-cpu-seconds"],
            memory_bytes=self["render-memory-bytes"],
            file_bytes=self["render-output-bytes"],
            processes=self["render-processes"],
        )
        return sandbox.Limits(
            seconds=self["render-seconds"],
            answer_bytes=self["render-output-bytes"],
            objects=self["objects"],
            object_bytes=self["object-bytes"],
            manifest_bytes=self["manifest-bytes"],
            yaml=documents.Limits(
                depth=self["yaml-depth"],
                nodes=self["yaml-nodes"],
                aliases=self["yaml-aliases"],
                expansion=self["yaml-expansion"],
            ),
            budget=budget,
        )


def _parsed(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in NAMES:
        raise ValueError(f"{name!r} is no budget; there are {', '.join(row.name for row in ROWS)}")
    if not number.isdecimal() or int(number) < 1:
        raise ValueError(f"{text!r}: a budget is a whole number, such as {name}={_DEFAULTS[name]}")
    return name, int(number)


def exceeded(error: Any) -> str:
    """The budget an error is about, empty when it is about none. What a child says is believed of known names only."""
    found = str(getattr(error, "budget", ""))
    return found if found in NAMES else ""
