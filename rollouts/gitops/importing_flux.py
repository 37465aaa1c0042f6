"""From a Flux Kustomization and its GitRepository to a GitSync. Pure; the rules are those of `importing.py`.

Flux asks Git every `GitRepository.spec.interval` and looks for drift every `Kustomization.spec.interval`; a GitSync has
one interval for both, the shorter one, because it hears of drift at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rollouts.api.durations import parse_duration
from rollouts.gitops.claims import dig
from rollouts.gitops.importing import Import, ask_for_rights, made, remembering, strange
from rollouts.gitops.objects import JSON

_REFUSED = {
    "decryption": "SOPS decryption",
    "postBuild": "variable substitution after the build",
    "kubeConfig": "another cluster; run a controller there",
    "healthCheckExprs": "CEL expressions for health",
    "force": "recreating what can't be changed; annotate the objects instead",
    "dependsOn": "dependencies: add dependsOn once those are moved too",
}
_KNOWN = frozenset(
    {
        "sourceRef", "path", "interval", "retryInterval", "timeout", "prune", "deletionPolicy", "wait", "healthChecks",
        "targetNamespace", "namePrefix", "nameSuffix", "commonMetadata", "patches", "images", "components",
        "ignoreMissingComponents", "serviceAccountName", "suspend", "buildMetadata", "ignore", *_REFUSED,
    }
)  # fmt: skip
_REPOSITORY_REFUSED = {
    "include": "files of other repositories",
    "recurseSubmodules": "submodules are never fetched",
    "sparseCheckout": "name the one folder by source.path",
    "proxySecretRef": "a proxy of its own: set one for the controller",
}
_REPOSITORY_KNOWN = frozenset(
    {"url", "ref", "secretRef", "interval", "timeout", "verify", "ignore", "suspend", "provider", *_REPOSITORY_REFUSED}
)
_REFS = ("commit", "name", "semver", "tag", "branch")
"""By precedence."""
_PLAIN = re.compile(r"[A-Za-z0-9-]+")


def from_flux(kustomization: JSON, repository: JSON | None, *, account: str) -> Import:
    """A Flux Kustomization and the GitRepository it names (None: it is none, or not there)."""
    spec, metadata = dig(kustomization, "spec"), kustomization["metadata"]
    found = Import(sync={})
    if repository is None:
        reference = dig(spec, "sourceRef")
        found.refused.append(f"spec.sourceRef: {reference.get('kind')} {reference.get('name')}; only Git is synced")
    found.refused.extend(f"spec.{key}: {why}" for key, why in _REFUSED.items() if spec.get(key))
    found.refused.extend(strange(spec, _KNOWN, place="spec"))
    found.remarks.extend(_notes(spec))
    target = spec.get("targetNamespace")
    found.sync = made(
        str(metadata["name"]),
        str(metadata["namespace"]),
        {
            "source": {**_source(repository, found), **_folder(spec)},
            "destination": {"namespace": target} if target else None,
            "interval": _interval(spec, dig(repository or {}, "spec")),
            "timeout": spec.get("timeout"),
            "serviceAccountName": account or spec.get("serviceAccountName") or "default",
            "deletionPolicy": _deletion(spec),
            "suspend": True,
            "syncPolicy": {
                "automated": {"prune": bool(spec.get("prune")), "selfHeal": True},
                **({"retry": _retry(spec["retryInterval"])} if spec.get("retryInterval") else {}),
                **({"rollouts": {"wait": "Healthy"}} if spec.get("wait") or spec.get("healthChecks") else {}),
            },
            "ignoreDifferences": list(_ignored(spec, found)),
        },
    )
    ask_for_rights(found, account or str(spec.get("serviceAccountName") or ""))
    found.steps = [
        f"flux suspend kustomization {metadata['name']} -n {metadata['namespace']}",
        f"kubectl -n {metadata['namespace']} patch kustomization {metadata['name']} --type merge "
        """-p '{"spec": {"deletionPolicy": "Orphan"}}'""",
        f"kubectl -n {metadata['namespace']} delete kustomization {metadata['name']}",
        f"kubectl rollouts sync resume {metadata['name']} -n {metadata['namespace']} --adopt",
    ]
    return remembering(found, kustomization)


def _source(repository: JSON | None, found: Import) -> dict[str, Any]:
    spec = dig(repository or {}, "spec")
    reference = dig(spec, "ref")
    refused = ((key, why) for key, why in _REPOSITORY_REFUSED.items() if spec.get(key))
    found.refused.extend(f"GitRepository spec.{key}: {why}" for key, why in refused)
    found.refused.extend(strange(spec, _REPOSITORY_KNOWN, place="GitRepository spec"))
    if spec.get("provider") not in (None, "generic"):
        found.refused.append(f"GitRepository spec.provider: {spec['provider']}; use a token or an SSH key")
    if spec.get("ignore"):
        found.remarks.append("GitRepository spec.ignore is left out: name the folder by source.path")
    revision = next((str(reference[key]) for key in _REFS if reference.get(key)), "master" if repository else None)
    source = {"repoURL": spec.get("url") or "", "targetRevision": revision, "secretRef": spec.get("secretRef")}
    verify = spec.get("verify")
    if verify:
        mode = "HEAD" if verify.get("mode") == "head" else verify.get("mode")
        source["verify"] = {"mode": mode, "secretRef": verify.get("secretRef")}
    return {key: value for key, value in source.items() if value is not None}


def _folder(spec: JSON) -> dict[str, Any]:
    labels = dig(spec, "commonMetadata").get("labels")
    options = {
        "namePrefix": spec.get("namePrefix"),
        "nameSuffix": spec.get("nameSuffix"),
        "namespace": spec.get("targetNamespace"),
        "patches": spec.get("patches"),
        "images": [_image(row) for row in spec.get("images") or ()],
        "components": spec.get("components"),
        "ignoreMissingComponents": spec.get("ignoreMissingComponents"),
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


def _deletion(spec: JSON) -> str:
    wanted = str(spec.get("deletionPolicy") or "MirrorPrune")
    if wanted == "MirrorPrune":
        return "Delete" if spec.get("prune") else "Orphan"
    return wanted


def _interval(spec: JSON, repository: JSON) -> str | None:
    """The shorter one."""
    given = [str(holder["interval"]) for holder in (repository, spec) if holder.get("interval")]
    try:
        return min(given, key=parse_duration, default=None)
    except ValueError:
        return given[-1]


def _retry(pause: Any) -> dict[str, Any]:
    """Always the same pause, and without end."""
    return {"limit": -1, "backoff": {"duration": str(pause), "factor": 1, "maxDuration": str(pause)}}


def _notes(spec: JSON) -> Iterator[str]:
    """What is not quite the same."""
    if spec.get("buildMetadata"):
        yield "spec.buildMetadata is left out: annotations of the build are not written"
    if spec.get("healthChecks") and not spec.get("wait"):
        yield "spec.healthChecks: all objects are waited for, not only those"
    if "kustomize" in _folder(spec):
        yield "the folder must have a kustomization.yaml, because options of Kustomize are set: Flux makes one itself"


def _ignored(spec: JSON, found: Import) -> Iterator[dict[str, Any]]:
    """`ignore[].{paths,target}`; a target that is a pattern or a selector can't be moved."""
    for index, row in enumerate(spec.get("ignore") or ()):
        target = {key: str(value) for key, value in dig(row, "target").items() if key != "version"}
        names: dict[str, Any] = {key: target[key] for key in ("group", "kind", "name", "namespace") if key in target}
        if names != target or not all(_PLAIN.fullmatch(names.get(key, "x")) for key in ("name", "namespace")):
            found.refused.append(f"spec.ignore[{index}]: its target is a pattern or a selector: name the objects")
        else:
            yield {"group": "*", "kind": "*", **names, "jsonPointers": list(row.get("paths") or ())}
