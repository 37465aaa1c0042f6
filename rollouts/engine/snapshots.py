"""From the store to the frozen world one decision is made on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.store import Index, Key, Store, by_namespace, by_owner, key_of
from rollouts.plan import Plan
from rollouts.strategy import Snapshot, decide, needs_pods
from rollouts.strategy.keys import POD_HASH
from rollouts.strategy.wants import selector_text

JSON = Mapping[str, Any]


def by_stem(obj: JSON) -> Iterable[str]:
    """Index: namespace and name up to its last dash, which for a ReplicaSet of ours is the Rollout's name."""
    return (f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name'].rsplit('-', 1)[0]}",)


def by_template(obj: JSON) -> Iterable[str]:
    """Index of Rollouts: `namespace/name` of each AnalysisTemplate named, `/name` of a ClusterAnalysisTemplate."""
    namespace = obj["metadata"].get("namespace", "")
    for block in _analyses(obj):
        for ref in block.get("templates") or ():
            if isinstance(ref, Mapping):
                yield f"{'' if ref.get('clusterScope') else namespace}/{ref.get('templateName')}"


def by_embedded(obj: JSON) -> Iterable[str]:
    """Index of templates: those a template is put together from, named as in `by_template`."""
    namespace = obj["metadata"].get("namespace", "")
    for ref in (obj.get("spec") or {}).get("templates") or ():
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
    canary = ((rollout.get("spec") or {}).get("strategy") or {}).get("canary") or {}
    blocks = [canary.get("analysis"), *(step.get("analysis") for step in canary.get("steps") or ())]
    return [block for block in blocks if isinstance(block, Mapping)]


INDEXES: Final[Mapping[Kind, Mapping[str, Index]]] = {
    kinds.ROLLOUT: {"template": by_template},
    kinds.REPLICA_SET: {"owner": by_owner, "stem": by_stem},
    kinds.ANALYSIS_RUN: {"owner": by_owner},
    kinds.ANALYSIS_TEMPLATE: {"namespace": by_namespace, "embeds": by_embedded},
    kinds.CLUSTER_ANALYSIS_TEMPLATE: {"namespace": by_namespace, "embeds": by_embedded},
}


class Rollouts:
    """Decides for Rollouts; `decide` fits `reconcile.Controller`."""

    def __init__(self, *, api: Api, store: Store) -> None:
        self._api = api
        self._store = store

    async def decide(self, obj: JSON, now: datetime) -> Plan:
        """Gather the world around a Rollout and decide."""
        pods = await self._pods(obj) if needs_pods(obj) else ()
        return decide(self.snapshot(obj, pods=pods), now)

    def snapshot(self, obj: JSON, *, pods: tuple[JSON, ...] = ()) -> Snapshot:
        """The world around a Rollout, as the store knows it."""
        metadata = obj["metadata"]
        uid, namespace, name = metadata["uid"], metadata["namespace"], metadata["name"]
        shelf = self._store.shelf(kinds.REPLICA_SET)
        own = shelf.find("owner", uid) + tuple(
            rs for rs in shelf.find("owner", f"orphan/{namespace}") if _selects(obj, rs)
        )
        mine = {rs["metadata"]["name"] for rs in own}
        measured = bool(list(_analyses(obj)))
        return Snapshot(
            rollout=obj,
            replica_sets=own,
            foreign=tuple(rs for rs in shelf.find("stem", f"{namespace}/{name}") if rs["metadata"]["name"] not in mine),
            analysis_runs=self._store.shelf(kinds.ANALYSIS_RUN).find("owner", uid),
            templates=self._named(kinds.ANALYSIS_TEMPLATE, namespace) if measured else {},
            cluster_templates=self._named(kinds.CLUSTER_ANALYSIS_TEMPLATE, "") if measured else {},
            pods=pods,
        )

    def _named(self, kind: Kind, namespace: str) -> dict[str, JSON]:
        found = self._store.shelf(kind).find("namespace", namespace) if self._store.keeps(kind) else ()
        return {obj["metadata"]["name"]: obj for obj in found}

    async def _pods(self, obj: JSON) -> tuple[JSON, ...]:
        selector = (obj.get("spec") or {}).get("selector") or {}
        found = await self._api.list(kinds.POD, obj["metadata"]["namespace"], selector=selector_text(selector))
        return tuple(found["items"])


def _selects(rollout: JSON, rs: JSON) -> bool:
    """Whether an orphan belongs to a Rollout: its labels match, and it carries a hash."""
    wanted = ((rollout.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    labels = rs["metadata"].get("labels") or {}
    return bool(wanted) and POD_HASH in labels and all(labels.get(key) == value for key, value in wanted.items())
