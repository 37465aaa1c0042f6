"""R13, §2.1 step 12: what was applied is recorded, and health that can't be read is an error and never "fine"."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.kinds import Kind
from rollouts.gitops.apply import Outcome
from rollouts.gitops.claims import Claims
from rollouts.gitops.cluster import CONFIG_MAP
from rollouts.gitops.compare import Comparison
from rollouts.gitops.errors import UnreadError
from rollouts.gitops.examine import Question
from rollouts.gitops.inventory import Entry, Inventory, Record
from rollouts.gitops.objects import Ref
from rollouts.gitops.passes import Pipeline
from rollouts.gitops.plan import Policy, SyncPlan
from rollouts.gitops.terms import Terms

REF = Ref(group="", kind="ConfigMap", namespace="shop", name="a")


class Blind:
    """A cluster whose objects can't be read."""

    async def kinds(self, keys: Any) -> dict[Any, Kind]:
        return dict.fromkeys(keys, CONFIG_MAP)

    async def live(self, kind: Kind, ref: Ref) -> None:
        raise UnreadError(f"{ref.label} could not be read: no answer")


class Saved:
    def __init__(self) -> None:
        self.records: list[Record] = []

    async def save(self, record: Record) -> None:
        self.records.append(record)


async def test_health_that_can_not_be_read_is_an_error_after_the_record_was_written() -> None:
    """R13: the pass has failed and says at what; the inventory knows what was applied all the same."""
    saved = Saved()
    terms = Terms(identity="s", namespace="shop", policy=Policy(sync="s"))
    pipeline = Pipeline(cluster=Blind(), repository=None, records=saved, terms=terms)  # type: ignore[arg-type]
    final = Inventory.of([Entry(ref=REF, version="v1", uid="u")])
    found = Comparison(
        commit="c",
        subject="",
        renderer="",
        plan=SyncPlan(),
        digest="",
        content="",
        question=Question(kinds={}, claims=Claims(), sync="s"),
        record=Record(),
    )
    with pytest.raises(UnreadError, match="ConfigMap shop/a could not be read: no answer"):
        await pipeline._reported(found, SyncPlan(), Outcome(), final, errors=(), waiting="")
    assert [(record.inventory, record.applied) for record in saved.records] == [(final, "c")]
