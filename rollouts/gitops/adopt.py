"""Never fight the controller: copy what it steers from the live object into the wanted one, at exactly that path.

Git supplies the spec; while a release runs, a few values in it move: the weights of a route, the hash in a Service's
selector, the replicas an autoscaler set, `spec.paused` after somebody paused. Sending Git's value would undo the step
the controller has just made. Leaving the field out would be worse: for server-side apply a list such as a route's
rules is one value, and a field nobody owns any more falls back to its default (one replica). So the **live value is
sent**, for these paths alone, and everything else in the object still follows Git.

    wanted  backendRefs: [{name: stable, weight: 100}, {name: canary, weight: 0}]   timeout: 5s   ◄ edited in Git
    live    backendRefs: [{name: stable, weight: 80},  {name: canary, weight: 20}]  timeout: 2s
    sent    backendRefs: [{name: stable, weight: 80},  {name: canary, weight: 20}]  timeout: 5s

Pure. One row of `_ADOPTERS` for each kind of field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rollouts.gitops import marks
from rollouts.gitops.claims import Claims, Route, dig
from rollouts.gitops.objects import JSON, ref_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Where a kind of route keeps its rules, and within a rule its weighted backends.

    `rules` is a key of spec; `backends` a key of a rule. With `rules` None the backends hang below spec directly.
    """

    rules: tuple[str, ...]
    backends: str
    name: Callable[[JSON], str]


def _plain(backend: JSON) -> str:
    return str(backend.get("name"))


def _istio(backend: JSON) -> str:
    # A host may be written in full: `web.shop.svc.cluster.local` is the Service `web`.
    destination = dig(backend, "destination")
    return str(destination.get("subset") or str(destination.get("host")).partition(".")[0])


def _split(backend: JSON) -> str:
    return str(backend.get("service"))


_GATEWAY = Lists(rules=("rules",), backends="backendRefs", name=_plain)
ROUTES: Mapping[str, Lists] = {
    "HTTPRoute": _GATEWAY,
    "GRPCRoute": _GATEWAY,
    "TCPRoute": _GATEWAY,
    "TLSRoute": _GATEWAY,
    "VirtualService": Lists(rules=("http", "tls", "tcp"), backends="route", name=_istio),
    "TraefikService": Lists(rules=("weighted",), backends="services", name=_plain),
    "TrafficSplit": Lists(rules=(), backends="backends", name=_split),
}


def adopt(wanted: JSON, live: JSON, claims: Claims) -> JSON:
    """The wanted object with the steered values of the live one. The same object when nothing in it is steered."""
    wanted = _annotated(wanted, live, claims)
    spec = wanted.get("spec")
    if not isinstance(spec, Mapping):
        return wanted
    adopted = spec
    for adopter in _ADOPTERS:
        adopted = adopter(wanted, adopted, live, claims)
    return wanted if adopted is spec else {**wanted, "spec": adopted}


def steered(wanted: JSON, claims: Claims) -> frozenset[str]:
    """The keys of spec, and the annotations, in which something is steered: whose they are changes with each step, and
    is no difference."""
    ref, lists = ref_of(wanted), ROUTES.get(str(wanted.get("kind")))
    route = claims.route(ref)
    simple = {"replicas": claims.replicas, "selector": claims.services, "subsets": claims.subsets}
    routed = (lists.rules or (lists.backends,)) if lists is not None and route is not None else ()
    written = route.annotations if route is not None else ()
    return frozenset([*(key for key, refs in simple.items() if ref in refs), *routed, *written])


def _annotated(wanted: JSON, live: JSON, claims: Claims) -> JSON:
    """An annotation holds the weights of some routes (ALB)."""
    route = claims.route(ref_of(wanted))
    given, there = dig(wanted, "metadata", "annotations"), dig(live, "metadata", "annotations")
    values = {key: there[key] for key in (route.annotations if route else ()) if key in given and key in there}
    if all(given[key] == value for key, value in values.items()):
        return wanted
    return {**wanted, "metadata": {**wanted["metadata"], "annotations": {**given, **values}}}


Adopter = Callable[[JSON, JSON, JSON, Claims], JSON]
"""Wanted object, its spec so far, live object, claims: the spec."""


def _replicas(wanted: JSON, spec: JSON, live: JSON, claims: Claims) -> JSON:
    count = dig(live, "spec").get("replicas")
    if count is None or ref_of(wanted) not in claims.replicas:
        return spec
    return {**spec, "replicas": count}


def _selector(wanted: JSON, spec: JSON, live: JSON, claims: Claims) -> JSON:
    pod_hash = dig(live, "spec", "selector").get(marks.POD_HASH)
    if pod_hash is None or ref_of(wanted) not in claims.services:
        return spec
    return {**spec, "selector": {**dig(spec, "selector"), marks.POD_HASH: pod_hash}}


def _subsets(wanted: JSON, spec: JSON, live: JSON, claims: Claims) -> JSON:
    if ref_of(wanted) not in claims.subsets:
        return spec
    hashes = {row.get("name"): dig(row, "labels").get(marks.POD_HASH) for row in _rows(dig(live, "spec"), "subsets")}
    return {**spec, "subsets": [_labelled(row, hashes.get(row.get("name"))) for row in _rows(spec, "subsets")]}


def _labelled(subset: JSON, pod_hash: str | None) -> JSON:
    return subset if pod_hash is None else {**subset, "labels": {**dig(subset, "labels"), marks.POD_HASH: pod_hash}}


def _verbs(wanted: JSON, spec: JSON, live: JSON, claims: Claims) -> JSON:
    """`paused` and `restartAt` are verbs of people once somebody other than this sync has written them.

    These are left out, not copied: their owner keeps them alive, and a copy would make this sync an owner too, which
    the next pass could not tell from a wish of Git.
    """
    taken = {key for key in ("paused", "restartAt") if key in spec and _others_own(live, key)}
    if wanted.get("kind") != "Rollout" or not taken:
        return spec
    return {key: value for key, value in spec.items() if key not in taken}


def _others_own(live: JSON, key: str) -> bool:
    entries = _rows(dig(live, "metadata"), "managedFields")
    return any(row.get("manager") != marks.FIELD_MANAGER and _owns(row, key) for row in entries)


def _owns(entry: JSON, key: str) -> bool:
    return f"f:{key}" in dig(entry, "fieldsV1", "f:spec")


def _weights(wanted: JSON, spec: JSON, live: JSON, claims: Claims) -> JSON:
    lists = ROUTES.get(str(wanted.get("kind")))
    route = claims.route(ref_of(wanted))
    if lists is None or route is None:
        return spec
    current = dig(live, "spec")
    if not lists.rules:
        return _weighted_rule(spec, current, lists, route)
    # Rules of tcp and tls have no names.
    of = {key: route if key == "http" else replace(route, rules=frozenset()) for key in lists.rules if key in spec}
    return {**spec, **{key: _rules(spec[key], current.get(key), lists, found) for key, found in of.items()}}


def _rules(wanted: Any, live: Any, lists: Lists, route: Route) -> Any:
    if isinstance(wanted, Mapping):
        return _weighted_rule(wanted, live if isinstance(live, Mapping) else {}, lists, route)
    current = [row for row in live or () if isinstance(row, Mapping)]
    rows = [
        _weighted_rule(row, _same_rule(row, current, lists, route), lists, route) if route.steers(row) else row
        for row in wanted
    ]
    return _managed(rows, current, route) + rows


def _same_rule(rule: JSON, current: list[JSON], lists: Lists, route: Route) -> JSON:
    """The live rule that this one is: known by its name; else, as Git may have named it, or given it another backend,
    by all backends it sends to, or by those that are steered. Empty for a new one."""

    def backends(row: JSON) -> list[str]:
        return [] if row.get("name") in route.managed else sorted(map(lists.name, _rows(row, lists.backends)))

    def steered(row: JSON) -> list[str]:
        return [name for name in backends(row) if name in route.services]

    for key in (_named, backends, steered):
        mine = key(rule)
        found = next((row for row in current if mine and key(row) == mine), None)
        if found is not None:
            return found
    return {}


def _named(rule: JSON) -> list[str]:
    return [str(rule["name"])] if rule.get("name") else []


def _managed(wanted: list[JSON], live: list[JSON], route: Route) -> list[JSON]:
    """Rules a Rollout added for a header or a mirror: first in the list, in their order."""
    there = {row.get("name") for row in wanted}
    return [row for row in live if row.get("name") in route.managed - there]


def _weighted_rule(rule: JSON, live: JSON, lists: Lists, route: Route) -> JSON:
    weights = {lists.name(row): row["weight"] for row in _rows(live, lists.backends) if "weight" in row}
    steered = [lists.name(row) for row in _rows(rule, lists.backends) if lists.name(row) in route.services]
    if not any(name in weights for name in steered):
        return rule
    return {**rule, lists.backends: [_weighted(row, lists, route, weights) for row in _rows(rule, lists.backends)]}


def _weighted(backend: JSON, lists: Lists, route: Route, weights: Mapping[str, Any]) -> JSON:
    name = lists.name(backend)
    return {**backend, "weight": weights[name]} if name in route.services and name in weights else backend


def _rows(body: JSON, key: str) -> list[JSON]:
    rows = body.get(key)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list | tuple) else []


_ADOPTERS: tuple[Adopter, ...] = (_replicas, _selector, _subsets, _verbs, _weights)
