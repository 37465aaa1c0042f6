"""What their own controller would refuse: a Rollout that is an InvalidSpec, an AnalysisRun that is an Error, ….

The API server takes such objects, since its schema knows single fields and not how they go together, and the release
would stand still as Degraded. So our kinds are held against the very rules of their controllers before anything is
applied. Only what an object says itself counts: a Service or a template it names may come in the same commit, or be
somebody else's.

One mistake ends the pass, with all of them told. But a newer controller may know more rules than the one that took an
object, and that must not keep a sync from going on: where the commit changes nothing of the spec that is live, the
mistake is a remark. `Validate=false` on an object switches all of it off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from analysis.assess import check as check_run
from analysis.language import ConditionError, compile_condition
from analysis.rules import RuleError
from analysis.spec import Metric
from rollouts.api import kinds
from rollouts.api.errors import FieldError, Path
from rollouts.api.kinds import Kind
from rollouts.api.loose import listed, mapping
from rollouts.api.parsing import check, left_over
from rollouts.api.validation.common import TEMPLATED
from rollouts.gitops import objectoptions
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.errors import InvalidObjectsError, RefusedError
from rollouts.gitops.examine import Question, examine
from rollouts.gitops.normalise import KindKey, key_of
from rollouts.gitops.objectoptions import Ssa
from rollouts.gitops.objects import JSON, Manifest
from rollouts.gitops.plan import Action
from rollouts.strategy import invalid
from rollouts.strategy.runnable import one_line
from rollouts.traffic import ROUTERS

_IN_PLACE = frozenset({Action.KEEP, Action.UPDATE, Action.REPLACE})
_CONDITIONS = (("successCondition", "success_condition"), ("failureCondition", "failure_condition"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistaken:
    """One object with mistakes, at least one."""

    manifest: Manifest
    errors: tuple[FieldError, ...]

    @property
    def lines(self) -> Iterator[str]:
        """`file:line: Rollout shop/web: field: what is wrong`, for each."""
        where = f"{self.manifest.place}: {self.manifest.ref.label}"
        return (f"{where}: {error}" for error in self.errors)

    @property
    def remark(self) -> str:
        """Without values and lines, as remarks are."""
        fields = ", ".join(dict.fromkeys(error.path or "the object" for error in self.errors))
        return (
            f"{self.manifest.file}: {self.manifest.ref.label}: is invalid and live like this already ({fields}): mend "
            "it, as `kubectl rollouts lint` says; the next change of its spec is refused otherwise"
        )


def mistakes(manifests: Iterable[Manifest], defaults: Mapping[str, str] | None = None) -> tuple[Mistaken, ...]:
    """The objects that their controller would refuse, in order. Pure. `defaults`: options of the sync."""
    asked = (manifest for manifest in manifests if key_of(manifest) in _RULES and _asked(manifest, defaults))
    found = (Mistaken(manifest=manifest, errors=faults(manifest.body)) for manifest in asked)
    return tuple(item for item in found if item.errors)


def faults(body: JSON) -> tuple[FieldError, ...]:
    """Why the controller of an object would refuse it; empty for a good one, and for kinds that are not ours."""
    rules = _RULES.get((str(body.get("apiVersion")), str(body.get("kind"))))
    return () if rules is None else rules(body)


def _asked(manifest: Manifest, defaults: Mapping[str, str] | None) -> bool:
    chosen = objectoptions.of(manifest.body, defaults)
    return chosen.validate and chosen.ssa is not Ssa.IGNORE


async def validate(
    cluster: Cluster, manifests: Iterable[Manifest], question: Question, *, hooks: Iterable[Manifest] = ()
) -> tuple[str, ...]:
    """Remarks on invalid objects whose spec is live already. InvalidObjectsError with all mistakes of all others.

    `hooks` are made anew with each commit: they count while the commit is news.
    """
    # some 0.2 ms each: thousands of them must not keep other syncs waiting
    wrong = await asyncio.to_thread(mistakes, tuple(manifests), question.defaults)
    weighed = await in_parallel(wrong, lambda item: _weighed(cluster, item, question))
    refused = [item for item, there in weighed if item.errors and not there]
    refused += mistakes(hooks, question.defaults) if question.news else ()
    if refused:
        raise InvalidObjectsError(tuple(line for item in refused for line in item.lines))
    return tuple(item.remark for item, _ in weighed if item.errors)


async def _weighed(cluster: Cluster, item: Mistaken, question: Question) -> tuple[Mistaken, bool]:
    """The mistakes as the object would be in the cluster, with what webhooks and others write into it, and whether its
    spec is like that already."""
    manifest = item.manifest
    try:
        found = await examine(cluster, [manifest], question)
    except RefusedError:
        return item, False
    if not found or found[0].action not in _IN_PLACE:
        made = found[0].after if found else None
        return item if made is None else replace(item, errors=faults(made)), False
    there = not any(field.startswith("spec") for field in found[0].fields)
    body = found[0].after or await cluster.live(question.kinds[key_of(manifest)], manifest.ref)
    return item if body is None else replace(item, errors=faults(body)), there


def _rollout(body: JSON) -> tuple[FieldError, ...]:
    return invalid.of_itself(body, ROUTERS)


def _checked(kind: Kind) -> Callable[[JSON], tuple[FieldError, ...]]:
    return lambda body: check(kind, body).errors


def _template(kind: Kind) -> Callable[[JSON], tuple[FieldError, ...]]:
    return lambda body: (*check(kind, body).errors, *_conditions(body))


def _run(body: JSON) -> tuple[FieldError, ...]:
    """Rules of the measuring side are asked where the others found nothing: they would say the same again."""
    parsed = check(kinds.ANALYSIS_RUN, body)
    found = (*parsed.errors, *_conditions(body))
    return found or tuple(_of_run(parsed.model.spec))


def _of_run(spec: Any) -> Iterator[FieldError]:
    try:
        check_run(spec)
    except RuleError as error:
        yield Path.of("spec").error(one_line(str(error)))


def _conditions(body: JSON) -> Iterator[FieldError]:
    """Conditions that can't be read, whatever arguments are given."""
    for index, metric in enumerate(listed(mapping(body.get("spec")).get("metrics"))):
        found = left_over(Metric, mapping(metric))
        for field, name in _CONDITIONS:
            text = getattr(found, name, None) or ""
            if not TEMPLATED.search(text):
                yield from _unreadable(text, Path.of("spec", "metrics", index, field))


def _unreadable(text: str, path: Path) -> Iterator[FieldError]:
    try:
        if text:
            compile_condition(text)
    except ConditionError as error:
        yield path.error(one_line(str(error)))


_RULES: Mapping[KindKey, Callable[[JSON], tuple[FieldError, ...]]] = {
    (kind.api_version, kind.kind): rules
    for kind, rules in (
        (kinds.ROLLOUT, _rollout),
        (kinds.EXPERIMENT, _checked(kinds.EXPERIMENT)),
        (kinds.ANALYSIS_TEMPLATE, _template(kinds.ANALYSIS_TEMPLATE)),
        (kinds.CLUSTER_ANALYSIS_TEMPLATE, _template(kinds.CLUSTER_ANALYSIS_TEMPLATE)),
        (kinds.ANALYSIS_RUN, _run),
        (kinds.GIT_SYNC, _checked(kinds.GIT_SYNC)),
    )
}
"""What each of our kinds is held against."""
