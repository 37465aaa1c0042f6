"""The columns of `list`: the peer's for programs, as many as fit for people, and what runs with `-o wide`."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.cli import columns
from rollouts.cli.terminal import plain
from tests.cli.recorded import objects

PEERS = "NAME STRATEGY STATUS STEP SET-WEIGHT READY DESIRED UP-TO-DATE AVAILABLE"


def rollouts(name: str = "app") -> list[Any]:
    """Rollouts of both strategies, paused, under way and healthy, by this name."""
    found = [rollout(story) for story in ("canary-2", "bluegreen-1", "analysis-1")]
    return [{**each, "metadata": {**each["metadata"], "name": name}} for each in found]


def rollout(story: str, kind: str = "Rollout") -> Any:
    return next(each for each in objects(story) if each["kind"] == kind)


def shown(items: list[Any], kind: str = "Rollout", **options: Any) -> list[str]:
    return plain(columns.lines(kind, items, **{"everywhere": False, **options})).splitlines()


@pytest.mark.parametrize(
    ("name", "room", "titles"),
    [
        ("app", None, PEERS),
        ("a-name-of-more-than-thirty-letters", None, PEERS),
        ("app", 120, PEERS),
        ("app", 80, "NAME STRATEGY STATUS STEP WEIGHT READY UP-TO-DATE AVAILABLE"),
        ("storefront", 80, "NAME STRATEGY STATUS STEP WEIGHT READY UP-TO-DATE AVAILABLE"),
        ("checkout-frontend-eu", 80, "NAME STATUS STEP WEIGHT READY UP-TO-DATE AVAILABLE"),
        ("a-name-of-more-than-thirty-letters", 80, "NAME STATUS STEP WEIGHT READY UP-TO-DATE AVAILABLE"),
    ],
)
def test_what_fits(name: str, room: int | None, titles: str) -> None:
    lines = shown(rollouts(name), room=room)
    assert lines[0].split() == titles.split()
    if room is not None and len(name) < 30:
        assert max(map(len, lines)) <= room


def test_the_narrow_ones_say_the_same() -> None:
    (line,) = shown([rollout("canary-2")], room=80)[1:]
    assert line.split() == ["app", "Canary", "‖", "Paused", "1/4", "20", "5/5", "1", "5"]


def test_wide_shows_what_is_run() -> None:
    header, line = shown([rollout("canary-2")], wide=True, room=80)
    assert header.split() == [*PEERS.split(), "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert line.split()[-3:] == ["app", "example/app:2", "app=app"]
    (line,) = shown([rollout("workloadref-2")], wide=True)[1:]
    assert line.split()[-3:] == ["<none>", "<none>", "app=app"]


def test_wide_shows_the_templates_of_an_experiment() -> None:
    header, line = shown([rollout("experiment-1", "Experiment")], "Experiment", wide=True, everywhere=True)
    assert header.split() == ["NAMESPACE", "NAME", "STATUS", "DURATION", "AGE", "TEMPLATES", "CONTAINERS", "IMAGES"]
    assert line.split()[-1].startswith("example/app:")


def test_nothing_is_nothing() -> None:
    assert shown([]) == []
