"""From an Argo CD Application, or a Flux Kustomization with its GitRepository, to a GitSync. Pure.

What means the same is copied; what a GitSync does anyway is left out; what it can't do is **refused**, one line each,
so that nobody believes to have moved something that stays behind. The result is suspended and adopts nothing: the last
step, taking the objects over, is a person's, and `steps` says how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollouts.api import kinds
from rollouts.api.gitsync import IN_CLUSTER
from rollouts.api.validation.gitsync import option_problem
from rollouts.gitops import former
from rollouts.gitops.claims import dig
from rollouts.gitops.inventory import Entry
from rollouts.gitops.objects import JSON, annotation

ARGO_FINALIZER = "resources-finalizer.argocd.argoproj.io"


@dataclass(slots=True)
class Import:
    """The GitSync as far as it goes, remarks, what was refused, and the steps of the hand-over.

    `known`: what the tool says it has applied; the GitSync begins with that inventory.
    """

    sync: dict[str, Any]
    remarks: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    known: tuple[Entry, ...] = ()


def _made(name: str, namespace: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": kinds.GIT_SYNC.api_version,
        "kind": kinds.GIT_SYNC.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {key: value for key, value in spec.items() if value not in (None, {}, [])},
    }


def _remembering(found: Import, body: JSON) -> Import:
    """The GitSync begins with what the tool has applied, so that it can prune what Git drops from now on."""
    found.known = former.entries(body)
    if found.known:
        noted = found.sync["metadata"].get("annotations") or {}
        found.sync["metadata"]["annotations"] = {**noted, former.IMPORTED: str(former.former_of(body))}
        found.remarks.append(f"{len(found.known)} objects are its own already; with --apply they are remembered")
    return found


# --- Argo CD

_ARGO_REFUSED = {
    "chart": "a chart of a Helm repository: commit it, or a chart that depends on it",
    "plugin": "a config management plugin",
    "ref": "a source that is only referred to",
}
_CHARTS_ONLY = ("version", "kubeVersion", "apiVersions")
_STEERED = ("weight", "rollouts-pod-template-hash", "rollouts-controller", "trafficRouting")


def from_argo(application: JSON, *, account: str) -> Import:
    """An Argo CD Application."""
    spec, metadata = dig(application, "spec"), application["metadata"]
    found = Import(sync={})
    source = _argo_source(spec, found)
    destination = _argo_destination(spec, found)
    namespace = str(destination.get("namespace") or metadata.get("namespace"))
    finalizers = metadata.get("finalizers") or ()
    found.sync = _made(
        str(metadata["name"]),
        namespace,
        {
            "source": source,
            "destination": destination,
            "serviceAccountName": account or "default",
            "suspend": True,
            "deletionPolicy": "Delete" if any(str(f).startswith(ARGO_FINALIZER) for f in finalizers) else None,
            "syncPolicy": _argo_policy(spec, found),
            "ignoreDifferences": list(_argo_ignored(spec, found)),
            "info": spec.get("info"),
            "revisionHistoryLimit": spec.get("revisionHistoryLimit"),
        },
    )
    _ask_for_rights(found, account)
    found.remarks.append(
        f"a private repository: Argo CD's credentials are not copied; make a Secret in {namespace} and name it in "
        "spec.source.secretRef"
    )
    project = spec.get("project")
    if project and project != "default":
        found.remarks.append(f"project {project}: give its rules to the ServiceAccount, as Roles")
    found.steps = [
        f"kubectl -n {metadata.get('namespace')} patch application {metadata['name']} --type merge "
        """-p '{"spec": {"syncPolicy": {"automated": null}}, "metadata": {"finalizers": null}}'""",
        f"kubectl -n {metadata.get('namespace')} delete application {metadata['name']} --cascade=orphan",
        f"kubectl rollouts sync resume {metadata['name']} -n {namespace} --adopt",
    ]
    manager = annotation(application, former.MIGRATION_MANAGER)
    if manager:
        found.sync["metadata"]["annotations"] = {former.MIGRATION_MANAGER: manager}
        found.remarks.append(f"fields of the manager {manager} are taken over with the objects")
    return _remembering(found, application)


def _argo_source(spec: JSON, found: Import) -> dict[str, Any]:
    several = spec.get("sources") or ()
    if len(several) > 1:
        found.refused.append("spec.sources: several sources; make a GitSync of each")
    source = dict(several[0]) if several else dict(spec.get("source") or {})
    for key, why in _ARGO_REFUSED.items():
        if source.pop(key, None):
            found.refused.append(f"spec.source.{key}: {why}")
    helm = dict(source.get("helm") or {})
    for name in ("version", "passCredentials"):
        helm.pop(name, None)
    if any(str(path).startswith("$") or "://" in str(path) for path in helm.get("valueFiles") or ()):
        found.refused.append("spec.source.helm.valueFiles: files of another source")
    kustomize = {key: value for key, value in (source.get("kustomize") or {}).items() if key not in _CHARTS_ONLY}
    if any((source.get("kustomize") or {}).get(key) for key in ("kubeVersion", "apiVersions")):
        found.remarks.append("kustomize.kubeVersion, apiVersions: only charts inside a kustomization ask; left out")
    source.pop("name", None)
    return {**source, **({"helm": helm} if helm else {}), **({"kustomize": kustomize} if kustomize else {})}


def _argo_destination(spec: JSON, found: Import) -> dict[str, Any]:
    destination = dict(spec.get("destination") or {})
    for key in ("server", "name"):
        value = destination.pop(key, None)
        if value and value not in IN_CLUSTER:
            found.refused.append(f"spec.destination.{key}: {value} is another cluster; run a controller there")
    return destination


def _argo_policy(spec: JSON, found: Import) -> dict[str, Any]:
    policy = dict(spec.get("syncPolicy") or {})
    kept = []
    for option in policy.get("syncOptions") or ():
        problem = option_problem(str(option))
        if problem is None:
            kept.append(option)
        else:
            found.remarks.append(f"sync option {option} is left out: {problem}")
    policy["syncOptions"] = kept
    return {key: value for key, value in policy.items() if value not in (None, [])}


def _argo_ignored(spec: JSON, found: Import) -> Iterator[dict[str, Any]]:
    for row in spec.get("ignoreDifferences") or ():
        if any(word in str(row) for word in _STEERED):
            found.remarks.append(f"ignoreDifferences for {row.get('kind')}: built in, left out")
        elif row.get("managedFieldsManagers"):
            found.refused.append(f"ignoreDifferences for {row.get('kind')}: managedFieldsManagers; name the fields")
        else:
            yield dict(row)


# --- Flux

_FLUX_REFUSED = {
    "decryption": "SOPS decryption",
    "postBuild": "variable substitution after the build",
    "kubeConfig": "another cluster; run a controller there",
    "healthCheckExprs": "CEL expressions for health",
    "force": "recreating what can't be changed; annotate the objects instead",
    "dependsOn": "dependencies: add dependsOn once those are moved too",
}
_FLUX_REFS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("commit", str),
    ("name", str),
    ("semver", str),
    ("tag", str),
    ("branch", str),
)


def from_flux(kustomization: JSON, repository: JSON | None, *, account: str) -> Import:
    """A Flux Kustomization and the GitRepository it names (None: it is none, or not there)."""
    spec, metadata = dig(kustomization, "spec"), kustomization["metadata"]
    found = Import(sync={})
    if repository is None:
        reference = dig(spec, "sourceRef")
        found.refused.append(f"spec.sourceRef: {reference.get('kind')} {reference.get('name')}; only Git is synced")
    for key, why in _FLUX_REFUSED.items():
        if spec.get(key):
            found.refused.append(f"spec.{key}: {why}")
    target = spec.get("targetNamespace")
    found.sync = _made(
        str(metadata["name"]),
        str(metadata["namespace"]),
        {
            "source": {**_flux_source(repository, found), **_flux_folder(spec)},
            "destination": {"namespace": target} if target else None,
            "interval": spec.get("interval"),
            "timeout": spec.get("timeout"),
            "serviceAccountName": account or spec.get("serviceAccountName") or "default",
            "deletionPolicy": _flux_deletion(spec),
            "suspend": True,
            "syncPolicy": {
                "automated": {"prune": bool(spec.get("prune")), "selfHeal": True},
                **({"rollouts": {"wait": "Healthy"}} if spec.get("wait") or spec.get("healthChecks") else {}),
            },
        },
    )
    _ask_for_rights(found, account or str(spec.get("serviceAccountName") or ""))
    found.steps = [
        f"flux suspend kustomization {metadata['name']} -n {metadata['namespace']}",
        f"kubectl -n {metadata['namespace']} patch kustomization {metadata['name']} --type merge "
        """-p '{"spec": {"deletionPolicy": "Orphan"}}'""",
        f"kubectl -n {metadata['namespace']} delete kustomization {metadata['name']}",
        f"kubectl rollouts sync resume {metadata['name']} -n {metadata['namespace']} --adopt",
    ]
    return _remembering(found, kustomization)


def _ask_for_rights(found: Import, account: str) -> None:
    """Argo CD and Flux apply with rights of their own; a GitSync has those of an account, and here nobody chose one."""
    if not account:
        namespace = found.sync["metadata"]["namespace"]
        found.remarks.append(
            f"rights: it applies as the ServiceAccount default of {namespace}; give that a Role for all that is in "
            "Git, or name another by --service-account"
        )


def _flux_source(repository: JSON | None, found: Import) -> dict[str, Any]:
    spec = dig(repository or {}, "spec")
    reference = dig(spec, "ref")
    for key in ("include", "recurseSubmodules", "sparseCheckout"):
        if spec.get(key):
            found.refused.append(f"GitRepository spec.{key}")
    if spec.get("ignore"):
        found.remarks.append("GitRepository spec.ignore is left out: name the folder by source.path")
    revision = next((str(reference[key]) for key, _ in _FLUX_REFS if reference.get(key)), None)
    source = {"repoURL": spec.get("url") or "", "targetRevision": revision, "secretRef": spec.get("secretRef")}
    verify = spec.get("verify")
    if verify:
        source["verify"] = {"mode": verify.get("mode"), "secretRef": verify.get("secretRef")}
    return {key: value for key, value in source.items() if value is not None}


def _flux_folder(spec: JSON) -> dict[str, Any]:
    labels = dig(spec, "commonMetadata").get("labels")
    options = {
        "namePrefix": spec.get("namePrefix"),
        "nameSuffix": spec.get("nameSuffix"),
        "namespace": spec.get("targetNamespace"),
        "patches": spec.get("patches"),
        "images": [_image(row) for row in spec.get("images") or ()],
        "components": spec.get("components"),
        "commonLabels": labels,
        "labelWithoutSelector": True if labels else None,
        "commonAnnotations": dig(spec, "commonMetadata").get("annotations"),
    }
    given = {key: value for key, value in options.items() if value not in (None, [], {})}
    path = str(spec.get("path") or ".").removeprefix("./").strip("/") or "."
    return {"path": path, **({"kustomize": given} if given else {})}


def _image(row: JSON) -> str:
    name = f"{row['name']}={row['newName']}" if row.get("newName") else str(row["name"])
    return f"{name}@{row['digest']}" if row.get("digest") else f"{name}:{row['newTag']}" if row.get("newTag") else name


def _flux_deletion(spec: JSON) -> str:
    wanted = str(spec.get("deletionPolicy") or "MirrorPrune")
    if wanted == "MirrorPrune":
        return "Delete" if spec.get("prune") else "Orphan"
    return wanted
