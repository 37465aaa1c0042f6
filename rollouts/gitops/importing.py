"""From an Argo CD Application to a GitSync; from a Flux Kustomization: `importing_flux.py`. Pure.

What means the same is copied; what a GitSync does anyway is left out; what it can't do, and a field that is not known
here, is **refused**, one line each, so that nobody believes to have moved something that stays behind. The result is
suspended and adopts nothing: the last step, taking the objects over, is a person's, and `steps` says how.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
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


def made(name: str, namespace: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": kinds.GIT_SYNC.api_version,
        "kind": kinds.GIT_SYNC.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {key: value for key, value in spec.items() if value not in (None, {}, [])},
    }


def strange(holder: JSON, known: Container[str], *, place: str) -> Iterator[str]:
    """What is set and not known here, each as the reason to refuse it."""
    return (f"{place}.{key}: a GitSync has nothing like it" for key in holder if key not in known and holder[key])


def ask_for_rights(found: Import, account: str) -> None:
    """Argo CD and Flux apply with rights of their own; a GitSync has those of an account, and here nobody chose one."""
    if not account:
        namespace = found.sync["metadata"]["namespace"]
        found.remarks.append(
            f"rights: it applies as the ServiceAccount default of {namespace}; give that a Role for all that is in "
            "Git, or name another by --service-account"
        )


def remembering(found: Import, body: JSON) -> Import:
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
_ARGO_KNOWN = frozenset(
    {"project", "source", "sources", "destination", "syncPolicy", "info", "ignoreDifferences", "revisionHistoryLimit"}
)
_CHARTS_ONLY = ("version", "kubeVersion", "apiVersions")
_STEERED = ("weight", "rollouts-pod-template-hash", "rollouts-controller", "trafficRouting")


def from_argo(application: JSON, *, account: str) -> Import:
    """An Argo CD Application."""
    spec, metadata = dig(application, "spec"), application["metadata"]
    found = Import(sync={})
    found.refused.extend(strange(spec, _ARGO_KNOWN, place="spec"))
    source = _argo_source(spec, found, folder=dig(application, "status").get("sourceType") == "Directory")
    destination = _argo_destination(spec, found)
    namespace = str(destination.get("namespace") or metadata.get("namespace"))
    finalizers = metadata.get("finalizers") or ()
    found.sync = made(
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
    ask_for_rights(found, account)
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
    return remembering(found, application)


def _argo_source(spec: JSON, found: Import, *, folder: bool) -> dict[str, Any]:
    """`folder`: it is one of plain manifests, as Argo CD says."""
    several = spec.get("sources") or ()
    if len(several) > 1:
        found.refused.append("spec.sources: several sources; make a GitSync of each")
    source = dict(several[0]) if several else dict(spec.get("source") or {})
    for key, why in _ARGO_REFUSED.items():
        if source.pop(key, None):
            found.refused.append(f"spec.source.{key}: {why}")
    source.pop("name", None)
    options = {
        "directory": _argo_directory(source, folder=folder),
        "helm": _argo_helm(source, found),
        "kustomize": _argo_kustomize(source, found),
    }
    return {**source, **{key: value for key, value in options.items() if value}}


def _argo_directory(source: JSON, *, folder: bool) -> dict[str, Any]:
    """Unless told otherwise, Argo CD leaves the folders below out, and a GitSync does not."""
    if not (folder or source.get("directory")):
        return {}
    return {"recurse": False, **(source.get("directory") or {})}


def _argo_helm(source: JSON, found: Import) -> dict[str, Any]:
    helm = dict(source.get("helm") or {})
    helm.pop("version", None)
    if helm.pop("passCredentials", None):
        found.remarks.append(
            "helm.passCredentials is left out: nothing is downloaded, commit dependencies into charts/"
        )
    if any(str(path).startswith("$") or "://" in str(path) for path in helm.get("valueFiles") or ()):
        found.refused.append("spec.source.helm.valueFiles: files of another source")
    return helm


def _argo_kustomize(source: JSON, found: Import) -> dict[str, Any]:
    kustomize = {key: value for key, value in (source.get("kustomize") or {}).items() if key not in _CHARTS_ONLY}
    if any((source.get("kustomize") or {}).get(key) for key in ("kubeVersion", "apiVersions")):
        found.remarks.append("kustomize.kubeVersion, apiVersions: only charts inside a kustomization ask; left out")
    return kustomize


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
    if "CreateNamespace=true" not in kept and policy.pop("managedNamespaceMetadata", None):
        found.remarks.append("managedNamespaceMetadata is left out: it needs the sync option CreateNamespace=true")
    return {key: value for key, value in policy.items() if value not in (None, [])}


def _argo_ignored(spec: JSON, found: Import) -> Iterator[dict[str, Any]]:
    for row in spec.get("ignoreDifferences") or ():
        if any(word in str(row) for word in _STEERED):
            found.remarks.append(f"ignoreDifferences for {row.get('kind')}: built in, left out")
        elif row.get("managedFieldsManagers"):
            found.refused.append(f"ignoreDifferences for {row.get('kind')}: managedFieldsManagers; name the fields")
        else:
            yield dict(row)
