"""What a GitSync takes over from the tool that it was imported from: the list of what that tool has applied. Pure.

`sync import` writes the list into the inventory, and into an annotation whose it was. So when Git drops an object
before the GitSync has ever applied it, it is known, and pruned as any other. Such an object carries no mark of ours;
instead the **former owner's mark** must be on it, naming exactly the Kustomization or Application of the annotation.

    gitops.rollouts.dev/imported-from: kustomization/flux-system/shop
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.gitops import inventory, marks
from rollouts.gitops.claims import dig
from rollouts.gitops.inventory import Entry, Inventory
from rollouts.gitops.objects import JSON, Ref, annotation

IMPORTED = f"{marks.PREFIX}imported-from"
MIGRATION_MANAGER = "argocd.argoproj.io/client-side-apply-migration-manager"
"""Argo CD's annotation of an Application, understood on a GitSync too: one more manager whose fields are taken over."""
_FLUX = "kustomize.toolkit.fluxcd.io/"
_ARGO = "argocd.argoproj.io/tracking-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """A Kustomization or an Application. `kind` in small letters."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str | None) -> Former | None:
        """The reverse of `str`; None for anything else."""
        parts = (text or "").split("/")
        if len(parts) != 3 or parts[0] not in _LEFT_BY or not all(parts):
            return None
        return cls(kind=parts[0], namespace=parts[1], name=parts[2])


def former_of(body: JSON) -> Former:
    """Whose objects they are, of an Application or a Kustomization."""
    metadata = body["metadata"]
    return Former(kind=str(body["kind"]).lower(), namespace=str(metadata.get("namespace")), name=str(metadata["name"]))


def entries(body: JSON) -> tuple[Entry, ...]:
    """What an Application or a Kustomization says that it has applied."""
    return tuple(_LISTED[str(body["kind"]).lower()](dig(body, "status")))


def status_of(found: Iterable[Entry]) -> dict[str, Any]:
    """The status of a GitSync that knows these objects."""
    rows = inventory.rows(Inventory.of(found))
    listed = [{"id": ref, "v": version, "uid": uid} for ref, version, uid in rows]
    return {"inventory": {"digest": inventory.digest_of(rows), "entries": listed}}


def left_by(live: JSON, ref: Ref, former: Former) -> bool:
    """Whether a live object carries the former owner's mark."""
    return _LEFT_BY[former.kind](live, ref, former)


def _flux_entries(status: JSON) -> Iterator[Entry]:
    for row in dig(status, "inventory").get("entries") or ():
        # Names of roles may hold colons, which are written as two underscores.
        namespace, _, rest = str(row["id"]).partition("_")
        rest, _, kind = rest.rpartition("_")
        name, _, group = rest.rpartition("_")
        ref = Ref(group=group, kind=kind, namespace=namespace, name=name.replace("__", ":"))
        yield Entry(ref=ref, version=str(row.get("v") or "v1"))


def _argo_entries(status: JSON) -> Iterator[Entry]:
    for row in status.get("resources") or ():
        if row.get("hook"):
            continue
        ref = Ref(
            group=str(row.get("group") or ""),
            kind=str(row["kind"]),
            namespace=str(row.get("namespace") or ""),
            name=str(row["name"]),
        )
        yield Entry(ref=ref, version=str(row.get("version") or "v1"))


def _left_by_flux(live: JSON, ref: Ref, former: Former) -> bool:
    labels = dig(live, "metadata", "labels")
    return (labels.get(f"{_FLUX}namespace"), labels.get(f"{_FLUX}name")) == (former.namespace, former.name)


def _left_by_argo(live: JSON, ref: Ref, former: Former) -> bool:
    """`shop:apps/Deployment:shop/web`; an Application outside Argo CD's namespace is `<namespace>_<name>`."""
    application, _, rest = (annotation(live, _ARGO) or "").partition(":")
    kind, _, place = rest.rpartition(":")
    named = application in (former.name, f"{former.namespace}_{former.name}")
    return named and kind == f"{ref.group}/{ref.kind}" and place.rpartition("/")[2] == ref.name


_LISTED: Mapping[str, Callable[[JSON], Iterator[Entry]]] = {
    "kustomization": _flux_entries,
    "application": _argo_entries,
}
_LEFT_BY: Mapping[str, Callable[[JSON, Ref, Former], bool]] = {
    "kustomization": _left_by_flux,
    "application": _left_by_argo,
}
