"""Whether Git is mended too when a commit is rejected: a revert commit, on the branch or for a person to merge."""

from __future__ import annotations

from typing import Literal

from analysis.spec.base import Model, StringMap
from rollouts.api.gitsync_images import CommitAuthor, PullRequest, SigningKey


class RevertCommit(Model):
    """How the commit is made."""

    author: CommitAuthor
    """Who it is by, and who signs it off."""
    signing_key: SigningKey | None = None
    """The key it is signed with. Default: unsigned."""


class RevertPush(Model):
    """Where the commit goes."""

    branch: str | None = None
    """Branch. Default: the one that is synced; with a pull request, one of its own."""
    options: StringMap | None = None
    """Push options for the server."""


class RevertGit(Model):
    """Commit and push."""

    commit: RevertCommit
    """How the commit is made."""
    push: RevertPush | None = None
    """Where it goes."""


class Revert(Model):
    """Rejected commits are taken back in Git."""

    reasons: list[Literal["RolloutAborted", "Rollback"]] | None = None
    """After what: a Rollout was aborted, a person rolled back. Default: both."""
    git: RevertGit
    """Commit and push."""
    pull_request: PullRequest | None = None
    """Whether a person merges."""
