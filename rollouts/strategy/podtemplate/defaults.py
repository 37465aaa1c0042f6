"""Fill in what the API server fills in when it stores a ReplicaSet's pod template.

A Rollout keeps its template as the user wrote it, a ReplicaSet comes back with defaults. To compare them, both are
brought to the same form: fields no struct knows dropped, defaults applied. Applying them to both sides makes up for
API servers that default more or less than today's.

Three tables hold all there is, keyed by the Go struct: constants, values worked out from the other fields of the
same struct, and old names of a field. Only template defaults belong here: what the API server fills in for pods alone
(requests from limits, `enableServiceLinks`, tolerations) is not in a ReplicaSet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rollouts.strategy.podtemplate.encoders import TEMPLATE, fields
from rollouts.strategy.podtemplate.images import default_pull_policy

JSON = Mapping[str, Any]
_MODE: Final = 0o644

CONSTANTS: Final[Mapping[str, JSON]] = {
    "core.PodSpec": {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    },
    "core.Container": {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"},
    "core.EphemeralContainer": {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"},
    "core.ContainerPort": {"protocol": "TCP"},
    "core.Probe": {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
    "core.HTTPGetAction": {"path": "/", "scheme": "HTTP"},
    "core.GRPCAction": {"service": ""},
    "core.ObjectFieldSelector": {"apiVersion": "v1"},
    "core.FileKeySelector": {"optional": False},
    "core.HostPathVolumeSource": {"type": ""},
    "core.SecretVolumeSource": {"defaultMode": _MODE},
    "core.ConfigMapVolumeSource": {"defaultMode": _MODE},
    "core.DownwardAPIVolumeSource": {"defaultMode": _MODE},
    "core.ProjectedVolumeSource": {"defaultMode": _MODE},
    "core.ServiceAccountTokenProjection": {"expirationSeconds": 3600},
    "core.PersistentVolumeClaimSpec": {"volumeMode": "Filesystem"},
    "core.ISCSIVolumeSource": {"iscsiInterface": "default"},
    "core.RBDVolumeSource": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "core.AzureDiskVolumeSource": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "core.ScaleIOVolumeSource": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
_DROPPED_ANNOTATIONS: Final = frozenset(
    f"pod.{stage}.kubernetes.io/{name}"
    for stage in ("alpha", "beta")
    for name in ("init-containers", "init-container-statuses")
)


def with_defaults(template: JSON) -> dict[str, Any]:
    """The pod template as the API server would store it, `serviceAccount` (the old name) folded into
    `serviceAccountName`. The argument stays as it is; a value of a wrong type is left for the encoder to report."""
    filled = _fill(TEMPLATE, template)
    return filled if isinstance(filled, dict) else {}


def _fill(kind: str, value: Any) -> Any:
    if kind.startswith("*"):
        return _fill(kind[1:], value)
    if kind.startswith("[]"):
        return [_fill(kind[2:], item) for item in value] if isinstance(value, list | tuple) else value
    if "." not in kind or kind.startswith("{}") or not isinstance(value, Mapping):
        return value
    return _fill_struct(kind, value)


def _fill_struct(name: str, value: JSON) -> dict[str, Any]:
    rows = {key: kind for key, kind, _ in fields("types.json")[name]}
    filled = {key: _fill(kind, value[key]) for key, kind in rows.items() if value.get(key) is not None}
    for key, default in CONSTANTS.get(name, {}).items():
        if _is_unset(filled.get(key), rows[key]):
            filled[key] = default
    if name in _WORKED_OUT:
        _WORKED_OUT[name](filled)
    return filled


def _is_unset(value: Any, kind: str) -> bool:
    """Whether Go sees nothing there: nil for a pointer, the zero value for the rest."""
    return value is None if kind.startswith("*") else not value


def _container(filled: dict[str, Any]) -> None:
    if not filled.get("imagePullPolicy"):
        filled["imagePullPolicy"] = default_pull_policy(str(filled.get("image") or ""))


def _image_volume(filled: dict[str, Any]) -> None:
    if not filled.get("pullPolicy"):
        filled["pullPolicy"] = default_pull_policy(str(filled.get("reference") or ""))


def _volume(filled: dict[str, Any]) -> None:
    if not filled.keys() - {"name"}:
        filled["emptyDir"] = {}


def _pod_spec(filled: dict[str, Any]) -> None:
    name = filled.pop("serviceAccount", None)
    if name and not filled.get("serviceAccountName"):
        filled["serviceAccountName"] = name
    if filled.get("hostNetwork"):
        _host_ports(filled)


def _host_ports(filled: Mapping[str, Any]) -> None:
    """On the host's network a port is a host port; API servers before 1.28 wrote that into templates too."""
    for role in ("containers", "initContainers"):
        for container in filled.get(role) or ():
            for port in container.get("ports") or ():
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort", 0)


def _metadata(filled: dict[str, Any]) -> None:
    annotations = filled.get("annotations")
    if isinstance(annotations, Mapping):
        filled["annotations"] = {key: text for key, text in annotations.items() if key not in _DROPPED_ANNOTATIONS}


_WORKED_OUT: Final[Mapping[str, Callable[[dict[str, Any]], None]]] = {
    "core.Container": _container,
    "core.EphemeralContainer": _container,
    "core.ImageVolumeSource": _image_volume,
    "core.Volume": _volume,
    "core.PodSpec": _pod_spec,
    "meta.ObjectMeta": _metadata,
}
