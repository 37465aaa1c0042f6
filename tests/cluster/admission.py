"""An admission webhook, served from this process: what it is asked, and what it answers."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from deploy.local.certs import Authority, Subject
from tests.cluster.controllers import CLOSING_SECONDS
from tests.cluster.harness import Kubectl

Verdict = Callable[[dict[str, Any]], str]
"""The request of a review: empty to allow it, else why not."""


class Admission:
    """Serves `verdict` over TLS until `close`."""

    def __init__(self, directory: Path, verdict: Verdict) -> None:
        authority = Authority(directory=directory / "admission")
        self.bundle = base64.b64encode(authority.bundle.read_bytes()).decode()
        certificate, key = authority.issue("webhook", Subject(user="webhook", hosts=("127.0.0.1",)))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate, key)
        self._verdict = verdict
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20), "the webhook did not start"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post("/", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, host="127.0.0.1", port=0, ssl_context=self._tls).start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()
        await asyncio.sleep(CLOSING_SECONDS)

    async def _answer(self, request: web.Request) -> web.Response:
        review = await request.json()
        why = self._verdict(review["request"])
        answer: dict[str, Any] = {"uid": review["request"]["uid"], "allowed": not why}
        if why:
            answer["status"] = {"message": why, "code": 400}
        response = web.json_response({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer})
        response.force_close()
        return response


@contextmanager
def admission(directory: Path, kubectl: Kubectl, namespace: str, resource: str, verdict: Verdict) -> Iterator[None]:
    """While it lasts, creations and changes of a core `resource` in the namespace need the verdict."""
    server = Admission(directory, verdict)
    name = f"{namespace}.tests.example"
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": name,
                "clientConfig": {"url": f"https://127.0.0.1:{server.port}/", "caBundle": server.bundle},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [resource],
                    }
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 5,
            }
        ],
    }
    kubectl.apply(body)
    try:
        yield
    finally:
        kubectl("delete", "validatingwebhookconfiguration", name)
        server.close()
