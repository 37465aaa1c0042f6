"""The `kubectl argo rollouts` plugin itself (v1.10.1), against our controller: what it shows and what it does.

It computes what it shows from our objects, as Go reads them: a field of the wrong type ends it with an error, a missing
hash takes a role away, a missing revision makes a version vanish from the tree.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, blue_green, container, rollout, service, younger_than_pods
from tests.recorder.metrics import metrics
from tests.strategy.router import ROUTER

#: Each call is a program that starts, discovers and lists: on a busy machine seconds.
pytestmark = [pytest.mark.usefixtures("controller"), pytest.mark.timeout(240)]

STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
DELAYS = {"autoPromotionEnabled": False, "scaleDownDelaySeconds": 3600, "abortScaleDownDelaySeconds": 3600}
AGE = re.compile(r"(?<![\w.-])(?:\d+[smhd])+(?![\w-])")
SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the plugin said."""

    code: int
    text: str
    error: str

    @property
    def lines(self) -> list[str]:
        """Its lines, with single blanks and without ages."""
        return [" ".join(AGE.sub("", line).split()) for line in self.text.splitlines() if line.strip()]

    def value(self, key: str) -> str:
        """What stands behind `key:` in the head of `get`."""
        return next(line.partition(":")[2].strip() for line in self.lines if line.startswith(f"{key}:"))

    @property
    def images(self) -> list[str]:
        """`image (role, …)`, in its order."""
        begin = next(number for number, line in enumerate(self.lines) if line.startswith("Images:"))
        end = next(number for number, line in enumerate(self.lines) if line.startswith(("Replicas:", "NAME")))
        return [line.removeprefix("Images:").strip() for line in self.lines[begin:end]]

    @property
    def tree(self) -> list[str]:
        """Revisions and what belongs to them, without pods and lines of the drawing."""
        begin = next(number for number, line in enumerate(self.lines) if line.startswith("NAME"))
        branches = (line.lstrip("│├└─ ") for line in self.lines[begin + 2 :])
        return [branch for branch in branches if not branch.startswith("□")]


Plugin = Callable[..., Answer]


@pytest.fixture
def controller(own_controller: Callable[..., OwnController]) -> OwnController:
    """One that knows the tests' own router."""
    return own_controller(routers=ROUTER)


@pytest.fixture
def plugin(argo_rollouts: Path, kubeconfig: Path, namespace: str) -> Plugin:
    """`plugin("promote app")` in this test's namespace; its answer, which must be a success unless `code` says."""

    def run(line: str, *, code: int = 0) -> Answer:
        argv = [str(argo_rollouts), *line.split(), "--kubeconfig", str(kubeconfig), "--namespace", namespace]
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, "NO_COLOR": "1"})
        assert ran.returncode == code, (line, ran.stdout, ran.stderr)
        return Answer(code=ran.returncode, text=ran.stdout, error=ran.stderr)

    return run


def name_of(space: Space, revision: str) -> str:
    return str(space.sets()[revision]["metadata"]["name"])


def shown(plugin: Plugin) -> Answer:
    return plugin("get rollout app --no-color")


def row(plugin: Plugin) -> str:
    """The one line of `list rollouts`."""
    return plugin("list rollouts").lines[1]


def released(space: Space, body: JSON) -> None:
    space.create(body)
    space.until_phase("Healthy")


def canary_paused(space: Space, plugin: Plugin) -> None:
    """At 25 % with revision 2."""
    released(space, rollout(replicas=4, steps=STEPS))
    plugin("set image app app=example/app:2")
    space.until_paused(at=1)


# --- canary


def test_a_canary_from_set_image_to_the_end(space: Space, plugin: Plugin) -> None:
    canary_paused(space, plugin)
    told = shown(plugin)
    heads = ("Status", "Message", "Strategy", "Step", "SetWeight", "ActualWeight", "Desired", "Updated", "Available")
    assert [told.value(head) for head in heads] == [
        "॥ Paused", "CanaryPauseStep", "Canary", "1/4", "25", "25", "4", "1", "4",
    ]  # fmt: skip
    assert told.images == ["example/app:1 (stable)", "example/app:2 (canary)"]
    assert told.tree == [
        "# revision:2", f"⧉ {name_of(space, '2')} ReplicaSet ✔ Healthy canary",
        "# revision:1", f"⧉ {name_of(space, '1')} ReplicaSet ✔ Healthy stable",
    ]  # fmt: skip
    assert len([line for line in told.lines if "□" in line and "✔ Running ready:1/1" in line]) == 4
    assert row(plugin) == "app Canary Paused 1/4 25 4/4 4 1 4"
    assert plugin("status app --watch=false").lines == ["Paused - CanaryPauseStep"]
    plugin("promote app")
    space.until_paused(at=3)
    assert row(plugin) == "app Canary Paused 3/4 50 4/4 4 2 4"
    plugin("promote app")
    assert plugin("status app --timeout 40s").lines[-1] == "Healthy"
    told = shown(plugin)
    assert [told.value("Status"), told.value("Step"), told.value("ActualWeight")] == ["✔ Healthy", "4/4", "100"]
    assert told.tree[2:] == ["# revision:1", f"⧉ {name_of(space, '1')} ReplicaSet • ScaledDown"]


def test_abort_retry_skip_and_promote_in_full(space: Space, plugin: Plugin) -> None:
    canary_paused(space, plugin)
    plugin("abort app")
    space.until_phase("Degraded")
    space.until(
        "the canary is gone", lambda: space.sizes() == {"1": 4, "2": 0} and not space.status().get("updatedReplicas")
    )
    reason = "RolloutAborted: Rollout aborted update to revision 2"
    failed = plugin("status app", code=1)
    assert failed.lines == [f"Degraded - {reason}"]
    assert f"The rollout is in a degraded state with message: {reason}" in failed.error
    told = shown(plugin)
    assert [told.value("Status"), told.value("Message"), told.value("Step")] == ["✖ Degraded", reason, "0/4"]
    assert told.images == ["example/app:1 (stable)"]
    assert told.tree[1].endswith("• ScaledDown canary")
    plugin("retry rollout app")
    space.until_paused(at=1)
    plugin("promote app --skip-current-step")
    space.until_paused(at=3)
    plugin("promote app --full")
    space.until_phase("Healthy")
    assert space.sizes() == {"1": 0, "2": 4}


def test_a_pause_by_hand_and_a_third_version(space: Space, plugin: Plugin) -> None:
    canary_paused(space, plugin)
    plugin("pause app")
    space.until_phase("Paused", message="manually paused")
    assert shown(plugin).value("Message") == "manually paused"
    plugin("promote app")
    space.until_paused(at=3)
    plugin("set image app *=example/app:3")
    space.until_paused(at=1)
    assert shown(plugin).images == ["example/app:1 (stable)", "example/app:3 (canary)"]
    plugin("promote app --skip-all-steps")
    space.until_phase("Healthy")
    assert space.sizes() == {"1": 0, "2": 0, "3": 4}


def test_undo(space: Space, plugin: Plugin) -> None:
    canary_paused(space, plugin)
    plugin("promote app --full")
    space.until_phase("Healthy")
    plugin("undo app")
    space.until_paused(at=1)
    assert sorted(space.sets()) == ["2", "3"]
    plugin("undo app --to-revision 2")
    space.until_phase("Healthy")
    assert space.sizes() == {"3": 0, "4": 4}
    assert "unable to find specified revision 9" in plugin("undo app --to-revision 9", code=1).error


def test_restart(space: Space, plugin: Plugin) -> None:
    released(space, rollout(replicas=2))
    before = {pod["metadata"]["uid"] for pod in space.pods()}
    younger_than_pods(space)
    plugin("restart app")
    space.until("both pods are new", lambda: not before & {pod["metadata"]["uid"] for pod in space.pods()})
    space.until_phase("Healthy")
    assert shown(plugin).value("Status") == "✔ Healthy"


def test_status_waits_and_gives_up(space: Space, plugin: Plugin) -> None:
    canary_paused(space, plugin)
    waited = plugin("status app --timeout 1s", code=1)
    assert (waited.lines, "Rollout status watch exceeded timeout" in waited.error) == (
        ["Paused - CanaryPauseStep"],
        True,
    )
    watched = plugin("get rollout app --watch --no-color --timeout-seconds 1")
    assert watched.value("Status") == "॥ Paused"


def test_pods_that_do_not_come_up(space: Space, plugin: Plugin) -> None:
    released(space, rollout(replicas=1, progressDeadlineSeconds=3))
    plugin("set image app app=example/does-not-exist:2")
    failed = plugin("status app --timeout 40s", code=1)
    assert "The rollout is in a degraded state with message: ProgressDeadlineExceeded" in failed.error
    told = shown(plugin)
    assert told.tree[1] == f"⧉ {name_of(space, '2')} ReplicaSet ◌ Progressing canary"
    assert any("⚠ ImagePullBackOff ready:0/1" in line for line in told.lines)


def test_create_lint_and_what_is_invalid(space: Space, plugin: Plugin, tmp_path: Path) -> None:
    manifest = tmp_path / "rollout.yaml"
    manifest.write_text(json.dumps(blue_green(strategy={"previewService": ""})))
    plugin(f"lint -f {manifest}")
    assert plugin(f"create -f {manifest}").lines == ["rollout.argoproj.io/app created"]
    space.until_phase("Degraded")
    told = shown(plugin)
    assert told.value("Status") == "✖ Degraded"
    assert told.value("Message").startswith(
        'InvalidSpec: The Rollout "app" is invalid: spec.strategy.blueGreen.activeService'
    )
    assert "degraded" in plugin("status app", code=1).error
    space.create(service("active"))
    space.until("it heals", lambda: space.status()["phase"] != "Degraded")
    assert plugin("status app --timeout 40s").lines[-1] == "Healthy"


# --- blue/green


def test_blue_green_roles_and_delays(space: Space, plugin: Plugin) -> None:
    space.create(service("active"), service("preview"))
    released(space, blue_green(replicas=2, strategy=DELAYS))
    assert shown(plugin).tree[1].endswith("✔ Healthy stable,active")
    plugin("set image app app=example/app:2")
    space.until_phase("Paused", message="BlueGreenPause")
    told = shown(plugin)
    assert [told.value("Strategy"), told.value("Message")] == ["BlueGreen", "BlueGreenPause"]
    assert told.images == ["example/app:1 (stable, active)", "example/app:2 (preview)"]
    assert told.tree == [
        "# revision:2", f"⧉ {name_of(space, '2')} ReplicaSet ✔ Healthy preview",
        "# revision:1", f"⧉ {name_of(space, '1')} ReplicaSet ✔ Healthy stable,active",
    ]  # fmt: skip
    assert row(plugin) == "app BlueGreen Paused - - 2/4 2 2 2"
    plugin("abort app")
    space.until_phase("Degraded")
    assert shown(plugin).tree[1].endswith("✔ Healthy preview,delay:")
    plugin("retry rollout app")
    space.until_phase("Paused", message="BlueGreenPause")
    plugin("promote app")
    space.until_phase("Healthy")
    told = shown(plugin)
    assert told.images == ["example/app:1", "example/app:2 (stable, active)"]
    assert told.tree[3].endswith("✔ Healthy delay:")
    first = space.sets()["1"]["metadata"]["labels"]["rollouts-pod-template-hash"]
    plugin("undo app")
    space.until_status(phase="Healthy", stableRS=first)


# --- behind a router


def test_weights_and_services_that_take_turns(space: Space, plugin: Plugin) -> None:
    """What the router serves (10 %) is shown, not the share of pods; ping is stable, then pong."""
    space.create(service("ping"), service("pong"))
    space.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "routes"}})
    strategy: JSON = {
        "pingPong": {"pingService": "ping", "pongService": "pong"},
        "trafficRouting": {"plugins": {"test/router": {"configMap": "routes"}}},
    }
    released(space, rollout(replicas=4, steps=[{"setWeight": 10}, {"pause": {}}], canary=strategy))
    assert shown(plugin).tree[1].endswith("✔ Healthy stable,ping")
    plugin("set image app app=example/app:2")
    space.until_paused(at=1)
    told = shown(plugin)
    assert [told.value("SetWeight"), told.value("ActualWeight")] == ["10", "10"]
    assert told.images == ["example/app:1 (stable, ping)", "example/app:2 (canary, pong)"]
    assert row(plugin) == "app Canary Paused 1/2 10 5/5 4 1 5"
    plugin("promote app")
    space.until_phase("Healthy")
    assert shown(plugin).tree[1].endswith("✔ Healthy stable,pong")
    space.until("the old pods are on leave", lambda: shown(plugin).tree[3].endswith("✔ Healthy delay:"))


# --- measured


def template(name: str, url: str, condition: str, **metric: object) -> JSON:
    measured = {
        "name": "value",
        "successCondition": condition,
        "provider": {"web": {"url": url, "jsonPath": "{$.value}"}},
    }
    head = {"apiVersion": kinds.ROLLOUT.api_version, "kind": "AnalysisTemplate", "metadata": {"name": name}}
    return {**head, "spec": {"metrics": [{**measured, **metric}]}}


def analysis(name: str) -> JSON:
    return {"analysis": {"templates": [{"templateName": name}]}}


def test_runs_are_in_the_tree(space: Space, plugin: Plugin) -> None:
    """A step's run that is not sure, one in the background that is ended by hand, and one that fails."""
    with metrics() as url:
        space.create(
            template("unsure", url, "result > 100", failureCondition="result > 200"),
            template("background", url, "result < 100", interval="1h", count=2),
            template("bad", url, "result > 100"),
        )
        steps = [{"setWeight": 50}, analysis("unsure"), {"pause": {}}, analysis("bad")]
        released(space, rollout(replicas=2, steps=steps, canary=analysis("background")))
        plugin("set image app app=example/app:2")
        space.until_phase("Paused", message="InconclusiveAnalysisRun")
        name = name_of(space, "2")
        inconclusive = f"α {name}-2-1 AnalysisRun ? Inconclusive ? 1"
        assert sorted(shown(plugin).tree[1:4]) == sorted(
            [f"⧉ {name} ReplicaSet ✔ Healthy canary", inconclusive, f"α {name}-2 AnalysisRun ◌ Running ✔ 1"]
        )
        plugin("promote app")
        space.until_paused(at=2)
        plugin(f"terminate analysisrun {name}-2")
        space.until("it has ended", lambda: f"α {name}-2 AnalysisRun ✔ Successful ✔ 1" in shown(plugin).tree)
        plugin("promote app")
        space.until_phase("Degraded")
        assert f"α {name}-2-3 AnalysisRun ✖ Failed ✖ 1" in shown(plugin).tree
        assert 'Metric "value" assessed Failed due to failed (1)' in plugin("status app", code=1).error


def test_an_experiment_is_in_the_tree(space: Space, plugin: Plugin) -> None:
    parts = [{"name": "base", "specRef": "stable"}, {"name": "cand", "specRef": "canary"}]
    steps = [{"setWeight": 50}, {"experiment": {"duration": "1h", "templates": parts}}, {"pause": {}}]
    released(space, rollout(replicas=2, steps=steps))
    plugin("set image app app=example/app:2")
    name = f"{space.until('revision 2', lambda: name_of(space, '2'))}-2-1"
    running = [f"Σ {name} Experiment ◌ Running"]
    running += [f"⧉ {name}-{part} ReplicaSet ✔ Healthy" for part in ("base", "cand")]
    space.until("it runs", lambda: shown(plugin).tree[2:5] == running)
    assert shown(plugin).images == ["example/app:1 (stable, Σ:base)", "example/app:2 (canary, Σ:cand)"]
    assert plugin(f"get experiment {name} --no-color").value("Status") == "◌ Running"
    assert plugin("list experiments").lines[1].startswith(f"{name} Running")
    plugin(f"terminate experiment {name}")
    space.until_paused(at=2)
    assert plugin(f"get experiment {name} --no-color").value("Status") == "✔ Successful"


def test_an_experiment_and_a_run_of_their_own(space: Space, plugin: Plugin, tmp_path: Path) -> None:
    pods = {"metadata": {"labels": {"app": "one"}}, "spec": {"containers": [container("example/app:1")]}}
    only = {"name": "one", "selector": {"matchLabels": {"app": "one"}}, "template": pods}
    head = {"apiVersion": kinds.EXPERIMENT.api_version, "kind": "Experiment", "metadata": {"name": "exp"}}
    with metrics() as url:
        space.create(template("bad", url, "result > 100"))
        manifest = tmp_path / "experiment.yaml"
        manifest.write_text(
            json.dumps({**head, "spec": {"templates": [only], "analyses": [{"name": "bad", "templateName": "bad"}]}})
        )
        plugin(f"create -f {manifest}")
        space.until("it failed", lambda: plugin("get experiment exp --no-color").value("Status") == "✖ Failed")
        plugin("retry experiment exp")
        space.until("it was tried again", lambda: len(space.runs("exp")) == 2)
        plugin("create analysisrun --from bad --name mine")
        space.until("it has ended", lambda: space.get(kinds.ANALYSIS_RUN, "mine")["status"]["phase"] == "Failed")


# --- pods of a Deployment


def test_a_workload_that_is_referred_to(space: Space, plugin: Plugin) -> None:
    pods = rollout()["spec"]["template"]
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "app"}}, "template": pods}
    space.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "old"}, "spec": spec})
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "old", "scaleDown": "onsuccess"}
    body = rollout(replicas=2, steps=STEPS, workloadRef=reference)
    del body["spec"]["template"], body["spec"]["selector"]
    released(space, body)
    assert plugin("set image app app=example/app:2").lines == ['deployment "old" image updated']
    space.until("the canary is there", lambda: len(space.sets()) == 2)
    space.until_paused(at=1)
    assert shown(plugin).images == ["example/app:1 (stable)", "example/app:2 (canary)"]
    plugin("undo app")
    space.until("it is revision 1 again", lambda: sorted(space.sets()) == ["2", "3"])
    assert plugin("status app --timeout 40s").lines[-1] == "Healthy"
    assert space.get(kinds.DEPLOYMENT, "old")["spec"]["template"]["spec"]["containers"][0]["image"] == "example/app:1"
