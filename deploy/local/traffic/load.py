"""Requests to a URL, so many or so long, counted by version and status; for the demo and its tests.

    python -m deploy.local.traffic.load http://10.244.0.2:8000/ --host shop.example --count 1000
    {"seconds": 0.9, "rate": 1111.1, "total": 1000, "versions": {"v1": {"200": 800}, "v2": {"200": 190, "500": 10}}}

With `--seconds 0` and `--count 0` it goes on until SIGTERM or SIGINT. `--every` prints the counts so far, one line of
JSON each. A request that isn't answered at all counts for version "none" and status "error".
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

NO_VERSION, NO_ANSWER = "none", "error"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to ask for: at most `count` requests and `seconds` (0: no limit), `rate` a second (0: as fast as can be)."""

    url: str
    host: str = ""
    count: int = 0
    seconds: float = 0.0
    concurrency: int = 4
    rate: float = 0.0
    timeout: float = 5.0


@dataclass(kw_only=True)
class Tally:
    """Answers by version and status."""

    began: float = field(default_factory=time.perf_counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)

    def report(self) -> dict[str, Any]:
        """The counts so far, as printed."""
        seconds, total = time.perf_counter() - self.began, self.answers.total()
        versions: dict[str, dict[str, int]] = {}
        for (version, status), count in sorted(self.answers.items()):
            versions.setdefault(version, {})[status] = count
        return {"seconds": round(seconds, 3), "rate": round(total / seconds, 1), "total": total, "versions": versions}


class Generator:
    """Shares one supply of turns among `concurrency` workers."""

    def __init__(self, load: Load) -> None:
        self.tally = Tally()
        self._load = load
        self._taken = 0

    async def run(self) -> None:
        """Until count or seconds are reached, or it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._load.timeout)
        headers = {"Host": self._load.host} if self._load.host else {}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._load.seconds or None):
                    await asyncio.gather(*(self._work(session) for _ in range(self._load.concurrency)))

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while await self._turn():
            self.tally.answers[await self._ask(session)] += 1

    async def _turn(self) -> bool:
        """Wait until the next request is due; False if there are no more."""
        if self._load.count and self._taken >= self._load.count:
            return False
        number, self._taken = self._taken, self._taken + 1
        if self._load.rate:
            due = self.tally.began + number / self._load.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        return True

    async def _ask(self, session: aiohttp.ClientSession) -> tuple[str, str]:
        try:
            async with session.get(self._load.url) as response:
                return _version(await response.read()), str(response.status)
        except (aiohttp.ClientError, TimeoutError, OSError):
            # as long as nobody listens, asking again at once would only burn the processor
            await asyncio.sleep(0.01)
            return NO_VERSION, NO_ANSWER


def _version(body: bytes) -> str:
    """Of an answer of the service; a proxy's own answers have none."""
    try:
        return str(json.loads(body)["version"])
    except (ValueError, KeyError, TypeError):
        return NO_VERSION


async def run_load(load: Load, *, every: float = 0.0) -> dict[str, Any]:
    """Do it and return the report; with `every` print one each so many seconds. SIGTERM and SIGINT end it early."""
    generator = Generator(load)
    task = asyncio.create_task(generator.run())
    printer = asyncio.create_task(_print(generator, every=every)) if every else None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    if printer:
        printer.cancel()
    return generator.tally.report()


async def _print(generator: Generator, *, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        print(json.dumps(generator.tally.report()), flush=True)


def main() -> int:
    """Run the command line; returns the exit code, 1 if nothing was answered."""
    options = vars(_parser().parse_args())
    every = options.pop("every")
    report = asyncio.run(run_load(Load(**options), every=every))
    print(json.dumps(report), flush=True)
    return 0 if report["versions"].keys() - {NO_VERSION} else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.traffic.load", description=__doc__)
    add = parser.add_argument
    add("url")
    add("--host", default="", help="the Host header, by which a gateway finds the route")
    add("--count", type=int, default=0, help="requests (default: no limit)")
    add("--seconds", type=float, default=0.0, help="how long (default: no limit)")
    add("--concurrency", type=int, default=4, help="requests at once (default: 4)")
    add("--rate", type=float, default=0.0, help="requests a second, all together (default: as fast as can be)")
    add("--timeout", type=float, default=5.0, help="seconds for one request (default: 5)")
    add(
        "--every",
        type=float,
        default=0.0,
        help="print the counts so far each so many seconds (default: only at the end)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
