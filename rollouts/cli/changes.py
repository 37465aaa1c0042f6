"""What changed between two looks at a tree, one line each: how `--watch` speaks when nobody sits at a terminal.

A log of a pipeline can't be redrawn; a full view on every event would drown it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rollouts.cli.facts import Facts
from rollouts.cli.text import FAINT, Line, Span
from rollouts.cli.tree import Node

_SILENT = {"Revision"}
Seen = dict[tuple[str, str], tuple[str, tuple[str, ...]]]


def seen_of(root: Node) -> Seen:
    """What is to be compared: state and remarks of every node, countdowns left out."""
    return {
        (node.kind, node.name): (str(node.state), tuple(word for word in node.info if not word.startswith("delay:")))
        for node in _all(root)
        if node.kind not in _SILENT
    }


def changed(before: Seen, after: Seen, *, now: datetime) -> list[Line]:
    """A line for every node that appeared, changed or went."""
    lines = [_line(key, *after[key], now=now) for key in after if before.get(key) != after[key]]
    gone = [_line(key, "gone", (), now=now) for key in before if key not in after]
    return [*lines, *gone]


def headline(facts: Facts, *, now: datetime) -> Line:
    """The Rollout itself in one line: phase, step, weights, message."""
    step = "" if facts.step is None else f"step {facts.step}/{len(facts.steps)}"
    weight = "" if facts.set_weight is None else f"weight {facts.actual_weight}/{facts.set_weight}"
    return _line(("Rollout", facts.name), facts.phase, tuple(filter(None, (step, weight, facts.message))), now=now)


def _line(key: tuple[str, str], state: str, info: tuple[str, ...], *, now: datetime) -> Line:
    kind, name = key
    remarks = f"  {', '.join(info)}" if info else ""
    return (Span(now.strftime("%H:%M:%S "), FAINT), Span(f"{kind.lower()}/{name}  "), Span(state), Span(remarks))


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)
