"""What applying would make of a live object, worked out here: only for objects that can't be tried out (R10).

The API server makes the diff, by a dry run. An admission webhook that does not support dry runs has it refused. Then it
has to be done here, without the schema. What there is instead is `managedFields`: they say what we own, so that what
Git has no more can be told from what others have added, and by which keys the items of a list are told apart.

    live     data: {a: 1, b: 2, c: 3}    we own a, b        Git has  data: {a: 1, d: 4}
    result   data: {a: 1, c: 3, d: 4}    b goes, c is somebody else's

In a list that is one value (nobody owns parts of it) items are compared one by one, and what Git does not name in them
is taken for a default. What changes only by leaving such a thing out is not seen here. Therefore objects that can't be
tried out are applied once for each new commit, whether they seem to differ or not. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from operator import eq
from typing import Any

from rollouts.gitops import fieldsets, marks
from rollouts.gitops.claims import dig
from rollouts.gitops.fieldsets import Tree
from rollouts.gitops.objects import JSON
from rollouts.strategy.podtemplate import quantity

Same = Callable[[Any, Any], bool]


def applied(live: JSON, wanted: JSON, *, taken: Tree | None = None) -> JSON:
    """The live object as it would be. `taken`: fields of earlier tools that become ours with it."""
    entries: Iterable[JSON] = dig(live, "metadata").get("managedFields") or ()
    rows = [(_ours(row), row.get("fieldsV1") or {}) for row in entries if not row.get("subresource")]
    owned = fieldsets.union([*(tree for ours, tree in rows if ours), taken or {}])
    others = fieldsets.minus(fieldsets.union(tree for ours, tree in rows if not ours), taken or {})
    gone = fieldsets.minus(owned, fieldsets.within(owned, wanted))
    left = fieldsets.without(live, gone, kept=others)
    tree = fieldsets.union([owned, others])
    rest = {key: value for key, value in wanted.items() if key != "spec"}
    found: JSON = _over(left, rest, tree, eq)
    if "spec" not in wanted:
        return found
    return {**found, "spec": _over(left.get("spec"), wanted["spec"], tree.get("f:spec") or {}, _amounts)}


def _ours(row: JSON) -> bool:
    return row.get("manager") == marks.FIELD_MANAGER and row.get("operation") == "Apply"


def _over(live: Any, wanted: Any, tree: Tree, same: Same) -> Any:
    """`wanted` laid over what is there."""
    if isinstance(live, Mapping) and isinstance(wanted, Mapping):
        named = {key: value for key, value in wanted.items() if value is not None}
        below = {key: tree.get(f"f:{key}") or {} for key in named}
        return {**live, **{key: _over(live.get(key), value, below[key], same) for key, value in named.items()}}
    if isinstance(live, list) and isinstance(wanted, list):
        return _list(live, wanted, tree, same)
    return live if same(live, wanted) else wanted


def _list(live: list[Any], wanted: list[Any], tree: Tree, same: Same) -> list[Any]:
    keyed = [key for key in tree if key.startswith(("k:", "v:"))]
    if not keyed:
        if len(live) != len(wanted):
            return wanted
        return [_over(old, new, {}, same) for old, new in zip(live, wanted, strict=True)]
    rest = list(wanted)
    found = []
    for item in live:
        key = next((key for key in keyed if fieldsets.means(key, item)), "")
        match = next((new for new in rest if key and _alike(key, item, new)), None)
        if match is None:
            found.append(item)
            continue
        rest.remove(match)
        found.append(_over(item, match, tree.get(key) or {}, same))
    return [*found, *rest]


def _alike(key: str, item: Any, new: Any) -> bool:
    """Whether both are the item of that key. A key that Git leaves out is one with a default."""
    if key.startswith("v:") or not (isinstance(item, Mapping) and isinstance(new, Mapping)):
        return bool(item == new)
    return all(new.get(name, item.get(name)) == item.get(name) for name in json.loads(key[2:]))


def _amounts(live: Any, wanted: Any) -> bool:
    """Equal, in whatever spelling: `1000m` is `1`. Only so in a spec; the data of a ConfigMap are texts."""
    try:
        return bool(live == wanted or quantity.parse(live).value == quantity.parse(wanted).value)
    except (quantity.QuantityError, TypeError, ValueError):
        return False
