"""The kind GitSync: the fields of its specification, the errors it reports, and paths to ignored fields."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import fieldpaths
from rollouts.api.fieldpaths import Each, copied, expression, pointer
from rollouts.api.gitsync import GitSync
from rollouts.api.parsing import check
from rollouts.api.validation.gitsync import operation_problem, option_problem


def sync(**spec: Any) -> dict[str, Any]:
    source = {"repoURL": "https://git.example/shop.git", "path": "deploy"}
    return {"metadata": {"name": "shop", "namespace": "team"}, "spec": {"source": source, **spec}}


def with_source(**fields: Any) -> dict[str, Any]:
    return sync(source={"repoURL": "https://git.example/shop.git", **fields})


FULL = sync(
    source={
        "repoURL": "git@git.example:shop.git",
        "targetRevision": "main",
        "path": "deploy",
        "helm": {
            "valueFiles": ["values.yaml"],
            "valuesObject": {"a": [1]},
            "parameters": [{"name": "a", "value": "b"}],
        },
        "secretRef": {"name": "key"},
        "verify": {"mode": "HEAD", "secretRef": {"name": "trusted"}},
    },
    destination={"server": "https://kubernetes.default.svc", "namespace": "shop"},
    interval="1m30s",
    serviceAccountName="deployer",
    deletionPolicy="WaitForTermination",
    dependsOn=[{"name": "infra"}],
    syncPolicy={
        "automated": {"prune": True, "selfHeal": True},
        "retry": {"limit": -1, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
        "syncOptions": ["CreateNamespace=true", "PrunePropagationPolicy=foreground", "ServerSideApply=true"],
        "managedNamespaceMetadata": {"labels": {"team": "shop"}},
        "rollouts": {"wait": "Healthy", "onNewRevision": "Queue", "onAbort": "Revert"},
        "pruneGuards": {"maxPercent": 20, "minObjects": 3, "confirm": "Always"},
    },
    ignoreDifferences=[{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}],
    webhook={"secretRef": {"name": "hook"}},
)


def test_a_full_spec_is_read_and_written_back_unchanged() -> None:
    found = check("GitSync", FULL)
    assert found.errors == ()
    assert found.model.to_api()["spec"] == FULL["spec"]
    assert isinstance(found.model, GitSync)


FORGE = {"provider": "github", "secretRef": {"name": "forge"}}
IMAGES = {"git": {"commit": {"author": {"email": "a@b"}}}, "images": []}
REVERT = {"commit": {"author": {"name": "Bot", "email": "bot@example.com"}}}


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        (sync(intervall="2m"), "spec.intervall", 'did you mean "interval"'),
        (sync(interval="soon"), "spec.interval", "soon"),
        (with_source(path="../other"), "spec.source.path", "inside the repository"),
        (with_source(path="/etc"), "spec.source.path", "inside the repository"),
        (with_source(directory={}, helm={}), "spec.source", "only one of directory, helm"),
        (with_source(plugin={}), "spec.source.plugin", "unknown field"),
        (with_source(helm={"passCredentials": True}), "spec.source.helm.passCredentials", "unknown field"),
        (
            with_source(helm={"valueFiles": ["https://evil.example/v.yaml"]}),
            "spec.source.helm.valueFiles[0]",
            "a file of the repository",
        ),
        (with_source(helm={"valueFiles": ["$other/v.yaml"]}), "spec.source.helm.valueFiles[0]", "a file of the repo"),
        (with_source(helm={"version": "v3"}), "spec.source.helm.version", "unknown field"),
        (with_source(chart="redis"), "spec.source.chart", "unknown field"),
        (with_source(kustomize={"version": "v5"}), "spec.source.kustomize.version", "unknown field"),
        (with_source(kustomize={"kubeVersion": "1.30"}), "spec.source.kustomize.kubeVersion", "has no effect"),
        (with_source(kustomize={"apiVersions": ["x/v1"]}), "spec.source.kustomize.apiVersions", "has no effect"),
        (sync(project="default"), "spec.project", "unknown field"),
        (sync(sources=[]), "spec.sources", "unknown field"),
        (sync(interval="0s"), "spec.interval", "longer than 0s"),
        (sync(interval="{{args.every}}"), "spec.interval", "args.every"),
        (sync(timeout="soon"), "spec.timeout", "soon"),
        (sync(syncPolicy={"retry": {"backoff": {"duration": "x"}}}), "spec.syncPolicy.retry.backoff.duration", "x"),
        (
            sync(syncPolicy={"retry": {"backoff": {"maxDuration": "0s"}}}),
            "spec.syncPolicy.retry.backoff.maxDuration",
            "longer than 0s",
        ),
        (sync(syncPolicy={"retry": {"backoff": {"factor": 0}}}), "spec.syncPolicy.retry.backoff.factor", "1"),
        (sync(imageUpdate={**IMAGES, "interval": "often"}), "spec.imageUpdate.interval", "often"),
        (
            sync(imageUpdate={**IMAGES, "git": {**REVERT, "push": {"refspec": "a:b"}}}),
            "spec.imageUpdate.git.push.refspec",
            "write refs/heads/FROM:refs/heads/TO",
        ),
        (
            sync(imageUpdate={**IMAGES, "git": {**REVERT, "push": {"branch": "a..b"}}}),
            "spec.imageUpdate.git.push.branch",
            "is no name of a branch",
        ),
        (sync(revisionHistoryLimit=-1), "spec.revisionHistoryLimit", "0"),
        (sync(syncPolicy={"syncOptions": ["Force=true"]}), "spec.syncPolicy.syncOptions[0]", "single objects"),
        (sync(syncPolicy={"syncOptions": ["Delete=false"]}), "spec.syncPolicy.syncOptions[0]", "spec.deletionPolicy"),
        (sync(syncPolicy={"syncOptions": ["CreateNamespace"]}), "spec.syncPolicy.syncOptions[0]", "Name=value"),
        (
            sync(syncPolicy={"syncOptions": ["PrunePropagationPolicy=never"]}),
            "spec.syncPolicy.syncOptions[0]",
            "one of background, foreground, orphan",
        ),
        (
            sync(syncPolicy={"managedNamespaceMetadata": {"labels": {"a": "b"}}}),
            "spec.syncPolicy.managedNamespaceMetadata",
            "CreateNamespace=true",
        ),
        (sync(syncPolicy={"pruneGuards": {"minObjects": -1}}), "spec.syncPolicy.pruneGuards.minObjects", "0"),
        (sync(destination={"name": "other"}), "spec.destination.name", "another cluster"),
        (sync(destination={"server": "https://other:6443"}), "spec.destination.server", "another cluster"),
        (sync(forge={**FORGE, "apiURL": "http://git.example"}), "spec.forge.apiURL", "use https://host/path"),
        (sync(forge={**FORGE, "apiURL": "https://me@git.example/"}), "spec.forge.apiURL", "use https://host/path"),
        (sync(forge={**FORGE, "context": "a\nb"}), "spec.forge.context", "one line"),
        (sync(forge={**FORGE, "provider": "gitea", "deployments": True}), "spec.forge.deployments", "no deployments"),
        (sync(forge={**FORGE, "provider": "bitbucket"}), "spec.forge.provider", "must be one of"),
        (sync(revert={"git": REVERT, "reasons": ["Mood"]}), "spec.revert.reasons[0]", "must be one of"),
        (
            sync(revert={"git": {**REVERT, "push": {"branch": "a..b"}}}),
            "spec.revert.git.push.branch",
            "is no name of a branch",
        ),
        (
            sync(revert={"git": {"commit": {"author": {"name": "x <y>", "email": "a@b"}}}}),
            "spec.revert.git.commit.author.name",
            "without angle brackets",
        ),
        (sync(deletionPolicy="Nuke"), "spec.deletionPolicy", "must be one of"),
        (sync(dependsOn=[{"name": "shop"}]), "spec.dependsOn[0].name", "itself"),
        (sync(dependsOn=[{"name": "a", "namespace": "b"}]), "spec.dependsOn[0].namespace", "own namespace"),
        (sync(syncPolicy={"syncOptions": ["Replace=true"]}), "spec.syncPolicy.syncOptions[0]", "single objects"),
        (sync(syncPolicy={"syncOptions": ["ServerSideApply=false"]}), "spec.syncPolicy.syncOptions[0]", "switched off"),
        (sync(syncPolicy={"syncOptions": ["Foo=true"]}), "spec.syncPolicy.syncOptions[0]", 'unknown option "Foo"'),
        (
            sync(syncPolicy={"pruneGuards": {"maxPercent": 101}}),
            "spec.syncPolicy.pruneGuards.maxPercent",
            "between 0 and 100",
        ),
        (
            sync(ignoreDifferences=[{"kind": "Deployment", "jsonPointers": ["/spec"]}]),
            "spec.ignoreDifferences[0].jsonPointers[0]",
            "covers all of /spec",
        ),
        (
            sync(ignoreDifferences=[{"kind": "D", "managedFieldsManagers": ["x"]}]),
            "spec.ignoreDifferences[0].managedFieldsManagers",
            "unknown field",
        ),
        (
            sync(ignoreDifferences=[{"kind": "D", "jqPathExpressions": [".spec | to_entries"]}]),
            "spec.ignoreDifferences[0].jqPathExpressions[0]",
            "is not taken",
        ),
    ],
)
def test_errors_name_the_field_and_what_to_do(raw: dict[str, Any], path: str, words: str) -> None:
    """R9 for the ignore rules: nothing that covers all of spec, nothing by manager."""
    found = {error.path: error.message for error in check("GitSync", raw).errors}
    assert words in found[path]


PORT = '.spec.ports[] | select(.name == "http") | .port'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".spec.replicas", ("spec", "replicas")),
        (".spec.ports[].port", ("spec", "ports", Each(), "port")),
        (".spec.ports[0].port", ("spec", "ports", 0, "port")),
        (PORT, ("spec", "ports", Each("name", "http"), "port")),
        ('.metadata.annotations["a.b/c"]', ("metadata", "annotations", "a.b/c")),
        ('.metadata.annotations."a.b/c"', ("metadata", "annotations", "a.b/c")),
    ],
)
def test_the_part_of_jq_that_is_taken(text: str, path: Any) -> None:
    assert expression(text) == path


@pytest.mark.parametrize("text", ["", "spec", ".spec | keys", "env", ".a[] | select(.b > 1)", "input", ".a |= 1"])
def test_everything_else_of_jq_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not taken|empty"):
        expression(text)


def test_a_pointer_unescapes_and_counts() -> None:
    assert pointer("/metadata/annotations/a~1b/0") == ("metadata", "annotations", "a/b", 0)
    assert fieldpaths.shown(pointer("/spec/a.b/0")) == "spec[a.b][0]"


PORTS = [{"name": "http", "port": 1}, {"name": "admin", "port": 2}]
TURNED = [{"name": "admin", "port": 20}, {"name": "http", "port": 10}]


@pytest.mark.parametrize(
    ("wanted", "live", "path", "result"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 9, "c": 9}}, ".a.b", {"a": {"b": 9, "c": 2}}),
        ({"a": {"c": 2}}, {"a": {"b": 9}}, ".a.b", {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": {"c": 9}}, ".a.b", {"a": {}}),
        ({"c": 1}, {"a": {"b": 9}}, ".a.b", {"c": 1}),
        (
            {"p": PORTS},
            {"p": TURNED},
            ".p[].port",
            {"p": [{"name": "http", "port": 10}, {"name": "admin", "port": 20}]},
        ),
        (
            {"p": PORTS},
            {"p": TURNED},
            '.p[] | select(.name == "http") | .port',
            {"p": [{"name": "http", "port": 10}, {"name": "admin", "port": 2}]},
        ),
        ({"p": [1, 2]}, {"p": [8, 9]}, ".p[1]", {"p": [1, 9]}),
        ({"p": PORTS}, {}, ".p[].port", {"p": PORTS}),
    ],
)
def test_ignoring_copies_exactly_that_value(wanted: Any, live: Any, path: str, result: Any) -> None:
    """R9: the live value at that path, nothing wider; items of lists by name, not by position."""
    assert copied(wanted, live, expression(path)) == result


def test_value_files_from_the_root_of_the_repository() -> None:
    assert check("GitSync", with_source(helm={"valueFiles": ["/envs/eu.yaml", "../x.yaml"]})).errors == ()


ALWAYS = ("ServerSideApply", "ApplyOutOfSyncOnly", "RespectIgnoreDifferences", "FailOnSharedResource", "PruneLast")


def test_what_only_single_objects_may_switch_off() -> None:
    assert option_problem("Validate=true") is None
    assert "single objects only" in str(option_problem("Validate=false"))
    assert "true or false" in str(option_problem("Validate=no"))


@pytest.mark.parametrize("name", ALWAYS)
def test_what_always_holds_can_be_said_and_not_be_switched_off(name: str) -> None:
    assert option_problem(f"{name}=true") is None
    assert "can't be switched off" in str(option_problem(f"{name}=false"))


@pytest.mark.parametrize(
    "option",
    [
        "CreateNamespace=true",
        "PrunePropagationPolicy=foreground",
        "PrunePropagationPolicy=background",
        "PrunePropagationPolicy=orphan",
        "SkipDryRunOnMissingResource=true",
        "ClientSideApplyMigration=false",
        "Prune=confirm",
        "Prune=false",
    ],
)
def test_options_of_a_whole_sync(option: str) -> None:
    assert option_problem(option) is None


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"sync": {"syncOptions": ["Prune=false"]}, "retry": {"backoff": {"duration": "1s"}}}, None),
        ({"sync": {"syncOptions": ["Repalce=true"]}}, 'operation.sync.syncOptions[0]: unknown option "Repalce"'),
        ({"sync": {}, "retry": {"backoff": {"duration": "soon"}}}, "operation.retry.backoff.duration: "),
        ({"release": True}, None),
    ],
)
def test_a_command_that_nobody_can_carry_out(operation: dict[str, Any], words: str | None) -> None:
    said = operation_problem(operation)
    assert said is None if words is None else words in str(said)
