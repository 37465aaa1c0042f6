"""One pass over one commit: compare it with the cluster, then, if whoever called allows it, carry the plan out.

Every step hands a complete value to the next or raises; nothing is skipped and nothing is guessed. The record is stored
before the first write and after the last, so the process may be killed anywhere in between.

`compare` reads only: files of the commit, objects of the cluster, dry runs. `carry_out` writes. Between the two the
caller may look at the plan and give a smaller one, or stop. Two views of the cluster are kept apart: `cluster` acts,
perhaps with the rights of a ServiceAccount, `observer` looks at what Rollouts and autoscalers steer.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from rollouts.api import kinds as known
from rollouts.api.kinds import Kind
from rollouts.gitops import health, objectoptions, references
from rollouts.gitops.addresses import addresses
from rollouts.gitops.apply import Outcome, execute
from rollouts.gitops.claims import claims
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.examine import Question, examine, try_out
from rollouts.gitops.hooks import Hook, Phase, split
from rollouts.gitops.inventory import Entry, Inventory, Record
from rollouts.gitops.materialise import Tree
from rollouts.gitops.normalise import KindKey, declared_kinds, is_crd, key_of, normalise
from rollouts.gitops.objects import JSON, Manifest, Ref, group_of
from rollouts.gitops.plan import (
    Action,
    Examined,
    Leftover,
    Policy,
    SyncPlan,
    deletions,
    digest,
    leftover_entries,
    plan,
)
from rollouts.gitops.records import Records
from rollouts.gitops.remarks import remarks
from rollouts.gitops.render.options import Options, Target
from rollouts.gitops.render.renderer import Renderer, Row, choose, read
from rollouts.gitops.report import Report, Result
from rollouts.gitops.running import Progress, Runner, patiently
from rollouts.gitops.source import Repository
from rollouts.gitops.verify import Verification, verify

SCALERS: tuple[KindKey, ...] = (
    ("argoproj.io/v1alpha1", "Rollout"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("keda.sh/v1alpha1", "ScaledObject"),
)

FRESH = 10.0
"""Seconds for which what a comparison has seen of an object's health is not asked again."""

Adjust = Callable[[JSON, JSON], JSON]
"""Wanted object, live object: the wanted one without what is to be left alone."""
GoOn = Callable[[], Awaitable[str]]
"""Asked between stages: empty to go on, else the reason to stop there."""
Overdue = Callable[[int], bool]
"""Whether a wave has waited too long for what comes before it."""


async def _always() -> str:
    return ""


def _never(_wave: int) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for a pass. `identity` marks objects; `namespace` is for objects that name none.

    `name` is the sync's name alone (default: `identity`), the release of a chart; `options` are for renderers.
    `verification`: which signatures every revision needs (None: none), `tag` the tag it was asked for by, if any.
    `defaults`: options of objects that hold for all of them.
    `former_managers`: field managers of earlier tools whose fields are taken over, beside the known ones.
    `namespace_metadata`: None, or labels and annotations of the namespace, which is then made when it is missing.
    """

    identity: str
    namespace: str
    policy: Policy
    path: str = "."
    name: str = ""
    options: Options = field(default_factory=Options)
    verification: Verification | None = None
    tag: str = ""
    adopt: bool = False
    adjust: Adjust | None = None
    namespace_metadata: Mapping[str, Mapping[str, str]] | None = None
    propagation: str = "Background"
    defaults: Mapping[str, str] = field(default_factory=dict)
    wait_for_rollouts: bool = False
    former_managers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A commit held against the cluster: what applying it would do, and all that carrying it out needs.

    `deletions` names what it has no more, for a person to confirm; `asking`: how many objects would go if one did.
    """

    commit: str
    subject: str
    renderer: str
    plan: SyncPlan
    digest: str
    deletions: str = ""
    asking: int = 0
    question: Question
    record: Record
    hooks: tuple[Hook, ...] = ()
    images: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()
    folder: str = ""
    remarks: tuple[str, ...] = ()
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What a commit has for a sync, checked and read. `folder`: the id of its folder, the same for two commits that
    render the same; empty when something outside of the folder has a part in it.
    """

    commit: str
    subject: str
    tree: Tree
    folder: str = ""
    verified: tuple[str, ...] = ()


class Pipeline:
    """Passes of one sync. `repository` and `records` are its own; `observer` defaults to `cluster`.

    `renderer` is best shared by all syncs: it holds the cache, and limits how many render at a time.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        repository: Repository,
        records: Records,
        terms: Terms,
        observer: Cluster | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        self.renderer = renderer or Renderer()
        self.cluster = cluster
        self.observer = observer or cluster
        self.repository = repository
        self.records = records
        self.terms = terms

    async def _read(self, commit: str) -> Files:
        """The commit's files, once its signature is verified. SyncError when any step could not complete."""
        await self.repository.fetch(commit)
        verified = await self._verified(commit)
        subject = await self.repository.subject(commit)
        limits = self.renderer.tree_limits
        git, terms = self.repository.git, self.terms
        tree = await read(git, commit=commit, path=terms.path, options=terms.options, limits=limits)
        folder = await self.repository.folder(commit, self.terms.path) if tree.alone else ""
        return Files(commit=commit, subject=subject, tree=tree, folder=folder, verified=verified)

    async def folder(self, commit: str) -> str:
        """The id of the folder in the commit, once its signature is verified. SyncError as `read`."""
        found = await self.repository.folder(commit, self.terms.path)
        if not found:
            await self.repository.fetch(commit)
            found = await self.repository.folder(commit, self.terms.path)
        await self._verified(commit)
        return found

    async def compare(self, commit: str, *, confirmed: str = "") -> Comparison:
        """What applying the commit would do. SyncError when any step could not complete.

        `confirmed`: digest of a plan whose deletions a person has confirmed; it counts for exactly that plan.
        """
        files = await self._read(commit)
        tree = files.tree
        self.cluster.forget_kinds()
        self.observer.forget_kinds()
        record = await self.records.load()
        rendered = await self._rendered(tree)
        wanted, kinds = await self._wanted(rendered)
        manifests, hooks = split(wanted, installing=not (record.applied or self.terms.policy.former))
        question = replace(await self._question(manifests, kinds), news=record.applied != commit)
        await try_out(self.cluster, (hook.manifest for hook in hooks), question)
        decided, asking = await self._plan(manifests, question, record, commit=commit, confirmed=confirmed)
        return Comparison(
            commit=commit,
            subject=files.subject,
            renderer=choose(tree, self.terms.options).label,
            plan=decided,
            digest=digest(decided, commit=commit),
            deletions=deletions(decided, commit=commit),
            asking=asking,
            question=question,
            record=record,
            hooks=hooks,
            images=references.images(manifest.body for manifest in manifests),
            addresses=addresses(manifest.body for manifest in manifests),
            verified=files.verified,
            folder=files.folder,
            remarks=remarks(wanted, question.claims, more=(item.remark for item in decided.items)),
        )

    async def carry_out(
        self,
        found: Comparison,
        chosen: SyncPlan | None = None,
        *,
        go_on: GoOn = _always,
        overdue: Overdue = _never,
        run: str = "",
    ) -> Report:
        """Do what the plan says (`chosen`: a smaller one). What went wrong with single objects is in the report.

        `run`: name of this run of the hooks; empty: without hooks. A report that is WAITING has done a part; the same
        call after another comparison goes on from there.
        """
        decided = found.plan if chosen is None else chosen
        runner = Runner(
            self.cluster,
            found.question.kinds,
            run=run,
            sync=self.terms.identity,
            known=found.record.hooks,
            records=self.records,
            late=found.question.brought_kinds,
        )
        hooks = found.hooks if run else ()
        before = await runner.phase(hooks, Phase.PRE)
        if before.done:
            outcome, final = await self._applied(found, decided, go_on, overdue)
            progress = await self._afterwards(found, outcome, runner, hooks)
        else:
            outcome, final, progress = Outcome(), found.record.inventory, before
        errors = outcome.errors or tuple(text for text in (outcome.stopped, progress.error) if text)
        waiting = "" if errors else outcome.waiting or progress.waiting
        if errors:
            await runner.begin(hooks, Phase.FAIL)
        if not waiting:
            await runner.tidy(hooks, failed=bool(errors))
        return await self._reported(found, decided, outcome, final, errors=errors, waiting=waiting)

    async def _applied(
        self, found: Comparison, decided: SyncPlan, go_on: GoOn, overdue: Overdue
    ) -> tuple[Outcome, Inventory]:
        """Stages and prunes; with them the inventory, stored before as what may be there, then as what is."""
        if not decided.empty:
            await self.records.save(replace(found.record, inventory=decided.during, attempted=found.commit))
        outcome = await self._execute(decided, found.question, go_on, overdue)
        done = not (outcome.errors or outcome.stopped or outcome.waiting)
        return outcome, _with_uids(decided.after if done else decided.during, outcome.uids)

    async def _afterwards(
        self, found: Comparison, outcome: Outcome, runner: Runner, hooks: tuple[Hook, ...]
    ) -> Progress:
        """The hooks after everything is applied."""
        if outcome.errors or outcome.stopped or outcome.waiting:
            return Progress()
        applied = await runner.phase(hooks, Phase.SYNC)
        if not applied.done or not any(Phase.POST in hook.phases for hook in hooks):
            return applied
        wanted = [item for stage in found.plan.stages for item in stage] + list(found.plan.unchanged)
        healthy = await patiently(lambda: self._healthy(wanted, found.question))
        return await runner.phase(hooks, Phase.POST) if healthy.done else healthy

    async def _reported(
        self,
        found: Comparison,
        decided: SyncPlan,
        outcome: Outcome,
        final: Inventory,
        *,
        errors: tuple[str, ...],
        waiting: str,
    ) -> Report:
        """Store the record of what is there now, then tell: what can't be looked at is applied all the same."""
        good = Result.CURRENT if decided.empty else Result.SYNCED
        result = Result.FAILED if errors else (Result.WAITING if waiting else good)
        applied = found.record.applied if errors or waiting else found.commit
        message = "; ".join(errors) or waiting or result.value
        await self.records.save(Record(inventory=final, attempted=found.commit, applied=applied, message=message))
        return Report(
            sync=self.terms.identity,
            result=result,
            commit=found.commit,
            subject=found.subject,
            applied=outcome.applied,
            unchanged=len(decided.unchanged),
            pruned=outcome.pruned,
            kept=decided.kept,
            errors=errors,
            step="apply" if errors else "",
            waiting=waiting,
            wave=outcome.wave if waiting else None,
            remarks=found.remarks,
            parts=await self.healths(final, known=_known(found, outcome)),
            inventory=final,
            seen=outcome.seen,
        )

    async def _healthy(
        self, items: Iterable[Examined], question: Question, *, also: frozenset[health.Status] = frozenset()
    ) -> Progress:
        """Whether all of them are healthy, or `also` what counts as such; if not, what is waited for."""
        found = await in_parallel(items, lambda item: self._not_healthy(item, question, also))
        texts = [text for text in found if text]
        return Progress(waiting=f"waiting for {', '.join(texts[:3])}" if texts else "")

    async def _not_healthy(self, item: Examined, question: Question, also: frozenset[health.Status]) -> str:
        """Which object is not healthy, and why; empty when it is. A release under way counts as R35 says."""
        manifest = item.manifest
        key = key_of(manifest)
        kind = (await self.cluster.kinds([key])).get(key) or question.kinds[key]
        live = await self.cluster.live(kind, manifest.ref)
        state = health.Health(status=health.Status.MISSING) if live is None else health.counted(live)
        going = (health.Status.SUSPENDED, health.Status.PROGRESSING)
        if state is None or state.status is health.Status.HEALTHY or state.status in also:
            return ""
        if manifest.ref.kind == "Rollout" and not self.terms.wait_for_rollouts and state.status in going:
            return ""
        return f"{manifest.ref.label}: {state}"

    async def healths(
        self, stored: Inventory, *, known: Mapping[Ref, health.Health | None] | None = None
    ) -> tuple[health.Part, ...]:
        """The health of every object in the inventory that has one. What is `known` is not read again."""
        states = known or {}
        rest = [entry for ref, entry in stored.entries.items() if ref not in states]
        parts = dict(zip((entry.ref for entry in rest), await in_parallel(rest, self._part), strict=True))
        found = (_told(ref, states[ref]) if ref in states else parts[ref] for ref in stored.entries)
        return tuple(part for part in found if part is not None)

    async def _verified(self, commit: str) -> tuple[str, ...]:
        terms = self.terms
        if terms.verification is None:
            return ()
        signed = await verify(self.repository, commit=commit, verification=terms.verification, tag=terms.tag)
        return tuple(map(str, signed))

    async def _rendered(self, tree: Tree) -> tuple[Manifest, ...]:
        target = await self._target(choose(tree, self.terms.options))
        rendered = await self.renderer.render(tree, options=self.terms.options, target=target)
        return (*await self._namespace(rendered), *rendered)

    async def _target(self, row: Row) -> Target:
        """Charts may ask what the cluster is; nobody else does."""
        target = Target(name=self.terms.name or self.terms.identity, namespace=self.terms.namespace)
        if row.name != "helm":
            return target
        version, served = await self.observer.capabilities()
        return replace(target, kube_version=version, api_versions=served)

    async def _namespace(self, rendered: Iterable[Manifest]) -> tuple[Manifest, ...]:
        """The destination's namespace, if it is to be made and is not there, or was made by us before."""
        terms = self.terms
        ref = Ref(group="", kind="Namespace", name=terms.namespace)
        if terms.namespace_metadata is None or any(item.ref == ref for item in rendered):
            return ()
        live = await self.cluster.live(known.NAMESPACE, ref)
        if live is not None and ref not in (await self.records.load()).inventory.entries:
            return ()
        metadata = {"name": terms.namespace, **terms.namespace_metadata}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        return (Manifest(body=body, file="CreateNamespace=true", line=0),)

    async def _wanted(self, rendered: tuple[Manifest, ...]) -> tuple[tuple[Manifest, ...], Mapping[KindKey, Kind]]:
        found = await self.cluster.kinds(map(key_of, rendered))
        kinds = {**await self._awaited(rendered, found), **declared_kinds(rendered), **found}
        terms = self.terms
        return normalise(rendered, kinds=kinds, namespace=terms.namespace, sync=terms.identity), kinds

    async def _awaited(self, rendered: Iterable[Manifest], found: Mapping[KindKey, Kind]) -> Mapping[KindKey, Kind]:
        """R18: kinds that may come while the commit is applied: from elsewhere, where an object says so, or with an
        operator that the commit installs, where the cluster knows nothing of the whole group."""
        missing = {key_of(item): item for item in rendered if key_of(item) not in found}
        unknown = {group_of(key[0]) for key in missing}
        served = {group: await self.cluster.serves(group) for group in sorted(unknown) if _custom(group)}
        patient = {key_of(item) for item in rendered if objectoptions.of(item.body, self.terms.defaults).patient}
        return {
            key: _guessed(item)
            for key, item in missing.items()
            if served.get(group_of(key[0])) is False or key in patient
        }

    async def _question(self, manifests: tuple[Manifest, ...], kinds: Mapping[KindKey, Kind]) -> Question:
        served = await self.cluster.kinds(kinds)
        namespaces = [manifest for manifest in manifests if manifest.body["kind"] == "Namespace"]
        missing = [item for item in namespaces if await self.cluster.live(known.NAMESPACE, item.ref) is None]
        return Question(
            kinds=kinds,
            claims=claims([*await self._neighbours(manifests), *(manifest.body for manifest in manifests)]),
            sync=self.terms.identity,
            adopt_owned=self.terms.adopt,
            adjust=self.terms.adjust,
            defaults=self.terms.defaults,
            former_managers=self.terms.former_managers,
            brought_kinds=frozenset(kinds.keys() - served.keys()),
            brought_namespaces=frozenset(item.ref.name for item in missing),
        )

    async def _plan(
        self, manifests: tuple[Manifest, ...], question: Question, record: Record, *, commit: str, confirmed: str
    ) -> tuple[SyncPlan, int]:
        """The plan, and how many objects more would go if a person confirmed it."""
        examined = await self._examined(manifests, question)
        leftovers = await self._leftovers(record.inventory, manifests)
        in_use = await self._in_use(leftovers)

        def decide(policy: Policy) -> SyncPlan:
            return plan(
                examined=examined, inventory=record.inventory, leftovers=leftovers, policy=policy, in_use=in_use
            )

        decided = decide(self.terms.policy)
        if confirmed and confirmed == deletions(decided, commit=commit):
            return decide(replace(self.terms.policy, prune=True, confirm=True)), 0
        allowed = decide(replace(self.terms.policy, confirm=True))
        return decided, len(allowed.prunes) - len(decided.prunes)

    async def _examined(self, manifests: tuple[Manifest, ...], question: Question) -> tuple[Examined, ...]:
        """Definitions of kinds first: what a definition changes decides what its objects may say (R10)."""
        first = [item for item in manifests if is_crd(item)]
        definitions = await examine(self.cluster, first, question)
        changed = declared_kinds(item.manifest for item in definitions if item.action is not Action.KEEP)
        rest = [item for item in manifests if not is_crd(item)]
        examined = await examine(self.cluster, rest, replace(question, changing_kinds=frozenset(changed)))
        return (*definitions, *examined)

    async def _neighbours(self, manifests: Iterable[Manifest]) -> list[JSON]:
        """Live Rollouts and autoscalers of the namespaces concerned."""
        scalers = await self.observer.kinds(SCALERS)
        namespaces = sorted({manifest.ref.namespace for manifest in manifests} - {""})
        found = [await self.observer.list(kind, space) for kind in scalers.values() for space in namespaces]
        return [body for bodies in found for body in bodies]

    async def _leftovers(self, stored: Inventory, manifests: Iterable[Manifest]) -> tuple[Leftover, ...]:
        entries = leftover_entries(stored, (manifest.ref for manifest in manifests))
        return tuple(await in_parallel(entries, self.leftover))

    async def leftover(self, entry: Entry) -> Leftover:
        """What is live of an object that is in the inventory."""
        kind = await self._kind(entry)
        if kind is None:
            return Leftover(entry=entry, unknown=f"the cluster does not know the kind {entry.ref.kind} now")
        return Leftover(entry=entry, live=await self.cluster.live(kind, entry.ref))

    async def _kind(self, entry: Entry) -> Kind | None:
        key = (entry.api_version, entry.ref.kind)
        return (await self.cluster.kinds([key])).get(key)

    async def _in_use(self, leftovers: Iterable[Leftover]) -> frozenset[Ref]:
        spaces = {item.entry.ref.namespace for item in leftovers if item.entry.ref.kind in references.KINDS}
        if not spaces:
            return frozenset()
        asked = [known.REPLICA_SET, *(await self.observer.kinds(SCALERS[:1])).values()]
        sets, *rollouts = [
            [body for space in sorted(spaces) for body in await self.observer.list(kind, space)] for kind in asked
        ]
        return references.in_use(sets, (body for bodies in rollouts for body in bodies))

    async def _execute(self, decided: SyncPlan, question: Question, go_on: GoOn, overdue: Overdue) -> Outcome:
        placed = [*decided.unchanged, *(item for stage in decided.stages for item in stage)]

        async def ready(stage: tuple[Examined, ...]) -> Progress:
            """A release takes the time it takes, or its people; what else comes before a wave has `spec.timeout`."""
            wave = decided.waves.get(stage[0].manifest.ref, 0)
            earlier = [item for item in placed if decided.waves.get(item.manifest.ref, 0) < wave]
            found = await patiently(lambda: self._healthy(earlier, question))
            if found.done or not overdue(wave):
                return found
            late = await self._healthy([item for item in earlier if item.manifest.ref.kind != "Rollout"], question)
            return (
                Progress(error=f"wave {wave} has waited too long (spec.timeout): {late.waiting}")
                if late.waiting
                else found
            )

        async def reexamine(item: Examined) -> Examined:
            neighbours = claims([*await self._neighbours([item.manifest]), item.manifest.body])
            return (await examine(self.cluster, [item.manifest], replace(question, claims=neighbours)))[0]

        async def prunable() -> str:
            """What is waited for before anything is deleted; what was healthy when compared is not asked again."""
            rest = [item for item in placed if not (item.seen and item.action is Action.KEEP and _fine(item.health))]
            found = await patiently(lambda: self._healthy(rest, question, also=_RESTING))
            return f"{found.waiting}, before {len(decided.prunes)} objects are pruned" if found.waiting else ""

        return await execute(
            self.cluster,
            decided,
            kinds=question.kinds,
            reexamine=reexamine,
            go_on=go_on,
            propagation=self.terms.propagation,
            ready=ready,
            prunable=prunable,
        )

    async def _part(self, entry: Entry) -> health.Part | None:
        kind = await self._kind(entry)
        body = None if kind is None else await self.cluster.live(kind, entry.ref)
        if body is None:
            return health.Part(ref=entry.ref, health=health.Health(status=health.Status.MISSING))
        return health.part_of(entry.ref, body)


_RESTING = frozenset({health.Status.SUSPENDED})
"""What somebody has suspended may stay so for ever."""


def _fine(state: health.Health | None) -> bool:
    return state is None or state.status is health.Status.HEALTHY or state.status in _RESTING


def _custom(group: str) -> bool:
    """Whether a group is defined by CRDs: Kubernetes' own have no dot, or end in k8s.io."""
    return "." in group and not group.endswith(".k8s.io")


def _guessed(manifest: Manifest) -> Kind:
    """A kind nobody knows yet. It is only used to tell its objects apart."""
    group, _, version = manifest.api_version.rpartition("/")
    return Kind(group=group, version=version, kind=str(manifest.body["kind"]), plural="")


def _told(ref: Ref, state: health.Health | None) -> health.Part | None:
    return None if state is None else health.Part(ref=ref, health=state)


def _known(found: Comparison, outcome: Outcome) -> Mapping[Ref, health.Health | None]:
    """How the objects were a moment ago; nothing, if the pass has taken its time since."""
    if time.monotonic() - found.at > FRESH:
        return {}
    return {item.manifest.ref: item.health for item in found.plan.unchanged if item.seen} | dict(outcome.healths)


def _with_uids(stored: Inventory, uids: Mapping[Ref, str]) -> Inventory:
    return stored.with_entries(replace(entry, uid=uids[ref]) for ref, entry in stored.entries.items() if ref in uids)
