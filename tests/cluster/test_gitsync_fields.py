"""Fields of a GitSync whose effect no other test sees, on the real API server; several of them in one story each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.gitsyncs import AUTOMATED, Synced, config, everywhere

ARGO, FLUX = "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/"
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/templates/web.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-web'}\n"
        "data: {value: '{{ .Values.color }}{{ .Values.more }}'}\n"
    ),
    "envs/eu.yaml": "color: blue\n",
}
JSONNET = {
    "json/a.jsonnet": (
        "local made = import 'made.libsonnet';\nfunction(t) made(std.extVar('name'), t + std.toString(std.extVar('n')))"
    ),
    "json/left-out.jsonnet": "error 'it is excluded'",
    "vendor/made.libsonnet": (
        "function(n, v) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: n}, data: {value: v}}"
    ),
}


def another(syncing: Synced, name: str) -> Synced:
    return Synced(**{**vars(syncing), "name": name})


def source(syncing: Synced, **more: Any) -> dict[str, Any]:
    return {"repoURL": syncing.server.url(), "targetRevision": "main", "secretRef": {"name": "repository"}, **more}


def annotated(body: str, key: str, text: str) -> str:
    return body.replace("metadata: {", f"metadata: {{annotations: {{{key}: '{text}'}}, ")


@pytest.mark.usefixtures("helm", "kustomize")
def test_what_is_said_about_rendering_reaches_the_renderer(syncing: Synced) -> None:
    kustomize = {"kust/kustomization.yaml": "resources: [a.yaml]\n", "kust/a.yaml": config("a")}
    commit = syncing.bare.commit({**CHART, **kustomize, **JSONNET})
    sources: dict[str, dict[str, Any]] = {
        "chart": {
            "path": "chart",
            "helm": {"valueFiles": ["/envs/eu.yaml"], "parameters": [{"name": "more", "value": "!"}]},
        },
        "kust": {"path": "kust", "kustomize": {"namePrefix": "k-", "patches": [{"patch": config("a", "2")}]}},
        "json": {
            "path": "json",
            "directory": {
                "exclude": "left-*",
                "jsonnet": {
                    "extVars": [{"name": "name", "value": "j"}, {"name": "n", "value": "1 + 1", "code": True}],
                    "tlas": [{"name": "t", "value": "x"}],
                    "libs": ["vendor"],
                },
            },
        },
    }
    for name, chosen in sources.items():
        another(syncing, name).create(automated=AUTOMATED, source=source(syncing, **chosen))
    for name, renderer in {"chart": "Helm", "kust": "Kustomize", "json": "Directory"}.items():
        other = another(syncing, name)
        other.until_synced(commit)
        assert other.status["sourceType"] == renderer
    assert syncing.values() == {"chart-web": "blue!", "k-a": "2", "j": "x2"}


def test_a_namespace_is_made_with_its_labels_and_those_follow_the_spec(syncing: Synced) -> None:
    """A change of what goes into objects is applied like a commit; it is no drift, so selfHeal has no part in it."""
    everywhere(syncing)
    name = f"{syncing.space.namespace}-made"
    commit = syncing.bare.commit({"a.yaml": config("a")})
    policy: dict[str, Any] = {
        "automated": {},
        "syncOptions": ["CreateNamespace=true"],
        "managedNamespaceMetadata": {"labels": {"team": "a"}, "annotations": {"about": "x"}},
    }
    destination = {"server": "https://kubernetes.default.svc", "name": "in-cluster", "namespace": name}
    syncing.create(destination=destination, syncPolicy=policy)
    syncing.until_synced(commit)
    made = syncing.kubectl.json("get", "namespace", name)["metadata"]
    assert (made["labels"]["team"], made["annotations"]["about"]) == ("a", "x")
    assert syncing.kubectl.json("get", "configmap", "a", "--namespace", name)["data"] == {"value": "1"}
    assert syncing.values() == {}
    syncing.patch({"spec": {"syncPolicy": {"managedNamespaceMetadata": {"labels": {"team": "b"}}}}})

    def follows() -> bool:
        return bool(syncing.kubectl.json("get", "namespace", name)["metadata"]["labels"]["team"] == "b")

    syncing.until("the label follows", follows)
    syncing.kubectl("delete", "namespace", name, "--wait=false")


def test_fields_that_are_ignored_are_neither_healed_nor_applied(syncing: Synced) -> None:
    """R9: only of the objects that are named, and only those fields."""
    rows = {name: config(name).replace("\ndata: {", "\ndata: {mine: x, ") for name in ("a", "b", "c")}
    first = syncing.bare.commit({f"{name}.yaml": body for name, body in rows.items()})
    rules = [
        {"group": "", "kind": "ConfigMap", "name": "a", "jsonPointers": ["/data/value"]},
        {
            "group": "*",
            "kind": "*",
            "name": "b",
            "namespace": syncing.space.namespace,
            "jqPathExpressions": [".data.value"],
        },
        {"kind": "ConfigMap", "name": "c", "namespace": "elsewhere", "jsonPointers": ["/data/value"]},
        {"group": "apps", "kind": "ConfigMap", "name": "c", "jsonPointers": ["/data/value"]},
        {"kind": "Secret", "name": "c", "jsonPointers": ["/data/value"]},
    ]
    syncing.create(automated=AUTOMATED, ignoreDifferences=rules)
    syncing.until_synced(first)
    for name in rows:
        syncing.kubectl("patch", "configmap", name, "--type=merge", "-p", '{"data": {"value": "theirs"}}')
    syncing.until("only c is set back", lambda: syncing.values() == {"a": "theirs", "b": "theirs", "c": "1"})
    second = syncing.bare.commit({f"{name}.yaml": body.replace("mine: x", "mine: z") for name, body in rows.items()})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.values() == {"a": "theirs", "b": "theirs", "c": "1"}
    assert {syncing.kubectl.json("get", "configmap", name)["data"]["mine"] for name in rows} == {"z"}


def test_what_may_be_pruned(syncing: Synced) -> None:
    """Off; on, within limits of one's own; each time confirmed; the last object; and by a command."""
    files: dict[str, str | None] = {f"{name}.yaml": config(name) for name in "abcd"}
    syncing.bare.commit(files)
    guards = {"maxPercent": 30, "minObjects": 0}
    syncing.create(automated={"prune": False}, syncPolicy={"automated": {"prune": False}, "pruneGuards": guards})
    syncing.until("all are there", lambda: set(syncing.values()) == set("abcd"))

    def kept(word: str) -> None:
        def said() -> bool:
            rows = (syncing.status.get("plan") or {}).get("protected") or ()
            return bool(rows) and all(word in row for row in rows)

        syncing.until(f"what is kept says {word!r}", said)

    syncing.bare.commit({"a.yaml": None, "b.yaml": None})
    syncing.ask("1")
    kept("pruning is off (spec.syncPolicy.automated.prune)")
    row = next(row for row in syncing.status["resources"] if row["name"] == "a")
    assert (row["requiresPruning"], row["status"]) == (True, "OutOfSync")
    syncing.patch({"spec": {"syncPolicy": {"automated": {"prune": True}}}})
    kept("2 of 4 objects would go at once")
    syncing.patch({"spec": {"syncPolicy": {"pruneGuards": {"maxPercent": 50, "confirm": "Always"}}}})
    kept("always confirmed")
    syncing.patch({"spec": {"syncPolicy": {"pruneGuards": {"confirm": "Guarded"}, "syncOptions": ["Prune=confirm"]}}})
    kept("always confirmed")
    syncing.patch({"spec": {"syncPolicy": {"syncOptions": ["Prune=false"]}}})
    kept("pruning is off")
    assert set(syncing.values()) == set("abcd")
    assert syncing.sync(syncOptions=["Prune=true"])["phase"] == "Succeeded"
    assert set(syncing.values()) == set("cd")
    syncing.patch({"spec": {"syncPolicy": {"syncOptions": None, "pruneGuards": {"minObjects": 9}}}})
    syncing.bare.commit({"c.yaml": None, "d.yaml": None, "README.md": "nothing"})
    syncing.ask("2")
    kept("the folder has no objects at all")
    syncing.patch({"spec": {"syncPolicy": {"automated": {"allowEmpty": True, "selfHeal": True}}}})
    syncing.until("all are gone", lambda: syncing.values() == {})


def test_a_command_decides_about_pruning_for_itself(syncing: Synced) -> None:
    syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create()
    syncing.sync()
    syncing.bare.commit({"b.yaml": None})
    syncing.sync()
    assert set(syncing.values()) == {"a", "b"}
    syncing.sync(prune=True)
    assert set(syncing.values()) == {"a"}


def test_what_calls_itself_extraneous_makes_nothing_out_of_sync(syncing: Synced) -> None:
    """Argo CD's `compare-options: IgnoreExtraneous`; pruning it is another matter."""
    extra = annotated(config("b"), f"{ARGO}compare-options", "IgnoreExtraneous")
    syncing.bare.commit({"a.yaml": config("a"), "b.yaml": extra})
    syncing.create(automated={})
    syncing.until("both are there", lambda: set(syncing.values()) == {"a", "b"})
    second = syncing.bare.commit({"b.yaml": None})
    syncing.ask("1")
    syncing.until_synced(second)
    assert (syncing.condition("PruneBlocked"), syncing.condition("Ready")["status"]) == ({}, "True")
    syncing.patch({"spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}}})
    syncing.until("it is pruned", lambda: set(syncing.values()) == {"a"})


@pytest.mark.parametrize(("policy", "left"), [("orphan", 1), ("foreground", 0), ("background", 0)])
def test_what_becomes_of_what_a_pruned_object_owns(syncing: Synced, policy: str, left: int) -> None:
    """A Deployment that is pruned, and its ReplicaSet."""
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "example/web:1"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    first = syncing.bare.commit({"a.yaml": config("a"), "d.json": json.dumps(deployment)})
    options = [f"PrunePropagationPolicy={policy}"]
    syncing.create(syncPolicy={"automated": AUTOMATED, "syncOptions": options})
    syncing.until_synced(first)

    def sets() -> int:
        return len(syncing.kubectl.json("get", "replicasets")["items"])

    syncing.until("its ReplicaSet is there", lambda: sets() == 1)
    syncing.bare.commit({"d.json": None})
    syncing.ask("1")
    syncing.until("it is pruned", lambda: syncing.kubectl.json("get", "deployments")["items"] == [])
    syncing.until("the ReplicaSet follows, or stays", lambda: sets() == left)
    owners = [row["metadata"].get("ownerReferences") for row in syncing.kubectl.json("get", "replicasets")["items"]]
    assert owners == [None] * left


def test_commands_do_what_they_say_and_no_more(syncing: Synced) -> None:
    """`enabled: false`; a dry run; a part; another revision; options nobody knows; who asks."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated={"enabled": False, "prune": True, "selfHeal": True})
    syncing.until("it is compared", lambda: syncing.state() == ("OutOfSync", first))
    assert "a person applies it" in syncing.status["plan"]["waitingFor"]
    state = syncing.sync(dryRun=True)
    assert (state["phase"], syncing.values()) == ("Succeeded", {})
    state = syncing.sync(resources=[{"group": "", "kind": "ConfigMap", "name": "b", "namespace": "elsewhere"}])
    assert syncing.values() == {}
    state = syncing.sync(resources=[{"kind": "ConfigMap", "name": "b", "namespace": syncing.space.namespace}])
    assert ("only a part" in state["message"], syncing.values()) == (True, {"b": "1"})
    assert syncing.state() == ("OutOfSync", first)
    assert "history" not in syncing.status
    state = syncing.sync(syncOptions=["Repalce=true"])
    assert (state["phase"], 'unknown option "Repalce"' in state["message"]) == ("Error", True)
    assert syncing.sync()["phase"] == "Succeeded"
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.sync()
    syncing.until_synced(second)
    syncing.sync(revision=first)
    assert syncing.values() == {"a": "1", "b": "1"}
    hold = syncing.status["hold"]
    assert (hold["revision"], hold["reason"], hold["by"]) == (second, "Manual", "ann")
    syncing.patch({"operation": {"sync": {}, "initiatedBy": {"automated": True}}})
    syncing.until("the newest is back", lambda: syncing.values() == {"a": "2", "b": "1"})
    by = syncing.until("it is stored", lambda: len(syncing.status["history"]) == 4 and syncing.status["history"])[-1]
    assert by["initiatedBy"] == {"automated": True}


BROKEN = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}, {port: 81}]}\n"


def test_a_retry_keeps_to_the_commit_that_failed_if_it_is_told_to(syncing: Synced) -> None:
    """`retry.refresh`: by default the newest commit is next."""
    first = syncing.bare.commit({"a.yaml": config("a"), "s.yaml": BROKEN})
    retry = {"limit": 2, "refresh": False, "backoff": {"duration": "1h", "factor": 1, "maxDuration": "2h"}}
    syncing.create(syncPolicy={"automated": AUTOMATED, "retry": retry})
    syncing.until("it has failed", lambda: (syncing.status.get("operationState") or {}).get("revision") == first)
    second = syncing.bare.commit({"s.yaml": None})
    syncing.ask("1")
    assert syncing.status["lastAttemptedRevision"] == first
    assert syncing.values() == {}
    syncing.patch({"spec": {"syncPolicy": {"retry": {"refresh": True}}}})
    syncing.until_synced(second)


def test_attempts_are_counted_and_then_it_is_given_up(syncing: Synced) -> None:
    """`retry.limit` and its pauses; of a command those that it brings, also where nothing happens by itself."""
    retry = {"limit": 2, "backoff": {"duration": "100ms", "factor": 1}}
    syncing.bare.commit({"s.yaml": BROKEN})
    syncing.create(syncPolicy={"automated": AUTOMATED, "retry": retry})
    state = syncing.until(
        "all are used up", lambda: (syncing.status.get("operationState") or {}).get("retryCount") == 2
    )
    assert state
    syncing.ask("1")
    assert syncing.status["operationState"]["retryCount"] == 2
    manual = another(syncing, "manual")
    manual.create()
    manual.patch({"operation": {"sync": {}, "retry": {**retry, "limit": 1}}})
    manual.until("it was tried again", lambda: (manual.status.get("operationState") or {}).get("retryCount") == 1)
    assert manual.status["operationState"]["operation"]["retry"]["limit"] == 1


def test_a_sync_that_takes_too_long_is_ended(syncing: Synced) -> None:
    syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED, timeout="1ms")
    message = syncing.until("it says so", lambda: syncing.condition("Ready").get("message", ""))
    syncing.until(
        "it says so", lambda: "within 0.001 s (spec.timeout)" in syncing.condition("Ready").get("message", "")
    )
    assert syncing.values() == {}
    assert message


def test_the_columns_say_what_there_is(syncing: Synced) -> None:
    """§3.3, and what `kubectl` shows of them; beside it `summary`, `sourceType` and the bound of the history."""
    everywhere(syncing)
    rule = {"host": "shop.example.com"}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"rules": [rule], "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    }
    syncing.bare.commit({"shop/a.yaml": config("a", "0"), "shop/i.json": json.dumps(ingress)})
    syncing.create(automated=AUTOMATED, source=source(syncing, path="shop"), revisionHistoryLimit=1)
    syncing.until("it is applied", lambda: syncing.state()[0] == "Synced")
    commit = syncing.bare.commit({"shop/a.yaml": config("a")})
    syncing.patch({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}})
    syncing.until_synced(commit)
    status = syncing.status
    assert status["lastHandledReconcileAt"] == "now"
    assert [row["revision"] for row in status["history"]] == [commit]
    assert status["summary"]["externalURLs"] == ["http://shop.example.com"]
    header, row = syncing.kubectl("get", "gitsync", "shop", "-o", "wide").splitlines()
    assert header.split() == [
        "NAME",
        "SYNC",
        "HEALTH",
        "REVISION",
        "WAITING",
        "AGE",
        "READY",
        "MESSAGE",
        "PATH",
        "LAST-SYNC",
        "OBJECTS",
        "HOLD",
    ]
    assert row.split()[:4] == ["shop", "Synced", "Healthy", f"main@{commit[:7]}"]
    cells = [row[header.index(name) :].split()[0] for name in ("READY", "PATH", "OBJECTS")]
    assert cells == ["True", "shop", "2"]
    assert "LAST-SYNC" not in syncing.kubectl("get", "gitsync", "shop")


NARROW = ("NAME", "SYNC", "HEALTH", "REVISION", "WAITING", "AGE")
WIDE = ("READY", "MESSAGE", "PATH", "LAST-SYNC", "OBJECTS", "HOLD")
SLOW = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "slow"},
    "spec": {
        "selector": {"matchLabels": {"app": "slow"}},
        "template": {
            "metadata": {"labels": {"app": "slow"}},
            "spec": {"containers": [{"name": "main", "image": "example/app:1"}], "nodeSelector": {"node": "none"}},
        },
    },
}


@pytest.mark.parametrize("prefix", ["gitops.rollouts.dev/", ARGO])
def test_ready_may_mean_healthy_and_what_does_not_count_is_not_awaited(syncing: Synced, prefix: str) -> None:
    """`rollouts.wait: Healthy`; then the object says that its health means nothing."""
    syncing.bare.commit({"slow.json": json.dumps(SLOW)})
    syncing.create(syncPolicy={"automated": AUTOMATED, "rollouts": {"wait": "Healthy"}})
    syncing.until("it is applied", lambda: syncing.state()[0] == "Synced")
    assert syncing.condition("Ready")["reason"] == "Progressing"
    assert syncing.condition("Reconciling")["status"] == "True"
    assert syncing.condition("Healthy")["status"] == "Unknown"
    unheard = {**SLOW, "metadata": {"name": "slow", "annotations": {f"{prefix}ignore-healthcheck": "true"}}}
    commit = syncing.bare.commit({"slow.json": json.dumps(unheard)})
    syncing.ask("1")
    syncing.until_synced(commit)
    syncing.until("it is ready", lambda: syncing.condition("Ready")["status"] == "True")
    assert (syncing.status["health"]["status"], syncing.condition("Reconciling")) == ("Healthy", {})


MARKS = {
    "tracking-id": ({"annotations": {f"{ARGO}tracking-id": "their:/ConfigMap:x/a"}}, "Argo CD application 'their'"),
    "flux": ({"labels": {f"{FLUX}name": "their", f"{FLUX}namespace": "x"}}, "Flux Kustomization 'their'"),
    "helm": ({"annotations": {"meta.helm.sh/release-name": "their"}}, "Helm release 'their'"),
    "instance": ({"labels": {"app.kubernetes.io/instance": "their"}}, ""),
}


@pytest.mark.parametrize(("metadata", "owner"), MARKS.values(), ids=MARKS)
def test_whose_an_object_is_by_its_marks(syncing: Synced, metadata: dict[str, Any], owner: str) -> None:
    """§3.4: marks of other tools on the live object; the label that everybody copies proves nothing."""
    live = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}, "data": {"value": "theirs"}}
    syncing.kubectl.apply(live)
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED)
    if not owner:
        syncing.until_synced(commit)
        return
    stalled = syncing.until("it says so", lambda: syncing.condition("Stalled"))
    assert (stalled["reason"], owner in stalled["message"]) == ("SharedResource", True)
    assert syncing.values() == {"a": "theirs"}
    assert syncing.sync(adopt=True)["phase"] == "Succeeded"
    syncing.until_synced(commit)


def test_a_sync_under_way_is_stopped_by_a_command(syncing: Synced) -> None:
    """`terminate`: the wave that is awaited never comes, and nothing starts again by itself."""
    late = annotated(config("late"), f"{ARGO}sync-wave", "1")
    syncing.bare.commit({"slow.json": json.dumps(SLOW), "late.yaml": late})
    syncing.create()
    syncing.patch({"operation": {"sync": {}}})
    syncing.until("it waits", lambda: "slow" in str((syncing.status.get("operationState") or {}).get("message")))
    syncing.patch({"operation": {"terminate": True}})
    ended = syncing.until("it has ended", lambda: _ended(syncing))
    assert (ended["phase"], ended["message"]) == ("Failed", "terminated by a command")
    syncing.patch({"spec": {"syncPolicy": {"automated": {}}}})
    syncing.until("it says so", lambda: "was terminated" in (syncing.status.get("plan") or {}).get("waitingFor", ""))
    assert syncing.values() == {}
    mended = syncing.bare.commit({"slow.json": None})
    syncing.ask("1")
    syncing.until("another commit is applied", lambda: syncing.values() == {"late": "1"})
    assert syncing.status["lastAttemptedRevision"] == mended


def _ended(syncing: Synced) -> dict[str, Any] | None:
    found = syncing.get()
    state: dict[str, Any] = found["status"].get("operationState") or {}
    return state if "operation" not in found and state.get("phase") not in ("Running", "Terminating") else None
