"""Statuses, deployments and requests on the wire, to servers as strict as the real ones; and what goes wrong there."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from rollouts.gitops.errors import ForgeError, ForgeUnavailableError
from rollouts.gitops.forges import FORGES
from rollouts.gitops.forges.client import Client
from rollouts.gitops.forges.project import project_of
from rollouts.gitops.forges.values import Call, Deployment, Note, Proposal, State
from rollouts.gitops.gitsync.speaking import Speaker
from rollouts.gitops.gitsync.telling import Bundle
from tests.gitops.forges.server import TOKEN, ForgeServer

SHA, OTHER = "a" * 40, "b" * 40
EVERY = pytest.mark.parametrize("provider", sorted(FORGES))
WITH_DEPLOYMENTS = pytest.mark.parametrize("provider", ["github", "gitlab"])


@pytest.fixture
def server(tmp_path: Path, provider: str) -> Iterator[ForgeServer]:
    started = ForgeServer(tmp_path, provider)
    yield started
    started.close()


@pytest.fixture
async def client(server: ForgeServer) -> AsyncIterator[Client]:
    forge = FORGES[server.provider]
    async with aiohttp.ClientSession() as session:
        yield Client(
            session=session,
            forge=forge,
            project=project_of(forge, "https://git.example/team/app.git", api=server.url),
            token=TOKEN,
            ssl=ssl.create_default_context(cafile=str(server.ca)),
            seconds=5,
        )


def note(state: State, text: str, revision: str = SHA) -> Note:
    return Note(context="rollouts/team/shop", revision=revision, state=state, text=text)


def deployment(state: State, text: str = "", *, id: str = "") -> Deployment:
    return Deployment(environment="team/web", revision=SHA, digest="5d8", state=state, text=text, ref="main", id=id)


async def tell(client: Client, *notes: Note, before: State | None = None, sure: set[str] | None = None) -> Any:
    known = {} if before is None else {SHA: before}
    speaker = Speaker(client=client, bundle=Bundle(notes=notes, before=known), sure=set() if sure is None else sure)
    return await speaker.tell()


STATES = {
    "github": ["pending", "success", "failure", "error"],
    "gitlab": ["running", "success", "failed", "canceled"],
    "gitea": ["pending", "success", "failure", "warning"],
}


@EVERY
async def test_each_state_in_the_words_of_the_forge(client: Client, server: ForgeServer) -> None:
    told, error = await tell(client, *(note(state, state.value) for state in State))
    assert error is None
    assert len(told.notes) == 4
    assert server.told() == list(
        zip(STATES[server.provider], ["pending", "success", "failure", "superseded"], strict=True)
    )
    assert {row["context"] for row in server.project.statuses} == {"rollouts/team/shop"}


@EVERY
async def test_the_text_changes_while_it_is_pending(client: Client, server: ForgeServer) -> None:
    """On GitLab too, where a job that runs can't be told anything: it ends, and another one begins."""
    await tell(client, note(State.PENDING, "step 1/3"))
    _, error = await tell(client, note(State.PENDING, "step 2/3"), before=State.PENDING)
    assert error is None
    assert [text for _, text in server.told()] == ["step 1/3", "step 2/3"]
    assert server.project.statuses[-1]["state"] == STATES[server.provider][0]


@EVERY
async def test_what_a_lost_answer_or_a_dead_process_has_told_is_not_told_again(
    client: Client, server: ForgeServer
) -> None:
    """Nobody remembers having told it, so the forge is asked."""
    await tell(client, note(State.SUCCESS, "all is well"))
    told, error = await tell(client, note(State.SUCCESS, "all is well"))
    assert (len(told.notes), error, len(server.project.statuses)) == (1, None, 1)
    await tell(client, note(State.SUCCESS, "better still"))
    assert len(server.project.statuses) == 2


@EVERY
async def test_who_has_told_it_himself_does_not_ask(client: Client, server: ForgeServer) -> None:
    sure: set[str] = set()
    await tell(client, note(State.PENDING, "1"), sure=sure)
    await tell(client, note(State.SUCCESS, "2"), before=State.PENDING, sure=sure)
    assert [method for method, _, _ in server.requests] == ["GET", "POST", "POST"]


@EVERY
async def test_a_long_text_is_cut_and_a_strange_one_made_plain(client: Client, server: ForgeServer) -> None:
    _, error = await tell(client, note(State.FAILURE, "web:\n\taborted\x00 " + "x" * 500))
    assert error is None
    ((_, text),) = server.told()
    assert text.startswith("web: aborted xxx")
    assert text.endswith("…")
    again, _ = await tell(client, note(State.FAILURE, "web:\n\taborted\x00 " + "x" * 500))
    assert (len(again.notes), len(server.project.statuses)) == (1, 1)


@WITH_DEPLOYMENTS
async def test_a_deployment_goes_through_its_states(client: Client, server: ForgeServer) -> None:
    sure: set[str] = set()
    made = deployment(State.PENDING)
    before: dict[str, State] = {}
    for state in (State.PENDING, State.PENDING, State.SUCCESS):
        bundle = Bundle(deployments=(deployment(state, f"at {state}", id=made.id),), deployed=before)
        told, error = await Speaker(client=client, bundle=bundle, sure=sure).tell()
        assert error is None
        (made,) = told.deployments
        before = {made.id: state}
    (row,) = server.project.deployments
    assert (row["sha"], row["environment"]) == (SHA, "team/web")
    progress = {"github": ["in_progress", "in_progress", "success"], "gitlab": ["running", "success"]}
    assert [state for state, _ in row["states"]] == progress[server.provider]


@WITH_DEPLOYMENTS
async def test_a_deployment_that_was_made_before_is_found(client: Client, server: ForgeServer) -> None:
    for _ in range(2):
        bundle = Bundle(deployments=(deployment(State.PENDING, "1"),))
        told, error = await Speaker(client=client, bundle=bundle, sure=set()).tell()
        assert (error, [row.id for row in told.deployments]) == (None, ["1"])
    assert len(server.project.deployments) == 1


@EVERY
async def test_a_request_is_opened_once(client: Client, server: ForgeServer) -> None:
    wanted = Proposal(branch="rollouts/x", base="main", title="Revert x", text="because", revision=SHA)
    for _ in range(2):
        told, error = await Speaker(client=client, bundle=Bundle(proposals=(wanted,)), sure=set()).tell()
        assert error is None
        (opened,) = told.proposals
        assert (opened.branch, opened.revision) == ("rollouts/x", SHA)
        assert opened.url.startswith("https://forge.example/team/app/")
    (row,) = server.project.proposals
    assert row["title"] == "Revert x"


@EVERY
async def test_a_request_somebody_opened_meanwhile_is_found(client: Client, server: ForgeServer) -> None:
    """R31."""
    forge, project = client.forge, client.project
    wanted = Proposal(branch="rollouts/x", base="main", title="Revert x", text="because")
    await client.send(forge.propose(project, wanted))
    assert await client.send(forge.propose(project, wanted)) is None
    assert forge.proposal(await client.send(forge.proposals(project, wanted)), wanted)
    assert len(server.project.proposals) == 1


@EVERY
async def test_who_is_asked_too_often_is_waited_for(client: Client, server: ForgeServer) -> None:
    """429 with Retry-After: a moment is waited here; what is longer is the caller's to wait."""
    answers = [web.json_response({}, status=429, headers={"Retry-After": "0"})]
    server.bad = lambda method, path: answers.pop() if answers else None
    assert (await tell(client, note(State.SUCCESS, "x")))[1] is None
    server.bad = lambda method, path: web.json_response({}, status=429, headers={"Retry-After": "77"})
    count = len(server.requests)
    told, error = await tell(client, note(State.FAILURE, "y"))
    assert isinstance(error, ForgeUnavailableError)
    assert (told.notes, error.pause, len(server.requests) - count) == ((), 77, 1)


@pytest.mark.parametrize("provider", ["github"])
async def test_github_says_403_when_its_limit_is_used_up(client: Client, server: ForgeServer) -> None:
    reset = int(datetime.now(UTC).timestamp()) + 500
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    server.bad = lambda method, path: web.json_response({"message": "rate limit"}, status=403, headers=headers)
    _, error = await tell(client, note(State.SUCCESS, "x"))
    assert isinstance(error, ForgeUnavailableError)
    assert 400 < error.pause <= 500


@pytest.mark.parametrize("provider", ["gitea"])
async def test_what_may_have_been_done_is_not_repeated_blindly(client: Client, server: ForgeServer) -> None:
    """A 502 says nothing about what the server behind it did: the next attempt asks."""
    sure = {f"rollouts/team/shop {SHA}"}
    server.bad = lambda method, path: web.Response(status=502) if method == "POST" else None
    _, error = await tell(client, note(State.SUCCESS, "x"), sure=sure)
    assert isinstance(error, ForgeUnavailableError)
    assert ([method for method, _, _ in server.requests], sure) == (["POST"], set())


@EVERY
async def test_what_is_refused_does_not_keep_the_rest_from_being_told(client: Client, server: ForgeServer) -> None:
    server.bad = lambda method, path: web.json_response({"message": "no"}, status=422) if OTHER in path else None
    told, error = await tell(
        client, note(State.SUCCESS, "1"), note(State.SUCCESS, "2", OTHER), note(State.SUCCESS, "3")
    )
    assert [row.text for row in told.notes] == ["1", "3"]
    assert "answers 422: no" in str(error)


@EVERY
async def test_a_commit_the_forge_has_no_more_is_let_go(client: Client, server: ForgeServer) -> None:
    """It was overtaken, by force: there is nobody left to tell."""
    server.bad = lambda method, path: web.json_response({"message": "gone"}, status=404) if OTHER in path else None
    told, error = await tell(client, note(State.SUPERSEDED, "x", OTHER), note(State.SUCCESS, "y"))
    assert (len(told.notes), error) == (2, None)
    told, error = await tell(client, note(State.PENDING, "x", OTHER))
    assert told.notes == ()
    assert "answers 404: gone; the project is not there" in str(error)


@pytest.mark.parametrize("provider", ["github"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: web.json_response({"message": f"Bad {TOKEN}"}, status=401), "answers 401: Bad *****; the token in"),
        (lambda: web.json_response({"message": "no"}, status=403), "may not do this"),
        (lambda: web.json_response([1], status=404), "the project is not there"),
        (lambda: web.Response(status=301, headers={"Location": "https://evil.example/"}), "it has moved"),
        (lambda: web.Response(status=500, body=b"<html>"), "answers 500"),
    ],
    ids=["401", "403", "404", "301", "500"],
)
async def test_an_error_says_what_to_do_and_never_the_token(
    client: Client, server: ForgeServer, answer: Any, said: str
) -> None:
    server.bad = lambda method, path: answer()
    _, error = await tell(client, note(State.SUCCESS, "x"))
    assert said in str(error)
    assert TOKEN not in str(error)
    assert TOKEN not in repr(client)


@pytest.mark.parametrize("provider", ["github"])
async def test_a_forge_nobody_vouches_for_gets_no_token(client: Client, server: ForgeServer) -> None:
    stranger = Client(session=client.session, forge=client.forge, project=client.project, token=TOKEN)
    with pytest.raises(ForgeError, match=r"can't be trusted: .*ca\.crt"):
        await stranger.send(Call(method="GET", path="/x"))
    assert server.requests == []


@pytest.mark.parametrize("provider", ["github"])
async def test_a_forge_that_is_away_can_be_asked_again(client: Client, server: ForgeServer) -> None:
    server.close()
    with pytest.raises(ForgeUnavailableError, match="can't be reached"):
        await client.send(Call(method="GET", path="/x"))


@pytest.mark.parametrize(
    ("provider", "repository", "api", "path"),
    [
        ("github", "https://github.com/team/app.git", "https://api.github.com", "team/app"),
        ("github", "git@github.com:team/app.git", "https://api.github.com", "team/app"),
        ("github", "https://git.example/team/app", "https://git.example/api/v3", "team/app"),
        ("gitlab", "ssh://git@git.example:2222/a/b/c.git", "https://git.example/api/v4", "a/b/c"),
        ("gitea", "https://git.example:3000/team/app.git", "https://git.example:3000/api/v1", "team/app"),
    ],
)
def test_where_the_api_is_follows_from_the_repository(provider: str, repository: str, api: str, path: str) -> None:
    found = project_of(FORGES[provider], repository)
    assert (found.api, found.path) == (api, path)


@pytest.mark.parametrize(
    ("repository", "api"),
    [
        ("file:///tmp/app.git", None),
        ("https://git.example/app.git", None),
        ("https://git.example/team/app.git", "http://git.example/api"),
        ("https://git.example/team/app.git", "https://me@git.example/api"),
        ("https://git.example/team/app.git", "https://169.254.169.254/api"),
        ("https://git.example/team/app.git", "https://git.example/api?x=1"),
    ],
)
def test_a_token_goes_nowhere_else(repository: str, api: str | None) -> None:
    with pytest.raises(ForgeError, match=r"spec\.forge"):
        project_of(FORGES["github"], repository, api=api)


@WITH_DEPLOYMENTS
async def test_a_token_that_may_not_deploy_still_tells(client: Client, server: ForgeServer) -> None:
    """Each sort of thing stands for itself."""
    server.bad = lambda method, path: web.json_response({}, status=403) if "deployments" in path else None
    wanted = Proposal(branch="rollouts/x", base="main", title="x", text="", revision=SHA)
    bundle = Bundle(notes=(note(State.PENDING, "1"),), deployments=(deployment(State.PENDING),), proposals=(wanted,))
    told, error = await Speaker(client=client, bundle=bundle, sure=set()).tell()
    assert (len(told.notes), len(told.deployments), len(told.proposals)) == (1, 0, 1)
    assert "may not do this" in str(error)
