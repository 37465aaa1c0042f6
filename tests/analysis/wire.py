"""A small HTTP server that answers as told and remembers what it was asked: for what a real server does rarely."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came in; `form` joins the query string and a form in the body, `target` is path and query raw."""

    method: str
    path: str
    target: str
    headers: dict[str, str]
    body: str
    form: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is answered. With `hold`, only once the server is closing; with `drip`, the body byte by byte until then."""

    code: int = 200
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)
    hold: bool = False
    drip: bool = False


@dataclass(kw_only=True)
class Wire:
    """The server's address and what it has seen."""

    url: str
    seen: list[Request]


@contextmanager
def wire(answer: Callable[[Request], Reply], *, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """A server that answers by a function, for the time of a `with`; by HTTPS with `tls`."""
    seen: list[Request] = []
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            parts = urlsplit(self.path)
            fields = {**parse_qs(parts.query), **parse_qs(body)}
            request = Request(
                method=self.command,
                path=parts.path,
                target=self.path,
                headers=dict(self.headers.items()),
                body=body,
                form={key: values[0] for key, values in fields.items()},
            )
            seen.append(request)
            reply = answer(request)
            if reply.hold:
                closing.wait(30)
            self.send_response(reply.code)
            for name, value in {"Content-Length": str(len(reply.body.encode())), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.drip:
                self._drip(reply.body.encode())
            self.wfile.write(reply.body.encode())

        def _drip(self, body: bytes) -> None:
            for at in range(len(body)):
                self.wfile.write(body[at : at + 1])
                self.wfile.flush()
                if closing.wait(0.05):
                    return

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, ValueError):
                """The other side went away."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield Wire(url=f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", seen=seen)
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


def prometheus_answer(value: str = "1") -> Reply:
    """A scalar, as Prometheus writes it."""
    return Reply(body=f'{{"status":"success","data":{{"resultType":"scalar","result":[1767323045,"{value}"]}}}}')
