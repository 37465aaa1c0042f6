"""Probes: a handler asked every so often, and when its answers in a row amount to a verdict.

period 10 s, failureThreshold 3: fails at 0, 10, 20 s -> one verdict, False, at 20 s; then one at 30 s, and so on
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from deploy.local.node.client import Object
from deploy.local.node.handlers import HandlerError, Target, handle

TIMING = {"initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold",
          "terminationGracePeriodSeconds"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A probe as the API has it, with its defaults; times in seconds, `grace` None for the pod's own."""

    handler: Object
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    successes: int = 1
    failures: int = 3
    grace: float | None = None

    @classmethod
    def parse(cls, spec: Object) -> Probe:
        """From a container's `readinessProbe`, `livenessProbe` or `startupProbe`."""
        return cls(
            handler={key: value for key, value in spec.items() if key not in TIMING},
            initial_delay=spec.get("initialDelaySeconds", 0), period=spec.get("periodSeconds", 10),
            timeout=spec.get("timeoutSeconds", 1), successes=spec.get("successThreshold", 1),
            failures=spec.get("failureThreshold", 3), grace=spec.get("terminationGracePeriodSeconds"),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One probing; `verdict` is what is settled by it and those before, None while they are too few."""

    succeeded: bool
    message: str
    verdict: bool | None


class Streak:
    """Answers of the same kind in a row, against the thresholds."""

    def __init__(self, probe: Probe) -> None:
        self._needed = {True: probe.successes, False: probe.failures}
        self._kind: bool | None = None
        self._length = 0

    def add(self, succeeded: bool) -> bool | None:
        """The verdict, if there is one now."""
        self._length = self._length + 1 if succeeded is self._kind else 1
        self._kind = succeeded
        return succeeded if self._length >= self._needed[succeeded] else None


async def probing(probe: Probe, target: Target) -> AsyncIterator[Answer]:
    """Ask without end, every `period` seconds from the start of one to the start of the next."""
    loop, streak = asyncio.get_running_loop(), Streak(probe)
    due = loop.time() + probe.initial_delay
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        due = loop.time() + probe.period
        message = await _ask(probe, target)
        yield Answer(succeeded=not message, message=message, verdict=streak.add(not message))


async def _ask(probe: Probe, target: Target) -> str:
    """Empty, or what went wrong."""
    try:
        async with asyncio.timeout(probe.timeout):
            await handle(probe.handler, target)
    except HandlerError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {probe.timeout:g} s"
    return ""
