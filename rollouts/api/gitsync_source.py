"""The source of a GitSync: which repository, revision and folder, how it is opened, verified and rendered.

Names and meanings are those of an Argo CD Application's `source`, so that one can be moved over field by field, and
Flux's for what Argo CD keeps elsewhere (`secretRef`, `verify`). Options of renderers are data, never fragments of a
command line: there is nothing here by which a tenant could choose a program, a flag or a remote file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from analysis.spec.base import Bool, Int32, Model, Opaque, StringMap


class LocalReference(Model):
    """An object in the same namespace."""

    name: str
    """Its name."""


class JsonnetVariable(Model):
    """A variable handed to Jsonnet."""

    name: str
    """Name."""
    value: str
    """Value: text, or Jsonnet when `code` is true."""
    code: Bool | None = None
    """True: the value is code. Default false."""


class Jsonnet(Model):
    """How `*.jsonnet` files are evaluated."""

    ext_vars: list[JsonnetVariable] | None = None
    """External variables."""
    tlas: list[JsonnetVariable] | None = None
    """Top-level arguments."""
    libs: list[str] | None = None
    """Folders of the repository that imports are searched in."""


class Directory(Model):
    """A folder of plain manifests."""

    recurse: Bool | None = None
    """False: only the folder itself, not those below. Default true."""
    include: str | None = None
    """Only files that match this pattern, such as `*.yaml` or `{a,b}/*.yaml`."""
    exclude: str | None = None
    """Not the files that match this pattern."""
    jsonnet: Jsonnet | None = None
    """Options of Jsonnet files."""


class KustomizeReplicas(Model):
    """How many pods a workload has."""

    name: str
    """Name of the workload."""
    count: Int32
    """Pods."""


class KustomizeTarget(Model):
    """Which objects a patch is for; all parts must hold."""

    group: str | None = None
    """API group."""
    version: str | None = None
    """API version."""
    kind: str | None = None
    """Kind."""
    name: str | None = None
    """Name, a regular expression."""
    namespace: str | None = None
    """Namespace, a regular expression."""
    label_selector: str | None = None
    """Labels."""
    annotation_selector: str | None = None
    """Annotations."""


class KustomizePatch(Model):
    """A patch, in place or in a file of the repository."""

    patch: str | None = None
    """The patch itself."""
    path: str | None = None
    """A file of the repository that holds it."""
    target: KustomizeTarget | None = None
    """Which objects it is for."""
    options: dict[str, Bool] | None = None
    """allowNameChange and allowKindChange."""


class Kustomize(Model):
    """What is laid over a kustomization of the repository."""

    name_prefix: str | None = None
    """Put before every name."""
    name_suffix: str | None = None
    """Put after every name."""
    images: list[str] | None = None
    """Images to use instead: `name=new/name:tag`, `name:tag` or `name@digest`."""
    replicas: list[KustomizeReplicas] | None = None
    """Pods per workload."""
    common_labels: StringMap | None = None
    """Labels for every object."""
    common_annotations: StringMap | None = None
    """Annotations for every object."""
    namespace: str | None = None
    """Namespace of every object."""
    patches: list[KustomizePatch] | None = None
    """Patches."""
    components: list[str] | None = None
    """Folders of the repository that hold components."""
    ignore_missing_components: Bool | None = None
    """True: a component that does not exist is no error. Default false."""
    label_without_selector: Bool | None = None
    """True: commonLabels leave selectors alone. Default false."""
    label_include_templates: Bool | None = None
    """True: with labelWithoutSelector, pod templates get the labels too. Default false."""
    kube_version: str | None = None
    """Kubernetes version to render for. Default: the cluster's."""
    api_versions: list[str] | None = None
    """API versions to render for. Default: the cluster's."""


class HelmParameter(Model):
    """One value of a chart, as `--set` takes it."""

    name: str
    """Path of the value."""
    value: str
    """The value."""
    force_string: Bool | None = None
    """True: text, whatever it looks like. Default false."""


class HelmFileParameter(Model):
    """One value of a chart whose content is a file of the repository."""

    name: str
    """Path of the value."""
    path: str
    """The file."""


class Helm(Model):
    """How a chart in the repository is rendered."""

    release_name: str | None = None
    """Name of the release. Default: the GitSync's."""
    value_files: list[str] | None = None
    """Files of the repository with values; later ones win."""
    values: str | None = None
    """Values as YAML text."""
    values_object: Annotated[dict[str, Any], Opaque()] | None = None
    """Values as an object; wins over `values`."""
    parameters: list[HelmParameter] | None = None
    """Single values; win over all others."""
    file_parameters: list[HelmFileParameter] | None = None
    """Single values from files."""
    ignore_missing_value_files: Bool | None = None
    """True: a value file that does not exist is no error. Default false."""
    skip_crds: Bool | None = None
    """True: without the chart's crds folder. Default false."""
    skip_tests: Bool | None = None
    """True: without the chart's tests. Tests are never applied anyway."""
    skip_schema_validation: Bool | None = None
    """True: values are not held against the chart's schema. Default false."""
    namespace: str | None = None
    """Namespace the chart is rendered for. Default: the destination's."""
    kube_version: str | None = None
    """Kubernetes version to render for. Default: the cluster's."""
    api_versions: list[str] | None = None
    """API versions to render for. Default: the cluster's."""


class Verify(Model):
    """Which signature a revision must carry."""

    mode: Literal["HEAD", "Tag", "TagAndHEAD"] | None = None
    """What must be signed: the commit (HEAD), the tag, or both. Default HEAD."""
    secret_ref: LocalReference
    """Secret with trusted keys: `*.asc` (OpenPGP) or `allowed_signers` (SSH)."""


class GitSource(Model):
    """Where the manifests come from."""

    repo_url: str = Field(alias="repoURL")
    """Repository: https://host/path, ssh://user@host/path or user@host:path."""
    target_revision: str | None = None
    """Branch, tag, commit, semver range over tags, or HEAD. Default HEAD."""
    path: str | None = None
    """Folder in the repository. Default its root."""
    directory: Directory | None = None
    """Options for a folder of plain manifests."""
    kustomize: Kustomize | None = None
    """Options for a kustomization."""
    helm: Helm | None = None
    """Options for a chart."""
    secret_ref: LocalReference | None = None
    """Secret that opens the repository: username and password, bearerToken, identity and known_hosts, ca.crt."""
    verification: Verify | None = Field(default=None, alias="verify")
    """Which signature the revision must carry. Default: none."""
