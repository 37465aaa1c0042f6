"""An admission webhook, served from this process: what it is asked, and what it answers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.cluster.controllers import CLOSING_SECONDS
from tests.cluster.harness import Kubectl
from tests.tls import TlsServer

Verdict = Callable[[dict[str, Any]], str]
"""The request of a review: empty to allow it, else why not."""


class Admission(TlsServer):
    """Serves `verdict` over TLS until `close`."""

    def __init__(self, directory: Path, verdict: Verdict) -> None:
        self._verdict = verdict
        super().__init__(directory / "admission", name="webhook", answer=self._review, linger=CLOSING_SECONDS)

    @property
    def bundle(self) -> str:
        """What proves the server, as a webhook's configuration wants it."""
        return base64.b64encode(self.ca.read_bytes()).decode()

    async def _review(self, request: web.Request) -> web.Response:
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
