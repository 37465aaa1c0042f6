"""How an object was when it was last looked at: enough to tell later, from its metadata alone, whether it has changed.

Passes leave a `Mark` of each object they compared or applied. A glance holds the next reading against it, and so does
the watch (`gitsync/watching.py`), which never sees more than metadata.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from rollouts.api.kinds import Kind
from rollouts.gitops import marks
from rollouts.gitops.claims import dig
from rollouts.gitops.objects import JSON

REPORTS = (
    "deployment.kubernetes.io/revision",
    "rollout.argoproj.io/revision",
    "rollout.argoproj.io/workload-generation",
)
"""Annotations by which a controller reports, as others do in the status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An object as it was. `version`: its resourceVersion as a number, 0 when it has none. `labelled`: with our label,
    so that a watch shows it."""

    kind: Kind
    fingerprint: str
    version: int
    labelled: bool = False


def mark(kind: Kind, body: JSON) -> Mark:
    """The mark of a live object."""
    labelled = marks.MANAGED in (dig(body, "metadata").get("labels") or {})
    return Mark(kind=kind, fingerprint=fingerprint(body), version=version(body), labelled=labelled)


def version(body: JSON) -> int:
    """Which of two states of an object is newer: the greater. Versions grow across the objects of a kind."""
    text = str(dig(body, "metadata").get("resourceVersion") or "")
    return int(text) if text.isdigit() else 0


def fingerprint(body: JSON) -> str:
    """What changes when somebody changes the object, but not when its controller reports on it.

    The generation counts changes of the spec, where a kind has one; labels and annotations are looked at beside it. An
    object without a generation has a version that nothing but a change moves.
    """
    metadata = dig(body, "metadata")
    if not metadata.get("generation"):
        return f"{metadata.get('uid')} {metadata.get('resourceVersion')}"
    written = {key: text for key, text in (metadata.get("annotations") or {}).items() if key not in REPORTS}
    parts = [metadata.get(key) for key in ("uid", "generation", "labels", "deletionTimestamp")]
    return hashlib.sha256(json.dumps([*parts, written], sort_keys=True).encode()).hexdigest()
