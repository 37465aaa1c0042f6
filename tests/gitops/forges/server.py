"""A forge to speak to: the APIs of GitHub, GitLab and Gitea as far as they are used, as strict as the real ones.

It runs in a thread behind TLS, refuses what the real ones refuse (long texts, unknown states, wrong tokens, a GitLab
job that is set to what it is), remembers every request, and can be told to answer badly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.tls import TlsServer

TOKEN = "forge-token-0123456789"
Bad = Callable[[str, str], web.Response | None]
"""Method and path: an answer instead of the real one."""


@dataclass
class Project:
    """What the forge remembers of the one project there is."""

    statuses: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    proposals: list[dict[str, Any]] = field(default_factory=list)


def refused(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


class ForgeServer(TlsServer):
    """One forge with the project `team/app`, until `close`."""

    def __init__(self, directory: Path, provider: str) -> None:
        self.provider, self.project = provider, Project()
        self.requests: list[tuple[str, str, Any]] = []
        self.bad: Bad = lambda method, path: None
        super().__init__(directory / "forge-tls", name="forge", answer=self._respond)

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"https://localhost:{self.port}{_PREFIX[self.provider]}"

    def told(self, revision: str = "") -> list[tuple[str, str]]:
        """State and text of the statuses in the order they came, of one commit or of all."""
        return [
            (row["state"], row["description"])
            for row in self.project.statuses
            if revision in ("", row["sha"]) and row["description"] is not None
        ]

    async def _respond(self, request: web.Request) -> web.Response:
        path, body = request.rel_url.raw_path.removeprefix(_PREFIX[self.provider]), await request.text()
        parsed = json.loads(body) if body else None
        self.requests.append((request.method, path, parsed))
        if (bad := self.bad(request.method, path)) is not None:
            return bad
        header, wanted = _PROOF[self.provider]
        if request.headers.get(header) != wanted:
            return refused(401, "Bad credentials")
        if not path.startswith(_ROOT[self.provider]):
            return refused(404, "Not Found")
        rest = path.removeprefix(_ROOT[self.provider]).strip("/").split("/")
        return _SPEAKS[self.provider](self.project, request.method, rest, parsed or {}, dict(request.query))


_PREFIX = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
_ROOT = {"github": "/repos/team/app", "gitlab": "/projects/team%2Fapp", "gitea": "/repos/team/app"}
_PROOF = {
    "github": ("Authorization", f"Bearer {TOKEN}"),
    "gitlab": ("PRIVATE-TOKEN", TOKEN),
    "gitea": ("Authorization", f"token {TOKEN}"),
}
Body, Query = Mapping[str, Any], Mapping[str, str]


def _newest(project: Project, sha: str) -> list[dict[str, Any]]:
    found = {row["context"]: row for row in project.statuses if row["sha"] == sha}
    return list(found.values())


def _status(project: Project, sha: str, body: Body, *, states: tuple[str, ...], longest: int) -> web.Response:
    if body.get("state") not in states or len(body.get("description") or "") > longest:
        return refused(422, "Validation Failed")
    row = {
        "sha": sha,
        "context": body["context"],
        "state": body["state"],
        "status": body["state"],
        "description": body.get("description"),
    }
    project.statuses.append(row)
    return web.json_response(row, status=201)


def _github(project: Project, method: str, path: list[str], body: Body, query: Query) -> web.Response:
    match (method, *path):
        case ("POST", "statuses", sha):
            return _status(project, sha, body, states=("error", "failure", "pending", "success"), longest=140)
        case ("GET", "commits", sha, "status"):
            return web.json_response({"state": "pending", "statuses": _newest(project, sha)})
        case ("POST", "deployments"):
            if body.get("auto_merge") is not False or body.get("required_contexts") != []:
                return refused(409, "Conflict: Commit status checks failed")
            row = {
                "id": len(project.deployments) + 1,
                "sha": body["ref"],
                "environment": body["environment"],
                "states": [],
            }
            project.deployments.append(row)
            return web.json_response(row, status=201)
        case ("GET", "deployments"):
            return web.json_response([row for row in project.deployments if _fits(row, query)])
        case ("POST", "deployments", number, "statuses"):
            known = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
            if body.get("state") not in known or len(body.get("description") or "") > 140:
                return refused(422, "Validation Failed")
            project.deployments[int(number) - 1]["states"].append((body["state"], body.get("description")))
            return web.json_response({"id": 1, "state": body["state"]}, status=201)
    return _pulls(project, method, path, body, query)


def _fits(row: Body, query: Query) -> bool:
    return row["environment"] == query.get("environment") and query.get("sha") in (None, row["sha"])


def _pulls(project: Project, method: str, path: list[str], body: Body, query: Query) -> web.Response:
    match (method, *path):
        case ("POST", "pulls"):
            if any(row["head"]["ref"] == body["head"] and row["state"] == "open" for row in project.proposals):
                return web.json_response(
                    {
                        "message": "Validation Failed",
                        "errors": [{"message": f"A pull request already exists for team:{body['head']}."}],
                    },
                    status=422,
                )
            number = len(project.proposals) + 1
            row = {
                "number": number,
                "state": "open",
                "title": body["title"],
                "body": body["body"],
                "head": {"ref": body["head"]},
                "base": {"ref": body["base"]},
                "html_url": f"https://forge.example/team/app/pull/{number}",
            }
            project.proposals.append(row)
            return web.json_response(row, status=201)
        case ("GET", "pulls"):
            head = query.get("head", "").removeprefix("team:")
            return web.json_response(
                [row for row in project.proposals if row["head"]["ref"] == head and row["state"] == "open"]
            )
    return refused(404, "Not Found")


def _gitea(project: Project, method: str, path: list[str], body: Body, query: Query) -> web.Response:
    match (method, *path):
        case ("POST", "statuses", sha):
            states = ("error", "failure", "pending", "success", "warning")
            return _status(project, sha, body, states=states, longest=255)
        case ("GET", "commits", sha, "status"):
            return web.json_response({"state": "pending", "statuses": _newest(project, sha) or None})
        case ("GET", "pulls", base, *parts):
            head = "/".join(parts)
            found = [row for row in project.proposals if (row["base"]["ref"], row["head"]["ref"]) == (base, head)]
            return web.json_response(found[-1]) if found else refused(404, "pull request does not exist")
        case ("POST", "pulls"):
            if any(row["head"]["ref"] == body["head"] and row["state"] == "open" for row in project.proposals):
                return refused(409, "pull request already exists for these targets [id: 1]")
            return _pulls(project, method, path, body, query)
    return refused(404, "Not Found")


_ENDED = ("success", "failed", "canceled")


def _gitlab(project: Project, method: str, path: list[str], body: Body, query: Query) -> web.Response:
    match (method, *path):
        case ("POST", "statuses", sha):
            return _job(project, sha, body)
        case ("GET", "repository", "commits", sha, "statuses"):
            rows = [row for row in project.statuses if row["sha"] == sha and row["context"] == query.get("name")]
            return web.json_response([{**row, "name": row["context"]} for row in rows])
        case ("POST", "deployments"):
            if not body.get("ref") or body.get("status") != "running" or body.get("tag") is not False:
                return refused(400, "ref is missing")
            row = {
                "id": len(project.deployments) + 1,
                "sha": body["sha"],
                "environment": body["environment"],
                "states": [("running", None)],
            }
            project.deployments.append(row)
            return web.json_response({**row, "environment": {"name": body["environment"]}}, status=201)
        case ("GET", "deployments"):
            rows = [row for row in project.deployments if row["environment"] == query.get("environment")]
            return web.json_response(rows[::-1])
        case ("PUT", "deployments", number):
            project.deployments[int(number) - 1]["states"].append((body["status"], None))
            return web.json_response({"id": int(number)})
        case ("POST", "merge_requests"):
            if any(row["source_branch"] == body["source_branch"] for row in project.proposals):
                return web.json_response(
                    {"message": ["Another open merge request already exists for this source branch: !1"]}, status=409
                )
            number = len(project.proposals) + 1
            row = {**body, "iid": number, "web_url": f"https://forge.example/team/app/-/merge_requests/{number}"}
            project.proposals.append(row)
            return web.json_response(row, status=201)
        case ("GET", "merge_requests"):
            branch = query.get("source_branch")
            return web.json_response([row for row in project.proposals if row["source_branch"] == branch])
    return refused(404, "404 Project Not Found")


def _job(project: Project, sha: str, body: Body) -> web.Response:
    """A status of GitLab is a job; while it runs it can only end."""
    if body.get("state") not in ("pending", "running", *_ENDED) or len(body.get("description") or "") > 255:
        return refused(400, "state does not have a valid value")
    name = body["name"]
    mine = [row for row in project.statuses if row["sha"] == sha and row["context"] == name]
    running = mine[-1] if mine and mine[-1]["state"] == "running" else None
    if running and body["state"] == "running":
        return refused(400, "Cannot transition status via :run from :running (Reason(s): Status cannot transition)")
    row = {"id": len(project.statuses) + 1, "sha": sha, "context": name, "state": body["state"]}
    row |= {"status": body["state"], "description": body.get("description")}
    project.statuses.append(row)
    return web.json_response({**row, "name": name}, status=201)


_SPEAKS = {"github": _github, "gitlab": _gitlab, "gitea": _gitea}
