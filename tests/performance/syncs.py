"""Five hundred GitSyncs in one controller: `python -m tests.performance.syncs --syncs 500`.

One repository with a folder of twenty objects for each sync, served by git's own smart HTTP in a process of its own;
fifty namespaces, each with its own Secret and ServiceAccount. Measured: until all are applied; some minutes at rest; a
push that changes an object of every folder, heard of by one webhook; pushes that change one folder; and, with `--poll`,
a push that nobody is told of. `--objects 5000` measures one sync of that many objects instead.

Times are from just before the push until a watch shows the revision in the status. Requests are the controller's own
count, CPU is its process and the git processes it has waited for. No time is asserted: the table is for
docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.cluster.gitsyncs import account
from tests.gitops.bare import Bare
from tests.performance.measurements import controlled, own_plane
from tests.performance.storm import Seen, each, percentile, session, until, usage, watch

SYNCS = "/apis/gitops.rollouts.dev/v1alpha1/gitsyncs"
NAMESPACES = 50
SETTLE = 45.0
PASSWORD, TOKEN = "opens-it", "proves-it"
Rows = dict[str, str]


# --- what is in Git


def config(name: str, value: str) -> dict[str, Any]:
    """A ConfigMap of a kilobyte."""
    data = {"value": value, "text": "x" * 1000}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def folder(name: str, value: str) -> list[dict[str, Any]]:
    """Twenty objects of four kinds; one of them has the value."""
    labels = {"app": name}
    container = {"name": "web", "image": "example/web:1"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods}
    service = {"selector": labels, "ports": [{"port": 80}]}
    return [
        *(config(f"{name}-{number}", value if number == 0 else "same") for number in range(14)),
        *({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": f"{name}-{part}"}} for part in "ab"),
        *(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"{name}-{part}"}, "spec": service}
            for part in "ab"
        ),
        *(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"{name}-{part}"}, "spec": deployment}
            for part in "ab"
        ),
    ]


def written(objects: list[dict[str, Any]]) -> str:
    """A file of documents; JSON is YAML."""
    return "\n---\n".join(json.dumps(obj) for obj in objects) + "\n"


def name_of(number: int) -> str:
    """The name of a sync, and of its folder."""
    return f"app-{number:04d}"


def namespace_of(number: int) -> str:
    """Where a sync lives, and applies."""
    return f"team-{number % NAMESPACES:02d}"


# --- the Git server that serves it


def serve(directory: Path) -> None:
    """Serve until killed; the address of the repository is said on standard output."""
    from tests.gitops.server import GitServer

    print(GitServer(directory, password=PASSWORD).url(), flush=True)  # noqa: T201
    while sys.stdin.read(1):
        pass


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[str]:
    """The address of the repository in `directory`."""
    command = [sys.executable, "-m", "tests.performance.syncs", "--serve", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.kill()


# --- the session


@dataclass
class Around:
    """A controller at work, and what the watch of GitSyncs has shown."""

    client: aiohttp.ClientSession
    bare: Bare
    url: str
    ca: bytes
    pid: int
    metrics_port: int
    webhook_port: int
    limit: float
    seen: Seen = field(default_factory=Seen)
    at: dict[str, tuple[str, float]] = field(default_factory=dict)

    def heed(self, event: dict[str, Any]) -> None:
        """Remember when each sync was first seen to have applied its present revision."""
        obj = event["object"]
        name, found = obj["metadata"]["name"], (obj.get("status") or {}).get("sync") or {}
        self.seen.rollouts[name] = obj
        if found.get("status") == "Synced" and self.at.get(name, ("", 0.0))[0] != found["revision"]:
            self.at[name] = found["revision"], time.monotonic()
        self.seen.changed.set()

    async def until_all(self, commit: str, names: list[str]) -> None:
        """Until all of them have applied the commit."""
        await until(self.seen, lambda: all(self.at.get(name, ("",))[0] == commit for name in names), self.limit)

    async def prepare(self, namespaces: list[str]) -> None:
        """The namespaces, each with an account that may do what it needs and the Secret of the repository."""
        secret = {"username": b"git", "password": PASSWORD.encode(), "ca.crt": self.ca, "token": TOKEN.encode()}
        data = {key: base64.b64encode(value).decode() for key, value in secret.items()}

        async def one(number: int) -> None:
            namespace = namespaces[number]
            await self.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
            core = f"/api/v1/namespaces/{namespace}"
            rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
            for path, body in zip(
                (f"{core}/serviceaccounts", f"{rbac}/roles", f"{rbac}/rolebindings"), account(), strict=True
            ):
                for subject in body.get("subjects", ()):
                    subject["namespace"] = namespace
                await self.post(path, body)
            await self.post(f"{core}/secrets", {"metadata": {"name": "repository"}, "data": data})

        await each(len(namespaces), one)

    async def sync(self, name: str, namespace: str, *, path: str, interval: str = "2m") -> None:
        """Create a GitSync."""
        spec = {
            "source": {
                "repoURL": self.url,
                "targetRevision": "main",
                "path": path,
                "secretRef": {"name": "repository"},
            },
            "interval": interval,
            "serviceAccountName": "deployer",
            "timeout": "30m",
            "webhook": {"secretRef": {"name": "repository"}},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        }
        body = {"apiVersion": "gitops.rollouts.dev/v1alpha1", "kind": "GitSync", "metadata": {"name": name}}
        await self.post(f"/apis/gitops.rollouts.dev/v1alpha1/namespaces/{namespace}/gitsyncs", {**body, "spec": spec})

    async def post(self, path: str, body: dict[str, Any]) -> None:
        """Create an object."""
        async with self.client.post(path, json=body) as response:
            if response.status >= 400:
                raise RuntimeError(f"{path}: {await response.text()}")

    async def hook(self, namespace: str, name: str) -> None:
        """Tell the controller of a push, as GitHub does."""
        body = json.dumps({"ref": "refs/heads/main"}).encode()
        signature = "sha256=" + hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
        url = f"http://127.0.0.1:{self.webhook_port}/hook/{namespace}/{name}"
        async with (
            aiohttp.ClientSession() as forge,
            forge.post(url, data=body, headers={"X-Hub-Signature-256": signature}) as response,
        ):
            response.raise_for_status()

    async def requests(self) -> dict[str, float]:
        """What the controller has asked of the API server: `VERB resource` → number."""
        async with (
            aiohttp.ClientSession() as scraper,
            scraper.get(f"http://127.0.0.1:{self.metrics_port}/metrics") as response,
        ):
            text = await response.text()
        found: dict[str, float] = {}
        for line in text.splitlines():
            if line.startswith("controller_clientset_k8s_request_total{"):
                labels = dict(part.split("=", 1) for part in line[line.index("{") + 1 : line.index("}")].split(","))
                key = f"{labels['verb']} {labels['kind']}".replace('"', "")
                found[key] = found.get(key, 0) + float(line.rsplit(" ", 1)[1])
        return found

    async def up(self) -> None:
        """Wait until the controller answers."""
        async with asyncio.timeout(self.limit):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    await self.requests()
                    return
                await asyncio.sleep(0.2)

    def cpu(self) -> tuple[float, float]:
        """CPU seconds of the controller, and of the programs it has run."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        own, children = int(stat[11]) + int(stat[12]), int(stat[13]) + int(stat[14])
        tick = os.sysconf("SC_CLK_TCK")
        return own / tick, children / tick


@contextlib.asynccontextmanager
async def around(kubeconfig: Path, command: list[str], *, limit: float, log: Path) -> Any:
    """A Git server, a controller and a watch."""
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bare = Bare(directory)
        url = stack.enter_context(serving(directory))
        client = await stack.enter_async_context(session(kubeconfig))
        metrics, hooks = free_port(), free_port()
        flags = ["--metricsPort", str(metrics), "--healthzPort", "-1", "--webhook-port", str(hooks)]
        process = stack.enter_context(controlled([*command, *flags], kubeconfig, log))
        made = Around(
            client=client, bare=bare, url=url, ca=(directory / "tls" / "ca.crt").read_bytes(), pid=process.pid,
            metrics_port=metrics, webhook_port=hooks, limit=limit,
        )  # fmt: skip
        task = asyncio.create_task(watch(client, SYNCS, made.heed))
        task.add_done_callback(made.seen.ended)
        stack.callback(task.cancel)
        await made.up()
        yield made


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# --- the figures


async def many(
    here: Around, *, count: int, seconds: float, pushes: int, poll: bool, say: Callable[[str, str], None]
) -> None:
    """Five hundred syncs of twenty objects."""
    names = [name_of(number) for number in range(count)]
    first = here.bare.commit({f"{name}/all.yaml": written(folder(name, "0")) for name in names})
    await here.prepare([namespace_of(number) for number in range(min(count, NAMESPACES))])
    begun = time.monotonic()
    await each(count, lambda number: here.sync(names[number], namespace_of(number), path=names[number]))
    await here.until_all(first, names)
    cpu = here.cpu()
    say(
        f"{count} syncs created → all applied",
        f"{time.monotonic() - begun:.0f} s; CPU {cpu[0]:.0f} + {cpu[1]:.0f} s (children)",
    )
    await resting(here, count=count, seconds=seconds, say=say)
    await told(here, names, "1", say=say)
    late = []
    for number in range(pushes):
        name = names[number * count // pushes]
        before = time.monotonic()
        commit = here.bare.commit({f"{name}/all.yaml": written(folder(name, f"single-{number}"))})
        await here.hook(namespace_of(names.index(name)), name)
        await here.until_all(commit, [name])
        late.append(here.at[name][1] - before)
        await here.until_all(commit, names)
    say("one push, one webhook → that sync, p50 / most", f"{percentile(late, 0.5):.1f} / {max(late):.1f} s")
    if poll:
        before = time.monotonic()
        commit = here.bare.commit({f"{name}/all.yaml": written(folder(name, "polled")) for name in names})
        await here.until_all(commit, names)
        say("a push nobody is told of → applied, p50 / p99", spread(here, names, since=before))


async def told(here: Around, names: list[str], value: str, *, say: Callable[[str, str], None]) -> None:
    """One commit that changes an object of every folder, told of by one webhook."""
    before, requests, cpu = time.monotonic(), await here.requests(), here.cpu()
    commit = here.bare.commit({f"{name}/all.yaml": written(folder(name, value)) for name in names})
    await here.hook(namespace_of(0), names[0])
    await here.until_all(commit, names)
    say("one push, one webhook → all syncs, p50 / p99", spread(here, names, since=before))
    after, now = await here.requests(), here.cpu()
    say(
        "CPU a sync for it",
        f"{(now[0] - cpu[0]) / len(names) * 1000:.0f} + {(now[1] - cpu[1]) / len(names) * 1000:.0f} ms (children)",
    )
    say("requests a sync for it", differences(requests, after, len(names)))


def spread(here: Around, names: list[str], *, since: float) -> str:
    """How long it took, over the syncs."""
    late = [here.at[name][1] - since for name in names]
    return f"{percentile(late, 0.5):.1f} / {percentile(late, 0.99):.1f} s"


async def resting(here: Around, *, count: int, seconds: float, say: Callable[[str, str], None]) -> None:
    """A while in which nothing happens, once what was on its way has arrived."""
    await asyncio.sleep(SETTLE)
    requests, cpu = await here.requests(), here.cpu()
    await asyncio.sleep(seconds)
    now, after = here.cpu(), await here.requests()
    share = [(later - earlier) / seconds * 100 for earlier, later in zip(cpu, now, strict=True)]
    say("at rest: CPU", f"{share[0]:.1f} + {share[1]:.1f} % of a core (children)")
    say("at rest: resident memory", f"{usage(here.pid)[0]:.0f} MB")
    say("at rest: requests a sync and minute", differences(requests, after, count * seconds / 60))


def differences(before: dict[str, float], after: dict[str, float], share: float) -> str:
    """The most frequent requests, each divided by `share`, and their sum."""
    delta = {key: (value - before.get(key, 0)) / share for key, value in after.items()}
    most = sorted(((value, key) for key, value in delta.items() if value >= 0.01), reverse=True)[:7]
    return f"{sum(delta.values()):.2f} (" + ", ".join(f"{value:.2f} {key}" for value, key in most) + ")"


async def large(here: Around, *, objects: int, say: Callable[[str, str], None]) -> None:
    """One sync of thousands of objects."""
    await here.prepare(["large"])
    files = {
        f"all/{part:03d}.yaml": written([config(f"c{part:03d}-{n:02d}", "0") for n in range(100)])
        for part in range(objects // 100)
    }
    commit = here.bare.commit(files)
    memory = usage(here.pid)[0]

    async def timed(what: str, act: Callable[[], Any], done: Callable[[], bool]) -> None:
        before, cpu, requests, peak = time.monotonic(), here.cpu(), await here.requests(), peak_of(here.pid)
        await act()
        await until(here.seen, done, here.limit)
        now, took = here.cpu(), time.monotonic() - before
        say(
            f"{objects} objects: {what}",
            f"{took:.1f} s; CPU {now[0] - cpu[0]:.1f} + {now[1] - cpu[1]:.1f} s (children)",
        )
        say(f"{objects} objects: {what}: requests", differences(requests, await here.requests(), objects))
        say(
            f"{objects} objects: {what}: memory",
            f"{usage(here.pid)[0]:.0f} MB after, {peak_of(here.pid):.0f} MB at most (before: {peak:.0f} MB)",
        )

    async def ask(stamp: str) -> None:
        patch = {"metadata": {"annotations": {"gitops.rollouts.dev/requestedAt": stamp}}}
        headers = {"Content-Type": "application/merge-patch+json"}
        path = "/apis/gitops.rollouts.dev/v1alpha1/namespaces/large/gitsyncs/large"
        async with here.client.patch(path, data=json.dumps(patch), headers=headers) as response:
            response.raise_for_status()

    def heard(stamp: str) -> bool:
        return bool((here.seen.rollouts["large"].get("status") or {}).get("lastHandledReconcileAt") == stamp)

    say("memory before", f"{memory:.0f} MB")
    await timed(
        "first pass", lambda: here.sync("large", "large", path="all"), lambda: here.at.get("large", ("",))[0] == commit
    )
    await timed("unchanged, compared in full", lambda: ask("1"), lambda: heard("1"))
    second = here.bare.commit({"all/000.yaml": written([config(f"c000-{n:02d}", "1") for n in range(100)])})
    await timed("a hundred changed", lambda: ask("2"), lambda: here.at["large"][0] == second)


def peak_of(pid: int) -> float:
    """The most memory a process ever had, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    """Parse the command line, run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--syncs", type=int, default=500)
    parser.add_argument("--objects", type=int, default=0, help="measure one sync of so many objects instead")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long to look on at rest")
    parser.add_argument("--pushes", type=int, default=20, help="single pushes told of by webhook")
    parser.add_argument("--poll", action="store_true", help="a push nobody is told of, too; takes three minutes")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds to wait for each phase")
    parser.add_argument("--controller", default=f"{sys.executable} -m rollouts controller", help="command line")
    parser.add_argument("--kubeconfig", type=Path, help="a cluster to use; default: a local control plane of its own")
    parser.add_argument("--log", type=Path, default=Path(tempfile.gettempdir()) / "syncs-controller.log")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return

    def say(what: str, value: str) -> None:
        print(f"{what:50}  {value}", flush=True)  # noqa: T201

    async def measure(kubeconfig: Path) -> None:
        command = shlex.split(options.controller)
        async with around(kubeconfig, command, limit=options.limit, log=options.log) as here:
            if options.objects:
                await large(here, objects=options.objects, say=say)
                return
            await many(
                here, count=options.syncs, seconds=options.seconds, pushes=options.pushes, poll=options.poll, say=say
            )

    with contextlib.ExitStack() as stack:
        asyncio.run(measure(options.kubeconfig or own_plane(stack)))


if __name__ == "__main__":
    main()
