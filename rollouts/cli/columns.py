"""The columns of `list`: which there are, and which of them a screen has room for. Pure; styles are names, not colours.

Whoever reads the output with a program gets the peer's columns, always the same. A person gets the first layout that
fits the terminal: the peer's nine columns need more than 80 characters whatever the names are, so the next says `2/3`
for READY and DESIRED, and the last leaves the strategy out. `-o wide` adds, as kubectl does for a Deployment, what is
run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rollouts.cli import world
from rollouts.cli.facts import Facts, facts_of
from rollouts.cli.render import Cell, table
from rollouts.cli.text import BOLD, FAINT, Line, Span, age, state
from rollouts.cli.world import JSON, World

NONE: Final = "<none>"
_BEFORE: Final = ("NAMESPACE",)


def lines(
    kind: str, items: Iterable[JSON], *, everywhere: bool, wide: bool = False, room: int | None = None
) -> list[Line]:
    """The table of these objects, by namespace and name; empty without any. `everywhere`: with their namespace.
    `room`: the characters of a line, None for any number."""
    columns, layouts, more = _KINDS[kind]
    rows = sorted(items, key=lambda item: (world.namespace(item), world.name(item)))
    if not rows:
        return []
    before = _BEFORE if everywhere else ()
    tables = (_made([*before, *layout, *(more if wide else ())], columns, rows) for layout in layouts)
    return next((made for made in tables if wide or room is None or _longest(made) <= room), None) or _made(
        [*before, *layouts[-1]], columns, rows
    )


Column = Callable[[Any], Span]


def _made(titles: Sequence[str], columns: Mapping[str, Column], items: Sequence[JSON]) -> list[Line]:
    header: list[Cell] = [(Span(_TITLES.get(title, title), BOLD),) for title in titles]
    return table([header, *([(columns[title](item),) for title in titles] for item in items)])


def _longest(made: Iterable[Line]) -> int:
    return max(len("".join(span.text for span in line).rstrip()) for line in made)


def _of_facts(show: Callable[[Facts], str]) -> Column:
    return lambda item: Span(show(facts_of(World(root=item))))


def _count(name: str) -> Column:
    return _of_facts(lambda facts: str(getattr(facts.replicas, name)) if facts.replicas else "-")


def _step(facts: Facts) -> str:
    return "-" if facts.step is None else f"{facts.step}/{len(facts.steps)}"


def _weight(facts: Facts) -> str:
    return "-" if facts.set_weight is None or facts.step is None else str(facts.set_weight)


def _ready(facts: Facts) -> str:
    return f"{facts.replicas.ready}/{facts.replicas.desired}" if facts.replicas else "-"


def _phase(phase: str) -> Span:
    shown = state(phase)
    return Span(str(shown), shown.style)


def _age(item: JSON) -> Span:
    return Span(age(world.since(world.created(item), datetime.now(UTC))))


def _pods(item: JSON) -> list[JSON]:
    """The pod specs an object has of its own: one of a Rollout, one for each template of an Experiment."""
    spec = world.spec(item)
    owners = spec.get("templates") or [spec]
    return [((owner.get("template") or {}).get("spec") or {}) for owner in owners]


def _of_containers(field: str) -> Column:
    def show(item: JSON) -> Span:
        found = [str(each.get(field)) for pod in _pods(item) for each in pod.get("containers") or ()]
        return Span(",".join(dict.fromkeys(found)) or NONE)

    return show


def _selector(item: JSON) -> Span:
    labels = (world.spec(item).get("selector") or {}).get("matchLabels") or {}
    text = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return Span(text or str(world.status(item).get("selector") or NONE))


def _templates(item: JSON) -> Span:
    return Span(",".join(str(each.get("name")) for each in world.spec(item).get("templates") or ()) or NONE)


_COMMON: Final[Mapping[str, Column]] = {
    "NAMESPACE": lambda item: Span(world.namespace(item), FAINT),
    "NAME": lambda item: Span(world.name(item)),
    "AGE": _age,
    "CONTAINERS": _of_containers("name"),
    "IMAGES": _of_containers("image"),
}
_ROLLOUT: Final[Mapping[str, Column]] = {
    **_COMMON,
    "STRATEGY": _of_facts(lambda facts: facts.strategy),
    "STATUS": lambda item: _phase(facts_of(World(root=item)).phase),
    "STEP": _of_facts(_step),
    "SET-WEIGHT": _of_facts(_weight),
    "WEIGHT": _of_facts(_weight),
    "READY": _count("ready"),
    "READY/DESIRED": _of_facts(_ready),
    "DESIRED": _count("desired"),
    "UP-TO-DATE": _count("updated"),
    "AVAILABLE": _count("available"),
    "SELECTOR": _selector,
}
_EXPERIMENT: Final[Mapping[str, Column]] = {
    **_COMMON,
    "STATUS": lambda item: _phase(str(world.status(item).get("phase") or "Pending")),
    "DURATION": lambda item: Span(str(world.spec(item).get("duration") or "-")),
    "TEMPLATES": _templates,
}
_KINDS: Final[Mapping[str, tuple[Mapping[str, Column], Sequence[Sequence[str]], Sequence[str]]]] = {
    "Rollout": (
        _ROLLOUT,
        (
            ("NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE"),
            ("NAME", "STRATEGY", "STATUS", "STEP", "WEIGHT", "READY/DESIRED", "UP-TO-DATE", "AVAILABLE"),
            ("NAME", "STATUS", "STEP", "WEIGHT", "READY/DESIRED", "UP-TO-DATE", "AVAILABLE"),
        ),
        ("AGE", "CONTAINERS", "IMAGES", "SELECTOR"),
    ),
    "Experiment": (_EXPERIMENT, (("NAME", "STATUS", "DURATION", "AGE"),), ("TEMPLATES", "CONTAINERS", "IMAGES")),
}
_TITLES: Final = {"READY/DESIRED": "READY"}
