"""The verbs of both programs, one row each; one file per verb beside this one.

A verb's file has `run(ctx, …)` with typer's annotations, a `Session`, and one message at the end. It is imported only
when the verb is run, so a row costs nothing.
"""

from __future__ import annotations

from typing import Any, Final

from rollouts.cli.registry import Verb

LOOK, STEER, MORE = "Look", "Steer", "More"
_VERBS: Final = "rollouts.cli.verbs"

LINT = Verb(name="lint", help="Check manifests: all errors, with line and field.", module=f"{_VERBS}.lint", panel=MORE)
VERSION = Verb(name="version", help="Print the version.", module=f"{_VERBS}.version", panel=MORE, globals=False)


def _verb(name: str, help: str, panel: str, module: str = "", **more: Any) -> Verb:
    return Verb(name=name, help=help, panel=panel, module=f"{_VERBS}.{module or name}", **more)


GET = (
    Verb(
        name="rollout",
        aliases=("rollouts", "ro"),
        help="Show a Rollout and all that belongs to it.",
        module=f"{_VERBS}.get",
        function="rollout",
    ),
    Verb(
        name="experiment",
        aliases=("experiments", "exp"),
        help="Show an Experiment and all that belongs to it.",
        module=f"{_VERBS}.get",
        function="experiment",
    ),
)
RETRY = (
    Verb(
        name="rollout",
        aliases=("rollouts", "ro"),
        help="Start an aborted Rollout over.",
        module=f"{_VERBS}.retry",
        function="rollout",
    ),
    Verb(
        name="experiment",
        aliases=("experiments", "exp"),
        help="Run an Experiment again.",
        module=f"{_VERBS}.retry",
        function="experiment",
    ),
)
TERMINATE = (
    Verb(
        name="analysisrun",
        aliases=("analysisruns", "ar"),
        help="End an AnalysisRun now.",
        module=f"{_VERBS}.terminate",
        function="analysis_run",
    ),
    Verb(
        name="experiment",
        aliases=("experiments", "exp"),
        help="End an Experiment now.",
        module=f"{_VERBS}.terminate",
        function="experiment",
    ),
)
CREATE = (
    Verb(
        name="analysisrun",
        aliases=("analysisruns", "ar"),
        help="Create an AnalysisRun from a template.",
        module=f"{_VERBS}.analysis_create",
    ),
    Verb(name="manifests", help="Create objects from manifests (-f).", module=f"{_VERBS}.create"),
)
ANALYSIS = (
    Verb(name="run", help="Try a template now, on this machine.", module=f"{_VERBS}.analysis_run"),
    Verb(name="backtest", help="Replay a template over the past.", module=f"{_VERBS}.analysis_backtest"),
    Verb(name="catalog", help="List and print ready-made templates.", module=f"{_VERBS}.analysis_catalog"),
)
SET = (Verb(name="image", help="Set images of containers.", module=f"{_VERBS}.set_image"),)


def _sync(name: str, help: str, module: str = "", function: str = "run") -> Verb:
    return Verb(name=name, help=help, module=f"{_VERBS}.sync_{module or name}", function=function)


GIT_SYNC_VERBS = (
    _sync("list", "List GitSyncs."),
    _sync("get", "Show a GitSync and its objects."),
    _sync("diff", "Show what a sync would change, object by object."),
    _sync("now", "Sync now."),
    _sync("history", "List what was applied."),
    _sync("rollback", "Apply an earlier commit, and hold the present one."),
    _sync("suspend", "Stop syncing.", function="suspend"),
    _sync("resume", "Go on syncing, and end a hold.", module="suspend", function="resume"),
    _sync("confirm", "Allow deletions that wait for a person."),
    _sync("import", "Make a GitSync of an Argo CD Application or a Flux Kustomization."),
)

PLUGIN_VERBS = (
    _verb(
        "get", "Show a Rollout: state, why it waits, tree of revisions and pods.", LOOK, verbs=GET, default="rollout"
    ),
    _verb("list", "List Rollouts or Experiments.", LOOK),
    _verb("status", "Wait for a Rollout; the exit code says how it went.", LOOK),
    _verb("history", "List the revisions of a Rollout.", LOOK),
    _verb("promote", "End a pause, or take the next step; --full skips all.", STEER),
    _verb("abort", "Give the update up: back to stable.", STEER),
    _verb("retry", "Start an aborted Rollout over.", STEER, verbs=RETRY, default="rollout"),
    _verb("pause", "Stop a Rollout where it is.", STEER),
    _verb("restart", "Replace all pods, without a new revision.", STEER),
    _verb("set", "Set the image of a Rollout: `set image app app=example/app:2`.", STEER, verbs=SET),
    _verb("undo", "Go back to an earlier revision.", STEER),
    _verb("terminate", "End an AnalysisRun or Experiment now.", STEER, verbs=TERMINATE),
    _verb("sync", "Look at and steer GitSyncs: what is in Git, and what of it is applied.", MORE, verbs=GIT_SYNC_VERBS),
    _verb("analysis", "Try templates, replay them over the past, list ready-made ones.", MORE, verbs=ANALYSIS),
    _verb("create", "Create objects from manifests, or an AnalysisRun.", MORE, verbs=CREATE, default="manifests"),
    LINT,
    _verb("completion", "Print a completion script for a shell.", MORE, globals=False),
    VERSION,
)

SYNC = Verb(name="sync", help="Apply what is in Git.", module="rollouts.cli.sync", function="sync", globals=False)
CONTROLLER_VERBS = (
    Verb(
        name="controller",
        help="Run the controller.",
        module="rollouts.cli.controller",
        function="controller",
        globals=False,
    ),
    SYNC,
    Verb(
        name="renderer",
        help="Render for a controller in another container.",
        module="rollouts.cli.renderer",
        function="renderer",
        globals=False,
    ),
    LINT,
    VERSION,
)
