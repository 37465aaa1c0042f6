"""Objects that are not kept but run once in a sync: which they are, when they run, when they are deleted. Pure.

    PreSync    before anything is applied; when one fails, nothing is
    Sync       after everything is applied
    PostSync   after everything is applied and healthy
    SyncFail   after a sync that failed
    Skip       never

The marks of Argo CD and of Helm are understood too. Helm's `pre-install` and `pre-upgrade` are told apart by what
Helm alone knows and this sync knows as well (R28): whether it has applied anything before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rollouts.api.durations import parse_duration
from rollouts.gitops import marks
from rollouts.gitops.objects import Manifest, annotation

HOOK = f"{marks.PREFIX}hook"
DELETE = f"{marks.PREFIX}hook-delete-policy"
TIMEOUT = f"{marks.PREFIX}hook-timeout"
RUN = f"{marks.PREFIX}hook-run"
ARGO_HOOK = "argocd.argoproj.io/hook"
HELM_HOOK = "helm.sh/hook"
SECONDS = 300.0


class Phase(StrEnum):
    """When a hook runs."""

    PRE = "PreSync"
    SYNC = "Sync"
    POST = "PostSync"
    FAIL = "SyncFail"
    SKIP = "Skip"


class Deletion(StrEnum):
    """When a hook's object is deleted."""

    BEFORE = "BeforeHookCreation"
    SUCCEEDED = "HookSucceeded"
    FAILED = "HookFailed"


PASSIVE = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
    }
)
"""Kinds that do not run: as hooks they are applied anew for each run and not deleted before it (R28)."""

_HELM_PHASES: Mapping[str, tuple[Phase, bool | None]] = {
    "pre-install": (Phase.PRE, True),
    "pre-upgrade": (Phase.PRE, False),
    "post-install": (Phase.POST, True),
    "post-upgrade": (Phase.POST, False),
}
"""Helm's name: the phase, and whether it is for the first sync only (True) or for all later ones (False)."""
_HELM_DELETIONS = {
    "before-hook-creation": Deletion.BEFORE,
    "hook-succeeded": Deletion.SUCCEEDED,
    "hook-failed": Deletion.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An object that runs once. `timeout` in seconds."""

    manifest: Manifest
    phases: frozenset[Phase]
    wave: int = 0
    deletions: frozenset[Deletion] = frozenset({Deletion.BEFORE})
    timeout: float = SECONDS


def split(manifests: Iterable[Manifest], *, installing: bool) -> tuple[tuple[Manifest, ...], tuple[Hook, ...]]:
    """The objects that are kept, and the hooks by wave and name. `installing`: nothing was applied before."""
    kept: list[Manifest] = []
    hooks: list[Hook] = []
    for manifest in manifests:
        phases = _phases(manifest, installing=installing)
        if phases is None:
            kept.append(manifest)
        else:
            hooks.append(_hook(manifest, phases))
    return tuple(kept), tuple(sorted(hooks, key=lambda hook: (hook.wave, hook.manifest.ref)))


def problem(manifest: Manifest) -> str | None:
    """What is wrong with the marks of an object, None when nothing is."""
    body = manifest.body
    for key in marks.WAVES:
        if (text := annotation(body, key)) is not None and not _is_number(text):
            return f"{key}: must be a whole number in quotes, not {text!r}"
    for key in (HOOK, ARGO_HOOK):
        unknown = _words(annotation(body, key)) - {phase.value for phase in Phase} - _NEVER
        if unknown:
            return f"{key}: {', '.join(sorted(unknown))} is none of {', '.join(phase.value for phase in Phase)}"
    return _timeout_problem(annotation(body, TIMEOUT))


_NEVER = frozenset({"PreDelete", "PostDelete"})
"""Argo CD's phases of deleting an application: never run here."""


def _timeout_problem(text: str | None) -> str | None:
    try:
        parse_duration(text or "1s")
    except ValueError as error:
        return f"{TIMEOUT}: {error}"
    return None


def _phases(manifest: Manifest, *, installing: bool) -> frozenset[Phase] | None:
    """When it runs; None for an object that is kept. An empty set: a hook, but not in this sync."""
    body = manifest.body
    own = annotation(body, HOOK) or annotation(body, ARGO_HOOK)
    if own is not None:
        return frozenset(Phase(word) for word in _words(own) - _NEVER) - {Phase.SKIP}
    helm = _words(annotation(body, HELM_HOOK))
    if not helm or helm == {"crd-install"}:
        return None
    known = [_HELM_PHASES[word] for word in helm if word in _HELM_PHASES]
    return frozenset(phase for phase, first in known if first is installing)


def _hook(manifest: Manifest, phases: frozenset[Phase]) -> Hook:
    body = manifest.body
    own = _words(annotation(body, DELETE) or annotation(body, "argocd.argoproj.io/hook-delete-policy"))
    helm = _words(annotation(body, "helm.sh/hook-delete-policy"))
    chosen = {deletion for deletion in Deletion if deletion.value in own}
    chosen |= {_HELM_DELETIONS[word] for word in helm if word in _HELM_DELETIONS and not own}
    timeout = annotation(body, TIMEOUT)
    return Hook(
        manifest=manifest,
        phases=phases,
        wave=marks.wave(body) or _weight(body),
        deletions=frozenset(chosen or {Deletion.BEFORE}),
        timeout=parse_duration(timeout) if timeout else SECONDS,
    )


def _weight(body: Mapping[str, object]) -> int:
    text = annotation(body, "helm.sh/hook-weight") or "0"
    return int(text) if _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.strip().removeprefix("-").removeprefix("+").isdecimal() and len(text) < 10


def _words(text: str | None) -> frozenset[str]:
    return frozenset(word.strip() for word in (text or "").split(",") if word.strip())
