"""R10: what an answer of the API server to a dry run means, and what a pass makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.api.kinds import Kind
from rollouts.engine.errors import ApiError, ConflictError, ForbiddenError, InvalidError, UnavailableError
from rollouts.gitops import marks
from rollouts.gitops.claims import Claims, claims
from rollouts.gitops.errors import ClusterError, DeniedError, RefusedError
from rollouts.gitops.examine import Question, examine
from rollouts.gitops.objects import Manifest
from rollouts.gitops.plan import Action, Examined

CONFIG_MAP = Kind(group="", version="v1", kind="ConfigMap", plural="configmaps")
SYNC = "team/shop"
HOOK = 'admission webhook "a.example.com" does not support dry run'


def config(data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    known = {"name": "a", "namespace": "shop", "uid": "u", "resourceVersion": "7", **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": known, "data": data or {}}


OURS = {marks.TRACKING: f"{SYNC}:shop_a__ConfigMap"}


class Server:
    """One object, and one answer to every dry run."""

    def __init__(self, live: Mapping[str, Any] | None, answer: Mapping[str, Any] | ApiError) -> None:
        self.there, self.answer = live, answer
        self.sent: list[Manifest] = []

    async def live(self, kind: Kind, ref: Any) -> Mapping[str, Any] | None:
        return self.there

    async def apply(self, kind: Kind, manifest: Manifest, *, dry_run: bool) -> Mapping[str, Any]:
        assert dry_run
        self.sent.append(manifest)
        if isinstance(self.answer, ApiError):
            raise self.answer
        return self.answer


def question(**more: Any) -> Question:
    values: dict[str, Any] = {"kinds": {("v1", "ConfigMap"): CONFIG_MAP}, "claims": Claims(), "sync": SYNC, **more}
    return Question(**values)


async def judged(server: Server, wanted: dict[str, Any] | None = None, **more: Any) -> Examined:
    body = wanted or {**config({"a": "1"}), "metadata": {"name": "a", "namespace": "shop"}}
    (found,) = await examine(server, [Manifest(body=body, file="a.yaml", line=3)], question(**more))  # type: ignore[arg-type]
    return found


def live(data: dict[str, str], *managers: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    rows = [{"manager": who, "operation": how, "apiVersion": "v1", "fieldsV1": tree} for who, how, tree in managers]
    return config(data, annotations=OURS, managedFields=rows)


def ours(*names: str) -> tuple[str, str, dict[str, Any]]:
    return (marks.FIELD_MANAGER, "Apply", {"f:data": {f"f:{name}": {} for name in names}})


async def test_the_difference_is_that_to_what_the_server_answers() -> None:
    """Not that to what Git has: a default, or a webhook's change, is none."""
    there = live({"a": "1", "default": "x"}, ours("a"))
    assert (await judged(Server(there, there))).action is Action.KEEP
    found = await judged(Server(there, live({"a": "2", "default": "x"}, ours("a"))))
    assert (found.action, found.fields) == (Action.UPDATE, ("data.a",))


async def test_what_becomes_ours_is_a_difference_though_no_value_is() -> None:
    there = live({"a": "1"}, ours())
    found = await judged(Server(there, live({"a": "1"}, ours("a"))))
    assert (found.action, found.fields) == (Action.UPDATE, ())


@pytest.mark.parametrize("status", [0, 500, 503])
@pytest.mark.parametrize("there", [None, live({"a": "1"}, ours("a"))], ids=["new", "live"])
async def test_a_dry_run_that_could_not_be_made_is_no_answer(there: Any, status: int) -> None:
    """Neither "as it is" nor "it may be applied": the whole pass ends, whatever the other objects are like."""
    with pytest.raises(ClusterError, match=r"a\.yaml:3: the API server .* ConfigMap shop/a"):
        await judged(Server(there, UnavailableError("no answer", status=status)))


@pytest.mark.parametrize(
    "error", [InvalidError("data.a: must not be", status=422), ConflictError("taken", status=409), ApiError("odd")]
)
@pytest.mark.parametrize("there", [None, live({"a": "1"}, ours("a"))], ids=["new", "live"])
async def test_a_refusal_is_one_of_the_whole_commit(there: Any, error: ApiError) -> None:
    with pytest.raises(RefusedError, match=r"a\.yaml:3: ConfigMap shop/a"):
        await judged(Server(there, error))


async def test_rights_that_lack_are_a_refusal_too() -> None:
    """To read, or to apply; with the file it is about."""

    class Denied(Server):
        async def live(self, kind: Kind, ref: Any) -> Mapping[str, Any] | None:
            raise DeniedError("ConfigMap shop/a could not be read")

    with pytest.raises(RefusedError, match=r"a\.yaml:3: ConfigMap shop/a could not be read"):
        await judged(Denied(None, config()))
    with pytest.raises(RefusedError, match="ConfigMap shop/a"):
        await judged(Server(None, ForbiddenError("may not", status=403)))


@pytest.mark.parametrize(
    ("there", "news", "action", "fields"),
    [
        (None, False, Action.CREATE, ()),
        (live({"a": "1"}, ours("a")), False, Action.KEEP, ()),
        (live({"a": "1"}, ours("a")), True, Action.UPDATE, ()),
        (live({"a": "9"}, ours("a")), False, Action.UPDATE, ("data.a",)),
        (live({"a": "1", "b": "2"}, ours("a", "b")), False, Action.UPDATE, ("data.b",)),
        (live({"a": "1", "b": "2"}, ours("a")), False, Action.KEEP, ()),
    ],
)
async def test_what_can_not_be_tried_out_is_compared_here_and_that_is_told(
    there: Any, news: bool, action: Action, fields: tuple[str, ...]
) -> None:
    """By what is owned, and applied with every new commit: what can't be seen from here goes with it."""
    wanted = {**config({"a": "1"}), "metadata": {"name": "a", "namespace": "shop", "annotations": OURS}}
    found = await judged(Server(there, InvalidError(HOOK, status=400)), wanted, news=news)
    assert (found.action, found.fields) == (action, fields)
    assert found.remark.startswith("a.yaml: ConfigMap shop/a: the webhook a.example.com does not support dry runs")


async def test_an_object_of_a_kind_that_the_commit_brings_is_not_tried_out() -> None:
    """Its definition is applied first; it is examined then."""
    server = Server(None, InvalidError("no such kind", status=404))
    found = await judged(server, brought_kinds=frozenset({("v1", "ConfigMap")}))
    assert (found.action, server.sent) == (Action.AWAIT, [])


@pytest.mark.parametrize("there", [None, live({"a": "1"}, ours("a"))], ids=["new", "live"])
async def test_one_of_a_kind_that_the_commit_changes_is_tried_again_when_that_is_done(there: Any) -> None:
    error = InvalidError("data.new: field not declared in schema", status=422)
    changing = frozenset({("v1", "ConfigMap")})
    assert (await judged(Server(there, error), changing_kinds=changing)).action is Action.AWAIT
    with pytest.raises(RefusedError, match="is it misspelt"):
        await judged(Server(there, error))


async def test_with_its_kind_an_object_is_applied_though_it_seems_to_be_the_same() -> None:
    there = live({"a": "1"}, ours("a"))
    found = await judged(Server(there, there), changing_kinds=frozenset({("v1", "ConfigMap")}))
    assert found.action is Action.UPDATE


async def test_what_was_copied_from_a_live_object_is_sent_for_exactly_that_one() -> None:
    """R34: a conflict tells that the controller has gone on meanwhile; what nobody steers needs none."""
    service = {"kind": "Service", "metadata": {"name": "a", "namespace": "shop"}}
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"strategy": {"canary": {"stableService": "a"}}},
    }
    hash_ = {marks.POD_HASH: "abc"}
    there = {**config(annotations={marks.TRACKING: f"{SYNC}:shop_a__Service"}), "kind": "Service"}
    there["spec"] = {"selector": {"app": "web", **hash_}}
    wanted = {"apiVersion": "v1", **service, "spec": {"selector": {"app": "web"}}}
    kinds = {("v1", "Service"): Kind(group="", version="v1", kind="Service", plural="services")}
    server = Server(there, there)
    steered = await judged(server, wanted, kinds=kinds, claims=claims([rollout]))
    assert (steered.guard, server.sent[0].body["spec"]["selector"]) == ("7", {"app": "web", **hash_})
    assert (await judged(Server(there, there), wanted, kinds=kinds)).guard is None


async def test_whose_a_steered_field_is_makes_no_difference() -> None:
    """R34: the controller takes the selector over with each step, and nothing is to be applied for that."""
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"strategy": {"canary": {"stableService": "a"}}},
    }

    def service(*fields: str) -> dict[str, Any]:
        tree = {"f:spec": {f"f:{name}": {} for name in fields}}
        row = {"manager": marks.FIELD_MANAGER, "operation": "Apply", "fieldsV1": tree}
        found = config(annotations={marks.TRACKING: f"{SYNC}:shop_a__Service"}, managedFields=[row])
        return {**found, "kind": "Service", "spec": {"selector": {"app": "web"}}}

    kinds = {("v1", "Service"): Kind(group="", version="v1", kind="Service", plural="services")}
    wanted = {**service(), "metadata": {"name": "a", "namespace": "shop"}}
    server = Server(service("ports"), service("ports", "selector"))
    assert (await judged(server, wanted, kinds=kinds, claims=claims([rollout]))).action is Action.KEEP
    assert (await judged(server, wanted, kinds=kinds)).action is Action.UPDATE


def former(*names: str) -> tuple[str, str, dict[str, Any]]:
    return ("kubectl-client-side-apply", "Update", {"f:data": {f"f:{name}": {} for name in names}})


@pytest.mark.parametrize(
    ("annotations", "options", "managers"),
    [
        ({}, {}, ("kubectl-client-side-apply",)),
        (OURS, {}, None),
        ({marks.TRACKING: "other/sync:shop_a__ConfigMap"}, {}, ("kubectl-client-side-apply",)),
        ({}, {marks.SYNC_OPTIONS: "SSA=Merge"}, None),
        ({}, {marks.SYNC_OPTIONS: "ClientSideApplyMigration=false"}, None),
    ],
)
async def test_what_earlier_tools_applied_becomes_ours_at_first_contact(
    annotations: dict[str, str], options: dict[str, str], managers: tuple[str, ...] | None
) -> None:
    """R11: once, and unless the object says otherwise."""
    there = {**live({"a": "1", "b": "2"}, former("a", "b"))}
    there["metadata"] = {**there["metadata"], "annotations": annotations}
    wanted = {**config({"a": "1"}), "metadata": {"name": "a", "namespace": "shop", "annotations": options}}
    answer = live({"a": "1", "b": "2"}, former("a", "b"), ours("a"))
    answer["metadata"] = {**answer["metadata"], "annotations": annotations}
    found = await judged(Server(there, answer), wanted, adopt_owned=True)
    assert (found.takeover.managers if found.takeover else None) == managers
    assert ("data.b" in found.fields) is (managers is not None)


class Fixed(Server):
    """Refuses to change its object, and takes one under another name."""

    async def apply(self, kind: Kind, manifest: Manifest, *, dry_run: bool) -> Mapping[str, Any]:
        if manifest.ref.name == "a":
            raise InvalidError("spec.template: field is immutable", status=422)
        return await super().apply(kind, manifest, dry_run=dry_run)


@pytest.mark.parametrize(
    ("kind", "annotations", "said"),
    [
        (
            "Job",
            {},
            "give it another name, or let it be deleted and made anew: gitops.rollouts.dev/sync-options: Force=true",
        ),
        ("Job", {"gitops.rollouts.dev/sync-options": "Force=true"}, ""),
        ("Job", {"kustomize.toolkit.fluxcd.io/force": "enabled"}, ""),
        *(
            (kind, {"gitops.rollouts.dev/sync-options": "Force=true"}, f"a {kind} is never deleted and made anew")
            for kind in (
                "PersistentVolumeClaim",
                "PersistentVolume",
                "Namespace",
                "CustomResourceDefinition",
                "GitSync",
            )
        ),
    ],
)
async def test_a_job_is_made_anew_if_it_says_so(kind: str, annotations: dict[str, str], said: str) -> None:
    """R20, R21: tried out under another name first, so that nothing is deleted that could not be made again."""
    metadata = {"name": "a", "namespace": "shop", "annotations": annotations}
    wanted = {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": {"x": 2}}
    there = {**wanted, "metadata": {**metadata, "uid": "u", "resourceVersion": "7"}, "spec": {"x": 1}}
    kinds = {("batch/v1", kind): Kind(group="batch", version="v1", kind=kind, plural="jobs")}
    server = Fixed(there, {**there, "spec": {"x": 2}})
    if said:
        with pytest.raises(RefusedError, match=said):
            await judged(server, wanted, kinds=kinds)
        return
    found = await judged(server, wanted, kinds=kinds)
    assert (found.action, found.uid, found.fields) == (Action.RECREATE, "u", ("spec.x",))
    assert [manifest.ref.name for manifest in server.sent] == ["a-u"]
