"""Forges: how commits are is told to GitHub, GitLab, Gitea; pull and merge requests are opened there.

One file per forge builds requests and reads answers; `client.py` sends them. A new forge: its file, and a row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rollouts.gitops.forges.gitea import Gitea
from rollouts.gitops.forges.github import GitHub
from rollouts.gitops.forges.gitlab import GitLab
from rollouts.gitops.forges.values import Forge

FORGES: Final[Mapping[str, Forge]] = {"github": GitHub(), "gitlab": GitLab(), "gitea": Gitea()}
