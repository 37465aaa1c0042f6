"""What people should know about files that were applied all the same. Pure; one row of `_REMARKS` for each sort.

A remark is no error: the sync has done the sensible thing by itself. It is told **once**: it stands in the status as
long as it is true, and only one that was not there before becomes an event, so that neither the next pass nor a
restart tells it again. For the same reason it names object and file, but no line and no value, which move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from rollouts.gitops import hooks
from rollouts.gitops.claims import Claims, dig
from rollouts.gitops.objectoptions import COMPARE, FLUX
from rollouts.gitops.objects import Manifest, annotation

MOST = 20
LENGTH = 300


def remarks(manifests: Iterable[Manifest], claims: Claims, *, more: Iterable[str] = ()) -> tuple[str, ...]:
    """The remarks on the objects of a commit, in order of the files; of many, the first and how many more.

    `more`: remarks of others, empty ones for none.
    """
    found = [text for manifest in manifests for about in _REMARKS for text in about(manifest, claims)]
    texts = sorted({text[:LENGTH] for text in (*found, *more) if text})
    rest = len(texts) - MOST
    return (*texts[:MOST], f"and {rest} more remarks like these") if rest > 0 else tuple(texts)


def _replicas(manifest: Manifest, claims: Claims) -> Iterator[str]:
    """R8: a number in Git that an autoscaler overrides says what is not so."""
    scaler = claims.scalers.get(manifest.ref)
    if scaler is not None and "replicas" in dig(manifest.body, "spec"):
        why = f"{scaler} decides on spec.replicas, so the number in Git is not used: remove it"
        yield f"{manifest.file}: {manifest.ref.label}: {why}"


_UNHEARD: Mapping[str, str] = {
    f"{FLUX}substitute": "variables are not substituted here: write the values into the file",
    f"{FLUX}decrypt": "nothing is decrypted here: use External Secrets or Sealed Secrets",
}
"""Flux's annotations that a GitSync does nothing for; `disabled` asks for exactly that."""


def _unheard(manifest: Manifest, claims: Claims) -> Iterator[str]:
    for key, why in _UNHEARD.items():
        text = (annotation(manifest.body, key) or "disabled").strip()
        if text.lower() != "disabled":
            yield f"{manifest.file}: {manifest.ref.label}: {key}: {text}: {why}"


_COMPARED = frozenset({"IgnoreExtraneous", "ServerSideDiff=true", "IncludeMutationWebhook=true"})


def _compared(manifest: Manifest, claims: Claims) -> Iterator[str]:
    """Argo CD's ways to compare: here the API server does it, webhooks included, whatever an object says."""
    words = {word.strip() for word in (annotation(manifest.body, COMPARE) or "").split(",")} - {""}
    for word in sorted(words - _COMPARED):
        yield f"{manifest.file}: {manifest.ref.label}: {COMPARE}: {word}: the API server compares, so take it out"


_NEVER = {
    hooks.HOOK: {"PreDelete", "PostDelete"},
    hooks.ARGO_HOOK: {"PreDelete", "PostDelete"},
    hooks.HELM_HOOK: {"pre-delete", "post-delete", "pre-rollback", "post-rollback"},
}


def _never(manifest: Manifest, claims: Claims) -> Iterator[str]:
    """Hooks of moments that a GitSync has not: nobody should believe that they run."""
    for key, words in _NEVER.items():
        asked = {word.strip() for word in (annotation(manifest.body, key) or "").split(",")}
        for word in sorted(asked & words):
            yield f"{manifest.file}: {manifest.ref.label}: {key}: {word}: never runs here, so run it by hand"


_REMARKS: tuple[Callable[[Manifest, Claims], Iterator[str]], ...] = (_replicas, _unheard, _compared, _never)
