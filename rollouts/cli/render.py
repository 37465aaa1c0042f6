"""A view as lines: the header block, why it waits, and the tree as a table. Pure; styles are names, not colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rollouts.cli import world
from rollouts.cli.facts import Facts, Image, experiment_images, facts_of
from rollouts.cli.text import BAD, BOLD, BUSY, FAINT, GOOD, HELD, Line, Span, age, state
from rollouts.cli.tree import Node, experiment_tree, rollout_tree
from rollouts.cli.why import Why, why
from rollouts.cli.world import World

LABEL_WIDTH = 17
STEPS_SHOWN = 8
PROGRAM = "kubectl rollouts"
_INFO_STYLES = {"stable": GOOD, "active": GOOD, "canary": HELD, "preview": HELD}
_ARROW_STYLE = BUSY


def rollout_view(seen: World, *, now: datetime, program: str = PROGRAM, wide: bool = False) -> list[Line]:
    """All of `get rollout`: header, why it waits, tree. `wide` adds a column of images."""
    facts = facts_of(seen)
    header = _header(facts, why(seen, now=now), program=program)
    return [*header, (), *tree_table(rollout_tree(seen, now=now), now=now, wide=wide)]


def experiment_view(seen: World, *, now: datetime, wide: bool = False) -> list[Line]:
    """All of `get experiment`."""
    status = world.status(seen.root)
    rows = [
        _row("Name", world.name(seen.root)),
        _row("Namespace", world.namespace(seen.root)),
        _state_row(str(status.get("phase") or "Pending")),
        *([_row("Message", str(status["message"]))] if status.get("message") else []),
        *_image_rows(experiment_images(seen)),
    ]
    return [*rows, (), *tree_table(experiment_tree(seen, now=now), now=now, wide=wide)]


def _header(facts: Facts, reason: Why | None, *, program: str) -> Iterator[Line]:
    yield _row("Name", facts.name)
    yield _row("Namespace", facts.namespace)
    yield _state_row(facts.phase)
    if facts.message:
        yield _row("Message", facts.message)
    if reason:
        yield from _why_rows(reason, program=program)
    yield _row("Strategy", facts.strategy)
    yield from _canary_rows(facts)
    yield from _image_rows(facts.images)
    yield from _replica_rows(facts)


def _row(label: str, value: str, style: str = "") -> Line:
    return (Span(f"{label}:".ljust(LABEL_WIDTH) if label else " " * LABEL_WIDTH, BOLD), Span(value, style))


def _state_row(phase: str) -> Line:
    shown = state(phase)
    return _row("Status", str(shown), shown.style)


def _why_rows(reason: Why, *, program: str) -> Iterator[Line]:
    yield _row("Why", reason.reason, HELD)
    for verb in reason.verbs:
        yield (Span(" " * LABEL_WIDTH), Span("→ ", _ARROW_STYLE), Span(f"{program} {verb}", _ARROW_STYLE))


def _canary_rows(facts: Facts) -> Iterator[Line]:
    if facts.step is not None:
        yield _row("  Step", f"{facts.step}/{len(facts.steps)}")
        yield _steps_row(facts.steps, facts.step)
    if facts.set_weight is not None:
        yield _row("  SetWeight", str(facts.set_weight))
        yield _row("  ActualWeight", str(facts.actual_weight))


def _steps_row(steps: Sequence[str], current: int) -> Line:
    """The steps with what is done and where we are; of many, those around the current one."""
    first = max(0, min(current - STEPS_SHOWN // 2, len(steps) - STEPS_SHOWN))
    shown = range(first, min(first + STEPS_SHOWN, len(steps)))
    spans: list[Span] = [Span("  Steps:".ljust(LABEL_WIDTH), BOLD)]
    spans += [Span(f"…{first} more  ", FAINT)] if first else []
    for at in shown:
        sign, style = ("✔", GOOD) if at < current else ("▸", HELD) if at == current else ("·", FAINT)
        spans.append(Span(f"{sign} {steps[at]}" + ("  " if at != shown[-1] else ""), style))
    left = len(steps) - shown.stop
    return (*spans, *([Span(f"  …{left} more", FAINT)] if left else []))


def _image_rows(images: Sequence[Image]) -> Iterator[Line]:
    for at, image in enumerate(images):
        tags = f" ({', '.join(image.tags)})" if image.tags else ""
        label = "Images:" if at == 0 else ""
        style = next((_INFO_STYLES[tag] for tag in image.tags if tag in _INFO_STYLES), "")
        yield (Span(label.ljust(LABEL_WIDTH), BOLD), Span(image.name), Span(tags, style))


def _replica_rows(facts: Facts) -> Iterator[Line]:
    if facts.replicas is None:
        return
    yield (Span("Replicas:", BOLD),)
    for field in ("desired", "current", "updated", "ready", "available"):
        yield _row(f"  {field.capitalize()}", str(getattr(facts.replicas, field)))


_TITLES = ("NAME", "KIND", "STATUS", "AGE", "INFO")


def tree_table(root: Node, *, now: datetime, wide: bool = False) -> list[Line]:
    """The tree, one row a node, columns aligned."""
    rows = [_cells(node, branch, now=now, wide=wide) for node, branch in _walk(root, prefix="", here="")]
    titles = tuple((Span(title, BOLD),) for title in (*_TITLES, *(("IMAGES",) if wide else ())))
    return table([titles, *rows])


Cell = tuple[Span, ...]


def table(rows: Sequence[Sequence[Cell]]) -> list[Line]:
    """Rows of cells as lines, columns two spaces apart, nothing behind the last."""
    widths = [max(_width(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [_padded(row, widths) for row in rows]


def _padded(row: Sequence[Cell], widths: Sequence[int]) -> Line:
    spans: list[Span] = []
    for at, cell in enumerate(row):
        spans += cell
        if any(_width(later) for later in row[at + 1 :]):
            spans.append(Span(" " * (widths[at] - _width(cell) + 2)))
    return tuple(spans)


def _width(cell: Cell) -> int:
    return sum(len(span.text) for span in cell)


def _walk(node: Node, *, prefix: str, here: str) -> Iterator[tuple[Node, str]]:
    yield node, here
    for at, child in enumerate(node.children):
        last = at == len(node.children) - 1
        turn, down = ("└──", "   ") if last else ("├──", "│  ")
        yield from _walk(child, prefix=prefix + down, here=prefix + turn)


def _cells(node: Node, branch: str, *, now: datetime, wide: bool) -> list[Cell]:
    bold = BOLD if node.kind in ("Rollout", "Revision", "Experiment") else ""
    cells: list[Cell] = [
        (Span(branch, FAINT), Span(f"{node.glyph} {node.name}", bold)),
        (Span("" if node.kind == "Revision" else node.kind, FAINT),),
        (Span(str(node.state), node.state.style),),
        (Span(age(world.since(node.created, now))),),
        _info(node.info),
    ]
    return [*cells, (Span(",".join(node.images)),)] if wide else cells


_COUNTED = {"✔": GOOD, "✖": BAD, "⚠": "warn", "?": "warn"}


def _info(info: Sequence[str]) -> Cell:
    spans: list[Span] = []
    for at, word in enumerate(info):
        spans += [Span("," if at else "")]
        spans.append(Span(word, _INFO_STYLES.get(word) or _COUNTED.get(word[:1], "")))
    return tuple(spans)
