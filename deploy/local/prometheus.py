"""A real Prometheus beside a plane, in its network namespace if it has one.

    with Prometheus(plane=plane, scrape_configs=[{"job_name": "web", "static_configs": [...]}]) as prometheus:
        requests.get(f"{prometheus.url}/api/v1/query", params={"query": "up"})

It listens on port 0 and says in its log which port it got, so no port is ever guessed.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from deploy.local.components import GUEST_RANK
from deploy.local.plane import Plane
from deploy.local.processes import Processes
from deploy.local.tools import ensure_tool

ScrapeConfig = dict[str, Any]

#: The exporter toolkit's line once the socket is open; `msg="Start listening …"` before it has the wanted port, 0.
LISTENING = re.compile(r'msg="Listening on".* address=\S*?:(\d+)')


class Prometheus:
    """A Prometheus; start it with `with`, or with `start` and `stop`.

    `scrape_configs` as in prometheus.yml; `interval` in seconds, for scraping. Without a plane it runs by itself.
    `directory` holds data, configuration and log; without one a temporary folder is used and removed.
    Once started, `url` is where to ask from outside, `inside_url` from within the plane's namespace.
    """

    def __init__(
        self, *, plane: Plane | None = None, scrape_configs: Sequence[ScrapeConfig] = (), interval: float = 1.0,
        directory: Path | None = None, name: str = "prometheus",
    ) -> None:  # fmt: skip
        self.name = name
        self._plane = plane
        self._interval = f"{round(interval * 1000)}ms"
        self._scrape_configs = list(scrape_configs)
        self._wanted = directory
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Prometheus:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Prometheus:
        """Bring it up and wait until it answers queries; returns itself."""
        program = ensure_tool("prometheus")
        try:
            self._start(program)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it; may be called again."""
        self._cleanup.close()

    def check(self) -> None:
        """Raise ProcessDiedError, with the end of its log, if it died."""
        self._processes.check()

    def configure(self, *, scrape_configs: Sequence[ScrapeConfig]) -> None:
        """Scrape something else from now on."""
        self._scrape_configs = list(scrape_configs)
        self._write()
        self._processes.signal(self.name, signal.SIGHUP)

    def _start(self, program: Path) -> None:
        self._directory = self._wanted or Path(
            self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="rollouts-prometheus-"))
        )
        self._directory.mkdir(parents=True, exist_ok=True)
        self._write()
        self._processes = self._plane.processes if self._plane else self._own_processes()
        self._launch(program)
        port = self._processes.wait_for(what="the port of Prometheus", probe=self._port)
        self.inside_url = f"http://127.0.0.1:{port}"
        outside = self._plane.expose(host="127.0.0.1", port=port) if self._plane else port
        self.url = f"http://127.0.0.1:{outside}"
        self._processes.wait_for(what="a ready Prometheus", probe=self._ready)

    def _own_processes(self) -> Processes:
        processes = Processes(directory=self._directory)
        self._cleanup.callback(processes.close)
        return processes

    def _launch(self, program: Path) -> None:
        argv = [
            program, f"--config.file={self._config}", f"--storage.tsdb.path={self._directory / 'data'}",
            "--storage.tsdb.retention.time=1d", "--web.listen-address=127.0.0.1:0", "--log.format=logfmt",
        ]  # fmt: skip
        self._processes.start(name=self.name, argv=[str(part) for part in argv], rank=GUEST_RANK)
        self._cleanup.callback(self._processes.stop, self.name)

    @property
    def _config(self) -> Path:
        return self._directory / "prometheus.yml"

    def _write(self) -> None:
        timing = {"scrape_interval": self._interval, "evaluation_interval": self._interval}
        config = {"global": timing, "scrape_configs": self._scrape_configs}
        self._config.write_text(yaml.safe_dump(config, sort_keys=False))

    def _port(self) -> str | None:
        log = self._processes.directory / f"{self.name}.log"
        # the last one: a Prometheus of the same name may have written to this log before
        found = LISTENING.findall(log.read_text(errors="replace"))
        return found[-1] if found else None

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=5.0)
        with contextlib.closing(connection):
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
