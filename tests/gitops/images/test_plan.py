"""What may be written, decided without any registry or repository."""

from __future__ import annotations

import pytest

from rollouts.gitops.errors import ImageError
from rollouts.gitops.images.markers import Marker, find
from rollouts.gitops.images.plan import (
    Candidate,
    Decision,
    Digests,
    Followed,
    Memory,
    decide,
    doubt,
    is_down,
    rejected,
    remembered,
)
from rollouts.gitops.images.policy import Rule

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SEMVER = Rule(order="semver", range="1.x")


def followed(rule: Rule = SEMVER, digests: Digests = Digests.NEVER, *, allow_downgrade: bool = False) -> Followed:
    return Followed(name="web", image="host/web", rule=rule, digests=digests, allow_downgrade=allow_downgrade)


def marked(*lines: str) -> tuple[Marker, ...]:
    """`value|part` for each line of one file."""
    text = ""
    for line in lines:
        value, _, part = line.partition("|")
        text += f'- {value} # {{"$imagepolicy": "shop:web{":" + part if part else ""}"}}\n'
    return find(text.encode(), file="a.yaml")


def new_values(decision: Decision) -> list[str]:
    return [change.new for change in decision.changes]


@pytest.mark.parametrize(
    ("digests", "lines", "candidate", "expected"),
    [
        ("Never", ["host/web:1.0.0"], Candidate(tag="1.1.0", digest=ONE), ["host/web:1.1.0"]),
        ("Never", ["host/web:1.1.0"], Candidate(tag="1.1.0", digest=ONE), []),
        ("Never", ["other/web:1.0.0"], Candidate(tag="1.1.0", digest=ONE), ["host/web:1.1.0"]),
        ("Never", ["x|name", "1.0.0|tag"], Candidate(tag="1.1.0", digest=ONE), ["host/web", "1.1.0"]),
        ("Always", ["host/web:1.0.0"], Candidate(tag="1.1.0", digest=ONE), [f"host/web:1.1.0@{ONE}"]),
        ("Always", [f"host/web:1.1.0@{TWO}"], Candidate(tag="1.1.0", digest=ONE), [f"host/web:1.1.0@{ONE}"]),
        ("Always", ["1.0.0|tag", f"{TWO}|digest"], Candidate(tag="1.1.0", digest=ONE), ["1.1.0", ONE]),
        ("IfNotPresent", [f"host/web:1.1.0@{TWO}"], Candidate(tag="1.1.0", digest=ONE), []),
        ("IfNotPresent", ["host/web:1.1.0"], Candidate(tag="1.1.0", digest=ONE), [f"host/web:1.1.0@{ONE}"]),
        ("IfNotPresent", [f"host/web:1.0.0@{TWO}"], Candidate(tag="1.1.0", digest=ONE), [f"host/web:1.1.0@{ONE}"]),
    ],
)
def test_new_values(digests: str, lines: list[str], candidate: Candidate, expected: list[str]) -> None:
    assert new_values(decide(followed(digests=Digests(digests)), marked(*lines), candidate, Memory())) == expected


def test_a_marker_for_the_digest_needs_a_policy_for_digests() -> None:
    with pytest.raises(ImageError, match="needs digestReflectionPolicy"):
        decide(followed(), marked(f"{ONE}|digest"), Candidate(tag="1.1.0", digest=ONE), Memory())


@pytest.mark.parametrize(
    ("rule", "present", "candidate", "down"),
    [
        (SEMVER, "1.2.0", "1.1.9", True),
        (SEMVER, "1.2.0", "1.3.0", False),
        (Rule(order="semver", range="<1.2"), "1.4.0", "1.1.9", True),
        (Rule(order="semver", range="<2-0"), "1.4.0-rc.2", "1.4.0-rc.1", True),
        (SEMVER, "latest", "1.1.9", False),
        (SEMVER, "", "1.1.9", False),
        (Rule(order="numerical"), "20", "9", True),
        (Rule(order="numerical", smallest=True), "9", "20", True),
        (Rule(order="alphabetical"), "b", "a", True),
        (Rule(order="numerical", pattern="^x-(.+)$", extract="$1"), "x-20", "x-9", True),
        (Rule(order="numerical", pattern="^x-(.+)$", extract="$1"), "y-20", "x-9", False),
        (Rule(order="tag", tag="main"), "main", "main", False),
    ],
)
def test_never_down(rule: Rule, present: str, candidate: str, down: bool) -> None:
    assert is_down(followed(rule), present, candidate) is down
    if present and present != candidate:
        found = decide(followed(rule), marked(f"host/web:{present}"), Candidate(tag=candidate, digest=ONE), Memory())
        assert ([held.reason for held in found.held], bool(found.changes)) == (["Downgrade"] if down else [], not down)
        allowed = followed(rule, allow_downgrade=True)
        assert decide(allowed, marked(f"host/web:{present}"), Candidate(tag=candidate, digest=ONE), Memory()).changes


def test_what_a_person_took_back_waits_for_another_tag() -> None:
    image, first, second = followed(), Candidate(tag="1.1.0", digest=ONE), Candidate(tag="1.2.0", digest=TWO)
    written = decide(image, marked("host/web:1.0.0"), first, Memory())
    memory = Memory(seen={**written.seen, **written.written})

    arrived = decide(image, marked("host/web:1.1.0"), first, memory)
    assert (arrived.changes, arrived.held) == ((), ())
    memory = Memory(seen=arrived.seen)

    for _ in range(3):
        taken_back = decide(image, marked("host/web:1.0.0"), first, memory)
        assert [(held.reason, held.value) for held in taken_back.held] == [("TakenBack", "1.1.0")]
        assert taken_back.changes == ()
        memory = Memory(seen=taken_back.seen)

    assert new_values(decide(image, marked("host/web:1.0.0"), second, memory)) == ["host/web:1.2.0"]


def test_a_tag_and_its_digest_are_held_together() -> None:
    image, candidate = followed(digests=Digests.ALWAYS), Candidate(tag="1.1.0", digest=ONE)
    before = marked("1.0.0|tag", f"{TWO}|digest")
    memory = Memory(seen=decide(image, before, candidate, Memory()).written)
    half = decide(image, marked("1.0.0|tag", f"{ONE}|digest"), candidate, memory)
    assert (half.changes, [held.reason for held in half.held]) == ((), ["TakenBack"])


def test_a_new_marker_beside_old_ones_is_served() -> None:
    image, candidate = followed(), Candidate(tag="1.1.0", digest=ONE)
    memory = Memory(seen=decide(image, marked("host/web:1.1.0"), candidate, Memory()).seen)
    found = decide(image, marked("host/web:1.0.0", "host/web:1.1.0"), candidate, memory)
    assert new_values(found) == ["host/web:1.1.0"]


@pytest.mark.parametrize(
    ("tags", "present", "before", "fragment"),
    [
        (["1", "2", "3"], ["2"], 3, None),
        (["1", "3"], ["2"], 3, "has the tag 2, and does not list it"),
        (["1", "2"], ["2"], 4, None),
        (["1"], ["1"], 3, "1 tags are listed, 3 were before"),
        (["1"], [], 0, None),
    ],
)
def test_lists_that_are_not_trusted(tags: list[str], present: list[str], before: int, fragment: str | None) -> None:
    found = doubt(frozenset(tags), present=present, before=before)
    assert (found is None) if fragment is None else (found is not None and fragment in str(found) and found.retriable)


def test_a_registry_that_was_tidied_up_is_believed_in_the_end() -> None:
    """And an outage of a few looks is not."""
    before, looks = 100, 0
    while doubt(frozenset({"1"}), present=[], before=before):
        before, looks = remembered(1, before), looks + 1
        assert looks < 60
    assert looks > 5


def test_a_rejected_digest_is_known_under_any_name() -> None:
    """R36."""
    known = frozenset({f"host/web@{ONE}"})
    assert rejected(ONE, known)
    assert not rejected(TWO, known)
    assert not rejected("", known)


def test_memory_survives_the_status() -> None:
    memory = Memory(tags={"web": 3}, seen={"a": "b"})
    assert Memory.from_json(memory.to_json()) == memory
    assert Memory.from_json(None) == Memory()
