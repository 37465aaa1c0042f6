"""GitLab: commit statuses, deployments of environments, merge requests.

A status of GitLab is a job: it can't be set to what it is, and its text can't change while it runs. So a new text ends
the running job as cancelled and begins another one of the same name, which GitLab shows as a retry. What says that a
job is in this state already is no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from rollouts.gitops.forges.github import address
from rollouts.gitops.forges.values import Call, Deployment, Note, Project, Proposal, State, rows, shortened

_LONGEST = 255
_STATES = {State.PENDING: "running", State.SUCCESS: "success", State.FAILURE: "failed", State.SUPERSEDED: "canceled"}


class GitLab:
    """Requests as GitLab's REST API wants them."""

    deployments = True

    def api(self, host: str) -> str:
        """The fourth version."""
        return f"https://{host}/api/v4"

    def headers(self, token: str) -> Mapping[str, str]:
        """A personal, project or group access token."""
        return {"PRIVATE-TOKEN": token, "Accept": "application/json"}

    def status(self, project: Project, note: Note, *, before: State | None) -> tuple[Call, ...]:
        """One request, two to change the text of what runs."""
        path = f"{_project(project)}/statuses/{note.revision}"
        body = {"state": _STATES[note.state], "name": note.context, "description": shortened(note.text, _LONGEST)}
        last = Call(method="POST", path=path, body=body)
        if not before is note.state is State.PENDING:
            return (last,)
        ended = {"state": "canceled", "name": note.context}
        return (Call(method="POST", path=path, body=ended), last)

    def statuses(self, project: Project, note: Note) -> Call:
        """Those of this name."""
        query = urlencode({"name": note.context, "per_page": 100})
        return Call(method="GET", path=f"{_project(project)}/repository/commits/{note.revision}/statuses?{query}")

    def knows(self, answer: Any, note: Note) -> bool:
        """The newest of the name, by state and text."""
        found = [row for row in rows(answer) if row.get("name") == note.context and isinstance(row.get("id"), int)]
        newest: Mapping[str, Any] = max(found, key=lambda row: int(row["id"]), default={})
        wanted = (_STATES[note.state], shortened(note.text, _LONGEST))
        return (newest.get("status"), newest.get("description")) == wanted

    def deployment(self, project: Project, wanted: Deployment) -> Call:
        """The environment is made with the first one."""
        body = {
            "environment": wanted.environment,
            "sha": wanted.revision,
            "ref": wanted.ref or wanted.revision,
            "tag": False,
            "status": "running",
        }
        return Call(method="POST", path=f"{_project(project)}/deployments", body=body)

    def find_deployment(self, project: Project, wanted: Deployment) -> Call:
        """The newest of the environment."""
        query = urlencode({"environment": wanted.environment, "order_by": "id", "sort": "desc", "per_page": 5})
        return Call(method="GET", path=f"{_project(project)}/deployments?{query}")

    def deployment_status(self, project: Project, wanted: Deployment, *, before: State | None) -> tuple[Call, ...]:
        """A deployment has a state and no text; it is made running."""
        if wanted.state is (before or State.PENDING):
            return ()
        path = f"{_project(project)}/deployments/{quote(wanted.id)}"
        return (Call(method="PUT", path=path, body={"status": _STATES[wanted.state]}),)

    def propose(self, project: Project, proposal: Proposal) -> Call:
        """A merge request whose branch goes when it is merged."""
        body = {
            "title": proposal.title,
            "description": proposal.text,
            "source_branch": proposal.branch,
            "target_branch": proposal.base,
            "remove_source_branch": True,
        }
        return Call(method="POST", path=f"{_project(project)}/merge_requests", body=body)

    def proposals(self, project: Project, proposal: Proposal) -> Call:
        """The open ones of the branch."""
        query = {"state": "opened", "source_branch": proposal.branch, "target_branch": proposal.base}
        return Call(method="GET", path=f"{_project(project)}/merge_requests?{urlencode(query)}")

    def proposal(self, answer: Any, proposal: Proposal) -> str:
        """Its page."""
        return address(answer, "web_url", lambda row: row.get("source_branch") == proposal.branch)

    def done_already(self, status: int, message: str) -> bool:
        """What is so already is refused."""
        transition = status == 400 and "cannot transition status" in message.lower()
        return transition or (status == 409 and "another open merge request already exists" in message.lower())


def _project(project: Project) -> str:
    return f"/projects/{quote(project.path, safe='')}"
