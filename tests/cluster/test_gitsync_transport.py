"""How commits reach a GitSync on the real API server: over ssh, and announced by a signed webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.controllers import Process
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.space import Space
from tests.gitops.keys import SshKey
from tests.gitops.server import GitServer
from tests.gitops.ssh import in_background

TOKEN = b"whoever-knows-this"


def secret(name: str, **data: bytes) -> dict[str, Any]:
    encoded = {key.replace("__", "."): base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def test_a_repository_behind_ssh(syncing: Synced, tmp_path: Path) -> None:
    """§2.5: the host is known by its key, or nothing is fetched; the private key is shown nowhere."""
    host, other, user = (SshKey(tmp_path, name) for name in ("host", "other", "user"))
    private = user.path.read_bytes()
    with in_background(host, user) as port:

        def known(key: SshKey) -> bytes:
            return f"[127.0.0.1]:{port} {' '.join(key.public.split()[:2])}\n".encode()

        first = syncing.bare.commit({"a.yaml": config("a")})
        syncing.space.create(secret("ssh", identity=private, known_hosts=known(other)))
        source = {
            "repoURL": f"ssh://git@127.0.0.1:{port}{syncing.bare.path}",
            "targetRevision": "main",
            "secretRef": {"name": "ssh"},
        }
        syncing.create(source=source, syncPolicy={"automated": AUTOMATED})
        syncing.until("the host is not known", lambda: syncing.condition("SourceReady").get("status") == "False")
        assert syncing.values() == {}
        patch = {"data": {"known_hosts": base64.b64encode(known(host)).decode()}}
        syncing.kubectl("patch", "secret", "ssh", "--type=merge", "-p", json.dumps(patch))
        syncing.ask("1")
        syncing.until_synced(first)
        second = syncing.bare.commit({"a.yaml": config("a", "2"), "b.yaml": config("b")})
        syncing.ask("2")
        syncing.until_synced(second)
        assert syncing.values() == {"a": "2", "b": "1"}
        assert private.decode().splitlines()[1] not in str(syncing.get()) + syncing.space.events.text()


def test_a_signed_push_is_heard_of_at_once(
    opened: Synced, git_server: GitServer, space: Space, process: Callable[..., Process]
) -> None:
    """R38, R39: with polls an hour apart only the signed hint brings the commit."""
    syncing = opened
    space.create(secret("hook", token=TOKEN))
    first = syncing.bare.commit({"a.yaml": config("a")})
    controller = process("--namespaced", "--namespace", space.namespace, "--webhook-port", "0", "--no-leader-elect")
    syncing.create(automated=AUTOMATED, webhook={"secretRef": {"name": "hook"}})
    syncing.until_synced(first)
    (port,) = set(re.findall(r"/hook/.*?port\W+(\d+)", controller.log.read_text()))
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    address = f"http://127.0.0.1:{port}/hook/{space.namespace}/shop"
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    asked = git_server.requests["refs"]
    assert post(address, body, "0" * 64) == 404
    assert post(address, json.dumps({"ref": "refs/heads/other"}).encode()) == 200
    assert (syncing.values(), git_server.requests["refs"]) == ({"a": "1"}, asked)
    assert post(address, body) == 202
    syncing.until_synced(second)
    assert syncing.values() == {"a": "2"}
    assert TOKEN.decode() not in controller.log.read_text() + str(syncing.get())


def test_a_push_whose_webhook_got_lost_is_found_by_the_next_poll(syncing: Synced) -> None:
    """R39: a webhook is configured, and nobody ever calls it."""
    syncing.space.create(secret("hook", token=TOKEN))
    first = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated=AUTOMATED, interval="2s", webhook={"secretRef": {"name": "hook"}})
    syncing.until_synced(first)
    syncing.until_synced(syncing.bare.commit({"a.yaml": config("a", "2")}))
    assert syncing.values() == {"a": "2"}


def test_a_webhook_without_its_secret_says_so(
    opened: Synced, space: Space, process: Callable[..., Process], eventually: Callable[..., Any]
) -> None:
    """R38: on the GitSync, before anybody calls; mended, it is heard; and a request tells of what was broken since."""
    syncing = opened
    first = syncing.bare.commit({"a.yaml": config("a")})
    controller = process("--namespaced", "--namespace", space.namespace, "--webhook-port", "0", "--no-leader-elect")
    syncing.create(automated=AUTOMATED, webhook={"secretRef": {"name": "hook"}})
    syncing.until_synced(first)
    failed = syncing.until("it says so", lambda: syncing.condition("WebhookReady"))
    assert (failed["status"], failed["reason"]) == ("False", "WebhookFailed")
    assert "there is no Secret hook" in failed["message"]

    def told() -> bool:
        rows = syncing.kubectl.json("get", "events", "--field-selector=reason=WebhookFailed")["items"]
        return [row.get("note") or row["message"] for row in rows] == [failed["message"]]

    eventually("an event tells it", told)
    space.create(secret("hook", token=TOKEN))
    (port,) = set(re.findall(r"/hook/.*?port\W+(\d+)", controller.log.read_text()))
    address, body = f"http://127.0.0.1:{port}/hook/{space.namespace}/shop", b'{"ref": "refs/heads/main"}'
    assert post(address, body) == 202
    syncing.until("it is mended", lambda: syncing.condition("WebhookReady")["status"] == "True")
    syncing.kubectl("patch", "secret", "hook", "--type=json", "-p", '[{"op": "remove", "path": "/data/token"}]')
    assert post(address, body) == 404
    syncing.until("it says so again", lambda: "has no key `token`" in syncing.condition("WebhookReady")["message"])


def post(address: str, body: bytes, signature: str = "") -> int:
    """What the listener answers; signed as GitHub does."""
    signed = signature or hmac.new(TOKEN, body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signed}", "Content-Type": "application/json"}
    request = urllib.request.Request(address, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
