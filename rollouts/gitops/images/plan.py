"""What may be written: from marked values, a candidate and what is remembered, to edits and to what is held. Pure.

Four rules stand between "there is a newer tag" and a commit:

* **never down**: a tag that the policy ranks below the present one is not written, unless the image allows it;
* **a person's word**: a value that Git had once and has no more was taken back; it is not written there again, until
  the policy yields another;
* **never a rejected image**: a digest whose release was aborted is passed over, whatever tag it comes under;
* **no half lists**: a list without the present tag, or much shorter than before, decides nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rollouts.api.gitsync_images import FollowedImage
from rollouts.gitops import semver
from rollouts.gitops.errors import ImageError, RegistryError
from rollouts.gitops.images import reference
from rollouts.gitops.images.markers import Marker
from rollouts.gitops.images.policy import Rule, compared, rank_of

FORGETTING = 0.9
"""Each look lets the remembered number of tags shrink by a tenth, so that a registry may be tidied up in the end."""


class Digests(StrEnum):
    """Whether a digest is written beside the tag: never, once for a tag, or each time it changes."""

    NEVER = "Never"
    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An image that is followed. `image` as the spec writes it."""

    name: str
    image: str
    rule: Rule
    digests: Digests = Digests.NEVER
    allow_downgrade: bool = False

    @classmethod
    def of(cls, item: FollowedImage) -> Followed:
        """From the API. ImageError when the policy is not one."""
        if item.policy.tag and item.digest_reflection_policy in (None, "Never"):
            raise ImageError(f"image {item.name!r}: following one tag needs digestReflectionPolicy: Always")
        return cls(
            name=item.name,
            image=item.image,
            rule=Rule.of(item),
            digests=Digests(item.digest_reflection_policy or "Never"),
            allow_downgrade=bool(item.allow_downgrade),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the policy and the registry yield."""

    tag: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is kept between looks. `tags`: how many each image had; `seen`: what Git last had of ours, by place;
    `rejected`: for an image that was rejected by its tag, the digest it had when that was first heard of.
    """

    tags: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For the status."""
        return {"tags": dict(self.tags), "seen": dict(self.seen), "rejected": dict(self.rejected)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Memory:
        """From the status; what is not there is not remembered."""
        known = value or {}
        return cls(**{name: dict(known.get(name) or {}) for name in ("tags", "seen", "rejected")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value to be written."""

    marker: Marker
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A newer value that is not written. `reason`: Downgrade or TakenBack."""

    policy: str
    file: str
    value: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """For one image: what is to be written, what is held, and by place what Git has of it, and will have."""

    changes: tuple[Change, ...] = ()
    held: tuple[Held, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)


def present_tags(markers: Iterable[Marker]) -> frozenset[str]:
    """The tags that Git names now."""
    return frozenset(tag for marker in markers if (tag := tag_in(marker)))


def tag_in(marker: Marker) -> str:
    """The tag a marked value names, empty when it names none."""
    if marker.part in ("name", "digest"):
        return ""
    try:
        return marker.value if marker.part == "tag" else reference.parse(marker.value).tag
    except ImageError:
        return ""


def doubt(tags: frozenset[str], *, present: Iterable[str], before: int) -> RegistryError | None:
    """Why the list is not to be trusted, None when it is. `present`: tags of Git that the registry does have."""
    missing = sorted(set(present) - tags)
    if missing:
        return RegistryError(f"PartialListing: the registry has the tag {missing[0]}, and does not list it")
    if len(tags) * 2 < before:
        return RegistryError(f"PartialListing: {len(tags)} tags are listed, {before} were before")
    return None


def remembered(tags: int, before: int) -> int:
    """How many tags to remember after a look."""
    return max(tags, math.floor(before * FORGETTING))


def rejected(digest: str, known: frozenset[str]) -> bool:
    """Whether this digest was rejected, under whatever name or tag."""
    return any(entry.rpartition("@")[2] == digest for entry in known)


def is_there(image: Followed, marker: Marker, candidate: Candidate) -> bool:
    """Whether Git has the candidate already, so that nothing would be written."""
    return tag_in(marker) == candidate.tag and (image.digests is Digests.NEVER or candidate.digest in marker.value)


def decide(image: Followed, markers: Iterable[Marker], candidate: Candidate, memory: Memory) -> Decision:
    """What becomes of the marked values of one image. ImageError for a marker that can't be served."""
    changes: list[Change] = []
    held: list[Held] = []
    seen: dict[str, str] = {}
    written: dict[str, str] = {}
    for file, here in _by_file(markers).items():
        wanted = {marker: wanted_value(image, marker, candidate) for marker in here}
        places = places_of(here)
        reason = _reason(image, wanted, candidate, places, memory)
        for marker, value in wanted.items():
            if marker.value == value or reason:
                seen |= _kept(places[marker], value, memory, is_there=marker.value == value)
            else:
                changes.append(Change(marker=marker, old=marker.value, new=value))
                written[places[marker]] = value
        if reason:
            held.append(Held(policy=image.name, file=file, value=candidate.tag, reason=reason[0], message=reason[1]))
    return Decision(changes=tuple(changes), held=tuple(held), seen=seen, written=written)


def wanted_value(image: Followed, marker: Marker, candidate: Candidate) -> str:
    """What a marked value should say."""
    digest = "" if image.digests is Digests.NEVER else candidate.digest
    if image.digests is Digests.IF_NOT_PRESENT and tag_in(marker) == candidate.tag:
        digest = marker.value.partition("@")[2] or digest
    if marker.part == "digest" and not digest:
        raise ImageError(f"{marker.file}:{marker.line}: a marker for the digest needs digestReflectionPolicy")
    values = {"name": image.image, "tag": candidate.tag, "digest": digest}
    return values.get(marker.part) or reference.written(image.image, candidate.tag, digest)


def places_of(markers: Iterable[Marker]) -> dict[Marker, str]:
    """A short name for each place, which stays while the file has the same markers."""
    found = sorted(markers, key=lambda marker: marker.start)
    names = [f"{marker.file} {marker.policy}:{marker.part} {index}/{len(found)}" for index, marker in enumerate(found)]
    return {marker: hashlib.sha256(name.encode()).hexdigest()[:12] for marker, name in zip(found, names, strict=True)}


def is_down(image: Followed, present: str, candidate: str) -> bool:
    """Whether the candidate ranks below the present tag; False for tags that can't be compared."""
    if not present or present == candidate or image.rule.order == "tag":
        return False
    old, new = _rank(present, image.rule), _rank(candidate, image.rule)
    return old is not None and new is not None and bool(new < old)


def _rank(tag: str, rule: Rule) -> Any:
    """Like the policy's, but a version outside the range counts too: narrowing a range takes nothing back."""
    if rule.order != "semver":
        return rank_of(tag, rule)
    version = semver.parse(compared(tag, rule) or tag)
    return version.order if version else None


def _reason(
    image: Followed, wanted: Mapping[Marker, str], candidate: Candidate, places: Mapping[Marker, str], memory: Memory
) -> tuple[str, str] | None:
    """Why nothing of a file is written, all its places together, so that tag and digest never part."""
    for marker, value in wanted.items():
        present = tag_in(marker)
        if not image.allow_downgrade and is_down(image, present, candidate.tag):
            return "Downgrade", f"{candidate.tag} ranks below {present}, which Git has"
        if marker.value != value and memory.seen.get(places[marker]) == value:
            return "TakenBack", f"{value} was in Git and was taken back; it waits for another tag"
    return None


def _kept(place: str, value: str, memory: Memory, *, is_there: bool) -> dict[str, str]:
    if is_there:
        return {place: value}
    return {place: memory.seen[place]} if place in memory.seen else {}


def _by_file(markers: Iterable[Marker]) -> dict[str, list[Marker]]:
    found: dict[str, list[Marker]] = {}
    for marker in markers:
        found.setdefault(marker.file, []).append(marker)
    return found
