"""A commit held against the cluster: files of the commit, objects of the cluster, dry runs. Nothing is written.

Every step hands a complete value to the next or raises; nothing is skipped and nothing is guessed. Two views of the
cluster are kept apart: `cluster` acts, perhaps with the rights of a ServiceAccount, `observer` looks at what Rollouts
and autoscalers steer.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from rollouts.api import kinds as known
from rollouts.api.kinds import Kind
from rollouts.gitops import objectoptions, references
from rollouts.gitops.addresses import addresses
from rollouts.gitops.claims import claims
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.examine import Question, examine, try_out
from rollouts.gitops.hooks import Hook, split
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
    content,
    deletions,
    digest,
    leftover_entries,
    plan,
)
from rollouts.gitops.records import Records
from rollouts.gitops.remarks import remarks
from rollouts.gitops.render.options import Target
from rollouts.gitops.render.renderer import Renderer, Row, choose, read
from rollouts.gitops.source import Repository
from rollouts.gitops.terms import Terms
from rollouts.gitops.validate import validate
from rollouts.gitops.verify import verify

SCALERS: tuple[KindKey, ...] = (
    ("argoproj.io/v1alpha1", "Rollout"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("keda.sh/v1alpha1", "ScaledObject"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A commit held against the cluster: what applying it would do, and all that carrying it out needs.

    `content`: digest of what the commit renders to. `deletions` names what it has no more, for a person to confirm;
    `asking`: how many objects would go if one did.
    """

    commit: str
    subject: str
    renderer: str
    plan: SyncPlan
    digest: str
    content: str
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


class Comparing:
    """Comparisons of one sync. `repository` and `records` are its own; `observer` defaults to `cluster`.

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
        tried = tuple(hook.manifest for hook in hooks)
        known = await validate(self.cluster, manifests, question, hooks=tried)
        await try_out(self.cluster, tried, question)
        decided, asking = await self._plan(manifests, question, record, commit=commit, confirmed=confirmed)
        return Comparison(
            commit=commit,
            subject=files.subject,
            renderer=choose(tree, self.terms.options).label,
            plan=decided,
            digest=digest(decided, commit=commit),
            content=content(rendered),
            deletions=deletions(decided, commit=commit),
            asking=asking,
            question=question,
            record=record,
            hooks=hooks,
            images=references.images(manifest.body for manifest in manifests),
            addresses=addresses(manifest.body for manifest in manifests),
            verified=files.verified,
            folder=files.folder,
            remarks=remarks(wanted, question.claims, more=(*known, *(item.remark for item in decided.items))),
        )

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


def _custom(group: str) -> bool:
    """Whether a group is defined by CRDs: Kubernetes' own have no dot, or end in k8s.io."""
    return "." in group and not group.endswith(".k8s.io")


def _guessed(manifest: Manifest) -> Kind:
    """A kind nobody knows yet. It is only used to tell its objects apart."""
    group, _, version = manifest.api_version.rpartition("/")
    return Kind(group=group, version=version, kind=str(manifest.body["kind"]), plural="")
