"""Which ReplicaSet is the one for a pod template, and what a controller adds to a template it makes one from.

A ReplicaSet's template is never quite the Rollout's: the API server filled in defaults, and the controller added the
hash label, perhaps a term of anti-affinity and the metadata of a role (canary, stable, preview, active). All that is
taken away again before two templates are compared. What is left says whether they mean the same.

A ReplicaSet is looked for in this order, so that nothing is rolled again because a hash came out differently:

1. the one the status names, if its template means the same;
2. the one labelled with the hash of the template;
3. one labelled with a hash an older controller gave the same template;
4. the oldest whose template means the same.

The label of the one found is the hash of the revision from then on. A label that fits is trusted as it is: admission
webhooks change templates, and comparing would then never find what the controller itself just made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rollouts.strategy import keys, podhash
from rollouts.strategy.podtemplate import encoders
from rollouts.strategy.podtemplate.defaults import with_defaults
from rollouts.strategy.snapshot import hash_of

JSON = Mapping[str, Any]

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def replica_set_name(rollout: str, digest: str) -> str:
    """The name of the ReplicaSet of a revision: `<rollout>-<hash>`."""
    return f"{rollout}-{digest}"


def find_new(
    replica_sets: Sequence[JSON],
    template: JSON,
    *,
    collision_count: int | None = None,
    status_hash: str | None = None,
    own: str | None = None,
) -> JSON | None:
    """The ReplicaSet that stands for `template`, or None. `replica_sets`: those of the Rollout, in any order;
    `status_hash`: `status.currentPodHash`; `own`: the hash of the template, if known. Raises `EncodingError` when the
    template holds a value of a wrong type."""
    oldest_first = sorted(replica_sets, key=_age)
    own = own or podhash.pod_template_hash(template, collision_count=collision_count)
    by_hash = {digest: rs for rs in reversed(oldest_first) if (digest := hash_of(rs))}
    named = by_hash.get(status_hash or "")
    if named is not None and (status_hash == own or _stands_for(named, template)):
        return named
    if own in by_hash:
        return by_hash[own]
    legacy = podhash.legacy_hashes(template, collision_count=collision_count)
    by_label = (by_hash[digest] for digest in legacy if digest in by_hash)
    by_meaning = (rs for rs in oldest_first if _stands_for(rs, template))
    return next(by_label, None) or next(by_meaning, None)


def _age(rs: JSON) -> tuple[str, str]:
    return rs["metadata"].get("creationTimestamp") or "", rs["metadata"]["name"]


def _stands_for(rs: JSON, template: JSON) -> bool:
    return same_template(rs["spec"]["template"], template, ephemeral=ephemeral_metadata(rs))


def same_template(
    replica_set_template: JSON, rollout_template: JSON, *, ephemeral: Mapping[str, JSON] | None = None
) -> bool:
    """Whether a ReplicaSet's template is what the Rollout's template becomes once stored.

    `ephemeral`: metadata of a role the controller put on the ReplicaSet's template, `{labels, annotations}`.
    Quantities are equal by value (`1` and `1000m`), empty lists and maps equal missing ones. Raises `EncodingError`.
    """
    stored = strip_ephemeral_metadata(replica_set_template, ephemeral or {})
    return _meaning(stored) == _meaning(rollout_template)


def _meaning(template: JSON) -> str:
    bare = strip_anti_affinity(strip_hash_label(template))
    return encoders.semantic().encode(encoders.TEMPLATE, with_defaults(bare))


def ephemeral_metadata(rs: JSON) -> dict[str, JSON]:
    """The labels and annotations of a role the ReplicaSet says it carries; empty when none or unreadable."""
    text = (rs["metadata"].get("annotations") or {}).get(keys.EPHEMERAL_METADATA)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def inject_hash_label(template: JSON, digest: str) -> dict[str, Any]:
    """The template with the label every pod of the revision carries."""
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), keys.POD_HASH: digest}
    return {**template, "metadata": {**metadata, "labels": labels}}


def strip_hash_label(template: JSON) -> dict[str, Any]:
    """The template without that label."""
    return _without(template, "labels", (keys.POD_HASH,))


def strip_ephemeral_metadata(template: JSON, ephemeral: Mapping[str, JSON]) -> dict[str, Any]:
    """The template without the labels and annotations of a role."""
    bare = dict(template)
    for part in ("labels", "annotations"):
        bare = _without(bare, part, ephemeral.get(part) or ())
    return bare


def _without(template: JSON, part: str, names: Iterable[str]) -> dict[str, Any]:
    """The template without these keys of `metadata.labels` or `metadata.annotations`."""
    metadata = template.get("metadata") or {}
    dropped = frozenset(names)
    kept = {key: text for key, text in (metadata.get(part) or {}).items() if key not in dropped}
    return {**template, "metadata": {**metadata, part: kept}}


def inject_anti_affinity(
    template: JSON, anti_affinity: JSON | None, *, stable_hash: str, namespace: str
) -> dict[str, Any]:
    """The template with its pods kept off nodes that run the stable revision.

    `anti_affinity`: the strategy's `antiAffinity`, one of `requiredDuringSchedulingIgnoredDuringExecution: {}` and
    `preferredDuringSchedulingIgnoredDuringExecution: {weight}` (1 to 100). A term put there before, for another stable
    hash, is replaced. Without `anti_affinity` or a stable hash only such old terms are taken away.
    """
    bare = strip_anti_affinity(template)
    if not anti_affinity or not stable_hash:
        return bare
    rule, term = _rule(anti_affinity, _term(stable_hash, namespace))
    spec = bare.get("spec") or {}
    affinity = spec.get("affinity") or {}
    pods = affinity.get("podAntiAffinity") or {}
    pods = {**pods, rule: [*(pods.get(rule) or ()), term]}
    return {**bare, "spec": {**spec, "affinity": {**affinity, "podAntiAffinity": pods}}}


def _rule(anti_affinity: JSON, term: JSON) -> tuple[str, JSON]:
    """The list the term belongs to, and the entry it makes there."""
    preferred = anti_affinity.get(_PREFERRED)
    if preferred is None:
        return _REQUIRED, term
    return _PREFERRED, {"weight": preferred["weight"], "podAffinityTerm": term}


def _term(stable_hash: str, namespace: str) -> dict[str, Any]:
    return {
        "labelSelector": {"matchExpressions": [{"key": keys.POD_HASH, "operator": "In", "values": [stable_hash]}]},
        "namespaces": [namespace],
        "topologyKey": "kubernetes.io/hostname",
    }


def strip_anti_affinity(template: JSON) -> dict[str, Any]:
    """The template without terms a controller injected; what they leave empty goes with them."""
    spec = template.get("spec") or {}
    affinity = spec.get("affinity")
    if not isinstance(affinity, Mapping):
        return dict(template)
    pods = _filled({**(affinity.get("podAntiAffinity") or {}), **_own_terms(affinity)})
    rest = _filled({**affinity, "podAntiAffinity": pods})
    bare = {key: value for key, value in spec.items() if key != "affinity"}
    return {**template, "spec": {**bare, "affinity": rest} if rest else bare}


def kept_apart_from(template: JSON) -> set[str]:
    """The hashes whose pods an injected term keeps a template's pods away from."""
    pods = ((template.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity") or {}
    entries = [entry for rule in (_REQUIRED, _PREFERRED) for entry in pods.get(rule) or () if _injected(entry)]
    rules = [
        rule
        for entry in entries
        for rule in ((entry.get("podAffinityTerm") or entry).get("labelSelector") or {}).get("matchExpressions") or ()
    ]
    return {value for rule in rules if rule.get("key") == keys.POD_HASH for value in rule.get("values") or ()}


def _own_terms(affinity: JSON) -> dict[str, list[JSON]]:
    """The user's own terms of both lists of `podAntiAffinity`."""
    pods = affinity.get("podAntiAffinity") or {}
    return {rule: [entry for entry in pods.get(rule) or () if not _injected(entry)] for rule in (_REQUIRED, _PREFERRED)}


def _injected(entry: JSON) -> bool:
    term = entry.get("podAffinityTerm") or entry
    selector = term.get("labelSelector") or {}
    return any(rule.get("key") == keys.POD_HASH for rule in selector.get("matchExpressions") or ())


def _filled(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty values."""
    return {key: value for key, value in mapping.items() if value}
