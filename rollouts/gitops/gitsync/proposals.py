"""Which branches of ours wait for a person to merge, and nobody was asked about yet: reverts and new images. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api.gitsync import GitSync
from rollouts.gitops.forges.values import Proposal
from rollouts.gitops.objects import JSON


def news(sync: GitSync, status: JSON, known: JSON) -> Iterator[Proposal]:
    """Branches of ours that a person is to merge, where nobody was asked yet about their newest commit."""
    asked = {(row["branch"], row["revision"]) for row in known.get("proposals") or ()}
    for proposal in (_of_revert(sync, status), _of_images(sync, status)):
        if proposal is not None and (proposal.branch, proposal.revision) not in asked:
            yield proposal


def _of_revert(sync: GitSync, status: JSON) -> Proposal | None:
    """The branch that takes back what is held, as long as it is held."""
    spec, state, hold = sync.spec.revert, status.get("revert") or {}, status.get("hold") or {}
    if spec is None or not (spec.pull_request and spec.pull_request.enabled) or not state.get("commit"):
        return None
    if state["revision"] != hold.get("revision"):
        return None
    name = f"{sync.metadata.namespace}/{sync.metadata.name}"
    text = f"GitSync {name} holds {state['revision']} back: {hold.get('reason')}.\n"
    return _proposal(state, revision=state["commit"], title=f'Revert "{state.get("subject")}"', text=text)


def _of_images(sync: GitSync, status: JSON) -> Proposal | None:
    """The branch with the newest images."""
    spec = sync.spec.image_update
    state: JSON = (status.get("imageUpdate") or {}).get("lastCommit") or {}
    if spec is None or not (spec.pull_request and spec.pull_request.enabled) or not state.get("base"):
        return None
    title = f"Update images of {sync.metadata.namespace}/{sync.metadata.name}"
    text = "".join(f"- {change}\n" for change in state.get("changes") or ())
    return _proposal(state, revision=state["revision"], title=title, text=text)


def _proposal(state: JSON, *, revision: str, title: str, text: str) -> Proposal | None:
    """None when the branch is the one that is followed: there is nothing to merge."""
    if state["branch"] == state["base"]:
        return None
    return Proposal(revision=revision, branch=state["branch"], base=state["base"], title=title, text=text)
