"""Verbs that change something: what exactly they write, where, and what they say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.apiserver import ApiServer

PATH = "/apis/argoproj.io/v1alpha1/namespaces/canary/rollouts/app"
STATUS = f"{PATH}/status"


@pytest.mark.parametrize(
    ("recording", "line", "path", "body", "said"),
    [
        ("canary-2", "abort app", STATUS, {"status": {"abort": True}}, "rollout 'app' aborted"),
        ("canary-3", "retry rollout app", STATUS, {"status": {"abort": False}}, "rollout 'app' retried"),
        ("canary-3", "retry app", STATUS, {"status": {"abort": False}}, "rollout 'app' retried"),
        ("canary-1", "pause app", PATH, {"spec": {"paused": True}}, "rollout 'app' paused"),
        ("canary-2", "promote app", STATUS, {"status": {"pauseConditions": None}}, "rollout 'app' promoted"),
        ("canary-2", "promote app --full", STATUS, {"status": {"promoteFull": True}}, "rollout 'app' fully promoted"),
        (
            "canary-2",
            "promote app -c",
            STATUS,
            {"status": {"pauseConditions": None, "currentStepIndex": 2}},
            "rollout 'app' promoted",
        ),
        (
            "canary-2",
            "promote app --skip-all-steps",
            STATUS,
            {"status": {"pauseConditions": None, "currentStepIndex": 4}},
            "rollout 'app' promoted",
        ),
        (
            "canary-2",
            "promote rollout/app",
            STATUS,
            {"status": {"pauseConditions": None}},
            "rollout 'app' promoted",
        ),
    ],
)
def test_one_patch(
    story: Any, api: ApiServer, run: Any, recording: str, line: str, path: str, body: Any, said: str
) -> None:
    story(recording)
    result = run(line)
    assert (result.exit_code, result.stdout.strip()) == (0, said)
    assert api.writes() == [("PATCH", path, body)]


def test_a_step_that_waits_for_no_promotion_is_skipped(story: Any, api: ApiServer, run: Any) -> None:
    rollout = story("canary-2")
    rollout["status"].update(pauseConditions=None, controllerPause=None, currentStepIndex=2)
    assert run("promote app").exit_code == 0
    assert api.writes() == [("PATCH", STATUS, {"status": {"pauseConditions": None, "currentStepIndex": 3}})]


def test_an_inconclusive_analysis_is_promoted_over(story: Any, api: ApiServer, run: Any) -> None:
    rollout = story("canary-2")
    rollout["status"]["canary"] = {"currentStepAnalysisRunStatus": {"name": "x", "status": "Inconclusive"}}
    run("promote app")
    wanted = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}
    assert api.writes() == [("PATCH", STATUS, {"status": wanted})]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("promote app", {"pauseConditions": None, "currentStepIndex": 1}),
        ("promote app --full", {"promoteFull": True}),
    ],
)
def test_a_pause_by_hand_ends_with_a_promotion(story: Any, api: ApiServer, run: Any, line: str, status: Any) -> None:
    story("canary-8")
    run(line)
    assert api.writes() == [("PATCH", STATUS, {"status": status}), ("PATCH", PATH, {"spec": {"paused": False}})]


def test_without_a_status_subresource_all_goes_to_the_object(story: Any, api: ApiServer, run: Any) -> None:
    story("canary-8")
    api.refusals["PATCH", STATUS] = (404, "the server could not find the requested resource")
    assert run("promote app --full").exit_code == 0
    both = {"spec": {"paused": False}, "status": {"promoteFull": True}}
    assert api.writes()[1:] == [("PATCH", PATH, both)]


@pytest.mark.parametrize("line", ["promote app", "promote app --full"])
def test_what_is_promoted_already_is_left_alone(story: Any, api: ApiServer, run: Any, line: str) -> None:
    story("canary-5")
    result = run(line)
    assert (result.exit_code, api.writes()) == (0, [])
    assert "fully promoted already" in result.stdout


def test_an_abort_with_nothing_under_way_says_how_to_go_back(story: Any, api: ApiServer, run: Any) -> None:
    rollout = story("canary-5")
    said = "rollout 'app' is fully promoted already, nothing to abort; `kubectl rollouts undo app` goes back a revision"
    assert run("abort app").stdout.strip() == said
    rollout["metadata"]["generation"] += 1  # an update that the controller has not seen: the wish is for that one
    api.put(rollout)
    assert run("abort app").stdout.strip() == "rollout 'app' aborted"
    assert api.writes() == [("PATCH", STATUS, {"status": {"abort": True}})] * 2


@pytest.mark.parametrize(("recording", "phase"), [("canary-5", "Healthy"), ("canary-6", "Degraded")])
def test_a_retry_of_what_was_not_aborted_says_so(
    story: Any, api: ApiServer, run: Any, recording: str, phase: str
) -> None:
    story(recording)
    result = run("retry app")
    assert (result.exit_code, api.writes()) == (0, [])
    assert result.stdout.strip() == f"rollout 'app' is {phase} and not aborted: there is nothing to retry"


def test_hints_go_where_the_command_went(story: Any, run: Any) -> None:
    """They can be copied: cluster and namespace are named as they were."""
    rollout = story("canary-5")
    namespace = rollout["metadata"]["namespace"]
    assert f"`kubectl rollouts -n {namespace} undo app`" in run(f"abort app -n {namespace}").stdout
    assert f"`kubectl rollouts -n {namespace} undo app`" in run(f"-n {namespace} abort app").stdout


@pytest.mark.parametrize("line", ["set image app app=example/app:9", "undo app"])
def test_what_git_says_otherwise_is_told(story: Any, api: ApiServer, run: Any, line: str) -> None:
    rollout = story("canary-5")
    assert "GitSync" not in run(line).stderr
    rollout["metadata"].setdefault("annotations", {})["gitops.rollouts.dev/tracking"] = "shop/web:shop_app_x_Rollout"
    api.put(rollout)
    said = "note: the GitSync shop/web applies this Rollout from Git and may set it back: change it there"
    assert said in run(line.replace("9", "8")).stderr


def test_a_promotion_of_an_aborted_rollout_is_refused_with_the_way_out(story: Any, api: ApiServer, run: Any) -> None:
    story("canary-3")
    result = run("promote app")
    assert (result.exit_code, api.writes()) == (1, [])
    assert result.stderr.splitlines() == [
        'Error: rollout "app" is aborted, so there is nothing to promote',
        "Start over with `kubectl rollouts retry rollout app`, or skip all steps with --full.",
    ]


def test_skipping_steps_needs_steps(story: Any, api: ApiServer, run: Any) -> None:
    story("bluegreen-2")
    result = run("-n bluegreen promote app -c")
    assert result.exit_code == 1
    assert "no canary steps" in result.stderr
    assert run("-n bluegreen promote app -c --full").exit_code == 2
    assert not api.writes()


def test_a_restart_is_asked_for_in_whole_seconds(story: Any, api: ApiServer, run: Any) -> None:
    story("canary-1")
    assert run("restart app --in 1h").stdout.strip() == "rollout 'app' restarts in 1h"
    ((_, path, body),) = api.writes()
    (at,) = body["spec"].values()
    assert (path, list(body["spec"])) == (PATH, ["restartAt"])
    assert len(at) == len("2026-11-21T06:22:25Z")
    assert run("restart app --in soon").exit_code == 2


def test_several_at_once_and_what_fails_keeps_nobody_else_waiting(story: Any, api: ApiServer, run: Any) -> None:
    rollout = story("canary-2")
    api.put({**rollout, "metadata": {**rollout["metadata"], "name": "web"}})
    result = run("abort app nobody web")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["rollout 'app' aborted", "rollout 'web' aborted"]
    assert 'there is no Rollout "nobody"' in result.stderr


@pytest.mark.parametrize(
    ("line", "kind", "name", "said"),
    [
        ("terminate analysisrun app-5f5db89b74-2-1", "analysisruns", "app-5f5db89b74-2-1", "analysisRun"),
        ("terminate ar app-5f5db89b74-2-1", "analysisruns", "app-5f5db89b74-2-1", "analysisRun"),
    ],
)
def test_terminate(story: Any, api: ApiServer, run: Any, line: str, kind: str, name: str, said: str) -> None:
    story("analysis-1")
    assert run(f"{line} -n analysis").stdout.strip() == f"{said} '{name}' terminated"
    path = f"/apis/argoproj.io/v1alpha1/namespaces/analysis/{kind}/{name}"
    assert api.writes() == [("PATCH", path, {"spec": {"terminate": True}})]


def test_an_experiment_is_terminated_and_retried(story: Any, api: ApiServer, run: Any) -> None:
    story("experiment-1")
    assert run("terminate experiment app-5f5db89b74-2-0 -n experiment").exit_code == 0
    assert run("retry experiment app-5f5db89b74-2-0 -n experiment").exit_code == 0
    path = "/apis/argoproj.io/v1alpha1/namespaces/experiment/experiments/app-5f5db89b74-2-0"
    assert api.writes() == [
        ("PATCH", path, {"spec": {"terminate": True}}),
        ("PATCH", path, {"spec": {"terminate": None}, "status": None}),
    ]


@pytest.mark.parametrize("pair", ["app=example/app:9", "*=example/app:9"])
def test_set_image_tests_the_container_it_changes(story: Any, api: ApiServer, run: Any, pair: str) -> None:
    story("canary-1")
    assert run(f"set image app {pair}").stdout.strip() == 'rollout "app" image updated'
    container = "/spec/template/spec/containers/0"
    assert api.writes() == [
        (
            "PATCH",
            PATH,
            [
                {"op": "test", "path": f"{container}/name", "value": "app"},
                {"op": "replace", "path": f"{container}/image", "value": "example/app:9"},
            ],
        )
    ]


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("set image app web=example/app:9", 1, 'Rollout "app" has no container "web"\nIt has: app.'),
        ("set image app example/app:9", 2, "not of the form CONTAINER=IMAGE"),
        ("set image app app=", 2, "not of the form CONTAINER=IMAGE"),
    ],
)
def test_set_image_says_what_is_wrong(story: Any, api: ApiServer, run: Any, line: str, code: int, told: str) -> None:
    story("canary-1")
    result = run(line)
    assert (result.exit_code, api.writes()) == (code, [])
    assert told in result.stderr


def test_the_image_it_has_is_not_written(story: Any, api: ApiServer, run: Any) -> None:
    story("canary-1")
    assert "nothing to do" in run("set image app app=example/app:1").stdout
    assert not api.writes()


def test_the_image_of_a_workload_that_is_referred_to(story: Any, api: ApiServer, run: Any) -> None:
    story("workloadref-1")
    assert run("set image app app=example/app:9 -n workloadref").stdout.strip() == 'deployment "app" image updated'
    ((_, path, _),) = api.writes()
    assert path == "/apis/apps/v1/namespaces/workloadref/deployments/app"


@pytest.mark.parametrize(("options", "image"), [("", "example/app:2"), (" --to-revision=1", "example/app:1")])
def test_undo_puts_the_template_back_without_its_hash(
    story: Any, api: ApiServer, run: Any, options: str, image: str
) -> None:
    story("canary-6")
    assert f"({image})" in run(f"undo app{options}").stdout
    ((_, path, (operation,)),) = api.writes()
    assert (path, operation["op"], operation["path"]) == (PATH, "replace", "/spec/template")
    assert operation["value"]["metadata"]["labels"] == {"app": "app"}
    assert operation["value"]["spec"]["containers"][0]["image"] == image


@pytest.mark.parametrize(
    ("recording", "line", "told"),
    [
        ("canary-6", "undo app --to-revision 7", "there is no revision 7\nRevisions in the history: 3, 2, 1."),
        ("canary-1", "undo app", "there is no earlier revision to go back to\nRevisions in the history: 1."),
    ],
)
def test_undo_lists_what_there_is(story: Any, api: ApiServer, run: Any, recording: str, line: str, told: str) -> None:
    story(recording)
    result = run(line)
    assert (result.exit_code, api.writes()) == (1, [])
    assert told in result.stderr


def test_undo_to_where_it_is_does_nothing(story: Any, api: ApiServer, run: Any) -> None:
    story("canary-6")
    assert "nothing to do" in run("undo app --to-revision 3").stdout
    assert not api.writes()
