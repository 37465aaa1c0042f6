"""A real Prometheus, scraping series that are served here, started once for all tests that ask for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from deploy.local.errors import LocalError
from deploy.local.prometheus import Prometheus
from deploy.local.tools import ensure_tools
from tests.analysis.foreign import Foreign
from tests.analysis.graphite import GRAPHITE, SUPPORTED
from tests.analysis.moto import MOTO
from tests.analysis.moving import exposition

FOREIGN: dict[str, Foreign] = {"moto_url": MOTO, **({"graphite_url": GRAPHITE} if SUPPORTED else {})}
"""By the fixture that needs it."""
SERIES = b"""\
# TYPE error_ratio gauge
error_ratio{service="good"} 0.01
error_ratio{service="bad"} 0.25
error_ratio{service="silent"} NaN
error_ratio{service="broken"} +Inf
# TYPE weight gauge
weight{pod="a"} 1
weight{pod="b"} 2
weight{pod="c"} 3
"""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make Prometheus and others' servers before the first test, whose time limit a first build would break."""
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if session.config.option.collectonly:
        return
    with session.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        if "prometheus_url" in wanted:
            ensure_tools(["prometheus"])
        for name, foreign in FOREIGN.items():
            if name in wanted:
                with contextlib.suppress(LocalError):  # its own tests will say so
                    foreign.ensure()


class _Exposition(BaseHTTPRequestHandler):
    wbufsize = -1

    def do_GET(self) -> None:
        body = SERIES + exposition()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def prometheus_url() -> Iterator[str]:
    """Address of a Prometheus that has scraped the series above, and goes on scraping those of `moving`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Exposition)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    job = {"job_name": "series", "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"]}]}
    try:
        with Prometheus(scrape_configs=[job], interval=0.2) as prometheus:
            _await_series(prometheus)
            yield prometheus.url
    finally:
        server.shutdown()
        server.server_close()


def _await_series(prometheus: Prometheus) -> None:
    """Until two scrapes are in, so that ranges have more than one sample."""
    pause = threading.Event()
    for _ in range(150):
        prometheus.check()
        query = {"query": "min(count_over_time(weight[1m])) >= 2"}
        if requests.get(f"{prometheus.url}/api/v1/query", params=query, timeout=5).json()["data"]["result"]:
            return
        pause.wait(0.1)
    raise AssertionError("Prometheus has not scraped the series in time")
