"""Step plugins: Python classes found by entry point, asked before a Rollout is decided about.

    [project.entry-points."rollouts.step_plugins"]
    "acme/approve" = "acme_rollouts:Approve"

serves `plugin: {name: acme/approve, config: {…}}`. The entry point, called without arguments, gives an object with

    async def run(self, *, rollout, config, state) -> StepResult
    async def terminate(self, *, rollout, config, state) -> StepResult      (optional)
    async def abort(self, *, rollout, config, state) -> StepResult          (optional)

`rollout` is the object as the API server has it, `state` what the plugin asked to be remembered (None the first time).
A plugin may be asked the same thing twice when the controller dies in between, so it must not matter. It has
`TIMEOUT` seconds to answer; what takes longer is begun, and asked about again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from rollouts.strategy.plugins import RUN, Call, Outcome

JSON = Mapping[str, Any]
GROUP: Final = "rollouts.step_plugins"
TIMEOUT: Final = 30.0
PHASES: Final = frozenset({"Running", "Successful", "Failed", "Error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """A plugin's answer. `phase`: Running, Successful, Failed (aborts) or Error (asked again in 30 s).
    `requeue_after`: seconds until it wants to be asked again, at least 10, default 30. `status`: JSON to remember;
    with Error what was remembered before is kept."""

    phase: str
    message: str = ""
    requeue_after: float | None = None
    status: JSON | None = None


class AbsentError(LookupError):
    """There is no plugin of that name."""


def installed() -> Mapping[str, EntryPoint]:
    """The plugins of this Python environment, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


class StepPlugins:
    """Asks the plugins of this environment. `find` tells which there are."""

    def __init__(self, find: Callable[[], Mapping[str, EntryPoint]] = installed) -> None:
        self._find = find
        self._loaded: dict[str, Any] = {}

    async def ask(self, call: Call, rollout: JSON) -> Outcome:
        """The plugin's answer; whatever goes wrong is an answer, too."""
        try:
            plugin = self._plugin(call.name)
            method = getattr(plugin, call.operation.lower(), None)
            if method is None and call.operation != RUN:
                return Outcome(call=call, phase="Successful", state=call.state)
            if method is None:
                raise TypeError(f'step plugin "{call.name}" has no method run')
            async with asyncio.timeout(TIMEOUT):
                result = await method(rollout=rollout, config=call.config, state=call.state)
            return _outcome(call, result)
        except AbsentError as error:
            return replace(_error(call, str(error)), absent=True)
        except TimeoutError:
            return _error(call, f'step plugin "{call.name}" gave no answer to {call.operation} within {TIMEOUT:g} s')
        except Exception as error:  # whatever a foreign package raises
            return _error(call, f"{type(error).__name__}: {error}")

    def _plugin(self, name: str) -> Any:
        if name not in self._loaded:
            known = self._find()
            if name not in known:
                there = ", ".join(sorted(known)) or "none"
                raise AbsentError(
                    f'step plugin "{name}" is not installed: no such entry point in group {GROUP} (there: {there}); '
                    "plugins written for Argo Rollouts are Go programs and can't be used"
                )
            self._loaded[name] = known[name].load()()
        return self._loaded[name]


def _outcome(call: Call, result: Any) -> Outcome:
    if not isinstance(result, StepResult) or result.phase not in PHASES:
        raise TypeError(f'step plugin "{call.name}" must answer with a StepResult whose phase is {sorted(PHASES)}')
    return Outcome(
        call=call,
        phase=result.phase,
        message=result.message,
        again=result.requeue_after,
        state=call.state if result.phase == "Error" else result.status,
    )


def _error(call: Call, message: str) -> Outcome:
    return Outcome(call=call, phase="Error", message=message, state=call.state)
