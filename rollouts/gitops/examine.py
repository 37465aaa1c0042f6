"""What applying would change, by asking the API server: a dry run of the very request that would be sent.

Only the server knows its defaults, its schemas and its admission. So every wanted object is applied with `dryRun=All`
and the answer is compared with the live object. That is the diff, and at the same time the validation: **all** objects
of a commit pass their dry run before the first one is written, so a commit with one bad object changes nothing.

Two kinds of objects can't be asked about yet: those in a namespace, or of a kind, that the same commit brings. And one
that a kind refuses whose definition changes with the commit is tried again once the definition is there. One whose
admission webhook does not support dry runs is compared here (`workedout.py`), and that is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rollouts.api.kinds import Kind
from rollouts.engine.errors import ApiError, InvalidError, UnavailableError
from rollouts.gitops import marks, objectoptions, takeover, workedout
from rollouts.gitops.adopt import adopt, steered
from rollouts.gitops.claims import Claims
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.diff import differences, owned_fields
from rollouts.gitops.errors import ClusterError, DeniedError, RefusedError, redact, role_advice
from rollouts.gitops.health import assess
from rollouts.gitops.normalise import KindKey, key_of
from rollouts.gitops.objectoptions import Chosen, Ssa
from rollouts.gitops.objects import JSON, Manifest
from rollouts.gitops.plan import Action, Examined
from rollouts.gitops.seen import mark
from rollouts.gitops.takeover import Takeover

NEVER_ANEW = frozenset(
    {"CustomResourceDefinition", "Namespace", "PersistentVolume", "PersistentVolumeClaim", "GitSync"}
)
"""Kinds that are never deleted to be made anew, nor sent as a whole: too much hangs on them (R20)."""

_REQUEST = re.compile(r"^[A-Z]+ /\S+: ")
_TYPED = re.compile(r"failed to create typed patch object \([^()]*\): ")
_NO_FIELD = "field not declared in schema"
"""The API server answers this with 500, though nothing will change it but another manifest."""
_UNTRIED = re.compile(
    r"not support(ed)?\b.{0,20}\bdry[ -]?run|\bdry[ -]?runs?\b.{0,20}\bnot (be )?supported", re.IGNORECASE
)
_WEBHOOK = re.compile(r'admission webhook "([^"]+)"')
_IMMUTABLE = re.compile(
    r"immutable|read-only|[Uu]pdates to .* forbidden"
    r"|\b(can ?not|can't|may not|must not|should not) (be )?(chang|updat|modif|mutat|alter)",
    re.IGNORECASE,
)
"""In the words of Kubernetes, and of rules people write into their CRDs (CEL)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What all objects of a pass are judged by.

    `brought_kinds`, `brought_namespaces`: come with the commit, or while it is applied. `changing_kinds`: their
    definition changes with it. `defaults`: options of the sync for all its objects. `news`: the commit is not the one
    that was applied last. `former_managers`: field managers of earlier tools that are followed beside the known ones.
    """

    kinds: Mapping[KindKey, Kind]
    claims: Claims
    sync: str
    adopt_owned: bool = False
    adjust: Callable[[JSON, JSON], JSON] | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    brought_kinds: frozenset[KindKey] = frozenset()
    changing_kinds: frozenset[KindKey] = frozenset()
    brought_namespaces: frozenset[str] = frozenset()
    news: bool = False
    former_managers: frozenset[str] = frozenset()


async def examine(cluster: Cluster, manifests: Iterable[Manifest], question: Question) -> tuple[Examined, ...]:
    """Each object with what applying it would change. RefusedError with everything the server refuses.

    Objects that are to be ignored and are not there are left out.
    """

    async def one(manifest: Manifest) -> Examined | str | None:
        try:
            return await _examine(cluster, manifest, question)
        except _RefusalError as refusal:
            return str(refusal)
        except DeniedError as denied:
            return f"{manifest.place}: {denied}"

    answers = await in_parallel(manifests, one)
    refusals = tuple(answer for answer in answers if isinstance(answer, str))
    if refusals:
        raise RefusedError(refusals)
    return tuple(answer for answer in answers if isinstance(answer, Examined))


async def try_out(cluster: Cluster, manifests: Iterable[Manifest], question: Question) -> None:
    """Dry runs of objects that are made anew each time, so what is there does not count. RefusedError as above."""

    async def one(manifest: Manifest) -> str:
        kind = question.kinds[key_of(manifest)]
        try:
            if _too_early(manifest, question) or await cluster.live(kind, manifest.ref) is not None:
                return ""
            await _dry_run(cluster, kind, manifest)
        except _UntriedError:
            return ""
        except _RefusalError as refusal:
            return str(refusal)
        except DeniedError as denied:
            return f"{manifest.place}: {denied}"
        return ""

    refusals = tuple(text for text in await in_parallel(manifests, one) if text)
    if refusals:
        raise RefusedError(refusals)


class _RefusalError(Exception):
    """One object can't be applied, and why."""


class _ImmutableError(_RefusalError):
    """One object is there and can't be changed to this."""


class _UntriedError(Exception):
    """One object can't be tried out, and why."""


async def _examine(cluster: Cluster, manifest: Manifest, question: Question) -> Examined | None:
    chosen = objectoptions.of(manifest.body, question.defaults)
    early = _too_early(manifest, question)
    if early:
        return None if chosen.ssa is Ssa.IGNORE else Examined(manifest=manifest, action=Action.AWAIT)
    kind = question.kinds[key_of(manifest)]
    live = await cluster.live(kind, manifest.ref)
    if live is None:
        return None if chosen.ssa is Ssa.IGNORE else await _created(cluster, kind, manifest, question)
    if _left_alone(chosen, live):
        uid = live["metadata"]["uid"]
        return Examined(manifest=manifest, action=Action.KEEP, uid=uid, seen=mark(kind, live), health=assess(live))
    _check_owner(manifest, live, question)
    try:
        return await _compared(cluster, kind, manifest, live, question, chosen)
    except _ImmutableError as refusal:
        return await _anew(cluster, kind, manifest, live, chosen, refusal)
    except _UntriedError as why:
        return _worked_out(kind, manifest, live, question, chosen, str(why))
    except _RefusalError:
        if key_of(manifest) not in question.changing_kinds:
            raise
        return Examined(manifest=manifest, action=Action.AWAIT, uid=live["metadata"]["uid"])


def _too_early(manifest: Manifest, question: Question) -> bool:
    return key_of(manifest) in question.brought_kinds or manifest.ref.namespace in question.brought_namespaces


def _left_alone(chosen: Chosen, live: JSON) -> bool:
    """Whether an object that is there is neither compared nor applied, as Git says or as it says itself."""
    return chosen.ssa in (Ssa.IGNORE, Ssa.IF_NOT_PRESENT) or objectoptions.of(live).ssa is Ssa.IGNORE


async def _created(cluster: Cluster, kind: Kind, manifest: Manifest, question: Question) -> Examined:
    try:
        made = await _dry_run(cluster, kind, manifest)
    except _UntriedError as why:
        return Examined(manifest=manifest, action=Action.CREATE, after=manifest.body, remark=str(why))
    except _RefusalError:
        if key_of(manifest) not in question.changing_kinds:
            raise
        return Examined(manifest=manifest, action=Action.AWAIT)
    return Examined(manifest=manifest, action=Action.CREATE, after=made)


async def _compared(
    cluster: Cluster, kind: Kind, manifest: Manifest, live: JSON, question: Question, chosen: Chosen
) -> Examined:
    sent = _sent(manifest, live, question)
    answer = await _dry_run(cluster, kind, sent)
    whole = chosen.replace and kind.kind not in NEVER_ANEW
    taken = _taken_over(live, answer, manifest, question, chosen)
    result = taken.expected(answer) if taken else answer
    fields = tuple(differences(live, result))
    others = steered(manifest.body, question.claims)
    owned = whole or (taken is None and owned_fields(live, but=others) == owned_fields(result, but=others))
    same = owned and not fields and key_of(manifest) not in question.changing_kinds
    guarded = whole or sent.body is not manifest.body
    return Examined(
        manifest=sent,
        action=Action.KEEP if same else Action.REPLACE if whole else Action.UPDATE,
        fields=fields,
        uid=live["metadata"]["uid"],
        guard=live["metadata"]["resourceVersion"] if guarded else None,
        takeover=None if whole else taken,
        seen=mark(kind, live),
        health=assess(live),
        before=None if same else live,
        after=None if same else result,
    )


def _sent(manifest: Manifest, live: JSON, question: Question) -> Manifest:
    """The object with what is steered, or to be left alone, as it is."""
    adopted = adopt(manifest.body, live, question.claims)
    return manifest.with_body(question.adjust(adopted, live) if question.adjust else adopted)


def _worked_out(kind: Kind, manifest: Manifest, live: JSON, question: Question, chosen: Chosen, why: str) -> Examined:
    """R10: an object that can't be tried out. It is applied with each new commit, and where it seems to differ."""
    sent = _sent(manifest, live, question)
    whole = chosen.replace and kind.kind not in NEVER_ANEW
    taken = _taken_over(live, live, manifest, question, chosen)
    result = workedout.applied(live, sent.body, taken=taken.fields if taken else None)
    fields = tuple(differences(live, result))
    same = not (fields or taken or question.news or key_of(manifest) in question.changing_kinds)
    return Examined(
        manifest=sent,
        action=Action.KEEP if same else Action.REPLACE if whole else Action.UPDATE,
        fields=fields,
        uid=live["metadata"]["uid"],
        guard=live["metadata"]["resourceVersion"] if whole or sent.body is not manifest.body else None,
        takeover=None if whole else taken,
        seen=mark(kind, live),
        health=assess(live),
        before=None if same else live,
        after=None if same else result,
        remark=why,
    )


def _taken_over(live: JSON, answer: JSON, manifest: Manifest, question: Question, chosen: Chosen) -> Takeover | None:
    """What becomes ours with it (R11): at first contact, and what was sent as a whole before."""
    if chosen.replace or takeover.unfinished(live):
        return takeover.of(live, answer, also=question.former_managers)
    first = marks.tracked_by(live, manifest.ref) != question.sync
    wanted = chosen.migrate and chosen.ssa is Ssa.OVERRIDE
    return takeover.of(live, answer, also=question.former_managers) if first and wanted else None


async def _anew(
    cluster: Cluster, kind: Kind, manifest: Manifest, live: JSON, chosen: Chosen, refusal: _ImmutableError
) -> Examined:
    """R20: an object that can't be changed is deleted and made anew, if it asks for that.

    How it would be made is tried out under another name.
    """
    if kind.kind in NEVER_ANEW:
        raise _RefusalError(f"{refusal}; a {kind.kind} is never deleted and made anew: take the change back")
    if not chosen.force:
        raise _RefusalError(
            f"{refusal}; give it another name, or let it be deleted and made anew: {marks.SYNC_OPTIONS}: Force=true"
        )
    uid, name = str(live["metadata"]["uid"]), manifest.ref.name
    made = await _tried(cluster, kind, manifest.with_metadata(name=f"{name[:40]}-{uid[:8]}"))
    after = {**made, "metadata": {**made["metadata"], "name": name}}
    fields = tuple(differences(live, after))
    return Examined(manifest=manifest, action=Action.RECREATE, fields=fields, uid=uid, before=live, after=after)


async def _tried(cluster: Cluster, kind: Kind, manifest: Manifest) -> JSON:
    """A port that only the object itself holds is free once that is gone."""
    try:
        return await _dry_run(cluster, kind, manifest)
    except _UntriedError:
        return manifest.body
    except _RefusalError as refusal:
        if "already allocated" not in str(refusal):
            raise
        return manifest.body


def _check_owner(manifest: Manifest, live: JSON, question: Question) -> None:
    owner = marks.foreign_owner(live, manifest.ref, sync=question.sync)
    if owner and not question.adopt_owned:
        raise _RefusalError(
            f"{manifest.place}: {manifest.ref.label} is managed by {owner} already: "
            "take it out there first, or take it over with `kubectl rollouts sync now NAME --adopt`"
        )


async def _dry_run(cluster: Cluster, kind: Kind, manifest: Manifest) -> JSON:
    try:
        return await cluster.apply(kind, manifest, dry_run=True)
    except ApiError as error:
        raise _why_not(error, manifest) from error


def _why_not(error: ApiError, manifest: Manifest) -> Exception:
    """What an answer to a dry run means: can't be tried out, can't be applied, could not be asked."""
    text, where = str(error), f"{manifest.place}: {manifest.ref.label}"
    if _UNTRIED.search(text):
        by = _WEBHOOK.search(text)
        who = f"the webhook {by[1]}" if by else "whoever serves its kind"
        untried = f"{who} does not support dry runs, so changes of it are worked out here and not tried out before"
        return _UntriedError(f"{manifest.file}: {manifest.ref.label}: {untried}")
    if isinstance(error, UnavailableError) and _NO_FIELD not in text:
        # A 500 may quote the object too: "error decoding from json: …".
        what = f"failed on {manifest.ref.label}" if error.status else f"did not answer for {manifest.ref.label}"
        return ClusterError(f"{manifest.place}: the API server {what}: {refusal(error, manifest)}")
    fixed = isinstance(error, InvalidError) and _IMMUTABLE.search(text)
    return (_ImmutableError if fixed else _RefusalError)(f"{where}: {refusal(error, manifest)}")


def refusal(error: ApiError, manifest: Manifest) -> str:
    """The server's reason. It quotes the values it refuses, so nothing of it is repeated for a Secret."""
    if manifest.body["kind"] == "Secret":
        return f"refused by the API server ({type(error).__name__}); its reason may hold secret values and is not shown"
    said = _TYPED.sub("", _REQUEST.sub("", str(error)))
    typo = ": is it misspelt, or of another version of the kind?" if said.endswith(_NO_FIELD) else ""
    return redact(said) + typo + role_advice(error)
