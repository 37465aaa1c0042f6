"""Names this sync writes into the cluster, and the marks of other tools it respects.

The tracking annotation says which sync manages an object **and which object it was written for**. An operator that
copies annotations to its own children copies the mark too, but on the copy it does not match the object's own
identity, so nothing is ever claimed, or pruned, by accident.

    gitops.rollouts.dev/tracking: shop:shop_web_argoproj.io_Rollout
                                  └ sync └ the object it was written for

The label `gitops.rollouts.dev/managed: "true"` says nothing about whose an object is and nothing is ever concluded from
it. It is there because an API server can filter a watch by labels, and not by annotations.
"""

from __future__ import annotations

from rollouts.gitops.objects import JSON, Ref, annotation

FIELD_MANAGER = "rollouts-gitops"
PREFIX = "gitops.rollouts.dev/"
TRACKING = f"{PREFIX}tracking"
MANAGED = f"{PREFIX}managed"
SYNC_OPTIONS = f"{PREFIX}sync-options"
POD_HASH = "rollouts-pod-template-hash"

_FOREIGN_ANNOTATIONS = {
    "argocd.argoproj.io/tracking-id": "Argo CD application",
    "meta.helm.sh/release-name": "Helm release",
}
_FOREIGN_LABELS = {"kustomize.toolkit.fluxcd.io/name": "Flux Kustomization"}

WAVES = (f"{PREFIX}sync-wave", "argocd.argoproj.io/sync-wave")


def wave(body: JSON) -> int:
    """In which wave an object is applied, 0 unless it says so. Checked before: it is a number."""
    found = next((text for key in WAVES if (text := annotation(body, key)) is not None), "0")
    return int(found)


def tracking(sync: str, ref: Ref) -> str:
    """The value of the tracking annotation."""
    return f"{sync}:{ref}"


def tracked_by(body: JSON, ref: Ref) -> str | None:
    """The sync that manages the live object; None when nobody does, or when the mark is a copy of another's."""
    sync, _, of = (annotation(body, TRACKING) or "").partition(":")
    return sync if of == str(ref) else None


def foreign_owner(body: JSON, ref: Ref, *, sync: str) -> str | None:
    """Who else manages the live object, for people; None when nobody does."""
    other = tracked_by(body, ref)
    if other is not None:
        # What was adopted once is ours, even if the other tool's mark is still there.
        return None if other == sync else f"the sync {other!r}"
    metadata = body.get("metadata", {})
    for key, label in _FOREIGN_LABELS.items():
        if value := (metadata.get("labels") or {}).get(key):
            return f"the {label} {value!r}"
    for key, label in _FOREIGN_ANNOTATIONS.items():
        if value := annotation(body, key):
            return f"the {label} {value.partition(':')[0]!r}"
    return None
