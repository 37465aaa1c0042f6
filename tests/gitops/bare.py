"""A bare repository to commit into, with git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Bare:
    """`directory`/app.git, and the clone that commits are made in."""

    def __init__(self, directory: Path) -> None:
        self.path, self.work = directory / "app.git", directory / "work"
        self._git("init", "-q", "--bare", "--initial-branch=main", str(self.path), where=directory)
        self._git("clone", "-q", str(self.path), str(self.work), where=directory)
        self._git("checkout", "-q", "-B", "main")

    @property
    def url(self) -> str:
        """For a source that may be local."""
        return self.path.as_uri()

    def commit(self, files: dict[str, str | None], message: str = "change") -> str:
        """Write files (None: delete; `-> target`: a link), commit, push; the commit id."""
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if content is not None and content.startswith("-> "):
                path.symlink_to(content[3:])
            elif content is not None:
                path.write_text(content)
        self._git("add", "--all")
        self._git("commit", "-q", "--allow-empty", "-m", message)
        self._git("push", "-q", "origin", "main")
        return self._git("rev-parse", "HEAD").strip()

    def tag(self, name: str, *, annotated: bool = False) -> None:
        """Tag the newest commit, and push the tag."""
        self._git("tag", *(("-a", "-m", name) if annotated else ()), name)
        self._git("push", "-q", "origin", name)

    def reset(self, commit: str) -> None:
        """Move the branch to a commit, by force."""
        self._git("reset", "-q", "--hard", commit)
        self._git("push", "-q", "--force", "origin", "main")

    def rewrite(self) -> None:
        """Make the branch one commit that knows nothing of those before, and forget those."""
        self._git("checkout", "-q", "--orphan", "anew")
        self._git("commit", "-q", "-m", "anew")
        self._git("push", "-q", "--force", "origin", "anew:main")
        self._git("branch", "-q", "-M", "main")
        self._git("reflog", "expire", "--expire=now", "--all", where=self.path)
        self._git("gc", "-q", "--prune=now", where=self.path)

    def pull(self) -> None:
        """Take what others pushed."""
        self._git("pull", "-q", "--ff-only", "origin", "main")

    def _git(self, *arguments: str, where: Path | None = None) -> str:
        who = {f"GIT_{role}_{what}": "t@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
        ran = subprocess.run(
            ["git", *arguments], cwd=where or self.work, env=environment, capture_output=True, text=True, check=True
        )
        return ran.stdout
