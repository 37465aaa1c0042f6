"""Images of a GitSync from end to end: a tag of a real registry, a commit to a real Git server, applied."""

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

from rollouts.gitops.gitsync.controller import GitSyncs
from tests.cluster.controllers import OwnController
from tests.cluster.gitsyncs import AUTOMATED, Synced
from tests.cluster.harness import Kubectl
from tests.cluster.space import Space
from tests.gitops.bare import Bare
from tests.gitops.images.registries import RealRegistry, serving
from tests.gitops.keys import SshKey
from tests.gitops.server import GitServer


@pytest.fixture
def host(registry: Path) -> Iterator[str]:
    """A registry in a process of its own."""
    with serving(registry) as found:
        yield found


def push(host: str, *tags: str, content: str = "") -> str:
    async def run() -> str:
        async with aiohttp.ClientSession() as session:
            return await RealRegistry(host, session).push("shop/web", tags, content=content)

    return asyncio.run(run())


@pytest.fixture
def following(
    git_server: GitServer,
    tmp_path: Path,
    space: Space,
    kubectl: Kubectl,
    own_controller: Callable[..., OwnController],
    eventually: Callable[..., Any],
    host: str,
) -> Synced:
    bare = Bare(tmp_path)
    subprocess.run(["git", "config", "http.receivepack", "true"], cwd=bare.path, check=True)
    made = Synced(bare=bare, server=git_server, space=space, kubectl=kubectl, eventually=eventually)
    made.open()
    (tmp_path / "stores").mkdir()
    own_controller(additions=(GitSyncs(directory=tmp_path / "stores", insecure_registries=[host]),))
    return made


def test_a_new_tag_is_committed_and_applied(following: Synced, host: str) -> None:
    namespace = following.space.namespace
    push(host, "1.0.0")
    marker = f'# {{"$imagepolicy": "{namespace}:web"}}'
    config = (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n  value: {host}/shop/web:1.0.0 {marker}\n"
    )
    first = following.bare.commit({"web.yaml": config})
    following.create(
        automated=AUTOMATED,
        imageUpdate={
            "interval": "1s",
            "git": {"commit": {"author": {"name": "Bot", "email": "bot@example.com"}}},
            "images": [{"name": "web", "image": f"{host}/shop/web", "policy": {"semver": {"range": "1.x"}}}],
        },
    )
    following.until_synced(first)
    ready = following.until("images were looked at", lambda: following.condition("ImageUpdateReady"))
    assert (ready["status"], ready["reason"]) == ("True", "UpToDate")

    digest = push(host, "1.1.0", content="new")
    following.until("it is applied", lambda: following.values() == {"web": f"{host}/shop/web:1.1.0"})
    state = following.until("it is told", lambda: (following.status.get("imageUpdate") or {}).get("lastCommit"))
    following.until_synced(state["revision"])
    assert state["branch"] == "main"
    assert following.status["imageUpdate"]["images"] == [{"name": "web", "latest": f"{host}/shop/web:1.1.0@{digest}"}]

    following.bare.pull()
    following.bare.commit({"web.yaml": config}, "not that one")
    following.ask("1")
    following.until("it is held", lambda: (following.status.get("imageUpdate") or {}).get("held"))
    assert following.values() == {"web": f"{host}/shop/web:1.0.0"}
    assert "taken back" in following.condition("ImageUpdateReady")["message"]


def test_a_refspec_leads_to_a_branch_of_our_own(following: Synced, host: str) -> None:
    """`git.push.refspec`: what is synced stays as it is; over https, once however often it is looked at."""
    push(host, "1.0.0", "1.1.0")
    marker = f'# {{"$imagepolicy": "{following.space.namespace}:web"}}'
    line = f"  value: {host}/shop/web:1.0.0 {marker}\n"
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n{line}"
    first = following.bare.commit({"web.yaml": text})
    following.create(
        automated=AUTOMATED,
        imageUpdate={
            "interval": "1s",
            "git": {
                "commit": {"author": {"name": "Bot", "email": "bot@example.com"}},
                "push": {"refspec": "refs/heads/main:refs/heads/auto"},
            },
            "images": [{"name": "web", "image": f"{host}/shop/web", "policy": {"semver": {"range": "1.x"}}}],
        },
    )
    state = following.until("it is told", lambda: (following.status.get("imageUpdate") or {}).get("lastCommit"))
    assert (state["branch"], state["base"]) == ("auto", "main")
    there = ["git", "--git-dir", str(following.bare.path), "rev-parse", "auto", "auto^", "main"]
    heads = subprocess.run(there, capture_output=True, text=True, check=True).stdout.split()
    assert heads == [state["revision"], first, first]
    following.until_synced(first)
    assert following.values() == {"web": f"{host}/shop/web:1.0.0"}


def test_secrets_for_signing_and_for_the_registry(following: Synced, host: str, tmp_path: Path) -> None:
    """`images[].secretRef` and `git.commit.signingKey`: named while they are missing, used once they are there."""
    push(host, "1.0.0", "1.1.0")
    marker = f'# {{"$imagepolicy": "{following.space.namespace}:web"}}'
    line = f"  value: {host}/shop/web:1.0.0 {marker}\n"
    first = following.bare.commit(
        {"web.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n{line}"}
    )
    signing = {"type": "ssh", "secretRef": {"name": "signing"}}
    policy = {"semver": {"range": "1.x"}}
    following.create(
        automated=AUTOMATED,
        imageUpdate={
            "interval": "1s",
            "git": {"commit": {"author": {"email": "bot@example.com"}, "signingKey": signing}},
            "images": [{"name": "web", "image": f"{host}/shop/web", "secretRef": {"name": "login"}, "policy": policy}],
        },
    )

    def says(words: str) -> None:
        following.until(words, lambda: words in following.condition("ImageUpdateReady").get("message", ""))

    says("spec.imageUpdate.images[web].secretRef")
    login = json.dumps({"auths": {host: {"username": "u", "password": "p"}}}).encode()
    secret(following, "login", {".dockerconfigjson": login}, type_="kubernetes.io/dockerconfigjson")
    says("spec.imageUpdate.git.commit.signingKey.secretRef")
    assert following.values() == {"web": f"{host}/shop/web:1.0.0"}
    secret(following, "signing", {"identity": SshKey(tmp_path, "bot").path.read_bytes()})
    following.until("it is applied", lambda: following.values() == {"web": f"{host}/shop/web:1.1.0"})
    following.bare.pull()
    command = ["git", "cat-file", "commit", "HEAD"]
    raw = subprocess.run(command, cwd=following.bare.work, check=True, capture_output=True, text=True).stdout
    assert (f"parent {first}" in raw, "gpgsig -----BEGIN SSH SIGNATURE-----" in raw) == (True, True)


def secret(following: Synced, name: str, data: dict[str, bytes], *, type_: str = "Opaque") -> None:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "type": type_, "metadata": {"name": name}, "data": encoded}
    following.space.create(body)
