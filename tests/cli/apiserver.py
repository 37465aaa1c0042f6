"""A small API server on loopback, for what the real one can't be made to do at will: refusals, races, lost connections.

Objects by URL path, lists and watches by collection, merge and JSON patches, and a record of every request.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


def merged(value: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        result.pop(key, None) if item is None else result.update({key: merged(result.get(key), item)})
    return result


class ApiServer:
    """`objects` by path, `refusals` by (method, path), `requests` as (method, path, body) in order."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.refusals: dict[tuple[str, str], tuple[int, str]] = {}
        self.busy = 0
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.changed = threading.Condition()
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.stopped = False

    def put(self, *items: dict[str, Any]) -> None:
        """Add or replace objects; watches hear of it."""
        for item in items:
            self.store(collection(item), item)

    def store(self, path: str, item: dict[str, Any]) -> None:
        with self.changed:
            name = item["metadata"]["name"]
            event = "MODIFIED" if f"{path}/{name}" in self.objects else "ADDED"
            self.objects[f"{path}/{name}"] = item
            self.events.append((path, event, item))
            self.changed.notify_all()

    def delete(self, item: dict[str, Any]) -> None:
        """Delete an object; watches hear of it."""
        with self.changed:
            del self.objects[f"{collection(item)}/{item['metadata']['name']}"]
            self.events.append((collection(item), "DELETED", item))
            self.changed.notify_all()

    def writes(self) -> list[tuple[str, str, Any]]:
        """All requests but reads."""
        return [request for request in self.requests if request[0] != "GET"]

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()


_PLURALS = {"Pod": "/api/v1", "ReplicaSet": "/apis/apps/v1", "Deployment": "/apis/apps/v1"}


def collection(item: dict[str, Any]) -> str:
    """The path of the collection an object lives in."""
    prefix = _PLURALS.get(item["kind"], "/apis/argoproj.io/v1alpha1")
    return f"{prefix}/namespaces/{item['metadata'].get('namespace', 'default')}/{item['kind'].lower()}s"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    api: ApiServer

    def log_message(self, *arguments: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.api.headers.append(dict(self.headers))
        self.api.requests.append(("GET", url.path, query))
        if self.refused("GET", url.path):
            return
        if query.get("watch"):
            self.watch(url.path, query)
        elif url.path in self.api.objects:
            self.answer(200, self.api.objects[url.path])
        elif url.path.rsplit("/", 1)[-1] in KNOWN:
            self.answer(
                200, {"metadata": {"resourceVersion": str(len(self.api.events))}, "items": self.listed(url.path, query)}
            )
        else:
            self.missing(url.path)

    def do_PATCH(self) -> None:
        body = self.body("PATCH")
        if self.refused("PATCH", self.path):
            return
        found = self.api.objects.get(self.path.removesuffix("/status"))
        if found is None:
            self.missing(self.path)
        elif isinstance(body, list):
            self.answer(200, found)
        else:
            changed = merged(found, body)
            self.api.store(self.path.removesuffix("/status").rsplit("/", 1)[0], changed)
            self.answer(200, changed)

    def do_POST(self) -> None:
        body = self.body("POST")
        if not self.refused("POST", self.path):
            self.api.store(self.path, body)
            self.answer(201, body)

    def body(self, method: str) -> Any:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.api.requests.append((method, self.path, body))
        return body

    def refused(self, method: str, path: str) -> bool:
        if self.api.busy:
            self.api.busy -= 1
            self.answer(429, {"message": "too many requests"})
            return True
        if (method, path) not in self.api.refusals:
            return False
        code, message = self.api.refusals[method, path]
        self.answer(code, {"kind": "Status", "code": code, "message": message})
        return True

    def missing(self, path: str) -> None:
        parts = path.removesuffix("/status").split("/")
        details = {"name": parts[-1], "kind": parts[-2]}
        message = f'{parts[-2]} "{parts[-1]}" not found'
        self.answer(404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": message, "details": details})

    def listed(self, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
        wanted = query.get("fieldSelector", "").removeprefix("metadata.name=")
        labels = {tuple(pair.split("=")) for pair in query.get("labelSelector", "").split(",") if pair}
        everywhere = "/namespaces/" not in path
        prefix, plural = path.rsplit("/", 1)
        return [
            item
            for key, item in sorted(self.api.objects.items())
            if key.rsplit("/", 2)[1] == plural
            and (everywhere or key.rsplit("/", 1)[0] == f"{prefix}/{plural}")
            and wanted in ("", item["metadata"]["name"])
            and labels <= (item["metadata"].get("labels") or {}).items()
        ]

    def answer(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def watch(self, path: str, query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        at = int(query["resourceVersion"])
        with contextlib.suppress(OSError):
            while self.wait(at):
                for where, event, item in self.api.events[at:]:
                    at += 1
                    if where == path:
                        meta = {**item["metadata"], "resourceVersion": str(at)}
                        self.chunk(json.dumps({"type": event, "object": {**item, "metadata": meta}}).encode() + b"\n")
        self.close_connection = True

    def wait(self, at: int) -> bool:
        with self.api.changed:
            self.api.changed.wait_for(lambda: self.api.stopped or len(self.api.events) > at)
            return not self.api.stopped

    def chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


KNOWN = {"gitsyncs", "rollouts", "replicasets", "pods", "analysisruns", "experiments"}


@contextlib.contextmanager
def serving() -> Iterator[tuple[ApiServer, str]]:
    """(the API server, its address)."""
    api = ApiServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"api": api}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api, f"http://127.0.0.1:{server.server_port}"
    finally:
        api.stop()
        server.shutdown()
        server.server_close()
        thread.join()
