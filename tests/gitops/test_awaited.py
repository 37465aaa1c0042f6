"""R18: kinds that come from elsewhere, or with what the commit installs: which are awaited, and for how long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from rollouts.api.kinds import Kind
from rollouts.gitops import apply
from rollouts.gitops.apply import execute
from rollouts.gitops.errors import SyncError
from rollouts.gitops.inventory import Inventory
from rollouts.gitops.normalise import KindKey, key_of
from rollouts.gitops.objects import Manifest
from rollouts.gitops.passes import Pipeline
from rollouts.gitops.plan import Action, Examined, Policy, plan
from rollouts.gitops.terms import Terms

KEY = ("example.com/v1", "Widget")
WIDGET = Kind(group="example.com", version="v1", kind="Widget", plural="widgets")
PATIENT = {"argocd.argoproj.io/sync-options": "SkipDryRunOnMissingResource=true"}


def widget(api_version: str = "example.com/v1", **annotations: str) -> Manifest:
    metadata = {"name": "a", "namespace": "shop", "annotations": annotations}
    return Manifest(body={"apiVersion": api_version, "kind": "Widget", "metadata": metadata}, file="a.yaml", line=1)


class Discovery:
    """Knows some kinds, from a certain question on, and has some groups; takes every object."""

    def __init__(self, *known: Kind, after: int = 0, groups: Iterable[str] = ()) -> None:
        self.known, self.groups = known, frozenset(groups)
        self.left = after
        self.applied: list[str] = []

    async def kinds(self, keys: Iterable[KindKey]) -> dict[KindKey, Kind]:
        self.left -= 1
        return {} if self.left >= 0 else {(kind.api_version, kind.kind): kind for kind in self.known}

    def forget_kinds(self) -> None:
        pass

    async def serves(self, group: str) -> bool:
        return group in self.groups

    async def apply(self, kind: Kind, manifest: Manifest, *, guard: str | None = None) -> dict[str, Any]:
        self.applied.append(kind.plural)
        return {**manifest.body, "metadata": {**manifest.body["metadata"], "uid": "u", "resourceVersion": "1"}}


def pipeline(cluster: Discovery, **defaults: str) -> Pipeline:
    terms = Terms(identity="team/shop", namespace="shop", policy=Policy(sync="team/shop"), defaults=defaults)
    return Pipeline(cluster=cluster, repository=None, records=None, terms=terms)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("manifest", "groups", "defaults", "awaited"),
    [
        (widget(), (), {}, True),
        (widget(), ("example.com",), {}, False),
        (widget(**PATIENT), ("example.com",), {}, True),
        (widget(), ("example.com",), {"SkipDryRunOnMissingResource": "true"}, True),
        (widget("policy/v1"), (), {}, False),
        (widget("rbac.authorization.k8s.io/v9"), (), {}, False),
        (widget("v1"), (), {}, False),
        (widget("v1", **PATIENT), (), {}, True),
    ],
)
async def test_which_kinds_are_awaited(
    manifest: Manifest, groups: tuple[str, ...], defaults: dict[str, str], awaited: bool
) -> None:
    """R18: of a group nobody knows yet, or where the object, or the sync, says so; anything else is a misspelt kind."""
    wanted = pipeline(Discovery(groups=groups), **defaults)._wanted((manifest,))
    if awaited:
        (found,), kinds = await wanted
        assert (found.ref, key_of(found) in kinds) == (manifest.ref, True)
    else:
        with pytest.raises(SyncError, match="Widget"):
            await wanted


async def carried_out(cluster: Discovery) -> Any:
    manifest = widget()
    decided = plan(
        examined=[Examined(manifest=manifest, action=Action.AWAIT)],
        inventory=Inventory(),
        leftovers=(),
        policy=Policy(sync="team/shop"),
    )

    async def never(*_: Any) -> Any:
        raise AssertionError("nothing is steered, and nobody is asked")

    guessed = Kind(group="example.com", version="v1", kind="Widget", plural="")
    return await execute(cluster, decided, kinds={KEY: guessed}, reexamine=never, go_on=never)  # type: ignore[arg-type]


async def test_an_object_is_tried_again_until_its_kind_is_there() -> None:
    """R18: and applied by what discovery says then."""
    cluster = Discovery(WIDGET, after=2)
    outcome = await carried_out(cluster)
    assert (outcome.errors, cluster.applied) == ((), ["widgets"])


async def test_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """R18: then it is an error that says what to do."""
    monkeypatch.setattr(apply, "_ESTABLISHED", 0.1)
    cluster = Discovery()
    outcome = await carried_out(cluster)
    assert cluster.applied == []
    (error,) = outcome.errors
    assert error.startswith("a.yaml:1: Widget shop/a: the cluster had no kind Widget in example.com/v1 within 0.1 s")
    assert error.endswith("check the spelling, or install its CRD")
