"""The demo's service and its load, against each other, without a cluster."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from deploy.local.processes import REPOSITORY
from deploy.local.traffic.load import Generator, Load
from deploy.local.traffic.service import Service, Settings


@contextmanager
def free_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize(("rate", "status"), [(0.0, 200), (1.0, 500)])
async def test_the_service_answers_counts_and_fails_as_told(rate: float, status: int) -> None:
    service = Service(Settings(version="v7", error_rate=rate))
    async with TestClient(TestServer(service.app())) as client:
        answer = await client.get("/any/path")
        assert (answer.status, await answer.json(), answer.headers["X-Version"]) == (status, {"version": "v7"}, "v7")
        assert (await client.get("/healthz")).status == 200
        metrics = (await (await client.get("/metrics")).text()).splitlines()
        other = 700 - status
        assert f'http_requests_total{{status_code="{status}",version="v7"}} 1.0' in metrics
        assert f'http_requests_total{{status_code="{other}",version="v7"}} 0.0' in metrics
        service.draining.set()
        assert (await client.get("/healthz")).status == 503
        assert (await client.get("/")).status == status


def test_settings_come_from_the_environment() -> None:
    read = Settings.read({"VERSION": "v1", "ERROR_RATE": "0.25", "LATENCY_MS": "30", "POD_IP": "10.0.0.1", "PORT": "1"})
    assert read == Settings(version="v1", error_rate=0.25, latency=0.03, host="10.0.0.1", port=1)
    with pytest.raises(ValueError, match="ERROR_RATE=25 is no share: give a number from 0 to 1"):
        Settings.read({"ERROR_RATE": "25"})


async def test_load_sends_as_many_as_asked_and_tells_them_apart() -> None:
    async with TestServer(Service(Settings(version="v1", error_rate=0.5)).app()) as server:
        generator = Generator(Load(url=str(server.make_url("/")), count=200, concurrency=8))
        await generator.run()
    report = generator.tally.report()
    assert report["total"] == 200
    assert report["versions"].keys() == {"v1"}
    assert report["versions"]["v1"].keys() == {"200", "500"}
    assert sum(report["versions"]["v1"].values()) == 200


async def test_load_ends_after_its_time_and_counts_what_is_not_answered() -> None:
    with free_port() as port:
        generator = Generator(Load(url=f"http://127.0.0.1:{port}/", seconds=0.3, rate=100))
        await asyncio.wait_for(generator.run(), timeout=20)
    report = generator.tally.report()
    assert report["versions"].keys() == {"none"}
    assert report["versions"]["none"].keys() == {"error"}
    assert report["total"] <= 31


async def test_the_service_as_a_process_drains_before_it_ends() -> None:
    with free_port() as port:
        pass
    env = {**os.environ, "VERSION": "v1", "PORT": str(port), "DRAIN_MS": "1000"}
    argv = [sys.executable, "-m", "deploy.local.traffic.service"]
    with subprocess.Popen(argv, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == f"version v1 listens on 127.0.0.1:{port}\n"
        process.send_signal(signal.SIGTERM)
        async with aiohttp.ClientSession() as session:
            while await _status(session, port) != 503:
                pass
        assert process.wait(timeout=20) == 0


async def _status(session: aiohttp.ClientSession, port: int) -> int:
    async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
        return response.status


def test_the_command_says_by_its_exit_code_whether_anything_was_answered() -> None:
    with free_port() as port:
        argv = [sys.executable, "-m", "deploy.local.traffic.load", f"http://127.0.0.1:{port}/", "--count=3"]
        ran = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["versions"] == {"none": {"error": 3}}
