"""§2.1, step "validate": what their controller would refuse is refused before anything is applied (R13)."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.cli.linting import lint
from rollouts.cli.manifests import read_all
from rollouts.engine.errors import ApiError, ForbiddenError, InvalidError, UnavailableError
from rollouts.gitops import marks
from rollouts.gitops.claims import Claims
from rollouts.gitops.errors import ClusterError, InvalidObjectsError
from rollouts.gitops.examine import Question
from rollouts.gitops.objects import Manifest, ref_of
from rollouts.gitops.validate import mistakes, validate
from rollouts.strategy import invalid
from rollouts.traffic import ROUTERS

SYNC = "team/shop"
KNOWN = (
    kinds.ROLLOUT,
    kinds.EXPERIMENT,
    kinds.ANALYSIS_TEMPLATE,
    kinds.CLUSTER_ANALYSIS_TEMPLATE,
    kinds.ANALYSIS_RUN,
    kinds.GIT_SYNC,
)
LABELS = {"app": "web"}
PODS = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
ROLLOUT = {
    "selector": {"matchLabels": LABELS},
    "template": PODS,
    "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
}
EXPERIMENT = {"templates": [{"name": "a", "selector": {"matchLabels": LABELS}, "template": PODS}]}
METRIC = {"name": "up", "provider": {"prometheus": {"address": "http://p", "query": "up"}}}
METRICS = {"metrics": [{**METRIC, "successCondition": "result[0] > 0.9"}]}
GITSYNC = {"source": {"repoURL": "https://git.example.com/shop.git"}, "serviceAccountName": "deployer"}
GOOD = {
    "Rollout": ROLLOUT,
    "Experiment": EXPERIMENT,
    "AnalysisTemplate": METRICS,
    "ClusterAnalysisTemplate": METRICS,
    "AnalysisRun": METRICS,
    "GitSync": GITSYNC,
}


def made(kind: str, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    version = next(known.api_version for known in KNOWN if known.kind == kind)
    known = {"name": "web", "namespace": "shop", **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": known, "spec": copy.deepcopy(dict(spec))}


def manifest(kind: str, spec: Mapping[str, Any], **metadata: Any) -> Manifest:
    return Manifest(body=made(kind, spec, **metadata), file="web.yaml", line=3)


def metric(**more: Any) -> dict[str, Any]:
    return {"metrics": [{**METRIC, **more}]}


def steps(*found: Any) -> dict[str, Any]:
    return {**ROLLOUT, "strategy": {"canary": {"steps": list(found)}}}


@pytest.mark.parametrize("kind", GOOD)
def test_each_of_our_kinds_has_rules_and_a_good_one_passes(kind: str) -> None:
    assert mistakes([manifest(kind, GOOD[kind])]) == ()
    assert mistakes([manifest(kind, {})]) != ()


SERVED = {"canaryService": "new", "stableService": "old"}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Rollout", {**ROLLOUT, "strategy": {"canary": SERVED}}),
        ("Rollout", steps({"analysis": {"templates": [{"templateName": "elsewhere"}]}})),
        (
            "Rollout",
            {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}, "strategy": {"canary": {}}},
        ),
        ("AnalysisTemplate", {"args": [{"name": "most"}], **metric(successCondition="result < {{args.most}} (")}),
        ("AnalysisTemplate", {"args": [{"name": "n"}], **metric(count="{{args.n}}", interval="1m")}),
        ("AnalysisTemplate", {"templates": [{"templateName": "elsewhere"}]}),
        ("GitSync", {"source": GITSYNC["source"]}),
    ],
    ids=["services", "template", "workload", "condition with arguments", "count by argument", "nested", "account"],
)
def test_what_can_not_be_told_from_the_object_is_no_mistake(kind: str, spec: Any) -> None:
    """Services, templates and workloads may come in the same commit; arguments and accounts from elsewhere."""
    assert mistakes([manifest(kind, spec)]) == ()


REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("Rollout", {**ROLLOUT, "strategy": {}}, "spec.strategy"),
    ("Rollout", steps({"setWeight": 101}), "spec.strategy.canary.steps[0].setWeight"),
    ("Rollout", steps({"pause": {"duration": "soon"}}), "spec.strategy.canary.steps[0].pause.duration"),
    ("Rollout", {**ROLLOUT, "selector": {"matchLabels": {"app": "other"}}}, "spec.template.metadata.labels"),
    ("Rollout", {**ROLLOUT, "replica": 1}, "spec.replica"),
    (
        "Rollout",
        {**ROLLOUT, "strategy": {"canary": {**SERVED, "trafficRouting": {"unheardOf": {}}}}},
        "spec.strategy.canary.trafficRouting.unheardOf",
    ),
    ("Experiment", {"templates": []}, "spec.templates"),
    ("Experiment", {**EXPERIMENT, "duration": "soon"}, "spec.duration"),
    ("AnalysisTemplate", metric(count=3), "spec.metrics[0].interval"),
    ("AnalysisTemplate", metric(successCondition="result <"), "spec.metrics[0].successCondition"),
    ("ClusterAnalysisTemplate", {"metrics": [METRIC, METRIC]}, "spec.metrics[1].name"),
    ("AnalysisRun", metric(provider={}), "spec.metrics[0].provider"),
    ("AnalysisRun", metric(failureCondition=")"), "spec.metrics[0].failureCondition"),
    ("AnalysisRun", metric(successCondition="result < {{args.none}}"), "spec"),
    ("AnalysisRun", {**METRICS, "dryRun": [{"metricName": "misspelt"}]}, "spec"),
    ("GitSync", {**GITSYNC, "interval": "0s"}, "spec.interval"),
    ("GitSync", {**GITSYNC, "syncPolicy": {"syncOptions": ["Prunes=true"]}}, "spec.syncPolicy.syncOptions[0]"),
)


@pytest.mark.parametrize(("kind", "spec", "field"), REFUSED)
def test_what_the_controller_would_refuse(kind: str, spec: Any, field: str) -> None:
    (found,) = mistakes([manifest(kind, spec)])
    assert field in [error.path for error in found.errors]
    (line, *_) = [line for line in found.lines if f": {field}: " in line]
    assert line.startswith(f"web.yaml:3: {kind} shop/web: {field}: ")
    assert "\n" not in line


@pytest.mark.parametrize(("kind", "spec", "field"), REFUSED)
def test_lint_says_so_before_the_commit(kind: str, spec: Any, field: str, tmp_path: Path) -> None:
    """At that field or inside it: lint may know better where."""
    file = tmp_path / "web.json"
    file.write_text(json.dumps(made(kind, spec)))
    found = lint(read_all([str(file)])).findings
    assert [finding.path for finding in found if finding.path.startswith(field)] != []


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLACES = (
    "spec",
    "metrics",
    "provider",
    "strategy",
    "canary",
    "steps",
    "template",
    "templates",
    "args",
    "source",
    "score",
)


@given(kind=st.sampled_from(sorted(GOOD)), path=st.lists(st.sampled_from(PLACES), max_size=4), junk=JUNK)
def test_whatever_a_file_says_is_judged_and_never_a_crash(kind: str, path: list[str], junk: Any) -> None:
    """§2.5: the object is a stranger's."""
    spec: Any = junk
    for name in reversed(path):
        spec = {name: spec}
    body = {**made(kind, {}), "spec": {**GOOD[kind], **spec} if isinstance(spec, dict) else spec}
    for mistaken in mistakes([Manifest(body=body, file="a.yaml", line=1)]):
        assert all(line.startswith(f"a.yaml:1: {kind} shop/web: ") for line in mistaken.lines)


def test_what_this_controller_can_not_do_is_refused_in_its_words() -> None:
    """As the Rollout would be: half a release is worse than none."""
    routed = {**SERVED, "trafficRouting": {"smi": {}}}
    (found,) = mistakes([manifest("Rollout", {**ROLLOUT, "strategy": {"canary": routed}})])
    said = {error.path: error.message for error in invalid.of_itself(found.manifest.body, ROUTERS)}
    assert {error.path: error.message for error in found.errors} == said
    assert "spec.strategy.canary.trafficRouting.smi" in said


def test_other_kinds_and_other_groups_are_not_ours_to_judge() -> None:
    body = {**made("Rollout", {}), "apiVersion": "other.example.com/v1alpha1"}
    assert mistakes([Manifest(body=body, file="a.yaml", line=1)]) == ()


@pytest.mark.parametrize(
    ("annotations", "judged"),
    [
        ({}, True),
        ({marks.SYNC_OPTIONS: "Validate=false"}, False),
        ({"argocd.argoproj.io/sync-options": "Prune=false,Validate=false"}, False),
        ({marks.SYNC_OPTIONS: "Validate=true", "argocd.argoproj.io/sync-options": "Validate=false"}, True),
        ({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}, False),
    ],
)
def test_an_object_may_ask_not_to_be_judged(annotations: dict[str, str], judged: bool) -> None:
    found = mistakes([manifest("Rollout", {}, annotations=annotations)])
    assert bool(found) is judged


# --- held against the cluster


class Server:
    """One object that is there, and an API server that takes what it is sent."""

    def __init__(self, live: Mapping[str, Any] | None, refusal: ApiError | None = None, **filled: Any) -> None:
        self.there, self.refusal, self.filled = live, refusal, filled

    async def live(self, kind: Kind, ref: Any) -> Mapping[str, Any] | None:
        return self.there

    async def apply(self, kind: Kind, sent: Manifest, *, dry_run: bool) -> Mapping[str, Any]:
        assert dry_run
        if self.refusal is not None:
            raise self.refusal
        there = {"uid": "u", "resourceVersion": "7", **(self.there or {}).get("metadata", {})}
        metadata = {**there, **sent.body["metadata"]}
        return {**sent.body, "metadata": metadata, "spec": {**sent.body["spec"], **self.filled}}


def question(*, news: bool = True) -> Question:
    known = {(kind.api_version, kind.kind): kind for kind in KNOWN}
    return Question(kinds=known, claims=Claims(), sync=SYNC, news=news)


def stored(item: Manifest, **spec: Any) -> dict[str, Any]:
    """The object as it is in the cluster, applied by this sync."""
    tracking = {marks.TRACKING: marks.tracking(SYNC, ref_of(item.body))}
    metadata = {**item.body["metadata"], "uid": "u", "resourceVersion": "7", "annotations": tracking}
    return {**item.body, "metadata": metadata, "spec": {**item.body["spec"], **spec}}


async def remarked(server: Server, *items: Manifest, hooks: tuple[Manifest, ...] = (), news: bool = True) -> Any:
    return await validate(server, items, question(news=news), hooks=hooks)  # type: ignore[arg-type]


WRONG = manifest("Rollout", steps({"setWeight": 101}))


async def test_all_mistakes_of_all_objects_are_told_at_once() -> None:
    two = manifest("Rollout", {**steps({"setWeight": -1}), "minReadySeconds": -2})
    with pytest.raises(InvalidObjectsError) as refused:
        await remarked(Server(None), WRONG, manifest("Rollout", ROLLOUT), two, hooks=(manifest("AnalysisRun", {}),))
    fields = [line.split(": ")[2] for line in refused.value.lines]
    weight = "spec.strategy.canary.steps[0].setWeight"
    assert fields == [weight, "spec.minReadySeconds", weight, "spec.metrics"]
    assert (refused.value.step, refused.value.retriable) == ("validate", False)


async def test_good_objects_cost_no_question() -> None:
    assert await remarked(Server(None, UnavailableError("asked", status=503)), manifest("Rollout", ROLLOUT)) == ()


async def test_what_is_live_like_this_is_remarked_and_keeps_nobody_from_going_on() -> None:
    """A newer controller that knows more rules must not stop a sync whose objects are live and equal."""
    (remark,) = await remarked(Server(stored(WRONG)), WRONG)
    assert remark.startswith("web.yaml: Rollout shop/web: is invalid and live like this already (spec.strategy.canary")
    assert "101" not in remark


async def test_a_change_beside_the_spec_is_none_of_it() -> None:
    relabelled = WRONG.with_metadata(labels={"team": "a"})
    assert len(await remarked(Server(stored(WRONG)), relabelled)) == 1


@pytest.mark.parametrize(
    "server",
    [
        Server(None),
        Server(stored(WRONG, strategy=ROLLOUT["strategy"])),
        Server(None, InvalidError("no", status=422)),
        Server(None, ForbiddenError("no", status=403)),
    ],
    ids=["new", "good so far", "refused by the API server too", "no right to ask"],
)
async def test_what_would_become_invalid_is_refused(server: Server) -> None:
    with pytest.raises(InvalidObjectsError, match=r"web\.yaml:3: Rollout shop/web: .*setWeight"):
        await remarked(server, WRONG)


async def test_a_cluster_that_does_not_answer_ends_the_pass() -> None:
    """Neither "live" nor "new": nothing is known."""
    with pytest.raises(ClusterError):
        await remarked(Server(stored(WRONG), UnavailableError("gone", status=503)), WRONG)


async def test_what_a_webhook_or_another_manager_fills_in_counts() -> None:
    """A manifest may hold a part of an object only."""
    part = manifest("Rollout", {key: ROLLOUT[key] for key in ("selector", "template")})
    assert await remarked(Server(None, strategy=ROLLOUT["strategy"]), part) == ()
    with pytest.raises(InvalidObjectsError, match=r"spec\.strategy"):
        await remarked(Server(None), part)


@pytest.mark.parametrize("news", [True, False])
async def test_a_hook_counts_with_a_new_commit(news: bool) -> None:
    hook = manifest("AnalysisRun", metric(provider={}))
    if not news:
        assert await remarked(Server(None), hooks=(hook,), news=False) == ()
        return
    with pytest.raises(InvalidObjectsError, match=r"spec\.metrics\[0\]\.provider"):
        await remarked(Server(None), hooks=(hook,))
