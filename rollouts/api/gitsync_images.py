"""Image updates of a GitSync: which images are followed, by which policy, and how the commit is made.

Policies, filters and markers are Flux's, so that files marked for Flux work unchanged.
"""

from __future__ import annotations

from typing import Literal

from analysis.spec.base import Bool, Model, StringMap
from rollouts.api.gitsync_source import LocalReference


class SemverPolicy(Model):
    """The greatest version in a range."""

    range: str
    """The range, such as `>=1.2.0 <2.0.0` or `1.x`."""


class OrderPolicy(Model):
    """The greatest or the smallest."""

    order: Literal["asc", "desc"] | None = None
    """asc: the greatest wins, desc: the smallest. Default asc."""


class ImagePolicy(Model):
    """Which tag wins; exactly one is set."""

    semver: SemverPolicy | None = None
    """By version."""
    alphabetical: OrderPolicy | None = None
    """By text."""
    numerical: OrderPolicy | None = None
    """By number."""
    tag: str | None = None
    """This one tag, followed by its digest."""


class TagFilter(Model):
    """Which tags are candidates at all."""

    pattern: str | None = None
    """Regular expression (RE2)."""
    extract: str | None = None
    """What of a match the policy compares, such as `$ts`."""
    glob: str | None = None
    """Instead of pattern: `main-*`."""


class FollowedImage(Model):
    """One image and its policy."""

    name: str
    """Name of the policy, as markers name it."""
    image: str
    """Repository of the image, without a tag."""
    secret_ref: LocalReference | None = None
    """Secret of type kubernetes.io/dockerconfigjson."""
    policy: ImagePolicy
    """Which tag wins."""
    filter_tags: TagFilter | None = None
    """Which tags are candidates."""
    exclude: list[str] | None = None
    """Regular expressions of whole tags that are none."""
    digest_reflection_policy: Literal["Never", "IfNotPresent", "Always"] | None = None
    """Whether the digest is written too. Default Never."""
    allow_downgrade: Bool | None = None
    """True: an older tag may replace a newer one. Default false."""


class UpdatePath(Model):
    """Where markers are looked for."""

    path: str | None = None
    """Folder in the repository. Default: the source's path."""


class CommitAuthor(Model):
    """Who a commit is by."""

    name: str | None = None
    """Name."""
    email: str
    """Address."""


class SigningKey(Model):
    """The key a commit is signed with."""

    type: Literal["gpg", "ssh"] | None = None
    """Sort of the key. Default gpg."""
    secret_ref: LocalReference
    """Secret that holds it."""


class Commit(Model):
    """How a commit is made."""

    author: CommitAuthor
    """Who it is by."""
    signing_key: SigningKey | None = None
    """The key it is signed with. Default: unsigned."""
    message_template: str | None = None
    """Template of the message."""
    message_template_values: StringMap | None = None
    """Values for the template."""


class Push(Model):
    """Where a commit goes."""

    branch: str | None = None
    """Branch. Default: the one that is synced."""
    refspec: str | None = None
    """`refs/heads/FROM:refs/heads/TO`: the commit goes to TO; with a branch, to both."""
    options: StringMap | None = None
    """Push options for the server."""


class WriteBack(Model):
    """Commit and push."""

    commit: Commit
    """How the commit is made."""
    push: Push | None = None
    """Where it goes."""


class PullRequest(Model):
    """Whether a person merges."""

    enabled: Bool | None = None
    """True: a branch of its own and a pull request. Default false."""


class ImageUpdate(Model):
    """Images that are followed, and how Git learns of new ones."""

    interval: str | None = None
    """Between looks at the registry, a duration. Default 5m."""
    update: UpdatePath | None = None
    """Where markers are looked for."""
    git: WriteBack
    """Commit and push."""
    pull_request: PullRequest | None = None
    """Whether a person merges."""
    images: list[FollowedImage]
    """What is followed."""
