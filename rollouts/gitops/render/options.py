"""What may be said about rendering, beyond the files themselves: options of a source, and where it will go.

Options are data with the names of an Argo CD source (`directory`, `kustomize`, `helm`), in JSON form as they stand in
the spec. They never become a flag or a program's name: each renderer reads the few keys it knows, and a key nobody
knows is an error here, because an option that is silently ignored renders something else than was asked for.

    >>> Options.of({"repoURL": "https://host/x", "kustomize": {"namePrefix": "a-"}}).wanted
    'kustomize'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollouts.gitops.errors import RenderError
from rollouts.gitops.objects import JSON

KNOWN: Mapping[str, frozenset[str]] = {
    "directory": frozenset({"recurse", "include", "exclude", "jsonnet"}),
    "kustomize": frozenset(
        {
            "namePrefix", "nameSuffix", "images", "replicas", "commonLabels", "commonAnnotations", "namespace",
            "patches", "components", "ignoreMissingComponents", "labelWithoutSelector", "labelIncludeTemplates",
        }
    ),
    "helm": frozenset(
        {
            "releaseName", "valueFiles", "values", "valuesObject", "parameters", "fileParameters", "namespace",
            "ignoreMissingValueFiles", "skipCrds", "skipTests", "skipSchemaValidation", "kubeVersion", "apiVersions",
        }
    ),
}  # fmt: skip

_REASONS = {
    ("kustomize", "kubeVersion"): "charts inside a kustomization are not rendered, so it would have no effect",
    ("kustomize", "apiVersions"): "charts inside a kustomization are not rendered, so it would have no effect",
    ("helm", "passCredentials"): "dependencies are never downloaded: commit them into charts/",
    ("helm", "version"): "the sync has one version of Helm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the objects will go: `name` of the sync, its `namespace`, and what the cluster is (empty: Helm's guess)."""

    name: str = "main"
    namespace: str = "default"
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the child, and for the key of the cache."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "kubeVersion": self.kube_version,
            "apiVersions": list(self.api_versions),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options per renderer. At most one of the three is set; which one also says how the folder is rendered."""

    by_renderer: Mapping[str, JSON] = field(default_factory=dict)

    @classmethod
    def of(cls, source: JSON) -> Options:
        """From a `source` in JSON form; its other fields are left alone. RenderError for what nobody knows."""
        given = {name: source[name] for name in KNOWN if source.get(name)}
        if len(given) > 1:
            raise RenderError(f"only one of {', '.join(given)} can be set", file="source")
        for name, options in given.items():
            _check(name, options)
        return cls(by_renderer=given)

    @property
    def wanted(self) -> str:
        """The renderer that is asked for, empty when the files decide."""
        return next(iter(self.by_renderer), "")

    def for_renderer(self, name: str) -> JSON:
        """The options of one renderer, empty when there are none."""
        return self.by_renderer.get(name, {})


def _check(name: str, options: Any) -> None:
    if not isinstance(options, Mapping):
        raise RenderError(f"source.{name} must be an object", file="source")
    for key in options:
        if key not in KNOWN[name]:
            reason = _REASONS.get((name, key), f"known are {', '.join(sorted(KNOWN[name]))}")
            raise RenderError(f"source.{name}.{key} is not supported: {reason}", file=f"source.{name}")
