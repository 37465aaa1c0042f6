"""What the registry has of one image: its tags, if the list can be trusted, and the best that was not rejected.

A Rollout may be aborted whose manifest names a tag and no digest. Then the digest that the tag has when this is first
heard of counts as the rejected one, and is remembered as long as the rejection is: a rebuild under the same tag is
another image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rollouts.api.gitsync_images import FollowedImage
from rollouts.gitops.errors import ImageError, SyncError
from rollouts.gitops.images import plan, policy, reference
from rollouts.gitops.images.markers import Marker
from rollouts.gitops.images.plan import Candidate, Followed, Memory
from rollouts.gitops.images.registry import Registry

CANDIDATES = 10
"""So many of the best tags are tried when the best ones were rejected."""


class AllRejectedError(ImageError):
    """Every good tag was rejected by a release. `by_tag`: what was rejected by its tag, to be remembered."""

    def __init__(self, message: str, by_tag: Mapping[str, str]) -> None:
        self.by_tag = by_tag
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What the registry has of one image."""

    image: Followed
    tags: frozenset[str]
    candidate: Candidate
    rejected: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a scan must know of its sync: what is remembered, and what releases rejected."""

    memory: Memory
    rejected: frozenset[str] = frozenset()


async def scanned(
    item: FollowedImage, markers: list[Marker], question: Question, registry: Registry
) -> Scan | SyncError:
    """What the registry has of an image, or why that can't be said."""
    try:
        image = Followed.of(item)
        repository = reference.repository(image.image)
        tags = await registry.tags(repository)
        unlisted = plan.present_tags(markers) - tags
        present = [tag for tag in sorted(unlisted) if await registry.digest(repository, tag)]
        if doubts := plan.doubt(tags, present=present, before=question.memory.tags.get(item.name, 0)):
            raise doubts
        by_tag = await _rejected_by_tag(question, repository, registry)
        known = question.rejected | {f"{repository}@{digest}" for digest in by_tag.values()}
        candidate = await _candidate(image, repository, policy.ranked(tags, image.rule), markers, known, registry)
        if candidate is None:
            raise AllRejectedError(f"the best tags of {image.image} were all rejected by a release", by_tag)
        return Scan(image=image, tags=tags, candidate=candidate, rejected=by_tag)
    except SyncError as error:
        return error


async def _rejected_by_tag(question: Question, repository: reference.Repository, registry: Registry) -> dict[str, str]:
    """Digests of this repository's images that were rejected by tag: as remembered, else as the tag stands now."""
    found: dict[str, str] = {}
    for text in question.rejected:
        image = _parsed(text)
        if image is None or image.digest or image.repository != repository:
            continue
        digest = question.memory.rejected.get(text) or await registry.digest(repository, image.tag or "latest")
        if digest:
            found[text] = digest
    return found


def _parsed(text: str) -> reference.Reference | None:
    try:
        return reference.parse(text)
    except ImageError:
        return None


async def _candidate(
    image: Followed, repository: reference.Repository, ranked: tuple[str, ...], markers: list[Marker],
    rejected: frozenset[str], registry: Registry,
) -> Candidate | None:  # fmt: skip
    """The best tag that was not rejected. None when the best ones all were."""
    if not ranked:
        raise ImageError(f"none of the tags of {image.image} fits the policy")
    for tag in ranked[:CANDIDATES]:
        digest = await registry.digest(repository, tag)
        if digest is None:
            raise ImageError(f"{image.image} lists the tag {tag}, and does not have it")
        candidate = Candidate(tag=tag, digest=digest)
        settled = all(plan.is_there(image, marker, candidate) for marker in markers if plan.tag_in(marker))
        if settled or not plan.rejected(digest, rejected):
            return candidate
    return None


def rejections(question: Question, scans: Iterable[Scan | SyncError]) -> dict[str, str]:
    """What is remembered of rejected tags, as long as the rejection is."""
    found = {text: digest for text, digest in question.memory.rejected.items() if text in question.rejected}
    for scan in scans:
        if isinstance(scan, Scan):
            found |= scan.rejected
        elif isinstance(scan, AllRejectedError):
            found |= scan.by_tag
    return found
