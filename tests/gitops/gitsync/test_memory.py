"""What is remembered between passes: how restless the objects are, and whether the last pass left nothing to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollouts.engine.store import Key
from rollouts.gitops.gitsync.memory import Memory
from rollouts.gitops.gitsync.values import Finding, Heal, Mandate, Task
from rollouts.gitops.health import HEALTHY, Part
from tests.gitops.gitsync.world import CONFIG, NOW, at, finding, quiet

STIRRED = Mandate(stirred=True)


def memory() -> Memory:
    return Memory(uid="u", key=Key("team", "shop"), stirred=NOW)


def test_passes_in_a_row_for_changed_objects_are_counted_and_a_quiet_while_ends_the_row() -> None:
    """R6: an object that something writes all the time is compared ever more rarely."""
    known = memory()
    counts = []
    for moment in (0, 10, 20, 20 + 301, 400):
        known.begins(STIRRED, now=at(moment))
        counts.append(known.restless)
    assert counts == [1, 2, 3, 1, 2]


def test_a_pass_that_begins_for_another_reason_leaves_what_is_known_of_drift() -> None:
    known = memory()
    known.begins(Mandate(task=Task.LOOK), now=NOW)
    assert (known.stirred, known.restless) == (NOW, 0)
    known.begins(STIRRED, now=NOW)
    assert known.stirred is None


@pytest.mark.parametrize(
    ("found", "calm"),
    [
        (quiet(calm=NOW), True),
        (finding(calm=NOW), True),  # what was applied is as Git says
        (quiet(), False),
        (finding(calm=NOW, errors=("no",)), False),
        (finding(calm=NOW, waiting="for a person"), False),
    ],
)
def test_a_pass_that_left_nothing_to_do_is_remembered(found: Finding, calm: bool) -> None:
    known = memory()
    known.ended(found, contested=())
    assert (known.calm is not None) is calm


def test_only_looking_forgets_nothing() -> None:
    known = memory()
    known.ended(quiet(calm=NOW), contested=())
    known.ended(quiet(mandate=Mandate(task=Task.LOOK)), contested=())
    assert known.calm is not None


ALL = Mandate(explicit=True, operation={"sync": {}})
FIGHT = Heal(ref=CONFIG, path="data.value", manager="stubborn")
ROW = {"resource": str(CONFIG), "path": "data.value", "manager": "stubborn", "since": "x"}


@pytest.mark.parametrize(
    ("mandate", "values", "ends"),
    [
        (ALL, {}, True),
        (ALL, {"errors": ("no",)}, False),
        (ALL, {"waiting": "for a wave"}, False),
        (Mandate(), {}, False),
        (Mandate(explicit=True, operation={"sync": {"resources": [{"kind": "Service", "name": "x"}]}}), {}, False),
        (Mandate(explicit=True, operation={"sync": {"confirmPlan": "sha256:x"}}), {}, False),
        (Mandate(explicit=True, operation={"sync": {"historyID": 1}, "initiatedBy": {"automated": True}}), {}, False),
    ],
)
def test_a_contest_ends_when_a_person_has_all_of_it_applied(mandate: Mandate, values: Any, ends: bool) -> None:
    """R7."""
    known = memory()
    for moment in (0, 10, 20):
        known.ended(finding(heals=(FIGHT,), at=at(moment)), contested=())
    assert known.contested is not None
    known.ended(finding(mandate=mandate, at=at(30), **values), contested=(ROW,))
    assert (known.contested == ()) is ends
    assert (known.seen == {}) is ends


def test_pauses_between_heals_begin_anew_after_a_quiet_while() -> None:
    """R6: and not before."""
    known = memory()
    counts = []
    for moment in (0, 60, 120, 120 + 601):
        known.ended(finding(heals=(replace(FIGHT, path=str(moment)),), at=at(moment)), contested=())
        counts.append(known.heals)
    assert counts == [1, 2, 3, 1]


def test_so_many_contested_fields_fit() -> None:
    """R23."""
    known = memory()
    fights = tuple(replace(FIGHT, path=f"data.{number}") for number in range(500))
    for moment in (0, 10, 20):
        known.ended(finding(heals=fights, at=at(moment)), contested=())
    assert len(known.contested or ()) == 200


def test_a_look_is_about_what_was_reported_and_what_has_no_health_is_soon_left_alone() -> None:
    known, part = memory(), Part(ref=CONFIG, health=HEALTHY)
    other = replace(CONFIG, name="b")
    look = Mandate(task=Task.LOOK)
    for count in range(3):
        assert known.may_have_health(other), count
        known.reported |= {CONFIG, other}
        known.begins(look, now=NOW)
        assert (known.looking, known.reported) == ({CONFIG, other}, set())
        known.ended(finding(mandate=look, parts=(part,)), contested=())
    assert (known.may_have_health(CONFIG), known.may_have_health(other)) == (True, False)
    known.reported.add(CONFIG)
    known.begins(Mandate(), now=NOW)
    assert (known.looking, known.reported) == (frozenset(), set())


def test_a_look_that_failed_leaves_what_is_known() -> None:
    known, part = memory(), Part(ref=CONFIG, health=HEALTHY)
    known.ended(finding(parts=(part,)), contested=())
    known.ended(finding(mandate=Mandate(task=Task.LOOK), errors=("no",)), contested=())
    assert known.parts == {CONFIG: part}
