"""Gitea and Forgejo: commit statuses and pull requests. They have no deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rollouts.gitops.forges.github import address
from rollouts.gitops.forges.values import Call, Deployment, Note, Project, Proposal, State, rows, shortened

_LONGEST = 255
_STATES = {State.PENDING: "pending", State.SUCCESS: "success", State.FAILURE: "failure", State.SUPERSEDED: "warning"}


class Gitea:
    """Requests as Gitea's API wants them."""

    deployments = False

    def api(self, host: str) -> str:
        """Below the server's root; a server in a folder needs `apiURL`."""
        return f"https://{host}/api/v1"

    def headers(self, token: str) -> Mapping[str, str]:
        """An access token."""
        return {"Authorization": f"token {token}", "Accept": "application/json"}

    def status(self, project: Project, note: Note, *, before: State | None) -> tuple[Call, ...]:
        """Each is added to the list of the context; the newest counts."""
        body = {"state": _STATES[note.state], "context": note.context, "description": shortened(note.text, _LONGEST)}
        return (Call(method="POST", path=f"{_repo(project)}/statuses/{note.revision}", body=body),)

    def statuses(self, project: Project, note: Note) -> Call:
        """The newest of each context."""
        return Call(method="GET", path=f"{_repo(project)}/commits/{note.revision}/status?limit=50")

    def knows(self, answer: Any, note: Note) -> bool:
        """By context, state (which an answer calls `status`) and text."""
        wanted = (note.context, _STATES[note.state], shortened(note.text, _LONGEST))
        found = rows(answer.get("statuses") if isinstance(answer, Mapping) else None)
        return any((row.get("context"), row.get("status"), row.get("description")) == wanted for row in found)

    def deployment(self, project: Project, wanted: Deployment) -> Call:
        """There are none: validation refuses `deployments` for this forge."""
        raise NotImplementedError("Gitea has no deployments")

    def find_deployment(self, project: Project, wanted: Deployment) -> Call:
        """There are none."""
        raise NotImplementedError("Gitea has no deployments")

    def deployment_status(self, project: Project, wanted: Deployment, *, before: State | None) -> tuple[Call, ...]:
        """There are none."""
        return ()

    def propose(self, project: Project, proposal: Proposal) -> Call:
        """A pull request within the repository."""
        body = {"title": proposal.title, "body": proposal.text, "head": proposal.branch, "base": proposal.base}
        return Call(method="POST", path=f"{_repo(project)}/pulls", body=body)

    def proposals(self, project: Project, proposal: Proposal) -> Call:
        """By base and head."""
        base = quote(proposal.base, safe="")
        return Call(method="GET", path=f"{_repo(project)}/pulls/{base}/{quote(proposal.branch)}", may_be_absent=True)

    def proposal(self, answer: Any, proposal: Proposal) -> str:
        """Its page, while it is open."""
        return address(answer, "html_url", lambda row: row.get("state") == "open")

    def done_already(self, status: int, message: str) -> bool:
        """A second request of a branch is refused."""
        return status == 409 and "pull request already exists" in message.lower()


def _repo(project: Project) -> str:
    return f"/repos/{quote(project.path)}"
