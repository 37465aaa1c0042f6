"""What happens in the demo, chapter by chapter, and how each is proved to have happened.

A chapter makes a commit or gives a command, waits for the outcome and says what it was and why. An outcome that does
not come raises `OutcomeError`, and the demo fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from deploy.local.demo.repository import BY_HAND, Repository, Version

Probe = Callable[[dict[str, Any]], bool]


class OutcomeError(Exception):
    """Something the demo shows did not happen."""


class Stage(Protocol):
    """What the story needs of the stage it plays on."""

    repository: Repository

    def open(self) -> None:
        """Let the users in."""

    def check(self) -> None:
        """Raise when a part of the stage died."""

    def rollout(self) -> dict[str, Any]:
        """The Rollout now; empty while there is none."""

    def runs(self) -> list[dict[str, Any]]:
        """Its AnalysisRuns, oldest first."""

    def plugin(self, *arguments: str) -> None:
        """`kubectl rollouts …`, its output shown."""

    def served(self) -> dict[str, int]:
        """Requests answered so far, by `version status`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A title, and what happens in it; `play` returns what happened and why, in one line."""

    title: str
    play: Callable[[Stage], str]


def wait_for(stage: Stage, what: str, probe: Probe, *, seconds: float = 90.0) -> dict[str, Any]:
    """Wait until the Rollout is as `probe` says, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        stage.check()
        rollout = stage.rollout()
        if rollout and probe(rollout):
            return rollout
        if time.monotonic() > deadline:
            status = rollout.get("status", {})
            raise OutcomeError(f"{what}: not so after {seconds:g} s ({status.get('phase')}: {status.get('message')})")
        time.sleep(0.2)


def runs_version(name: str, phase: str) -> Probe:
    """The Rollout was seen with this version and is in this phase."""

    def probe(rollout: dict[str, Any]) -> bool:
        status = rollout.get("status", {})
        current = status.get("observedGeneration") == str(rollout["metadata"]["generation"])
        image = rollout["spec"]["template"]["spec"]["containers"][0]["image"]
        return bool(current and image.endswith(f":{name}") and status.get("phase") == phase)

    return probe


def first_version(stage: Stage) -> str:
    """v1 is simply deployed."""
    commit = stage.repository.commit(Version(name="v1"), "Deploy v1")
    wait_for(stage, "v1 is deployed", runs_version("v1", "Healthy"))
    stage.open()
    return f"commit {commit} was applied by the sync; four pods of v1 serve, and users come in through Traefik"


def good_release(stage: Stage) -> str:
    """v2 passes its analysis."""
    commit = stage.repository.commit(Version(name="v2"), "Release v2: faster")
    rollout = wait_for(stage, "v2 is promoted", runs_version("v2", "Healthy"))
    run = stage.runs()[-1]
    if run["status"]["phase"] != "Successful":
        raise OutcomeError(f"v2 was promoted though its analysis ended as {run['status']['phase']}")
    values = [m["value"] for m in run["status"]["metricResults"][0]["measurements"]]
    revision = rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"]
    return f"commit {commit} became revision {revision}; Prometheus measured a success rate of {', '.join(values)}"


def bad_release(stage: Stage) -> str:
    """v3 fails its analysis and is rolled back; the commit is reverted."""
    commit = stage.repository.commit(Version(name="v3", error_rate=0.5), "Release v3: a bug slipped in")
    rollout = wait_for(stage, "v3 is caught", runs_version("v3", "Degraded"))
    why = rollout["status"]["message"]
    if "analysis phase error/failed" not in why:
        raise OutcomeError(f"v3 was stopped, but not by its analysis: {why}")
    wait_for(stage, "only v2 serves again", lambda r: not r["status"].get("updatedReplicas"))
    stage.repository.revert()
    wait_for(stage, "the commit is reverted", runs_version("v2", "Healthy"))
    failed = stage.served().get("v3 500", 0)
    return f"commit {commit} was rolled back to v2 after {failed} failed requests. {why}"


def promoted_by_hand(stage: Stage) -> str:
    """v4 waits for a person, who promotes it."""
    stage.repository.commit(Version(name="v4", steps=BY_HAND), "Release v4: look at it first")
    wait_for(stage, "v4 waits", runs_version("v4", "Paused"))
    stage.plugin("promote", "web")
    wait_for(stage, "v4 is promoted", runs_version("v4", "Healthy"))
    return "v4 paused at 25 % until `kubectl rollouts promote web`"


def aborted_by_hand(stage: Stage) -> str:
    """v5 waits for a person, who aborts it."""
    stage.repository.commit(Version(name="v5", steps=BY_HAND), "Release v5: on second thoughts")
    wait_for(stage, "v5 waits", runs_version("v5", "Paused"))
    stage.plugin("abort", "web")
    wait_for(stage, "v5 is aborted", runs_version("v5", "Degraded"))
    wait_for(stage, "only v4 serves again", lambda r: not r["status"].get("updatedReplicas"))
    return "v5 paused at 25 % until `kubectl rollouts abort web`; v4 serves all requests again"


CHAPTERS = (
    Chapter(title="A first version is deployed from Git", play=first_version),
    Chapter(title="A good commit is released step by step", play=good_release),
    Chapter(title="A bad commit is caught by its analysis", play=bad_release),
    Chapter(title="A release waits for a person, who promotes it", play=promoted_by_hand),
    Chapter(title="A release waits for a person, who aborts it", play=aborted_by_hand),
)
