"""Drive any controller with N Rollouts and print what it cost: `python -m tests.performance.storm --rollouts 200`.

Create N Rollouts at once, wait until all are Healthy; change every image at once, wait until all are promoted. Times
come from watches, requests from the API server's own counters, memory and CPU from the process. `--controller CMD`
takes any command that reads KUBECONFIG, so another controller can stand beside ours in the same session.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import yaml

NAMESPACE = "storm"
ROLLOUTS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts"
REPLICA_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets"
HASH = "rollouts-pod-template-hash"
COMMAND = f"{sys.executable} -m rollouts controller --healthzPort 0 --metricsPort 0"
_WRITES = ("POST", "PATCH", "PUT")
STEPS = [{"setWeight": 20}, {"pause": {"duration": 1}}, {"setWeight": 60}, {"pause": {"duration": 1}}]


def rollout(name: str) -> dict[str, Any]:
    """One replica, the steps of the budget table."""
    resources = {"requests": {"cpu": "1m", "memory": "1Mi"}}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "nginx:1", "resources": resources}]},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            "strategy": {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": STEPS}},
        },
    }


@contextlib.asynccontextmanager
async def session(kubeconfig: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with the kubeconfig's certificates or token."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
            pem.flush()
            context.load_cert_chain(pem.name)
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        base_url=cluster["server"], connector=connector, headers=headers, timeout=timeout
    ) as opened:
        yield opened


@dataclass
class Seen:
    """What the watches have shown so far."""

    rollouts: dict[str, dict[str, Any]] = field(default_factory=dict)
    sets: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    failed: list[BaseException] = field(default_factory=list)

    def ended(self, task: asyncio.Task[None]) -> None:
        """A watch ended: whoever waits must know."""
        if not task.cancelled():
            self.failed.append(task.exception() or EOFError("a watch ended"))
            self.changed.set()


async def watch(client: aiohttp.ClientSession, path: str, heed: Callable[[dict[str, Any]], None]) -> None:
    """Call `heed` for every event, for ever. A kind just made is not served at once (429)."""
    while True:
        async with client.get(path, params={"watch": "true"}) as response:
            if response.status == HTTPStatus.TOO_MANY_REQUESTS:
                await asyncio.sleep(0.2)
                continue
            response.raise_for_status()
            await _heed_all(response, heed)


async def _heed_all(response: aiohttp.ClientResponse, heed: Callable[[dict[str, Any]], None]) -> None:
    buffer = b""
    async for chunk in response.content.iter_any():
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            heed(json.loads(line))


async def until(seen: Seen, ready: Callable[[], bool], seconds: float) -> float:
    """Wait until `ready()`; how long it took. Raises TimeoutError."""
    begun = time.monotonic()
    async with asyncio.timeout(seconds):
        while not ready():
            if seen.failed:
                raise seen.failed[0]
            seen.changed.clear()
            await seen.changed.wait()
    return time.monotonic() - begun


async def each(count: int, act: Callable[[int], Any], width: int = 16) -> None:
    """Run `act(0..count-1)`, at most `width` at a time."""
    gate = asyncio.Semaphore(width)

    async def one(number: int) -> None:
        async with gate:
            await act(number)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))


async def writes(client: aiohttp.ClientSession) -> dict[tuple[str, str, str], float]:
    """Requests the API server has counted: (verb, resource, subresource) → number."""
    async with client.get("/metrics") as response:
        text = await response.text()
    counts: dict[tuple[str, str, str], float] = {}
    for line in text.splitlines():
        if line.startswith("apiserver_request_total{"):
            labels = dict(part.split("=", 1) for part in line[line.index("{") + 1 : line.index("}")].split('",'))
            key = tuple(labels[name].strip('"') for name in ("verb", "resource", "subresource"))
            counts[key] = counts.get(key, 0) + float(line.rsplit(" ", 1)[1])  # type: ignore[index, arg-type]
    return counts  # type: ignore[return-value]


def usage(pid: int) -> tuple[float, float]:
    """Resident memory in MB and CPU seconds of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(resident.split()[1]) / 1024, (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


async def at_rest(client: aiohttp.ClientSession, pid: int) -> tuple[float, float]:
    """Requests for events so far, and CPU seconds, once no more events come: they are posted after the deed."""
    told, now = -1.0, 0.0
    while now > told:
        told = now
        await asyncio.sleep(1)
        now = events(await writes(client))
    return now, usage(pid)[1]


def events(counts: dict[tuple[str, str, str], float]) -> float:
    """Events written, of all sources."""
    return sum(count for (verb, resource, _), count in counts.items() if resource == "events" and verb in _WRITES)


def percentile(values: list[float], share: float) -> float:
    """The value below which this share lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


async def storm(kubeconfig: Path, command: list[str], count: int, limit: float) -> dict[str, str]:
    """One run; the rows of the budget table."""
    seen, patched = Seen(), {}

    def rollout_seen(event: dict[str, Any]) -> None:
        seen.rollouts[event["object"]["metadata"]["name"]] = event["object"]
        seen.changed.set()

    def set_seen(event: dict[str, Any]) -> None:
        if event["type"] == "ADDED":
            seen.sets.setdefault(event["object"]["metadata"]["name"], time.monotonic())

    def healthy(image: str) -> int:
        return sum(
            o.get("status", {}).get("phase") == "Healthy"
            and o["status"].get("observedGeneration") == str(o["metadata"]["generation"])
            and o["spec"]["template"]["spec"]["containers"][0]["image"] == image
            for o in seen.rollouts.values()
        )

    async with session(kubeconfig) as client:
        await client.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}})
        log = Path(tempfile.gettempdir()) / "storm-controller.log"
        process = subprocess.Popen(
            command, env={**os.environ, "KUBECONFIG": str(kubeconfig)}, stdout=log.open("w"), stderr=subprocess.STDOUT
        )
        watching = [
            asyncio.create_task(watch(client, ROLLOUTS, rollout_seen)),
            asyncio.create_task(watch(client, REPLICA_SETS, set_seen)),
        ]
        for task in watching:
            task.add_done_callback(seen.ended)
        try:
            names = [f"r{number:05d}" for number in range(count)]

            async def create(name: str) -> None:
                async with client.post(ROLLOUTS, json=rollout(name)) as response:
                    response.raise_for_status()

            await create("warm-up")
            await until(seen, lambda: healthy("nginx:1") == 1, 60)
            before = await writes(client)
            idle = usage(process.pid)[1]
            begun = time.monotonic()
            await each(count, lambda number: create(names[number]))
            await until(seen, lambda: healthy("nginx:1") == count + 1, limit)
            created = time.monotonic() - begun

            known = set(seen.sets)
            body = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "nginx:2"}]

            async def change(number: int) -> None:
                patched[names[number]] = time.monotonic()
                headers = {"Content-Type": "application/json-patch+json"}
                async with client.patch(f"{ROLLOUTS}/{names[number]}", data=json.dumps(body), headers=headers) as got:
                    got.raise_for_status()

            begun = time.monotonic()
            await each(count, change)
            await until(seen, lambda: healthy("nginx:2") == count, limit)
            promoted = time.monotonic() - begun
            after = await writes(client)
            memory, cpu = usage(process.pid)
            posted, total = await at_rest(client, process.pid)
        finally:
            for task in watching:
                task.cancel()
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()

    fresh = [at - patched[name[: name.rindex("-")]] for name, at in seen.sets.items() if name not in known]
    delta = {key: after[key] - before.get(key, 0) for key in after}

    def requests(*keys: tuple[str, str, str]) -> float:
        return sum(delta.get(key, 0) for key in keys)

    status = requests(("PATCH", "rollouts", "status"), ("PUT", "rollouts", "status"))
    main = requests(("PATCH", "rollouts", ""), ("PUT", "rollouts", "")) - count
    sets = requests(("POST", "replicasets", ""), ("PATCH", "replicasets", ""), ("PUT", "replicasets", ""))
    return {
        f"{count} created → all Healthy": f"{created:.1f} s",
        f"{count} updated at once → all promoted": f"{promoted:.1f} s",
        "spec change → new ReplicaSet, p50 / p99": f"{percentile(fresh, 0.5):.2f} / {percentile(fresh, 0.99):.2f} s",
        "writes per Rollout, create + update, without events": f"{(status + main + sets) / count:.1f}"
        f" ({status / count:.1f} status, {main / count:.1f} Rollout, {sets / count:.1f} ReplicaSet)",
        "event requests per Rollout (all sources)": f"{(posted - events(before)) / count:.1f}",
        "resident memory": f"{memory:.0f} MB",
        "CPU time, from the start until all are promoted": f"{cpu:.1f} s",
        "CPU time, from the first creation until the last event": f"{total - idle:.1f} s"
        f" ({1000 * (total - idle) / count:.0f} ms a Rollout)",
    }


def main() -> None:
    """Parse the command line, run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--controller", default=COMMAND, help="command line")
    parser.add_argument("--kubeconfig", type=Path, help="a cluster to use; default: a local control plane of its own")
    parser.add_argument("--limit", type=float, default=300, help="seconds to wait for each phase")
    options = parser.parse_args()
    command = shlex.split(options.controller)
    with contextlib.ExitStack() as stack:
        kubeconfig = options.kubeconfig
        if kubeconfig is None:
            from deploy.local.plane import Plane

            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            kubeconfig = stack.enter_context(Plane(directory=directory, nodes=4)).kubeconfig
        crds = Path(__file__).parents[2] / "crds"
        apply = ["kubectl", "--kubeconfig", str(kubeconfig), "apply", "--server-side", "-f", str(crds)]
        subprocess.run(apply, check=True, stdout=subprocess.DEVNULL)
        established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]
        subprocess.run([*apply[:3], *established], check=True, stdout=subprocess.DEVNULL)
        rows = asyncio.run(storm(kubeconfig, command, options.rollouts, options.limit))
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {value}")  # noqa: T201


if __name__ == "__main__":
    main()
