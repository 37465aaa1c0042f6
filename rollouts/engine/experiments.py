"""From the store to the frozen world one decision about an Experiment is made on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.api.loose import listed, mapping
from rollouts.engine.client import Api
from rollouts.engine.missing import fetch_missing
from rollouts.engine.store import Key, Store, controller_uid
from rollouts.engine.troubles import Look, Troubles
from rollouts.experiments import Snapshot, decide, names
from rollouts.experiments.recorded import recall
from rollouts.plan import Plan

JSON = Mapping[str, Any]


class _Name(Protocol):
    def __call__(self, experiment: str, of: str, count: int, /) -> str: ...


class Experiments:
    """Decides for Experiments; `decide` fits `reconcile.Controller`."""

    def __init__(self, *, api: Api, store: Store) -> None:
        self._api = api
        self._store = store
        self._troubles = Troubles(api)

    async def decide(self, obj: JSON, now: datetime) -> Plan:
        """Gather the world around an Experiment and decide."""
        if not recall(obj).over:
            await fetch_missing(_templates(obj), api=self._api, store=self._store)
        snapshot = self.snapshot(obj)
        looks = {rs["metadata"]["name"]: await self._look(obj, rs) for rs in snapshot.replica_sets}
        found = {name: look.found for name, look in looks.items() if look.found}
        plan = decide(replace(snapshot, troubles=found), now)
        due = [plan.requeue_after, *(look.again for look in looks.values())]
        return replace(plan, requeue_after=min((seconds for seconds in due if seconds is not None), default=None))

    async def _look(self, obj: JSON, rs: JSON) -> Look:
        """What is wrong with the pods of a ReplicaSet, as long as anybody waits for them."""
        return await self._troubles.look_at(rs["metadata"]["uid"], None if recall(obj).over else rs)

    def snapshot(self, obj: JSON) -> Snapshot:
        """The world around an Experiment, as the store knows it."""
        uid, namespace = obj["metadata"]["uid"], obj["metadata"]["namespace"]
        sets = self._names(obj, kinds.REPLICA_SET, "templates", names.replica_set)
        runs = self._names(obj, kinds.ANALYSIS_RUN, "analyses", names.run)
        services = {*names.of_services(obj), *self._first(obj, "templates", names.replica_set)}
        return Snapshot(
            experiment=obj,
            replica_sets=self._store.shelf(kinds.REPLICA_SET).find("owner", uid),
            services=self._store.shelf(kinds.SERVICE).find("owner", uid),
            analysis_runs=self._store.shelf(kinds.ANALYSIS_RUN).find("owner", uid),
            taken_sets=sets,
            taken_runs=runs,
            taken_services=frozenset(name for name in services if self._foreign(kinds.SERVICE, obj, name)),
            templates=self._named(kinds.ANALYSIS_TEMPLATE, namespace) if self._measured(obj) else {},
            cluster_templates=self._named(kinds.CLUSTER_ANALYSIS_TEMPLATE, "") if self._measured(obj) else {},
        )

    def _names(self, obj: JSON, kind: Kind, key: str, name: _Name) -> frozenset[str]:
        """Names we might use that are somebody else's, each up to the first that is free."""
        foreign: Callable[[str], bool] = partial(self._foreign, kind, obj)
        return frozenset(
            found
            for entry in names.of_entries(obj, key)
            for found in names.taken(partial(name, obj["metadata"]["name"], entry), foreign)
        )

    def _first(self, obj: JSON, key: str, name: _Name) -> set[str]:
        return {name(obj["metadata"]["name"], entry, 0) for entry in names.of_entries(obj, key)}

    def _foreign(self, kind: Kind, obj: JSON, name: str) -> bool:
        found = self._store.get(kind, Key(obj["metadata"]["namespace"], name))
        return found is not None and controller_uid(found) != obj["metadata"]["uid"]

    def _measured(self, obj: JSON) -> bool:
        return bool(mapping(obj.get("spec")).get("analyses"))

    def _named(self, kind: Kind, namespace: str) -> dict[str, JSON]:
        found = self._store.shelf(kind).find("namespace", namespace) if self._store.keeps(kind) else ()
        return {obj["metadata"]["name"]: obj for obj in found}


def _templates(obj: JSON) -> Iterator[tuple[Kind, Key]]:
    """The analysis templates an Experiment names."""
    for entry in listed(mapping(obj.get("spec")).get("analyses")):
        name, wide = mapping(entry).get("templateName"), bool(mapping(entry).get("clusterScope"))
        if isinstance(name, str):
            kind = kinds.CLUSTER_ANALYSIS_TEMPLATE if wide else kinds.ANALYSIS_TEMPLATE
            yield kind, Key("" if wide else obj["metadata"]["namespace"], name)
