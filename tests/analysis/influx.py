"""A real InfluxDB that speaks Flux: 1.8, all Go, over the same `/api/v2/query` as version 2.

A bucket is a database there, a token is `user:password`, and the organisation is taken and not looked at.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import requests

from deploy.local.processes import Processes
from deploy.local.tools import ensure_tool

TOKEN = "rollouts:only-for-tests"
_USER, _PASSWORD = TOKEN.split(":")
_LISTENING = re.compile(r"Listening on HTTP.* addr=(127\.0\.0\.1:\d+)")
SETTINGS = """
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "meta"
[data]
  dir = "data"
  wal-dir = "wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:0"
  flux-enabled = true
  auth-enabled = true
  log-enabled = false
"""


@contextlib.contextmanager
def influxdb(home: Path, lines: str) -> Iterator[str]:
    """Its address, once it holds the points `lines` (line protocol) in bucket `app`. State and log go into `home`."""
    (home / "influxdb.conf").write_text(SETTINGS)
    with contextlib.closing(Processes(directory=home)) as processes:
        processes.start(name="influxd", argv=[str(ensure_tool("influxd")), "-config", "influxdb.conf"], rank=0)
        address = processes.wait_for(what="the port of InfluxDB", probe=lambda: _address(home / "influxd.log"))
        url = f"http://{address}"
        _sent(url, "/query", params={"q": f"CREATE USER {_USER} WITH PASSWORD '{_PASSWORD}' WITH ALL PRIVILEGES"})
        _sent(url, "/query", params={"q": "CREATE DATABASE app"})
        _sent(url, "/write", params={"db": "app", "precision": "s"}, data=lines)
        yield url


def _address(log: Path) -> str | None:
    found = _LISTENING.search(log.read_text(errors="replace"))
    return found[1] if found else None


def _sent(url: str, path: str, *, params: dict[str, str], data: str = "") -> None:
    reply = requests.post(url + path, params=params, data=data, auth=(_USER, _PASSWORD), timeout=30)
    assert reply.ok and "error" not in reply.text, reply.text
