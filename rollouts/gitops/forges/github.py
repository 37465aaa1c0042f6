"""GitHub and GitHub Enterprise: commit statuses, deployments with their statuses, pull requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from rollouts.gitops.forges.values import Call, Deployment, Note, Project, Proposal, State, rows, shortened

_LONGEST = 140
_STATES = {State.PENDING: "pending", State.SUCCESS: "success", State.FAILURE: "failure", State.SUPERSEDED: "error"}
_DEPLOYED = {
    State.PENDING: "in_progress",
    State.SUCCESS: "success",
    State.FAILURE: "failure",
    State.SUPERSEDED: "inactive",
}


class GitHub:
    """Requests as GitHub's REST API wants them."""

    deployments = True

    def api(self, host: str) -> str:
        """github.com has a host for it, an own server a path."""
        return "https://api.github.com" if host == "github.com" else f"https://{host}/api/v3"

    def headers(self, token: str) -> Mapping[str, str]:
        """A token of any sort."""
        return {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def status(self, project: Project, note: Note, *, before: State | None) -> tuple[Call, ...]:
        """Each is added to the list of the context; the newest counts."""
        body = {"state": _STATES[note.state], "context": note.context, "description": shortened(note.text, _LONGEST)}
        return (Call(method="POST", path=f"{_repo(project)}/statuses/{note.revision}", body=body),)

    def statuses(self, project: Project, note: Note) -> Call:
        """The newest of each context."""
        return Call(method="GET", path=f"{_repo(project)}/commits/{note.revision}/status?per_page=100")

    def knows(self, answer: Any, note: Note) -> bool:
        """By context, state and text."""
        wanted = (note.context, _STATES[note.state], shortened(note.text, _LONGEST))
        found = rows(answer.get("statuses") if isinstance(answer, Mapping) else None)
        return any((row.get("context"), row.get("state"), row.get("description")) == wanted for row in found)

    def deployment(self, project: Project, wanted: Deployment) -> Call:
        """Of exactly this commit: nothing is merged into it, and no other status is waited for."""
        body = {
            "ref": wanted.revision,
            "environment": wanted.environment,
            "auto_merge": False,
            "required_contexts": [],
            "description": shortened(wanted.text, _LONGEST),
        }
        return Call(method="POST", path=f"{_repo(project)}/deployments", body=body)

    def find_deployment(self, project: Project, wanted: Deployment) -> Call:
        """By commit and environment."""
        query = urlencode({"sha": wanted.revision, "environment": wanted.environment})
        return Call(method="GET", path=f"{_repo(project)}/deployments?{query}")

    def deployment_status(self, project: Project, wanted: Deployment, *, before: State | None) -> tuple[Call, ...]:
        """Each is added to the deployment's list. A successful one makes the environment's others inactive."""
        body = {"state": _DEPLOYED[wanted.state], "description": shortened(wanted.text, _LONGEST)}
        return (Call(method="POST", path=f"{_repo(project)}/deployments/{quote(wanted.id)}/statuses", body=body),)

    def propose(self, project: Project, proposal: Proposal) -> Call:
        """A pull request within the repository."""
        body = {"title": proposal.title, "body": proposal.text, "head": proposal.branch, "base": proposal.base}
        return Call(method="POST", path=f"{_repo(project)}/pulls", body=body)

    def proposals(self, project: Project, proposal: Proposal) -> Call:
        """By head, which names the owner too."""
        owner = project.path.partition("/")[0]
        query = urlencode({"state": "open", "head": f"{owner}:{proposal.branch}", "base": proposal.base})
        return Call(method="GET", path=f"{_repo(project)}/pulls?{query}")

    def proposal(self, answer: Any, proposal: Proposal) -> str:
        """Its page."""
        return address(answer, "html_url", lambda row: _of(row, proposal))

    def done_already(self, status: int, message: str) -> bool:
        """A second request of a branch is refused."""
        return status == 422 and "pull request already exists" in message.lower()


def address(answer: Any, key: str, fits: Any) -> str:
    """What `key` says in the first object that fits."""
    found = rows(answer) if isinstance(answer, list) else rows([answer])
    return next((str(row[key]) for row in found if isinstance(row.get(key), str) and fits(row)), "")


def _of(row: Mapping[str, Any], proposal: Proposal) -> bool:
    head = row.get("head")
    return isinstance(head, Mapping) and head.get("ref") == proposal.branch


def _repo(project: Project) -> str:
    return f"/repos/{quote(project.path)}"
