"""What an object asks for itself: how it is applied, and whether it may be deleted. Pure.

    gitops.rollouts.dev/sync-options: Prune=confirm,Force=true
    argocd.argoproj.io/sync-options: Prune=false
    kustomize.toolkit.fluxcd.io/{ssa,reconcile,prune,force}
    helm.sh/resource-policy: keep

All of them are read into the same words, `Name=value`; the stronger source wins, in the order above. A word that can't
be carried out is an error of the commit, told with the reason: nobody should believe in a protection that isn't there.
On live objects, where people write too, what can't be understood is read as the careful answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rollouts.gitops import marks
from rollouts.gitops.objects import JSON, Manifest, annotation

ARGO_OPTIONS = "argocd.argoproj.io/sync-options"
FLUX = "kustomize.toolkit.fluxcd.io/"
COMPARE = "argocd.argoproj.io/compare-options"
HELM_POLICY = "helm.sh/resource-policy"


class Consent(StrEnum):
    """Whether an object may be deleted."""

    YES = "true"
    NO = "false"
    CONFIRM = "confirm"


class Ssa(StrEnum):
    """How an object is applied, in Flux's words.

    `OVERRIDE`: our values win, and what earlier tools had applied becomes ours. `MERGE`: our values win, all else stays
    whose it is. `IF_NOT_PRESENT`: made when it is missing, then left alone. `IGNORE`: neither compared nor applied.
    """

    OVERRIDE = "Override"
    MERGE = "Merge"
    IF_NOT_PRESENT = "IfNotPresent"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """How an object is to be applied.

    `force`: deleted and made anew where it can't be changed. `replace`: sent as a whole. `migrate`: what
    earlier tools had applied becomes ours. `patient`: its kind may come later than the commit. `validate`: refused if
    it is of our kinds and its controller would refuse it.
    """

    replace: bool = False
    force: bool = False
    ssa: Ssa = Ssa.OVERRIDE
    migrate: bool = True
    patient: bool = False
    validate: bool = True


def of(body: JSON, defaults: Mapping[str, str] | None = None) -> Chosen:
    """What a wanted or a live object asks for. `defaults`: options of the whole sync."""
    found = {**(defaults or {}), **{word.name: word.value for word in _words(body)}}
    return Chosen(
        replace=found.get("Replace") == "true",
        force=found.get("Force") == "true",
        ssa=Ssa(found["SSA"]) if found.get("SSA") in set(Ssa) else Ssa.OVERRIDE,
        migrate=found.get("ClientSideApplyMigration") != "false",
        patient=found.get("SkipDryRunOnMissingResource") == "true",
        validate=found.get("Validate") != "false",
    )


def consent(live: JSON, *, parting: bool = False) -> tuple[Consent, str]:
    """Whether the live object may be deleted, and the annotation that says so, for people.

    `parting`: because its GitSync is deleted; then `Delete` counts, and `Prune` where it is not given.
    """
    found = {word.name: word for word in _words(live)}
    ignored = found.get("SSA")
    if ignored is not None and ignored.value == Ssa.IGNORE:
        return Consent.NO, f"{ignored.key}: {ignored.text}"
    chosen = found.get("Delete", found.get("Prune")) if parting else found.get("Prune")
    if chosen is None:
        return Consent.YES, ""
    return Consent(chosen.value) if chosen.value in set(Consent) else Consent.NO, f"{chosen.key}: {chosen.text}"


def extraneous(live: JSON) -> bool:
    """Whether an object that Git no longer has says that this makes nothing out of sync."""
    words = (annotation(live, COMPARE) or "").split(",")
    return "IgnoreExtraneous" in (word.strip() for word in words)


def problem(manifest: Manifest) -> str | None:
    """What is wrong with the options of an object in Git, None when nothing is."""
    return next((text for word in _words(manifest.body) if (text := _wrong(word))), None)


@dataclass(frozen=True, slots=True)
class _Word:
    """One option: in which annotation, how it is written there, and as `Name=value`."""

    key: str
    text: str
    option: str

    @property
    def name(self) -> str:
        return self.option.partition("=")[0]

    @property
    def value(self) -> str:
        return self.option.partition("=")[2]


def _words(body: JSON) -> Iterator[_Word]:
    """From the weakest source to the strongest."""
    for key, meanings in _OTHERS.items():
        text = (annotation(body, key) or "").strip()
        if text:
            yield from (_Word(key, text, option) for option in meanings.get(text.lower(), (text,)))
    for key in (ARGO_OPTIONS, marks.SYNC_OPTIONS):
        options = (part.strip() for part in (annotation(body, key) or "").split(","))
        yield from (_Word(key, option, option) for option in options if option)


_OTHERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    HELM_POLICY: {"keep": ("Prune=confirm", "Delete=false")},
    f"{FLUX}prune": {"disabled": ("Prune=false", "Delete=false"), "enabled": ()},
    f"{FLUX}force": {"enabled": ("Force=true",), "disabled": ()},
    f"{FLUX}ssa": {mode.value.lower(): (f"SSA={mode.value}",) for mode in Ssa},
    f"{FLUX}reconcile": {"disabled": ("SSA=Ignore",), "enabled": ()},
}
"""Other tools' annotations: what each of their values means, in any case of letters. One not listed is refused."""


def _wrong(word: _Word) -> str | None:
    shown = f"{word.key}: {word.text}"
    if word.key in _OTHERS:
        known = _OTHERS[word.key]
        return None if word.text.lower() in known else f"{shown}: must be {' or '.join(known)}"
    if "=" not in word.option:
        return f"{shown}: write Name=value"
    teller = _OPTIONS.get(word.name)
    if teller is None:
        return f"{shown}: unknown option; known are {', '.join(_OPTIONS)}"
    reason = teller(word.value)
    return f"{shown}: {reason}" if reason else None


def _one_of(*values: str) -> Callable[[str], str | None]:
    return lambda value: None if value in values else f"must be {', '.join(values[:-1])} or {values[-1]}"


def _always(value: str) -> str | None:
    return None if value == "true" else "can't be switched off: a GitSync always works this way; take it out"


def _whole(value: str) -> str | None:
    return "is an option of the whole sync: write it into spec.syncPolicy.syncOptions"


_switch = _one_of("true", "false")
_deleting = _one_of(*(consent.value for consent in Consent))

_OPTIONS: Mapping[str, Callable[[str], str | None]] = {
    "Prune": _deleting,
    "Delete": _deleting,
    "Replace": _switch,
    "Force": _switch,
    "SSA": _one_of(*(mode.value for mode in Ssa)),
    "ClientSideApplyMigration": _switch,
    "SkipDryRunOnMissingResource": _switch,
    # Switches off what is checked here. The API server always checks what it applies.
    "Validate": _switch,
    "PruneLast": _always,
    "ServerSideApply": _always,
    "ApplyOutOfSyncOnly": _always,
    "RespectIgnoreDifferences": _always,
    "FailOnSharedResource": _always,
    "CreateNamespace": _whole,
    "PrunePropagationPolicy": _whole,
}
