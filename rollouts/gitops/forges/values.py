"""What is said to a forge, as plain values, and what a forge is: requests are built here, sent elsewhere.

A `Forge` turns a note (how a commit is), a deployment (how a Rollout is) or a proposal (a pull or merge request) into
`Call`s, and reads the answers. It never sends anything, so each is a table of shapes and can be tested as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class State(StrEnum):
    """How a commit or a deployment is."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    SUPERSEDED = "superseded"
    """It never came to an end: another commit took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request without address and token. `path` begins with a slash and is below the API's own address."""

    method: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    may_be_absent: bool = False
    """Whether 404 is an answer like any other: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A repository as a forge knows it. `api`: address of the API; `path`: `owner/name`, with all groups."""

    api: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The status of a commit. `text` is for people, of any length: each forge gets as much as it takes."""

    context: str
    revision: str
    state: State
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """How a Rollout is. `ref`: the branch it came from; `digest`: the pod hash, so that the same pods are the same
    deployment; `id`: the forge's, empty until it has one."""

    environment: str
    revision: str
    digest: str
    state: State
    text: str
    ref: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A pull or merge request from `branch` into `base`. `revision`: the newest commit of the branch."""

    revision: str = ""
    branch: str
    base: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A request that is open, at `url`."""

    branch: str
    revision: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of it. `error`: why the rest was not told, empty when all was."""

    notes: tuple[Note, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    proposals: tuple[Opened, ...] = ()
    error: str = ""


class Forge(Protocol):
    """The requests of one kind of forge. Answers are parsed JSON of any shape; what isn't understood says nothing."""

    deployments: bool
    """Whether it knows deployments."""

    def api(self, host: str) -> str:
        """The usual address of the API on a host."""

    def headers(self, token: str) -> Mapping[str, str]:
        """What proves who asks."""

    def status(self, project: Project, note: Note, *, before: State | None) -> tuple[Call, ...]:
        """Set the status. `before`: what this commit and context have now, None: nothing yet, or nobody knows."""

    def statuses(self, project: Project, note: Note) -> Call:
        """Ask which statuses the commit has."""

    def knows(self, answer: Any, note: Note) -> bool:
        """Whether the newest of these statuses says what the note says."""

    def deployment(self, project: Project, wanted: Deployment) -> Call:
        """Make a deployment."""

    def find_deployment(self, project: Project, wanted: Deployment) -> Call:
        """Ask for one that was made before."""

    def deployment_status(self, project: Project, wanted: Deployment, *, before: State | None) -> tuple[Call, ...]:
        """Say how the deployment `wanted.id` is. Nothing where a forge has nothing to tell the two states apart."""

    def propose(self, project: Project, proposal: Proposal) -> Call:
        """Open a request."""

    def proposals(self, project: Project, proposal: Proposal) -> Call:
        """Ask for an open request of this branch."""

    def proposal(self, answer: Any, proposal: Proposal) -> str:
        """The address of the open request in an answer to either; empty when there is none."""

    def done_already(self, status: int, message: str) -> bool:
        """Whether an error only says that it is as it was to become."""


def shortened(text: str, length: int) -> str:
    """The text in one line, cut to what a forge takes."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def rows(answer: Any) -> list[Mapping[str, Any]]:
    """The objects of a list, whatever else it holds."""
    return [row for row in answer if isinstance(row, Mapping)] if isinstance(answer, list) else []


def id_of(answer: Any, revision: str) -> str:
    """The id of a deployment: the answer's own, or that of the newest in a list that is of this commit."""
    found = rows(answer) if isinstance(answer, list) else rows([answer])
    ids = [int(row["id"]) for row in found if isinstance(row.get("id"), int) and row.get("sha") in (None, revision)]
    return str(max(ids)) if ids else ""
