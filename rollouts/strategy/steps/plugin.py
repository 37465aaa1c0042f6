"""`plugin: {name, config}`: done when the plugin says Successful; Failed aborts; an Error is asked again."""

from __future__ import annotations

from rollouts.strategy import plugins, times
from rollouts.strategy.steps.base import Hold, Position, Step, Verdict


def progress(at: Position) -> Verdict:
    """Go by what the plugin said last."""
    said = at.plugin
    if said is None:
        return Verdict(hold=Hold(kind="Plugin", reason="plugin is being asked", patient=True))
    phase, message = said.get("phase"), said.get("message") or ""
    if phase == "Successful":
        return Verdict(done=True)
    if phase == "Failed":
        return Verdict(abort=message or f"Step plugin {said.get('name')} failed")
    reason = f"waiting for plugin {said.get('name')}" + (f": {message}" if message else "")
    since, until = times.moment(said.get("startedAt")), plugins.next_time(said)
    return Verdict(hold=Hold(kind="Plugin", reason=reason, since=since, until=until, patient=True))


STEP = Step(key="plugin", progress=progress, describe=lambda value: f"plugin: {(value or {}).get('name', '')}")
