"""A command that arrives between any two of our requests takes effect, whoever sends it.

One Rollout for each command and each k: all are brought to the same place, then set off (updated, promoted, aborted),
and just before the k-th write about it the command is sent, in exactly the patches of the `kubectl argo rollouts`
plugin or of Argo CD's actions. While it is sent the controller stands still, so what the sender saw is known. k goes on
until the writes are used up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.client import Request
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, rollout

MOST = 10
TO_FIRST: list[JSON] = [{"setWeight": 50}, {"pause": {}}, {"setWeight": 100}]
TWO_PAUSES: list[JSON] = [{"pause": {}}, {"setWeight": 50}, {"pause": {}}, {"pause": {}}]

Act = Callable[[Space, str], object]
End = Callable[[Space, "Case"], None]


# --- Argo CD: a merge patch of live against wanted, the whole of it to /status, then all but status


def argo_cd(space: Space, name: str, patch: JSON) -> None:
    """What its server does with the outcome of an action."""
    if "status" in patch:
        space.patch(kinds.ROLLOUT, name, patch, "status")
    rest = {key: value for key, value in patch.items() if key != "status"}
    if rest:
        space.patch(kinds.ROLLOUT, name, rest)


def resume(space: Space, name: str) -> None:
    """`resume`."""
    argo_cd(space, name, {"spec": {"paused": False}, "status": {"pauseConditions": None}})


def skip(space: Space, name: str) -> None:
    """`skip-current-step`."""
    index = space.status(name).get("currentStepIndex", 0) + 1
    argo_cd(space, name, {"status": {"pauseConditions": None, "currentStepIndex": index}})


# --- how it ends


def aborted(space: Space, case: Case) -> None:
    """Back at stable, unless it came after the promotion."""
    if case.seen["stableRS"] == case.seen["currentPodHash"] != case.stable:
        space.until_status(case.name, phase="Healthy")
        return
    space.until_phase("Degraded", case.name, message="RolloutAborted: Rollout aborted update to revision 2")
    space.until("stable serves alone", lambda: space.sizes(case.name) == {"1": 2, "2": 0})


def promoted(space: Space, case: Case) -> None:
    """All is at the new revision."""
    space.until_status(case.name, phase="Healthy", updatedReplicas=2)
    assert space.sizes(case.name) == {"1": 0, "2": 2}


def paused(space: Space, case: Case) -> None:
    """Held by a person until the person lets go."""
    space.until_phase("Paused", case.name, message="manually paused")
    space.edit(case.name, paused=False)
    space.until_paused(case.name, at=1)


def replaced(space: Space, case: Case) -> None:
    """The third revision is where the second was to be."""
    space.until_paused(case.name, at=1)
    space.until("its pods", lambda: space.sizes(case.name) in ({"1": 1, "2": 0, "3": 1}, {"1": 1, "2": 1}))
    newest = max(space.sets(case.name).items())[1]
    assert newest["spec"]["template"]["spec"]["containers"][0]["image"] == "example/app:3"


def at_first(space: Space, case: Case) -> None:
    """At the pause, half of the pods new."""
    space.until_paused(case.name, at=1)
    space.until("half of the pods", lambda: space.sizes(case.name) == {"1": 1, "2": 1})


def where_asked(space: Space, case: Case) -> None:
    """Past the step the sender saw; at the next pause then, or at the end."""
    seen = case.seen.get("currentStepIndex", 0) if case.seen["currentPodHash"] != case.stable else 0
    steps = case.steps
    stops = [index for index, step in enumerate(steps) if "pause" in step and index > seen]
    if stops:
        space.until_paused(case.name, at=stops[0])
    else:
        space.until_status(case.name, phase="Healthy", updatedReplicas=2)


# --- what is set off, and what comes in between


@dataclass(frozen=True, kw_only=True)
class Story:
    """`ready`: brings a healthy Rollout to where it is set off. `set_off`: makes the controller write. `command` comes
    in between; `end` is what it must lead to. `rest`: what there is without it."""

    command: Act
    end: End
    set_off: Act
    rest: JSON
    ready: Act | None = None
    steps: list[JSON] = field(default_factory=lambda: TO_FIRST)
    objects: Callable[[Story, str], list[JSON]] = lambda story, name: [rollout(name, steps=story.steps, replicas=2)]


def update(space: Space, name: str) -> None:
    """A new image."""
    space.set_image("example/app:2", name)


def at_pause(index: int) -> Act:
    """Updated, and waiting at a pause."""

    def bring(space: Space, name: str) -> None:
        update(space, name)
        space.until_paused(name, at=index)

    return bring


PAUSED = {"phase": "Paused"}
ABORTED = {"phase": "Degraded"}
HEALTHY = {"phase": "Healthy", "updatedReplicas": 2}

STORIES: dict[str, Story] = {
    "abort": Story(command=Space.abort, end=aborted, set_off=update, rest=PAUSED),
    "abort-late": Story(command=Space.abort, end=aborted, ready=at_pause(1), set_off=Space.promote, rest=HEALTHY),
    "promote-full": Story(command=Space.promote_full, end=promoted, set_off=update, rest=PAUSED),
    "pause": Story(command=lambda space, name: space.edit(name, paused=True), end=paused, set_off=update, rest=PAUSED),
    "image": Story(
        command=lambda space, name: space.set_image("example/app:3", name), end=replaced, set_off=update, rest=PAUSED
    ),
    "retry": Story(command=Space.retry, end=at_first, ready=at_pause(1), set_off=Space.abort, rest=ABORTED),
    "retry-argo-cd": Story(
        command=lambda space, name: argo_cd(space, name, {"status": {"abort": None}}),
        end=at_first,
        ready=at_pause(1),
        set_off=Space.abort,
        rest=ABORTED,
    ),
    "promote": Story(
        command=Space.promote, end=where_asked, ready=at_pause(0), set_off=resume, rest=PAUSED, steps=TWO_PAUSES
    ),
    "skip-argo-cd": Story(
        command=skip, end=where_asked, ready=at_pause(0), set_off=skip, rest=PAUSED, steps=TWO_PAUSES
    ),
}


@dataclass(kw_only=True)
class Case:
    """One Rollout: the command comes before its `at`-th write. `seen`: the status its sender saw."""

    story: Story
    name: str
    at: int
    count: int = 0
    armed: bool = False
    sent: bool = False
    stable: str = ""
    seen: JSON = field(default_factory=dict)

    @property
    def steps(self) -> list[JSON]:
        """Steps of the canary."""
        return self.story.steps


class Interrupter:
    """Sends each case's command when its moment has come."""

    def __init__(self, space: Space, cases: list[Case]) -> None:
        self._space = space
        self._cases = {case.name: case for case in cases}
        self.failed: list[BaseException] = []

    def __call__(self, _: int, request: Request) -> None:
        case = self._about(request)
        if case is None or not case.armed or case.sent:
            return
        case.count += 1
        if case.count == case.at:
            case.seen = self._space.status(case.name)
            try:
                case.story.command(self._space, case.name)
            except BaseException as error:
                self.failed.append(error)
            case.sent = True

    def _about(self, request: Request) -> Case | None:
        parts = request.path.split("/")
        if "events" in parts:
            return None
        names = {*parts, str((request.body or {}).get("metadata", {}).get("name", ""))}
        stems = {name.rsplit("-", 1)[0] for name in names}
        return next((self._cases[name] for name in names | stems if name in self._cases), None)


@pytest.mark.parametrize("command", STORIES)
def test_a_command_between_any_two_requests_takes_effect(
    space: Space, own_controller: Callable[..., OwnController], command: str
) -> None:
    told(space, own_controller, STORIES[command])


def told(space: Space, own_controller: Callable[..., OwnController], story: Story) -> None:
    """A story with its command before the first, the second, … write."""
    cases = [Case(story=story, name=f"at{at}", at=at) for at in range(1, MOST + 1)]
    interrupter = Interrupter(space, cases)
    own_controller(before=interrupter)
    space.create(*(obj for case in cases for obj in story.objects(story, case.name)))
    for case in cases:
        case.stable = space.until_phase("Healthy", case.name)["stableRS"]
        if story.ready is not None:
            story.ready(space, case.name)
    for case in cases:
        case.armed = True
        story.set_off(space, case.name)
    for case in cases:
        space.until("sent, or nothing more to do", lambda case=case: case.sent or _rests(space, case))
        if case.sent:
            story.end(space, case)
    assert interrupter.failed == []
    assert cases[0].sent
    assert not cases[-1].sent, f"it takes more than {MOST} writes"


def _rests(space: Space, case: Case) -> bool:
    """Whether it has come, undisturbed, to where it was going."""
    status: dict[str, Any] = space.status(case.name)
    generation = str(space.rollout(case.name)["metadata"]["generation"])
    there = all(status.get(key) == value for key, value in case.story.rest.items())
    return there and status.get("observedGeneration") == generation and _still(space, case)


def _still(space: Space, case: Case) -> bool:
    before = case.count
    space.patch(kinds.ROLLOUT, case.name, {"metadata": {"labels": {"looked": str(before)}}})
    return before == case.count
