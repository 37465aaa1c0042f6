"""Users of the service: a steady stream of requests through the gateway, counted by version and status.

`python load.py URL FILE [RATE] [SECONDS]` sends RATE requests a second for at most SECONDS, and keeps the counts as JSON
in FILE. Answers of the gateway itself (no X-Version) are counted as `gateway`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

import aiohttp

LONGEST_SECONDS = 900.0


async def stream(url: str, file: Path, *, rate: float, seconds: float) -> None:
    """Send, count, write the counts twice a second."""
    counts: Counter[str] = Counter()
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        for number in range(int(rate * min(seconds, LONGEST_SECONDS))):
            group.create_task(one(session, url, counts))
            if number % max(int(rate / 2), 1) == 0:
                keep(file, counts)
            await asyncio.sleep(1 / rate)
    keep(file, counts)


async def one(session: aiohttp.ClientSession, url: str, counts: Counter[str]) -> None:
    """One request."""
    try:
        async with session.get(url) as response:
            counts[f"{response.headers.get('X-Version', 'gateway')} {response.status}"] += 1
    except (aiohttp.ClientError, TimeoutError):
        counts["no answer"] += 1


def keep(file: Path, counts: Counter[str]) -> None:
    """Replace the file, so that a reader never sees half of it."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(counts))
    fresh.replace(file)


def main() -> None:
    """Read the command line."""
    url, file, *rest = sys.argv[1:]
    rate, seconds = (*map(float, rest), *(40.0, LONGEST_SECONDS)[len(rest) :])
    asyncio.run(stream(url, Path(file), rate=rate, seconds=seconds))


if __name__ == "__main__":
    main()
