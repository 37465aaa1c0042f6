"""What applying would change, by asking the API server: a dry run of the very request that would be sent.

Only the server knows its defaults, its schemas and its admission. So every wanted object is applied with `dryRun=All`
and the answer is compared with the live object. That is the diff, and at the same time the validation: **all** objects
of a commit pass their dry run before the first one is written, so a commit with one bad object changes nothing.

Two kinds of objects can't be asked about yet: those in a namespace, or of a kind, that the same commit brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.api.kinds import Kind
from rollouts.engine.errors import ApiError, UnavailableError
from rollouts.gitops import marks, takeover
from rollouts.gitops.adopt import adopt
from rollouts.gitops.claims import Claims, dig
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.errors import ClusterError, RefusedError, redact
from rollouts.gitops.normalise import KindKey, key_of
from rollouts.gitops.objects import JSON, Manifest
from rollouts.gitops.plan import Action, Examined
from rollouts.gitops.seen import mark

_VOLATILE = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"})
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What all objects of a pass are judged by. `brought`: kinds and namespaces that come with the commit itself."""

    kinds: Mapping[KindKey, Kind]
    claims: Claims
    sync: str
    adopt_owned: bool = False
    adjust: Callable[[JSON, JSON], JSON] | None = None
    brought_kinds: frozenset[KindKey] = frozenset()
    brought_namespaces: frozenset[str] = frozenset()


async def examine(cluster: Cluster, manifests: Iterable[Manifest], question: Question) -> tuple[Examined, ...]:
    """Each object with what applying it would change. RefusedError with everything the server refuses."""

    async def one(manifest: Manifest) -> Examined | str:
        try:
            return await _examine(cluster, manifest, question)
        except _RefusalError as refusal:
            return str(refusal)

    answers = await in_parallel(manifests, one)
    refusals = tuple(answer for answer in answers if isinstance(answer, str))
    if refusals:
        raise RefusedError(refusals)
    return tuple(answer for answer in answers if isinstance(answer, Examined))


async def try_out(cluster: Cluster, manifests: Iterable[Manifest], question: Question) -> None:
    """Dry runs of objects that are made anew each time, so what is there does not count. RefusedError as above."""

    async def one(manifest: Manifest) -> str:
        kind = question.kinds[key_of(manifest)]
        if _too_early(manifest, question) or await cluster.live(kind, manifest.ref) is not None:
            return ""
        try:
            await _dry_run(cluster, kind, manifest)
        except _RefusalError as refusal:
            return str(refusal)
        return ""

    refusals = tuple(text for text in await in_parallel(manifests, one) if text)
    if refusals:
        raise RefusedError(refusals)


class _RefusalError(Exception):
    """One object can't be applied, and why."""


async def _examine(cluster: Cluster, manifest: Manifest, question: Question) -> Examined:
    if _too_early(manifest, question):
        return Examined(manifest=manifest, action=Action.AWAIT)
    kind = question.kinds[key_of(manifest)]
    live = await cluster.live(kind, manifest.ref)
    if live is None:
        made = await _dry_run(cluster, kind, manifest)
        return Examined(manifest=manifest, action=Action.CREATE, after=made)
    _check_owner(manifest, live, question)
    adopted = adopt(manifest.body, live, question.claims)
    sent = manifest.with_body(question.adjust(adopted, live) if question.adjust else adopted)
    answer = await _dry_run(cluster, kind, sent)
    taken = takeover.of(live, answer) if marks.tracked_by(live, manifest.ref) != question.sync else None
    result = taken.expected(answer) if taken else answer
    fields = tuple(differences(live, result))
    same = not (fields or taken) and owned_fields(live) == owned_fields(result)
    return Examined(
        manifest=sent,
        action=Action.KEEP if same else Action.UPDATE,
        fields=fields,
        uid=live["metadata"]["uid"],
        guard=live["metadata"]["resourceVersion"] if sent.body is not manifest.body else None,
        takeover=taken,
        seen=mark(kind, live),
        before=None if same else live,
        after=None if same else result,
    )


def _too_early(manifest: Manifest, question: Question) -> bool:
    return key_of(manifest) in question.brought_kinds or manifest.ref.namespace in question.brought_namespaces


def _check_owner(manifest: Manifest, live: JSON, question: Question) -> None:
    owner = marks.foreign_owner(live, manifest.ref, sync=question.sync)
    if owner and not question.adopt_owned:
        raise _RefusalError(
            f"{manifest.place}: {manifest.ref.label} is managed by {owner} already: "
            "take it out there first, or take it over with --adopt"
        )


async def _dry_run(cluster: Cluster, kind: Kind, manifest: Manifest) -> JSON:
    try:
        return await cluster.apply(kind, manifest, dry_run=True)
    except UnavailableError as error:
        # A 500 may quote the object too: "error decoding from json: …".
        what = f"failed on {manifest.ref.label}" if error.status else f"did not answer for {manifest.ref.label}"
        raise ClusterError(f"{manifest.place}: the API server {what}: {refusal(error, manifest)}") from error
    except ApiError as error:
        raise _RefusalError(f"{manifest.place}: {manifest.ref.label}: {refusal(error, manifest)}") from error


def refusal(error: ApiError, manifest: Manifest) -> str:
    """The server's reason. It quotes the values it refuses, so nothing of it is repeated for a Secret."""
    if manifest.body["kind"] == "Secret":
        return f"refused by the API server ({type(error).__name__}); its reason may hold secret values and is not shown"
    return redact(str(error))


Place = tuple[str | int, ...]
"""A path in an object: keys and positions."""


def differences(live: Any, result: Any) -> Iterator[str]:
    """The paths whose values differ, for people. Metadata the server keeps is left out."""
    return ("".join(map(_shown, path)).removeprefix(".") for path in paths(live, result))


def _shown(step: str | int) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"


def paths(live: Any, result: Any, at: Place = ()) -> Iterator[Place]:
    """The paths whose values differ; lists of different length as a whole."""
    if isinstance(live, Mapping) and isinstance(result, Mapping):
        for key in sorted(live.keys() | result.keys()):
            if at != ("metadata",) or key not in _VOLATILE:
                yield from paths(live.get(key), result.get(key), (*at, key))
    elif isinstance(live, list) and isinstance(result, list) and len(live) == len(result):
        for index, (old, new) in enumerate(zip(live, result, strict=True)):
            yield from paths(old, new, (*at, index))
    elif live != result:
        yield at


def owned_fields(body: JSON) -> Any:
    """What our field manager owns: it may change while every value stays the same."""
    entries = dig(body, "metadata").get("managedFields") or ()
    ours = (row for row in entries if row.get("manager") == marks.FIELD_MANAGER and row.get("operation") == "Apply")
    return next((row.get("fieldsV1") for row in ours if not row.get("subresource")), None)


def shorten(fields: tuple[str, ...]) -> str:
    """The paths for people: the first few of them."""
    more = f" and {len(fields) - _SHOWN} more" if len(fields) > _SHOWN else ""
    return ", ".join(fields[:_SHOWN]) + more
