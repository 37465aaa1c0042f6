"""From the store to the frozen world one decision is made on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.api.loose import listed, mapping
from rollouts.engine.client import Api
from rollouts.engine.missing import fetch_missing
from rollouts.engine.plugins import StepPlugins
from rollouts.engine.store import Index, Key, Store, by_namespace, by_owner, controller_uid, key_of
from rollouts.engine.troubles import Troubles
from rollouts.engine.workloads import Workloads, by_workload
from rollouts.plan import Plan
from rollouts.strategy import Snapshot, decide, needs_pods, plugins
from rollouts.strategy.claim import claim
from rollouts.strategy.keys import MANAGED_BY
from rollouts.strategy.snapshot import hash_of
from rollouts.strategy.wants import selector_text
from rollouts.strategy.workload import filled
from rollouts.strategy.written import Written
from rollouts.traffic import ROUTERS, Reference, Routers, references

JSON = Mapping[str, Any]
_GONE: Final = 100


def by_stem(obj: JSON) -> Iterable[str]:
    """Index: namespace and name up to its last dash, which for a ReplicaSet of ours is the Rollout's name."""
    return (f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name'].rsplit('-', 1)[0]}",)


def by_template(obj: JSON) -> Iterable[str]:
    """Index of Rollouts: `namespace/name` of each AnalysisTemplate named, `/name` of a ClusterAnalysisTemplate."""
    namespace = obj["metadata"].get("namespace", "")
    for block in _analyses(obj):
        for ref in listed(block.get("templates")):
            if isinstance(ref, Mapping):
                yield f"{'' if ref.get('clusterScope') else namespace}/{ref.get('templateName')}"


def by_embedded(obj: JSON) -> Iterable[str]:
    """Index of templates: those a template is put together from, named as in `by_template`."""
    namespace = obj["metadata"].get("namespace", "")
    for ref in listed(mapping(obj.get("spec")).get("templates")):
        if isinstance(ref, Mapping):
            yield f"{'' if ref.get('clusterScope') else namespace}/{ref.get('templateName')}"


def users_of(store: Store, template: JSON) -> tuple[JSON, ...]:
    """The Rollouts that name a template, or one that is put together from it."""
    names = [f"{template['metadata'].get('namespace', '')}/{template['metadata']['name']}"]
    found: dict[Key, JSON] = {}
    for name in names:  # grows while it is walked
        for kind in (kinds.ANALYSIS_TEMPLATE, kinds.CLUSTER_ANALYSIS_TEMPLATE):
            around = store.shelf(kind).find("embeds", name) if store.keeps(kind) else ()
            keys = [f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}" for obj in around]
            names += [key for key in keys if key not in names]
        found |= {key_of(rollout): rollout for rollout in store.shelf(kinds.ROLLOUT).find("template", name)}
    return tuple(found.values())


def _analyses(rollout: JSON) -> Iterable[JSON]:
    canary, blue_green = _strategies(rollout)
    blocks = [canary.get("analysis"), *(mapping(step).get("analysis") for step in listed(canary.get("steps")))]
    blocks += [blue_green.get("prePromotionAnalysis"), blue_green.get("postPromotionAnalysis")]
    blocks += [{"templates": _tried(step)} for step in listed(canary.get("steps"))]
    return [block for block in blocks if isinstance(block, Mapping) and block.get("templates")]


def _tried(step: object) -> list[Any]:
    """Templates named by the analyses of an `experiment` step, as references."""
    return listed(mapping(mapping(step).get("experiment")).get("analyses"))


def _strategies(rollout: JSON) -> tuple[JSON, JSON]:
    """`canary` and `blueGreen`, empty where absent: this is read before anybody has validated it."""
    strategy = mapping(mapping(rollout.get("spec")).get("strategy"))
    return mapping(strategy.get("canary")), mapping(strategy.get("blueGreen"))


def by_service(rollout: JSON) -> Iterable[str]:
    """Index of Rollouts: `namespace/name` of each Service named."""
    namespace = rollout["metadata"].get("namespace", "")
    return [f"{namespace}/{name}" for name in _service_names(rollout)]


def _service_names(rollout: JSON) -> list[str]:
    canary, blue_green = _strategies(rollout)
    turns = mapping(canary.get("pingPong"))
    named = [
        *(canary.get(key) for key in ("canaryService", "stableService")),
        *(turns.get(key) for key in ("pingService", "pongService")),
        *(blue_green.get(key) for key in ("activeService", "previewService")),
    ]
    return [name for name in named if isinstance(name, str) and name]


def _named_objects(rollout: JSON) -> Iterable[tuple[Kind, Key]]:
    """The Services and analysis templates a Rollout names."""
    namespace = rollout["metadata"].get("namespace", "")
    yield from ((kinds.SERVICE, Key(namespace, name)) for name in _service_names(rollout))
    for key in (Key(*entry.split("/", 1)) for entry in by_template(rollout)):
        yield (kinds.ANALYSIS_TEMPLATE if key.namespace else kinds.CLUSTER_ANALYSIS_TEMPLATE), key


def by_manager(service: JSON) -> Iterable[str]:
    """Index of Services: `namespace/name` of the Rollout that manages one."""
    manager = (service["metadata"].get("annotations") or {}).get(MANAGED_BY)
    return (f"{service['metadata'].get('namespace', '')}/{manager}",) if manager else ()


INDEXES: Final[Mapping[Kind, Mapping[str, Index]]] = {
    kinds.ROLLOUT: {"template": by_template, "service": by_service, "workload": by_workload},
    kinds.REPLICA_SET: {"owner": by_owner, "stem": by_stem},
    kinds.ANALYSIS_RUN: {"owner": by_owner},
    kinds.EXPERIMENT: {"owner": by_owner, "namespace": by_namespace},
    kinds.ANALYSIS_TEMPLATE: {"namespace": by_namespace, "embeds": by_embedded},
    kinds.CLUSTER_ANALYSIS_TEMPLATE: {"namespace": by_namespace, "embeds": by_embedded},
    kinds.SERVICE: {"manager": by_manager, "owner": by_owner},
}


def indexes(routers: Routers) -> Mapping[Kind, Mapping[str, Index]]:
    """What is watched, by which it is found: the kinds every controller needs, and those its routers read."""

    def by_route(rollout: JSON) -> Iterable[str]:
        namespace = rollout["metadata"].get("namespace", "")
        return [_route(ref.kind, ref.namespace or namespace, ref.name) for ref in references(rollout, routers)]

    routed: dict[Kind, Mapping[str, Index]] = {kind: {} for router in routers.values() for kind in router.kinds}
    return {**routed, **INDEXES, kinds.ROLLOUT: {**INDEXES[kinds.ROLLOUT], "route": by_route}}


def _route(kind: Kind, namespace: str, name: str) -> str:
    return f"{kind.plural}.{kind.group}/{namespace}/{name}"


def followers_of(store: Store, kind: Kind, obj: JSON) -> tuple[JSON, ...]:
    """The Rollouts that point a Service, or whose router reads an object; also the one that manages a Service."""
    namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
    shelf = store.shelf(kinds.ROLLOUT)
    found = {key_of(rollout): rollout for rollout in shelf.find("service", f"{namespace}/{name}")}
    if kind != kinds.SERVICE:
        found = {key_of(rollout): rollout for rollout in shelf.find("route", _route(kind, namespace, name))}
    return tuple((found | {key: shelf.objects[key] for key in managers(obj) if key in shelf.objects}).values())


def managers(service: JSON) -> list[Key]:
    """The Rollout that manages a Service, whether or not there is one of that name; empty when none does."""
    return [Key(*entry.split("/", 1)) for entry in by_manager(service)]


class Rollouts:
    """Decides for Rollouts; `decide` fits `reconcile.Controller`."""

    def __init__(
        self,
        *,
        api: Api,
        store: Store,
        routers: Routers = ROUTERS,
        workloads: Workloads | None = None,
        step_plugins: StepPlugins | None = None,
    ) -> None:
        self._api = api
        self._store = store
        self._workloads = workloads
        self._routers = routers
        self._troubles = Troubles(api)
        self._plugins = step_plugins or StepPlugins()
        self._written: dict[Key, Written] = {}

    async def decide(self, obj: JSON, now: datetime) -> Plan:
        """Gather the world around a Rollout and decide."""
        workload = await self._workloads.of(obj) if self._workloads else None
        await fetch_missing((*_named_objects(obj), *self._lost(obj)), api=self._api, store=self._store)
        snapshot = self.snapshot(obj, workload=workload)
        if needs_pods(snapshot):
            snapshot = replace(snapshot, pods=await self._pods(filled(obj, workload)))
        call = plugins.due(obj, now=now)
        if call is not None:
            snapshot, now = replace(snapshot, plugin=await self._plugins.ask(call, obj)), datetime.now(UTC)
        look = await self._troubles.look(obj, snapshot.replica_sets)
        plan = decide(replace(snapshot, troubles=look.found), now, routers=self._routers)
        return plan if look.again is None else replace(plan, requeue_after=_sooner(plan.requeue_after, look.again))

    def snapshot(self, obj: JSON, *, workload: JSON | None = None) -> Snapshot:
        """The world around a Rollout, as the store knows it. `workload`: what it refers to."""
        seen = filled(obj, workload)
        metadata = obj["metadata"]
        uid, namespace, name = metadata["uid"], metadata["namespace"], metadata["name"]
        shelf = self._store.shelf(kinds.REPLICA_SET)
        own, released = claim(
            seen, controlled=shelf.find("owner", uid), orphans=shelf.find("owner", f"orphan/{namespace}")
        )
        mine = {rs["metadata"]["name"] for rs in own}
        measured = bool(list(_analyses(obj)))
        return Snapshot(
            rollout=obj,
            replica_sets=tuple(own),
            released=tuple(released),
            foreign=tuple(rs for rs in shelf.find("stem", f"{namespace}/{name}") if rs["metadata"]["name"] not in mine),
            analysis_runs=self._store.shelf(kinds.ANALYSIS_RUN).find("owner", uid),
            experiments=self._store.shelf(kinds.EXPERIMENT).find("owner", uid),
            taken_experiments=self._taken(obj),
            templates=self._named(kinds.ANALYSIS_TEMPLATE, namespace) if measured else {},
            cluster_templates=self._named(kinds.CLUSTER_ANALYSIS_TEMPLATE, "") if measured else {},
            services=self._services(namespace, name, _service_names(obj)),
            routes=self._routes(obj),
            workload=workload,
            written=self._reading(obj),
        )

    def _reading(self, obj: JSON) -> Written:
        """What is known of a Rollout's spec. A few that are gone are kept along with those that are there."""
        key, there = key_of(obj), self._store.shelf(kinds.ROLLOUT).objects
        known = self._written.get(key)
        if known is None or not known.stands_for(obj):
            known = self._written[key] = Written(obj)
        if len(self._written) > 2 * len(there) + _GONE:
            self._written = {key: known for key, known in self._written.items() if key in there}
        return known

    def _lost(self, obj: JSON) -> Iterable[tuple[Kind, Key]]:
        """The stable ReplicaSet if it is not known: whoever takes its hash label away hides it from our watch, and
        its pods from every decision."""
        metadata, stable = obj["metadata"], mapping(obj.get("status")).get("stableRS")
        known = map(hash_of, self._store.shelf(kinds.REPLICA_SET).find("owner", metadata["uid"]))
        if stable and stable not in known:
            yield kinds.REPLICA_SET, Key(metadata["namespace"], f"{metadata['name']}-{stable}")

    def _taken(self, obj: JSON) -> frozenset[str]:
        """Names of Experiments of the namespace that are somebody else's."""
        there = self._store.shelf(kinds.EXPERIMENT).find("namespace", obj["metadata"]["namespace"])
        uid = obj["metadata"]["uid"]
        return frozenset(found["metadata"]["name"] for found in there if controller_uid(found) != uid)

    def _services(self, namespace: str, rollout: str, named: Iterable[str]) -> dict[str, JSON]:
        """Services a Rollout names, and those it manages."""
        shelf = self._store.shelf(kinds.SERVICE)
        there = [shelf.objects.get(Key(namespace, name)) for name in named]
        found = [service for service in there if service is not None]
        return {obj["metadata"]["name"]: obj for obj in (*found, *shelf.find("manager", f"{namespace}/{rollout}"))}

    def _routes(self, obj: JSON) -> dict[Reference, JSON]:
        """What the routers of a Rollout read."""
        namespace = obj["metadata"]["namespace"]
        there = {
            reference: self._store.get(reference.kind, Key(reference.namespace or namespace, reference.name))
            for reference in references(obj, self._routers)
        }
        return {reference: found for reference, found in there.items() if found is not None}

    def _named(self, kind: Kind, namespace: str) -> dict[str, JSON]:
        found = self._store.shelf(kind).find("namespace", namespace) if self._store.keeps(kind) else ()
        return {obj["metadata"]["name"]: obj for obj in found}

    async def _pods(self, obj: JSON) -> tuple[JSON, ...]:
        selector = mapping(mapping(obj.get("spec")).get("selector"))
        found = await self._api.list(kinds.POD, obj["metadata"]["namespace"], selector=selector_text(selector))
        return tuple(found["items"])


def _sooner(seconds: float | None, other: float) -> float:
    return other if seconds is None else min(seconds, other)
