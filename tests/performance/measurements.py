"""Two thousand AnalysisRuns in one controller: `python -m tests.performance.measurements --runs 2000`.

Each run measures every 10 s, for ever. A Prometheus of our own, in a process of its own, answers at once and notes when
each run asked; how late a measurement is, is the time since the run's one before, less the interval. Requests are
counted by the API server, memory and CPU read from the controller's process. No time is asserted: the table is for
docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.performance.storm import each, percentile, session, usage, writes

NAMESPACE = "measurements"
RUNS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/analysisruns"
ANSWER = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "0.99"]}]}}


def run(name: str, *, address: str, interval: float) -> dict[str, Any]:
    """A run that goes on for ever; its query is its name."""
    query = f'sum(rate(requests_total{{run="{name}",code!~"5.."}}[5m])) / sum(rate(requests_total{{run="{name}"}}[5m]))'
    metric = {
        "name": "success-rate",
        "interval": f"{interval:g}s",
        "successCondition": "result[0] >= 0.95",
        "failureLimit": 3,
        "provider": {"prometheus": {"address": address, "query": query}},
    }
    metadata = {"name": name, "namespace": NAMESPACE}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": metadata,
        "spec": {"metrics": [metric]},
    }


# --- the Prometheus that answers


def serve() -> None:
    """Answer every query, note when it came; say on standard output which port it is."""
    arrivals: dict[str, list[float]] = defaultdict(list)
    body = json.dumps(ANSWER).encode()

    async def query(request: web.Request) -> web.Response:
        arrivals[str((await request.post())["query"])].append(time.monotonic())
        return web.Response(body=body, content_type="application/json")

    async def told(request: web.Request) -> web.Response:
        return web.json_response(arrivals)

    async def listen() -> None:
        app = web.Application()
        app.add_routes([web.post("/api/v1/query", query), web.get("/arrivals", told)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)  # noqa: T201
        await asyncio.Event().wait()

    asyncio.run(listen())


@contextlib.contextmanager
def answering() -> Iterator[str]:
    """URL of such a Prometheus."""
    command = [sys.executable, "-m", "tests.performance.measurements", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


# --- the measuring


async def arrivals_at(address: str) -> dict[str, list[float]]:
    """When each run asked, by query."""
    async with aiohttp.ClientSession() as client, client.get(f"{address}/arrivals") as response:
        found: dict[str, list[float]] = await response.json()
        return found


def lateness(arrivals: dict[str, list[float]], *, since: float, interval: float) -> list[float]:
    """Seconds by which each measurement since then came later than an interval after the one before."""
    return [
        after - before - interval
        for times in arrivals.values()
        for before, after in itertools.pairwise(times)
        if before >= since
    ]


async def until_all_measure(address: str, count: int, limit: float) -> float:
    """Wait until every run has asked twice; how long it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        found = await arrivals_at(address)
        if sum(len(times) >= 2 for times in found.values()) == count:
            return time.monotonic() - begun
        await asyncio.sleep(1.0)
    raise TimeoutError(f"{len(found)} of {count} runs have begun to measure, see the controller's log")


async def measured(
    kubeconfig: Path, command: list[str], *, count: int, interval: float, seconds: float, limit: float, log: Path
) -> dict[str, str]:
    """One session; the rows of the table."""
    async with contextlib.AsyncExitStack() as stack:
        address = stack.enter_context(answering())
        client = await stack.enter_async_context(session(kubeconfig))
        await client.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}})
        process = stack.enter_context(controlled(command, kubeconfig, log))

        async def create(number: int) -> None:
            body = run(f"run-{number:05d}", address=address, interval=interval)
            async with client.post(RUNS, json=body) as response:
                response.raise_for_status()

        begun = time.monotonic()
        await each(count, create)
        await until_all_measure(address, count, limit)
        started = time.monotonic() - begun
        before, (_, cpu_before), since = await writes(client), usage(process.pid), time.monotonic()
        await asyncio.sleep(seconds)
        after, (memory, cpu) = await writes(client), usage(process.pid)
        late = lateness(await arrivals_at(address), since=since, interval=interval)
    patches = sum(
        value - before.get(key, 0) for key, value in after.items() if key[0] == "PATCH" and key[1] == "analysisruns"
    )
    return {
        "runs, interval": f"{count}, {interval:g} s",
        "created → all measure": f"{started:.1f} s",
        "measurements a second": f"{len(late) / (seconds - interval):.0f} of {count / interval:.0f}",
        "late, p50 / p99 / most": " / ".join(
            f"{value:.2f}" for value in (percentile(late, 0.5), percentile(late, 0.99), max(late))
        )
        + " s",
        "writes a measurement": f"{patches / (len(late) or 1) * (seconds - interval) / seconds:.2f}",
        "CPU of the controller": f"{(cpu - cpu_before) / seconds * 100:.0f} % of a core",
        "CPU a measurement": f"{(cpu - cpu_before) / (count * seconds / interval) * 1000:.1f} ms",
        "resident memory": f"{memory:.0f} MB",
    }


@contextlib.contextmanager
def controlled(command: list[str], kubeconfig: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()


def main() -> None:
    """Parse the command line, run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between measurements of a run")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to look on")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds until all must measure")
    parser.add_argument("--controller", default=f"{sys.executable} -m rollouts controller", help="command line")
    parser.add_argument("--kubeconfig", type=Path, help="a cluster to use; default: a local control plane of its own")
    parser.add_argument("--log", type=Path, default=Path(tempfile.gettempdir()) / "measurements-controller.log")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    with contextlib.ExitStack() as stack:
        kubeconfig = options.kubeconfig or own_plane(stack)
        rows = asyncio.run(
            measured(
                kubeconfig, shlex.split(options.controller), count=options.runs, interval=options.interval,
                seconds=options.seconds, limit=options.limit, log=options.log,
            )
        )  # fmt: skip
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {value}")  # noqa: T201


def own_plane(stack: contextlib.ExitStack) -> Path:
    from deploy.local.plane import Plane
    from deploy.local.tools import ensure_tool
    from tests.cluster.harness import Kubectl, install_crds

    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    kubeconfig = stack.enter_context(Plane(directory=directory, nodes=0)).kubeconfig
    install_crds(Kubectl(program=ensure_tool("kubectl"), kubeconfig=kubeconfig))
    return kubeconfig


if __name__ == "__main__":
    main()
