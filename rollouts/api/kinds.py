"""The kinds this project reads and writes, one row each.

A `Kind` is all that is needed to build a URL or an owner reference; everything that talks to the API server
(engine, command line, sync) shares this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A Kubernetes kind.

    `status`: whether the kind has the status subresource (Rollout has; AnalysisRun and Experiment have not, their
    status is written through the main resource, as the peer does).
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    status: bool = False

    @property
    def api_version(self) -> str:
        """`group/version`, or the bare version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, of one object, or of its subresource."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


ARGO = "argoproj.io"

ROLLOUT = Kind(group=ARGO, version="v1alpha1", kind="Rollout", plural="rollouts", status=True)
ANALYSIS_RUN = Kind(group=ARGO, version="v1alpha1", kind="AnalysisRun", plural="analysisruns")
ANALYSIS_TEMPLATE = Kind(group=ARGO, version="v1alpha1", kind="AnalysisTemplate", plural="analysistemplates")
CLUSTER_ANALYSIS_TEMPLATE = Kind(
    group=ARGO,
    version="v1alpha1",
    kind="ClusterAnalysisTemplate",
    plural="clusteranalysistemplates",
    namespaced=False,
)
EXPERIMENT = Kind(group=ARGO, version="v1alpha1", kind="Experiment", plural="experiments")

GITOPS = "gitops.rollouts.dev"

GIT_SYNC = Kind(group=GITOPS, version="v1alpha1", kind="GitSync", plural="gitsyncs", status=True)

REPLICA_SET = Kind(group="apps", version="v1", kind="ReplicaSet", plural="replicasets", status=True)
DEPLOYMENT = Kind(group="apps", version="v1", kind="Deployment", plural="deployments", status=True)
POD_TEMPLATE = Kind(group="", version="v1", kind="PodTemplate", plural="podtemplates")
POD = Kind(group="", version="v1", kind="Pod", plural="pods", status=True)
JOB = Kind(group="batch", version="v1", kind="Job", plural="jobs", status=True)
SERVICE = Kind(group="", version="v1", kind="Service", plural="services", status=True)
CONFIG_MAP = Kind(group="", version="v1", kind="ConfigMap", plural="configmaps")
SECRET = Kind(group="", version="v1", kind="Secret", plural="secrets")
EVENT = Kind(group="", version="v1", kind="Event", plural="events")
NAMESPACE = Kind(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False, status=True)
LEASE = Kind(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases")
