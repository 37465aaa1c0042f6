"""Where a commit goes: the branch that is followed, one of our own, or several. Pure.

nothing                        the followed branch
branch                         that one
refspec                        its target
branch and refspec             both, as Flux has it
pullRequest, and none of them  image-updates/<namespace>-<name>
"""

from __future__ import annotations

from rollouts.api.gitsync_images import ImageUpdate
from rollouts.api.refspecs import HEADS, refspec
from rollouts.gitops.errors import ImageError


def targets(spec: ImageUpdate, *, followed: str, sync: str) -> tuple[str, ...]:
    """The branches, as full references; the followed one last: who is beaten there begins anew, and has left nothing
    half done. `sync`: `namespace/name`. ImageError when the refspec is about another branch.
    """
    push = spec.git.push
    named = [push.branch] if push and push.branch else []
    if push and push.refspec:
        named.append(_target(push.refspec, branches={followed.removeprefix(HEADS), *named}))
    if not named and spec.pull_request and spec.pull_request.enabled:
        named.append(f"image-updates/{sync.replace('/', '-', 1)}")
    found = dict.fromkeys(f"{HEADS}{name}" for name in named) or {followed: None}
    return tuple(sorted(found, key=lambda target: target == followed))


def _target(text: str, *, branches: set[str]) -> str:
    try:
        found = refspec(text)
    except ValueError as error:
        raise ImageError(f"git.push.refspec {error}") from None
    if found.source and found.source not in branches:
        known = " or ".join(sorted(branches))
        raise ImageError(
            f"git.push.refspec: commits are made on {known}, not on {found.source}: write HEAD:{HEADS}{found.target}"
        )
    return found.target
