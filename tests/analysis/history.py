"""A real Prometheus with a past: an hour and more of samples, given to it in one scrape with their timestamps.

Prometheus takes several samples of a series in one scrape if each carries its time, so a test has yesterday's traffic
at once. The samples go on for some minutes after now, which lets a test take its time.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from deploy.local.prometheus import Prometheus

STEP = 15
AHEAD = 300
END_MARK = "history_complete"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One series by its value at each second since the beginning, as `name{labels}`."""

    name: str
    value: Callable[[float], float]

    def lines(self, begin: int, end: int) -> Iterator[str]:
        for at in range(begin, end, STEP):
            yield f"{self.name} {self.value(at - begin):.10g} {at * 1000}"


def counter(name: str, per_second: float) -> Series:
    """A counter that grows evenly."""
    return Series(name=name, value=lambda seconds: per_second * seconds)


def gauge(name: str, value: float) -> Series:
    """A value that never changes."""
    return Series(name=name, value=lambda _: value)


def exposition(series: Iterable[Series], *, begin: int, end: int) -> bytes:
    """The text Prometheus scrapes; the oldest sample first, which opens its memory that far back."""
    mark = f"{END_MARK} 1 {begin * 1000}\n{END_MARK} 1 {(end - STEP) * 1000}\n"
    return (mark + "".join(f"{line}\n" for one in series for line in one.lines(begin, end))).encode()


@contextlib.contextmanager
def prometheus_with(series: Iterable[Series], *, seconds: int = 3600) -> Iterator[str]:
    """URL of a Prometheus that knows these series for the last `seconds`."""
    now = int(time.time())
    body = exposition(series, begin=now - seconds, end=now + AHEAD)
    with _serving([body]) as port:
        job = {"job_name": "history", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        with Prometheus(scrape_configs=[job], interval=1.0) as prometheus:
            _await(prometheus, now)
            yield prometheus.url


@contextlib.contextmanager
def _serving(bodies: list[bytes]) -> Iterator[int]:
    """Serve each body once, and nothing after."""

    class Exposition(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_GET(self) -> None:
            body = bodies.pop(0) if bodies else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Exposition)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _await(prometheus: Prometheus, now: int) -> None:
    pause = threading.Event()
    for _ in range(300):
        prometheus.check()
        form = {"query": END_MARK, "time": str(now + AHEAD - STEP)}
        if requests.get(f"{prometheus.url}/api/v1/query", params=form, timeout=5).json()["data"]["result"]:
            return
        pause.wait(0.1)
    raise AssertionError("Prometheus has not taken the history in time")
