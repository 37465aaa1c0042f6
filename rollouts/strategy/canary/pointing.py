"""Which Service of a canary is whose, and whom it should select (argo-rollouts.md §2.8)."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.strategy import routed, services
from rollouts.strategy.services import Switch
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.traffic import Roles
from rollouts.strategy.wants import Canary


def names(at: Situation) -> tuple[str | None, ...]:
    """The Services a canary names."""
    canary = at.wants.canary
    return (canary.canary_service, canary.stable_service, *(canary.ping_pong or ())) if canary else ()


def service_names(at: Situation, *, promote: bool) -> tuple[str, str]:
    """The Services of canary and stable. Of two that take turns, which is which changes with each promotion."""
    canary = at.wants.canary
    if canary is None or canary.ping_pong is None:
        return (canary.canary_service or "", canary.stable_service or "") if canary else ("", "")
    ping, pong = canary.ping_pong
    return (ping, pong) if pong_is_stable(at, promote=promote) else (pong, ping)


def pong_is_stable(at: Situation, *, promote: bool) -> bool:
    """Whether pong is the stable one after this decision."""
    return at.recorded.stable_is_pong != (promote and not at.first)


def roles(at: Situation, *, promote: bool) -> Roles:
    """Who is who after this decision. When the stable ReplicaSet is gone, the new one answers for both."""
    revisions = at.revisions
    canary_service, stable_service = service_names(at, promote=promote)
    settled = promote or at.promoted or at.first or at.alone
    return Roles(
        canary=revisions.new,
        canary_hash=revisions.hash,
        stable=revisions.new if settled else revisions.stable,
        stable_hash=revisions.hash if settled else at.recorded.stable_hash,
        canary_service=canary_service,
        stable_service=stable_service,
    )


def switches(at: Situation, *, aborted: bool, promote: bool) -> Iterator[Switch]:
    """Services to point elsewhere now."""
    who, there = roles(at, promote=promote), at.snapshot.services
    yield from services.follow(there, who.stable_service, who.stable)
    pointed_at = _canary_pointed_at(at, who, aborted=aborted, promote=promote)
    yield from services.follow(there, who.canary_service, pointed_at)


def _canary_pointed_at(at: Situation, who: Roles, *, aborted: bool, promote: bool) -> ReplicaSet | None:
    """Whom the canary Service should select; None to leave it alone."""
    canary, told = at.wants.canary, at.recorded.weights
    if canary is None:
        return None
    drains = canary.dynamic_stable and told is not None and told.canary > 0 and told.hash != who.stable_hash
    if promote or at.promoted or at.first or aborted:
        takes_turns = canary.ping_pong is not None and not at.first
        return None if takes_turns or (drains and not promote) else who.stable
    if canary.dynamic_stable and abandoned(at, canary):
        return None
    if who.canary is not None and who.canary.available:
        return who.canary
    selected = services.selected(at.snapshot.services, who.canary_service)
    return who.stable if selected and selected not in (who.canary_hash, who.stable_hash) else None


def abandoned(at: Situation, canary: Canary) -> bool:
    """Traffic goes to an older canary which the shrunken stable can't do without, and new can't take over yet."""
    told, new = at.recorded.weights, at.revisions.new
    if not canary.dynamic_stable or not told or not told.canary:
        return False
    if told.hash in (at.revisions.hash, at.recorded.stable_hash) or at.labelled(told.hash) is None:
        return False
    needed = routed.share(at.wants.limits.replicas, told.canary, full=canary.full)
    return new is None or new.available < needed
