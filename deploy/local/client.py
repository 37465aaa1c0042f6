"""As much of a Kubernetes client as starting a plane takes: one JSON request at a time, as the admin."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.errors import LocalError

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class ApiClient:
    """Requests to one API server; certificates are files in PEM."""

    server: str
    ca: Path
    certificate: Path
    key: Path

    def get(self, path: str) -> Any:
        """The object at `path`, or None if it is not there; LocalError for other refusals."""
        status, body = self.request("GET", path)
        if status == 404:
            return None
        return _checked("GET", path, status, body)

    def ready(self, path: str = "/readyz") -> bool:
        """Whether a probe endpoint says yes; OSError while nobody listens."""
        return self.request("GET", path)[0] == 200

    def apply(self, path: str, obj: dict[str, Any]) -> Any:
        """Server-side apply of an object at its own path; returns it as stored."""
        target = f"{path}?fieldManager=rollouts-local&force=true"
        status, body = self.request("PATCH", target, obj, content_type="application/apply-patch+yaml")
        return _checked("PATCH", path, status, body)

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """One request on a connection of its own; returns the status and the body, parsed if it is JSON."""
        target = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            target.hostname or "", target.port, timeout=TIMEOUT_SECONDS, context=self._tls()
        )
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, body=payload, headers={"Content-Type": content_type})
            response = connection.getresponse()
            return response.status, _parsed(response.read())
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(str(self.certificate), str(self.key))
        return context


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")


def _checked(method: str, path: str, status: int, body: Any) -> Any:
    if status < 300:
        return body
    message = body.get("message", body) if isinstance(body, dict) else body
    raise LocalError(f"{method} {path} was refused with {status}: {message}")
