"""What other people's clients make of a Rollout: kubectl, Argo CD's health check, and everything built on kstatus.

The judges here follow what those programs are documented to do; the objects are the real API server's.
"""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, rollout

STEPS: list[JSON] = [{"setWeight": 50}, {"pause": {}}]
NUMBER = {"rollouts.dev/observed-generation": "integer"}


# --- kubectl


@pytest.mark.usefixtures("controller")
def test_kubectl_wait_knows_every_condition(space: Space, kubectl: Kubectl) -> None:
    def waited(condition: str) -> str:
        return kubectl("wait", "rollout/app", f"--for=condition={condition}", "--timeout=30s")

    space.create(rollout(steps=STEPS, replicas=2))
    for condition in ("Available", "Healthy", "Completed", "Progressing"):
        assert "condition met" in waited(condition)
    space.set_image("example/app:2")
    for condition in ("Paused", "Progressing=Unknown", "Completed=False", "Healthy=False", "Reconciling"):
        assert "condition met" in waited(condition)
    kubectl("wait", "rollout/app", "--for=jsonpath={.status.phase}=Paused", "--timeout=30s")
    space.abort()
    for condition in ("Stalled", "Progressing=False", "Available"):
        assert "condition met" in waited(condition)
    space.retry()
    space.until_paused(at=1)
    space.promote()
    for condition in ("Healthy", "Completed", "Paused=False"):
        assert "condition met" in waited(condition)


@pytest.mark.usefixtures("controller")
def test_kubectl_get_prints_the_peers_columns(space: Space, kubectl: Kubectl) -> None:
    space.create(rollout(steps=STEPS, replicas=2))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    space.until_status(replicas=2, updatedReplicas=1, availableReplicas=2)
    for name in ("rollout", "rollouts", "ro", "rollouts.argoproj.io"):
        header, row = kubectl("get", name).splitlines()
        assert header.split() == ["NAME", "DESIRED", "CURRENT", "UP-TO-DATE", "AVAILABLE", "AGE"]
        assert row.split()[:5] == ["app", "2", "2", "1", "2"]


# --- Argo CD and kstatus: what they say at each moment of a release


def argo_cd(obj: JSON) -> str:
    """Argo CD's health of a Rollout: the generation is a number or text; then the phase, Paused being Suspended."""
    status = obj.get("status") or {}
    if "phase" not in status or float(status["observedGeneration"]) < obj["metadata"]["generation"]:
        return "Progressing"
    return {"Paused": "Suspended"}.get(status["phase"], status["phase"])


def kstatus(obj: JSON) -> str:
    """The generic rule of kstatus: a generation that is no number is an error; then the two conditions."""
    status = obj.get("status") or {}
    observed = status.get("observedGeneration", obj["metadata"]["generation"])
    if not isinstance(observed, int):
        return "Unknown"
    if observed != obj["metadata"]["generation"]:
        return "InProgress"
    true = [c["type"] for c in status.get("conditions") or () if c["status"] == "True"]
    found = [verdict for kind, verdict in (("Reconciling", "InProgress"), ("Stalled", "Failed")) if kind in true]
    return found[0] if found else "Current"


def told(space: Space) -> tuple[str, str]:
    """What both say now."""
    obj = space.rollout()
    return argo_cd(obj), kstatus(obj)


@pytest.mark.usefixtures("controller")
def test_argo_cd_and_kstatus_follow_a_release(space: Space) -> None:
    body = rollout(steps=STEPS, replicas=2)
    body["metadata"]["annotations"] = NUMBER
    space.create(body)
    space.until("healthy", lambda: told(space) == ("Healthy", "Current"))
    space.set_image("example/app:2")
    assert told(space)[1] != "Current"
    space.until("paused", lambda: told(space) == ("Suspended", "InProgress"))
    space.abort()
    space.until("aborted", lambda: told(space) == ("Degraded", "Failed"))
    space.retry()
    space.until("paused again", lambda: told(space) == ("Suspended", "InProgress"))
    space.promote_full()
    space.until("promoted", lambda: told(space) == ("Healthy", "Current"))
    space.set_steps([{"setWeight": 50}, {"pause": {"duration": "soon"}}])
    space.until("invalid", lambda: told(space) == ("Degraded", "Failed"))
    space.set_steps(STEPS)
    space.until("mended", lambda: told(space) == ("Healthy", "Current"))


@pytest.mark.usefixtures("controller")
def test_without_being_asked_the_generation_is_text_as_the_plugin_reads_it(space: Space) -> None:
    space.create(rollout())
    space.until_phase("Healthy")
    assert space.status()["observedGeneration"] == "1"
    assert kstatus(space.rollout()) == "Unknown"
    space.patch(kinds.ROLLOUT, "app", {"metadata": {"annotations": NUMBER}})
    space.until("a number", lambda: space.status()["observedGeneration"] == 1)
    assert told(space) == ("Healthy", "Current")


# --- Argo CD's actions, when nothing else is going on


def acted(space: Space, status: JSON | None = None, spec: JSON | None = None) -> None:
    """Argo CD sends the whole difference to /status first, then what is not status."""
    patch: JSON = {**({"status": status} if status else {}), **({"spec": spec} if spec else {})}
    if status:
        space.patch(kinds.ROLLOUT, "app", patch, "status")
    if spec:
        space.patch(kinds.ROLLOUT, "app", {"spec": spec})


def test_argo_cds_actions(space: Space, controller: OwnController) -> None:
    space.create(rollout(steps=[{"setWeight": 50}, {"pause": {}}, {"pause": {}}, {"pause": {}}], replicas=2))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    acted(space, status={"pauseConditions": None, "currentStepIndex": 2})  # skip-current-step
    space.until("the controller pauses there", lambda: space.status()["canary"].get("pausedStepIndex") == 2)
    space.until_paused(at=2)
    acted(space, status={"pauseConditions": None}, spec={"paused": False})  # resume
    space.until_paused(at=3)
    acted(space, status={"abort": True})
    space.until_phase("Degraded")
    acted(space, status={"abort": None})  # retry
    space.until_paused(at=1)
    acted(space, spec={"paused": True})  # pause
    space.until_phase("Paused", message="manually paused")
    acted(space, spec={"paused": False})
    space.until_paused(at=1)
    acted(space, status={"promoteFull": True})  # promote-full
    done: dict[str, Any] = space.until_phase("Healthy")
    assert done["stableRS"] == done["currentPodHash"]
    assert controller.app.trouble() == ""
