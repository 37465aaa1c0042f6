"""GitSync tells the forge: a Rollout goes through its steps, and the statuses arrive in order."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from rollouts.api import kinds
from tests.cluster.gitsyncs import ACCOUNT, AUTOMATED, Synced, config
from tests.cluster.space import rollout
from tests.gitops.forges.server import TOKEN, ForgeServer
from tests.gitops.images.registries import RealRegistry, serving

STEPS: list[dict[str, Any]] = [{"setWeight": 50}, {"pause": {}}, {"setWeight": 80}, {"analysis": {}}, {"pause": {}}]


@pytest.fixture
def forge(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ForgeServer]:
    started = ForgeServer(tmp_path, getattr(request, "param", "github"))
    yield started
    started.close()


@pytest.fixture
def telling(syncing: Synced, forge: ForgeServer, tmp_path: Path) -> Callable[..., None]:
    """Creates the GitSync with its forge."""
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "app.git").symlink_to(tmp_path / "app.git")

    def create(**spec: Any) -> None:
        data = {"token": TOKEN.encode(), "ca.crt": forge.ca.read_bytes()}
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        syncing.space.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "forge"}, "data": encoded})
        source = {
            "repoURL": syncing.server.url("team/app.git"),
            "targetRevision": "main",
            "secretRef": {"name": "repository"},
        }
        told = {
            "provider": forge.provider,
            "apiURL": forge.url,
            "secretRef": {"name": "forge"},
            "deployments": forge.provider != "gitea",
        }
        syncing.create(automated=AUTOMATED, source=source, forge=told, serviceAccountName=ACCOUNT, **spec)

    return create


def files(version: int, value: float = 1.0) -> dict[str, str | None]:
    """A release, and a template that measures what the test says."""
    steps = json.loads(json.dumps(STEPS))
    steps[3]["analysis"] = {"templates": [{"templateName": "check"}]}
    container = {"name": "c", "image": "example/job", "command": ["true"]}
    job = {"spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}, "backoffLimit": 0}}
    template = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "check"},
        "spec": {"metrics": [{"name": "smoke", "provider": {"job": job}}]},
    }
    body = rollout(image=f"example/app:{version}", steps=steps, replicas=2)
    return {"web.json": json.dumps(body), "check.json": json.dumps(template), "a.yaml": config("a", str(version))}


def until_told(syncing: Synced, forge: ForgeServer, commit: str, last: tuple[str, str]) -> list[tuple[str, str]]:
    """Until this is the last that was told of the commit; all that was."""
    syncing.until(f"{last} is told", lambda: forge.told(commit)[-1:] == [last])
    return forge.told(commit)


WAITS = "app: step 2/5, 50 %, waits for a promotion"
WELL = "applied, everything is healthy"


@pytest.mark.parametrize("forge", ["github", "gitlab", "gitea"], indirect=True)
def test_statuses_arrive_in_the_order_of_the_steps(
    syncing: Synced, forge: ForgeServer, telling: Callable[..., None]
) -> None:
    pending, failed = {"gitlab": ("running", "failed")}.get(forge.provider, ("pending", "failure"))
    first = syncing.bare.commit(files(1))
    telling()
    until_told(syncing, forge, first, ("success", WELL))
    assert syncing.condition("ForgeReady")["reason"] == "Told"

    second = syncing.bare.commit(files(2))
    syncing.ask("1")
    until_told(syncing, forge, second, (pending, WAITS))
    syncing.space.promote()
    syncing.until("it is measured", lambda: syncing.space.runs())
    at_analysis = (pending, "app: step 4/5, 80 %, analysis check")
    until_told(syncing, forge, second, at_analysis)
    (run,) = syncing.space.runs()
    measured = [{"phase": "Failed", "value": "0.42", "startedAt": "2026-01-01T00:00:00Z"}]
    result = {"name": "smoke", "phase": "Failed", "failed": 1, "count": 1, "measurements": measured}
    verdict = {"status": {"phase": "Failed", "metricResults": [result]}}
    syncing.space.patch(kinds.ANALYSIS_RUN, run["metadata"]["name"], verdict)
    told = until_told(syncing, forge, second, (failed, "app: aborted, smoke failed: 0.42"))
    in_order = [row for row in told if row in ((pending, WAITS), at_analysis)]
    assert in_order == [(pending, WAITS), at_analysis]
    assert len(told) == len(set(told)), "told twice"
    assert {row["context"] for row in forge.project.statuses} == {f"rollouts/{syncing.space.namespace}/shop"}
    syncing.until("it is rejected", lambda: syncing.status.get("hold"))
    if forge.provider != "gitea":
        environment = f"{syncing.space.namespace}/app"
        syncing.until("both are deployed", lambda: len(forge.project.deployments) == 2)
        assert [(row["environment"], row["sha"]) for row in forge.project.deployments] == [
            (environment, first),
            (environment, second),
        ]
        syncing.until("it has failed", lambda: forge.project.deployments[1]["states"][-1][0] == failed)


def test_a_forge_that_is_away_never_holds_up_a_sync(
    syncing: Synced, forge: ForgeServer, telling: Callable[..., None]
) -> None:
    """A condition and an event say so; what it missed it hears when it is back."""
    forge.bad = lambda method, path: web.json_response({"message": f"down {TOKEN}"}, status=500)
    first = syncing.bare.commit({"a.yaml": config("a")})
    telling()
    syncing.until_synced(first)
    said = syncing.until("it is said", lambda: syncing.condition("ForgeReady"))
    assert (said["status"], said["reason"]) == ("False", "ForgeFailed")
    assert "answers 500: down *****" in said["message"]
    assert syncing.condition("Ready")["status"] == "True"
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    assert syncing.values() == {"a": "2"}
    forge.bad = lambda method, path: None
    until_told(syncing, forge, second, ("success", WELL))
    syncing.until("it is over", lambda: syncing.condition("ForgeReady").get("status") == "True")
    assert TOKEN not in json.dumps(syncing.get()) + syncing.space.events.text()


def test_a_failed_sync_is_told_of_its_commit(syncing: Synced, forge: ForgeServer, telling: Callable[..., None]) -> None:
    first = syncing.bare.commit({"a.yaml": config("a")})
    telling()
    until_told(syncing, forge, first, ("success", WELL))
    broken = syncing.bare.commit({"a.yaml": "apiVersion: v1\nkind: [\n"})
    syncing.ask("1")
    syncing.until("it is told", lambda: forge.told(broken))
    ((state, text),) = forge.told(broken)
    assert state == "failure"
    assert text.startswith("sync failed: a.yaml:")
    assert forge.told(first) == [("success", WELL)]
    for stamp in ("2", "3"):
        syncing.ask(stamp)
    assert len(forge.told()) == 2


AUTHOR = {"commit": {"author": {"name": "Bot", "email": "bot@example.com"}}}


def writable(syncing: Synced) -> None:
    """The Git server takes pushes."""
    subprocess.run(["git", "config", "http.receivepack", "true"], cwd=syncing.bare.path, check=True)


def aborted(syncing: Synced, forge: ForgeServer) -> str:
    """A second version is applied, and aborted; its commit."""
    second = syncing.bare.commit(files(2))
    syncing.ask("1")
    syncing.space.until_paused(at=1)
    syncing.space.abort()
    syncing.until("it is told", lambda: forge.told(second) and "aborted" in forge.told(second)[-1][1])
    return second


def test_a_rejected_commit_is_taken_back_on_the_branch(
    syncing: Synced, forge: ForgeServer, telling: Callable[..., None]
) -> None:
    """R31: the revert is a commit like any other: it is applied, ends the hold, and is released."""
    writable(syncing)
    syncing.bare.commit(files(1))
    telling(revert={"git": AUTHOR})
    syncing.space.until_phase("Healthy")
    syncing.until("it is synced", lambda: syncing.state()[0] == "Synced")
    second = aborted(syncing, forge)
    state = syncing.until("it is taken back", lambda: (syncing.status.get("revert") or {}).get("commit"))
    syncing.until_synced(state)
    syncing.until("the hold has ended", lambda: "hold" not in syncing.status)
    syncing.space.until_phase("Healthy")
    assert syncing.values() == {"a": "1"}
    assert forge.told(second)[-1][0] == "failure"
    until_told(syncing, forge, state, ("success", WELL))
    syncing.until("it is an event", lambda: "Reverted" in syncing.space.events.reasons("shop", "GitSync"))
    syncing.bare.pull()
    (subject, count) = (
        subprocess.run(command, cwd=syncing.bare.path, check=True, capture_output=True, text=True).stdout.strip()
        for command in (["git", "log", "-1", "--format=%s", "main"], ["git", "rev-list", "--count", "main"])
    )
    assert (subject, count) == ('Revert "change"', "3")


def test_a_revert_may_wait_for_a_person_to_merge(
    syncing: Synced, forge: ForgeServer, telling: Callable[..., None]
) -> None:
    """R31. A branch of its own and a pull request; the commit stays held until somebody merges."""
    writable(syncing)
    syncing.bare.commit(files(1))
    telling(revert={"git": AUTHOR, "pullRequest": {"enabled": True}})
    syncing.space.until_phase("Healthy")
    syncing.until("it is synced", lambda: syncing.state()[0] == "Synced")
    second = aborted(syncing, forge)
    syncing.until("a request is open", lambda: (syncing.status.get("forge") or {}).get("proposals"))
    (row,) = forge.project.proposals
    branch = f"reverts/{syncing.space.namespace}-shop-{second[:8]}"
    assert (row["head"]["ref"], row["base"]["ref"], row["title"]) == (branch, "main", 'Revert "change"')
    assert syncing.status["hold"]["revision"] == second
    assert syncing.condition("Reverted")["reason"] == "Pushed"
    for stamp in ("2", "3"):
        syncing.ask(stamp)
    assert len(forge.project.proposals) == 1
    subprocess.run(["git", "update-ref", "refs/heads/main", f"refs/heads/{branch}"], cwd=syncing.bare.path, check=True)
    syncing.ask("4")
    syncing.until("the hold has ended", lambda: "hold" not in syncing.status)
    assert syncing.values() == {"a": "1"}


def test_what_a_person_rolled_back_is_taken_back_as_soon_as_the_server_lets_us(
    syncing: Synced, forge: ForgeServer, telling: Callable[..., None]
) -> None:
    """A server that takes no pushes: said by a condition, the hold stays, and the next pass looks again."""
    subprocess.run(["git", "config", "http.receivepack", "false"], cwd=syncing.bare.path, check=True)
    first = syncing.bare.commit({"a.yaml": config("a", "1")})
    telling(revert={"git": AUTHOR, "reasons": ["Rollback"]})
    until_told(syncing, forge, first, ("success", WELL))
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.ask("1")
    syncing.until_synced(second)
    syncing.sync(historyID=1)
    said = syncing.until("it is said", lambda: syncing.condition("Reverted"))
    assert (said["status"], said["reason"]) == ("False", "RevertFailed")
    until_told(syncing, forge, second, ("failure", "rolled back by ann"))
    assert syncing.status["hold"]["revision"] == second
    assert syncing.values() == {"a": "1"}
    writable(syncing)
    syncing.ask("2")
    commit = syncing.until("it is taken back", lambda: (syncing.status.get("revert") or {}).get("commit"))
    syncing.until_synced(commit)
    syncing.until("the hold has ended", lambda: "hold" not in syncing.status)
    assert syncing.values() == {"a": "1"}
    until_told(syncing, forge, commit, ("success", WELL))


def push(host: str, *tags: str) -> str:
    async def run() -> str:
        async with aiohttp.ClientSession() as session:
            return await RealRegistry(host, session).push("shop/web", tags, content=tags[0])

    return asyncio.run(run())


@pytest.fixture
def host(registry: Path) -> Iterator[str]:
    """A registry in a process of its own."""
    with serving(registry) as found:
        yield found


@pytest.mark.parametrize("forge", ["gitlab"], indirect=True)
def test_new_images_wait_in_a_request_for_a_person_to_merge(
    syncing: Synced, forge: ForgeServer, telling: Callable[..., None], host: str
) -> None:
    writable(syncing)
    push(host, "1.0.0")
    marker = f'# {{"$imagepolicy": "{syncing.space.namespace}:web"}}'
    line = f"  value: {host}/shop/web:1.0.0 {marker}\n"
    syncing.bare.commit({"web.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n{line}"})
    image = {"name": "web", "image": f"{host}/shop/web", "policy": {"semver": {"range": "1.x"}}}
    telling(imageUpdate={"interval": "1s", "git": AUTHOR, "pullRequest": {"enabled": True}, "images": [image]})
    syncing.until("it is applied", lambda: syncing.values() == {"web": f"{host}/shop/web:1.0.0"})
    assert forge.project.proposals == []
    push(host, "1.1.0")
    (row,) = syncing.until("a request is open", lambda: forge.project.proposals)
    branch = f"image-updates/{syncing.space.namespace}-shop"
    assert (row["source_branch"], row["target_branch"]) == (branch, "main")
    assert row["title"] == f"Update images of {syncing.space.namespace}/shop"
    assert row["description"] == f"- {host}/shop/web:1.0.0 -> {host}/shop/web:1.1.0\n"
    push(host, "1.2.0")
    grown = f"{host}/shop/web:1.1.0 -> {host}/shop/web:1.2.0", f"{host}/shop/web:1.0.0 -> {host}/shop/web:1.2.0"

    def newest() -> bool:
        found = (syncing.status.get("imageUpdate") or {}).get("lastCommit") or {}
        told = (syncing.status.get("forge") or {}).get("proposals") or [{}]
        return found.get("changes", [""])[0] in grown and told[0].get("revision") == found["revision"]

    syncing.until("the branch has grown", newest)
    assert len(forge.project.proposals) == 1
    assert syncing.values() == {"web": f"{host}/shop/web:1.0.0"}
    subprocess.run(["git", "update-ref", "refs/heads/main", f"refs/heads/{branch}"], cwd=syncing.bare.path, check=True)
    syncing.ask("1")
    syncing.until("it is applied", lambda: syncing.values() == {"web": f"{host}/shop/web:1.2.0"})
