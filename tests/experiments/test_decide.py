"""What an Experiment does from beginning to end, on plans."""

from typing import Any

import pytest

from rollouts.experiments import decide
from rollouts.strategy.trouble import Trouble
from tests.experiments.world import START, World, analysis, experiment, template
from tests.strategy.world import CrashedError

PORTS = [{"containerPort": 8080, "name": "http", "protocol": "TCP"}, {"containerPort": 9090}]
DAY = 24 * 3600.0


def running(*templates: Any, **spec: Any) -> World:
    """An experiment whose templates are available."""
    world = World(experiment(*templates, **spec))
    world.settle()
    return world


def deadline(world: World, name: str = "exp-candidate") -> str | None:
    found: str | None = world.sets[name]["metadata"]["annotations"].get("scale-down-deadline")
    return found


# --- templates


def test_begins_with_its_status_and_a_replica_set_per_template() -> None:
    world = World(experiment(template("baseline", image="app:1"), template(replicas=3, minReadySeconds=5)))
    world.reconcile()
    assert world.log == [
        "PATCH Experiment",
        "POST ReplicaSet exp-baseline",
        "POST ReplicaSet exp-candidate",
    ]
    assert (world.phase, world.sizes) == ("Pending", {"exp-baseline": 1, "exp-candidate": 3})
    made = world.sets["exp-candidate"]
    digest = made["metadata"]["labels"]["rollouts-pod-template-hash"]
    assert made["metadata"]["annotations"] == {
        "experiment.argoproj.io/name": "exp",
        "experiment.argoproj.io/template-name": "candidate",
    }
    labels = {"app": "candidate", "rollouts-pod-template-hash": digest}
    assert (made["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]) == (labels, labels)
    assert made["spec"]["selector"] == {"matchLabels": labels}
    assert made["spec"]["minReadySeconds"] == 5
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Experiment", "uid-exp", True)


def test_is_available_when_all_templates_are() -> None:
    world = World(experiment(template("baseline"), template()))
    world.broken = {"exp-candidate"}
    world.settle()
    assert (world.phase, world.states) == ("Pending", {"baseline": "Running", "candidate": "Progressing"})
    assert "availableAt" not in world.status
    world.broken = set()
    world.advance(7)
    assert (world.phase, world.status["availableAt"]) == ("Running", "2026-01-01T00:00:07Z")
    assert world.states == {"baseline": "Running", "candidate": "Running"}


def test_tells_its_story_in_the_peers_words() -> None:
    world = running(duration="10s")
    world.advance(10)
    assert world.events == [
        "ScalingReplicaSet: Scaled up ReplicaSet exp-candidate from 0 to 1",
        "TemplateProgressing: Template 'candidate' transitioned from  -> Progressing",
        "ExperimentPending: Experiment transitioned from  -> Pending",
        "TemplateRunning: Template 'candidate' transitioned from Progressing -> Running",
        "ExperimentRunning: Experiment transitioned from Pending -> Running",
        "TemplateSuccessful: Template 'candidate' transitioned from Running -> Successful",
        "ExperimentSuccessful: Experiment transitioned from Running -> Successful",
    ]


def test_a_template_past_its_deadline_fails_the_experiment() -> None:
    world = World(experiment(template("baseline"), template(), progressDeadlineSeconds=60))
    world.broken = {"exp-candidate"}
    world.settle()
    assert world.last.requeue_after == 60
    world.advance(59)
    assert world.phase == "Pending"
    world.advance(1)
    message = "Template 'candidate' exceeded its progressDeadlineSeconds (60)"
    assert (world.phase, world.status["message"]) == ("Failed", message)
    assert world.states == {"baseline": "Successful", "candidate": "Failed"}
    assert (deadline(world, "exp-baseline"), deadline(world)) == ("2026-01-01T00:01:30Z",) * 2
    condition = world.status["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "ProgressDeadlineExceeded")


def test_more_available_pods_are_progress() -> None:
    world = World(experiment(template(replicas=3), progressDeadlineSeconds=60))
    world.reconcile()
    world.now = world.now.replace(second=50)
    world.pods(available=1)
    world.reconcile()
    world.now = world.now.replace(minute=1, second=45)
    world.reconcile()
    assert world.states == {"candidate": "Progressing"}
    world.now = world.now.replace(minute=1, second=50)
    world.reconcile()
    assert world.states == {"candidate": "Failed"}


PULL = Trouble(container="app", reason="ImagePullBackOff", message="not found", hopeless=True)
CRASH = Trouble(container="app", reason="CrashLoopBackOff", hopeless=True)


def test_what_keeps_pods_from_coming_up_is_said_meanwhile_and_in_the_end() -> None:
    world = World(experiment(progressDeadlineSeconds=60))
    world.broken = {"exp-candidate"}
    world.troubles = {"exp-candidate": (PULL,)}
    world.settle()
    why = "container app: ImagePullBackOff: not found"
    assert (world.phase, world.status["message"]) == ("Pending", why)
    assert world.status["templateStatuses"][0]["message"] == why
    world.advance(60)
    assert world.status["message"] == f"Template 'candidate' exceeded its progressDeadlineSeconds (60): {why}"
    mended = World(experiment())
    mended.broken, mended.troubles = {"exp-candidate"}, {"exp-candidate": (PULL,)}
    mended.settle()
    mended.broken = set()
    mended.pods()
    mended.advance(1)
    assert (mended.phase, "message" in mended.status, "message" in mended.status["templateStatuses"][0]) == (
        "Running",
        False,
        False,
    )


def test_crash_loops_are_no_progress() -> None:
    world = World(experiment(template(replicas=2), progressDeadlineSeconds=60))
    world.troubles = {"exp-candidate": (CRASH,)}
    for second in range(0, 60, 4):
        world.now = START.replace(second=second)
        world.pods(available=second // 4 % 2)
        world.reconcile()
    assert world.phase == "Pending"
    world.now = START.replace(minute=1)
    world.reconcile()
    assert world.phase == "Failed"


def test_a_replica_set_nobody_can_make_fails_in_time() -> None:
    world = World(experiment(progressDeadlineSeconds=60))
    for seconds in (0, 30, 60):
        world.now = START.replace(minute=seconds // 60, second=seconds % 60)
        if seconds < 60:
            with pytest.raises(CrashedError):
                world.reconcile(die_after=1)
            world.sets.clear()
        else:
            world.reconcile()
    assert (world.phase, world.states, world.sets) == ("Failed", {"candidate": "Failed"}, {})


def test_pods_that_go_while_it_runs_make_it_wait_and_the_deadline_count() -> None:
    world = running(progressDeadlineSeconds=60)
    world.broken = {"exp-candidate"}
    world.pods()
    world.advance(5)
    assert (world.phase, world.states) == ("Pending", {"candidate": "Progressing"})
    assert world.status["availableAt"] == "2026-01-01T00:00:00Z"
    world.broken = set()
    world.advance(5)
    assert world.phase == "Running"


def test_keeps_its_replica_sets_up() -> None:
    world = running()
    world.sets["exp-candidate"]["spec"]["replicas"] = 0
    world.settle()
    assert world.sizes == {"exp-candidate": 1}
    world.sets.clear()
    world.settle()
    assert (world.sizes, world.phase) == ({"exp-candidate": 1}, "Running")


def test_a_name_that_is_taken_is_changed() -> None:
    world = World(experiment())
    world.taken = {"taken_sets": frozenset({"exp-candidate", "exp-candidate-1"})}
    world.settle()
    assert list(world.sets) == ["exp-candidate-2"]
    assert world.status["templateStatuses"][0]["collisionCount"] == 2
    assert world.phase == "Running"
    log = len(world.log)
    world.taken = {}
    world.settle()
    assert len(world.log) == log


def test_no_two_have_the_same_hash() -> None:
    first = template("a")
    plain = World(experiment(first))
    plain.settle()
    digest = plain.sets["exp-a"]["metadata"]["labels"]["rollouts-pod-template-hash"]
    copied = template("a")
    copied["template"]["metadata"]["labels"]["rollouts-pod-template-hash"] = digest  # of a Rollout's ReplicaSet
    world = World(experiment(copied, {**copied, "name": "b"}, {**copied, "name": "c"}))
    world.settle()
    digests = [rs["metadata"]["labels"]["rollouts-pod-template-hash"] for rs in world.sets.values()]
    assert len({digest, *digests}) == 4
    assert [
        rs["spec"]["selector"]["matchLabels"]["rollouts-pod-template-hash"] for rs in world.sets.values()
    ] == digests
    del world.sets["exp-b"]
    world.settle()
    assert world.sets["exp-b"]["metadata"]["labels"]["rollouts-pod-template-hash"] not in (
        digest,
        digests[0],
        digests[2],
    )


# --- the end


def test_ends_after_its_duration_and_lets_the_pods_stay_a_while() -> None:
    world = running(duration="1m", scaleDownDelaySeconds=20)
    assert world.last.requeue_after == 60
    world.advance(60)
    assert (world.phase, world.states, world.sizes) == ("Successful", {"candidate": "Successful"}, {"exp-candidate": 1})
    assert deadline(world) == "2026-01-01T00:01:20Z"
    assert world.last.requeue_after == 20
    world.advance(20)
    assert world.sizes == {"exp-candidate": 0}
    assert world.events[-1] == "ScalingReplicaSet: Scaled down ReplicaSet exp-candidate from 1 to 0"
    assert world.last.requeue_after is None
    assert world.status["templateStatuses"][0]["replicas"] == 0


def test_without_a_delay_the_pods_go_at_once() -> None:
    world = running(duration="1m", scaleDownDelaySeconds=0)
    world.advance(60)
    assert (world.phase, world.sizes) == ("Successful", {"exp-candidate": 0})


def test_without_a_duration_it_runs_until_told_to_end() -> None:
    world = running()
    world.advance(DAY)
    assert (world.phase, world.last.requeue_after) == ("Running", None)
    world.experiment["spec"]["terminate"] = True
    world.settle()
    assert (world.phase, world.states) == ("Successful", {"candidate": "Successful"})


def test_terminate_before_anything_was_made() -> None:
    world = running(terminate=True)
    assert (world.phase, world.sets) == ("Successful", {})


def test_retry_starts_over() -> None:
    world = running(duration="1m", scaleDownDelaySeconds=0, analyses=[analysis()])
    world.advance(1)
    world.finish("exp-check", "Failed", "too slow")
    assert (world.phase, world.sizes) == ("Failed", {"exp-candidate": 0})
    world.experiment["status"] = None
    world.advance(100)
    assert (world.phase, world.sizes) == ("Pending", {"exp-candidate": 1})
    assert world.status["availableAt"] == "2026-01-01T00:01:41Z"
    assert list(world.runs) == ["exp-check", "exp-check.1"]
    world.finish("exp-check.1", "Running")
    assert world.phase == "Running"


def test_retry_within_the_scale_down_delay_keeps_the_pods() -> None:
    world = running(duration="1m")
    world.advance(60)
    world.experiment["status"] = None
    world.settle()
    assert (deadline(world), world.phase) == (None, "Running")
    world.advance(40)
    assert world.sizes == {"exp-candidate": 1}


# --- analyses


def test_analyses_start_when_the_templates_are_available() -> None:
    spec = {
        "duration": "1m",
        "dryRun": [{"metricName": "rate"}],
        "measurementRetention": [{"metricName": "rate", "limit": 3}],
        "analysisRunMetadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
    }
    world = World(experiment(analyses=[analysis()], **spec))
    world.broken = {"exp-candidate"}
    world.settle()
    assert world.runs == {}
    world.broken = set()
    world.settle()
    run = world.runs["exp-check"]
    assert (run["metadata"]["labels"], run["metadata"]["annotations"]) == ({"team": "a"}, {"note": "b"})
    assert (run["spec"]["dryRun"], run["spec"]["measurementRetention"]) == (
        spec["dryRun"],
        spec["measurementRetention"],
    )
    assert [metric["name"] for metric in run["spec"]["metrics"]] == ["rate"]
    assert world.status["analysisRuns"] == [{"name": "check", "analysisRun": "exp-check", "phase": "Pending"}]
    assert world.phase == "Pending"
    world.finish("exp-check", "Running")
    assert world.phase == "Running"


def test_entries_for_the_metrics_of_other_analyses_are_left_out() -> None:
    """One list serves all analyses; a run with an entry of no metric would be an error."""
    dry = [{"metricName": "^ra"}, {"metricName": "latency"}, {"metricName": "("}]
    world = World(experiment(analyses=[analysis()], duration="1m", dryRun=dry))
    world.settle()
    assert world.runs["exp-check"]["spec"]["dryRun"] == [dry[0], dry[2]]


@pytest.mark.parametrize("phase", ["Failed", "Error", "Inconclusive"])
def test_a_bad_analysis_ends_it(phase: str) -> None:
    world = running(duration="1h", analyses=[analysis(), analysis("other")])
    world.finish("exp-other", "Running")
    world.finish("exp-check", phase, "too slow")
    assert world.runs["exp-other"]["spec"]["terminate"] is True
    if phase == "Inconclusive":
        assert world.phase == "Running"  # the other one may still fail
    world.finish("exp-other", "Successful")
    assert (world.phase, world.status["message"]) == (phase, "too slow")
    assert world.states == {"candidate": "Successful"}
    assert f"AnalysisRun{phase}: Analysis 'check' transitioned from Pending -> {phase}: too slow" in world.events
    assert {entry["name"]: entry["phase"] for entry in world.status["analysisRuns"]} == {
        "check": phase,
        "other": "Successful",
    }


def test_a_run_told_to_end_may_still_fail_it() -> None:
    world = running(duration="1m", analyses=[analysis()])
    world.finish("exp-check", "Running")
    world.advance(60)
    assert (world.phase, world.runs["exp-check"]["spec"]["terminate"]) == ("Running", True)
    world.finish("exp-check", "Failed", "too slow")
    assert (world.phase, world.status["message"]) == ("Failed", "too slow")


def test_required_analyses_keep_it_beyond_its_duration() -> None:
    world = running(duration="1m", analyses=[analysis(requiredForCompletion=True), analysis("other")])
    world.finish("exp-other", "Running")
    world.advance(90)
    assert (world.phase, "terminate" in world.runs["exp-check"]["spec"]) == ("Pending", False)
    world.finish("exp-check")
    assert world.runs["exp-other"]["spec"]["terminate"] is True
    world.finish("exp-other")
    assert world.phase == "Successful"


def test_without_a_duration_required_analyses_end_it() -> None:
    world = running(analyses=[analysis(requiredForCompletion=True)])
    world.finish("exp-check")
    assert world.phase == "Successful"


def test_required_analyses_that_end_early_do_not_shorten_the_duration() -> None:
    world = running(duration="1m", analyses=[analysis(requiredForCompletion=True)])
    world.finish("exp-check")
    assert world.phase == "Running"
    world.advance(60)
    assert world.phase == "Successful"


def test_arguments_speak_of_the_experiment() -> None:
    declared = [{"name": name} for name in ("hash", "set", "from", "to", "plain", "token")]
    rate = {"spec": {"args": declared, "metrics": [{"name": "rate", "provider": {"web": {"url": "http://x"}}}]}}
    args = [
        {"name": "hash", "value": "{{templates.candidate.podTemplateHash}}"},
        {"name": "set", "value": "rs={{ templates.candidate.replicaset.name }}"},
        {"name": "from", "value": "{{experiment.availableAt}}"},
        {"name": "to", "value": "{{experiment.finishedAt}}"},
        {"name": "plain", "value": "7"},
        {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    world = World(experiment(duration="90s", analyses=[analysis(args=args)]), templates={"rate": rate})
    world.settle()
    digest = world.sets["exp-candidate"]["metadata"]["labels"]["rollouts-pod-template-hash"]
    assert world.runs["exp-check"]["spec"]["args"] == [
        {"name": "hash", "value": digest},
        {"name": "set", "value": "rs=exp-candidate"},
        {"name": "from", "value": "2026-01-01T00:00:00Z"},
        {"name": "to", "value": "2026-01-01T00:01:30Z"},
        {"name": "plain", "value": "7"},
        args[-1],
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"templateName": "nowhere"}, "AnalysisTemplate 'nowhere' not found"),
        ({"templateName": "nowhere", "clusterScope": True}, "ClusterAnalysisTemplate 'nowhere' not found"),
    ],
)
def test_an_analysis_that_cannot_start_is_an_error(changes: Any, words: str) -> None:
    world = running(analyses=[analysis(**changes)])
    assert world.phase == "Error"
    assert words in world.status["message"]
    assert world.runs == {}
    assert world.status["analysisRuns"][0]["phase"] == "Error"


def test_a_run_that_was_named_but_not_made_is_made_under_that_name() -> None:
    world = World(experiment(analyses=[analysis()]))
    world.reconcile()
    world.pods()
    with pytest.raises(CrashedError):
        world.reconcile(die_after=1)
    assert (world.status["analysisRuns"][0]["analysisRun"], world.runs) == ("exp-check", {})
    world.settle()
    assert list(world.runs) == ["exp-check"]


def test_a_run_nobody_named_is_told_to_end() -> None:
    world = running(analyses=[analysis()])
    world.runs["exp-check"]["status"] = {"phase": "Running"}
    world.experiment["status"].pop("analysisRuns")
    world.settle()
    assert list(world.runs) == ["exp-check", "exp-check.1"]
    assert world.runs["exp-check"]["spec"]["terminate"] is True
    assert world.status["analysisRuns"][0]["analysisRun"] == "exp-check.1"


def test_a_run_somebody_deleted_is_started_again() -> None:
    world = running(analyses=[analysis()])
    world.runs.clear()
    world.settle()
    assert list(world.runs) == ["exp-check"]


def test_a_run_name_that_is_taken_is_changed() -> None:
    world = World(experiment(analyses=[analysis()]))
    world.taken = {"taken_runs": frozenset({"exp-check"})}
    world.settle()
    assert list(world.runs) == ["exp-check.1"]


# --- Services


def test_a_template_may_ask_for_a_service() -> None:
    world = running(template(ports=PORTS, service={}), template("b", ports=PORTS, service={"name": "named"}))
    assert list(world.services) == ["exp-candidate", "named"]
    made = world.services["exp-candidate"]
    digest = world.sets["exp-candidate"]["metadata"]["labels"]["rollouts-pod-template-hash"]
    assert made["spec"]["selector"] == {"app": "candidate", "rollouts-pod-template-hash": digest}
    assert made["spec"]["ports"] == [
        {"name": "http", "port": 8080, "targetPort": 8080, "protocol": "TCP"},
        {"name": "port-9090-tcp", "port": 9090, "targetPort": 9090, "protocol": "TCP"},
    ]
    entry = world.status["templateStatuses"][0]
    assert (entry["serviceName"], entry["podTemplateHash"]) == ("exp-candidate", digest)


def test_the_service_goes_with_the_pods() -> None:
    world = running(template(ports=PORTS, service={}), duration="1m")
    world.services.clear()
    world.settle()
    assert list(world.services) == ["exp-candidate"]
    world.advance(60)
    assert list(world.services) == ["exp-candidate"]
    world.advance(30)
    assert (world.services, world.sizes) == ({}, {"exp-candidate": 0})
    assert "serviceName" not in world.status["templateStatuses"][0]


@pytest.mark.parametrize(
    ("asked", "taken", "words"),
    [
        (template(ports=PORTS, service={"name": "web"}), ["web"], "'web', which belongs to somebody else"),
        (template("candidate", ports=PORTS, service={"name": "x" * 64}), [], "longer than 63 characters"),
    ],
)
def test_a_service_that_cannot_be_made_is_an_error(asked: Any, taken: list[str], words: str) -> None:
    world = World(experiment(asked))
    world.taken = {"taken_services": frozenset(taken)}
    world.settle()
    assert (world.phase, world.states, world.services, world.sets) == ("Error", {"candidate": "Error"}, {}, {})
    assert words in world.status["message"]


# --- invalid, deleted, resting


def test_an_invalid_one_says_so_and_begins_once_mended() -> None:
    world = World(experiment(template(), template()))
    plan = world.reconcile()
    assert (plan.writes, world.phase) == ((), "Error")
    message = 'The Experiment "exp" is invalid: spec.templates[1].name'
    assert world.status["message"].startswith(f"InvalidSpec: {message}")
    assert [event.split(":")[0] for event in world.events] == ["InvalidSpec"]
    world.settle()
    assert len(world.events) == 1
    world.experiment["spec"]["templates"].pop()
    world.settle()
    assert (world.phase, "message" in world.status) == ("Running", False)
    assert [condition["type"] for condition in world.status["conditions"]] == ["Progressing"]


def test_one_made_invalid_while_it_runs_keeps_its_pods_and_phase() -> None:
    world = running()
    world.experiment["spec"]["duration"] = "soon"
    world.settle()
    assert (world.phase, world.sizes) == ("Running", {"exp-candidate": 1})
    assert {condition["type"] for condition in world.status["conditions"]} == {"Progressing", "InvalidSpec"}


def test_a_pod_template_that_cannot_be_read_is_invalid() -> None:
    world = World(experiment())
    world.experiment["spec"]["templates"][0]["template"]["spec"]["containers"][0]["image"] = 7
    world.reconcile()
    assert (world.phase, world.sets) == ("Error", {})


def test_one_being_deleted_is_left_alone() -> None:
    world = World(experiment())
    world.experiment["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert decide(world.snapshot(), START).empty


def test_keys_of_others_in_the_status_survive() -> None:
    world = running(duration="1m")
    world.experiment["status"]["templateStatuses"][0]["unknown"] = 1
    world.experiment["status"]["more"] = 2
    world.advance(60)
    assert (world.status["templateStatuses"][0]["unknown"], world.status["more"]) == (1, 2)


@pytest.mark.parametrize("die_after", range(1, 5))
def test_dying_after_any_write_ends_in_the_same_place(die_after: int) -> None:
    def story(world: World, die_after: int | None = None) -> None:
        for seconds in (0, 60, 31):
            world.now = world.now.replace(minute=world.now.minute + seconds // 60)
            if die_after:
                try:
                    world.reconcile(die_after=die_after)
                except CrashedError:
                    world.pods()
            world.settle()
            for run in world.runs.values():
                run["status"] = {"phase": "Successful"}
            world.settle()

    spec: Any = {"duration": "1m", "analyses": [analysis()]}
    smooth, crashing = (World(experiment(template(ports=PORTS, service={}), **spec)) for _ in range(2))
    story(smooth)
    story(crashing, die_after)
    assert (crashing.status, crashing.sizes, set(crashing.services)) == (
        smooth.status,
        smooth.sizes,
        set(smooth.services),
    )
    assert smooth.phase == "Successful"
