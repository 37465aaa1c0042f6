"""Why a Rollout waits, in a sentence, and what a person can do about it.

The peer shows a phase and a message; what is missing there is the question people really have. Each reason is a
function that answers or passes; the first that answers wins, the order is that of the phases. Pure, like `tree.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rollouts.cli import world
from rollouts.cli.facts import is_canary, step_index, steps_of, strategy
from rollouts.cli.phase import NOT_OBSERVED, NOT_UNPAUSED, WORKLOAD_NOT_OBSERVED, phase_of
from rollouts.cli.pods import is_ready, pod_state, trouble
from rollouts.cli.text import BAD, age, count, step_text
from rollouts.cli.world import JSON, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """`reason`: what it waits for. `verbs`: commands that change it, without the program's name, best first."""

    reason: str
    verbs: tuple[str, ...] = ()


def why(seen: World, *, now: datetime) -> Why | None:
    """Why the Rollout is where it is; None when it is Healthy and nothing is wrong with its traffic."""
    return next((found for teller in _TELLERS if (found := teller(seen, now)) is not None), None)


def _name(seen: World) -> str:
    return world.name(seen.root)


def _invalid(seen: World, now: datetime) -> Why | None:
    found = world.condition(seen.root, "InvalidSpec")
    if found.get("status") != "True":
        return None
    return Why(reason="the spec is invalid, nothing is changed until it is mended", verbs=("lint -f FILE",))


def _unseen(seen: World, now: datetime) -> Why | None:
    if phase_of(seen.root)[1] not in (NOT_OBSERVED, WORKLOAD_NOT_OBSERVED):
        return None
    return Why(reason="the controller hasn't seen the latest change yet; is it running?")


def _failing(seen: World, now: datetime) -> Why | None:
    return _told(seen, "ReconcileError", "the controller can't do what it should")


def _unrouted(seen: World, now: datetime) -> Why | None:
    return _told(seen, "TrafficFailure", "traffic does not follow")


def _told(seen: World, condition: str, words: str) -> Why | None:
    """A condition that is there only while something is wrong, with its own words."""
    found = world.condition(seen.root, condition)
    return Why(reason=f"{words}: {found.get('message')}") if found.get("status") == "True" else None


def _aborted(seen: World, now: datetime) -> Why | None:
    status = world.status(seen.root)
    if not status.get("abort"):
        return None
    failed = [world.name(run) for run in _current_runs(seen) if world.status(run).get("phase") in ("Failed", "Error")]
    after = f" after {', '.join(failed)} failed" if failed else ""
    return Why(
        reason=f"aborted{_ago(status.get('abortedAt'), now)}{after}; stable serves until a new revision or a retry",
        verbs=(f"retry rollout {_name(seen)}", f"undo {_name(seen)}"),
    )


def _current_runs(seen: World) -> list[JSON]:
    current = world.revision(seen.root)
    return [run for run in world.owned(seen.runs, seen.root) if world.revision(run) == current]


def _deadline(seen: World, now: datetime) -> Why | None:
    if world.condition(seen.root, "Progressing").get("reason") != "ProgressDeadlineExceeded":
        return None
    limit = world.spec(seen.root).get("progressDeadlineSeconds") or 600
    return Why(
        reason=f"no progress for more than {age(float(limit))}: {_pods(seen)}",
        verbs=(f"undo {_name(seen)}", f"abort {_name(seen)}"),
    )


def _paused_by_hand(seen: World, now: datetime) -> Why | None:
    if not world.spec(seen.root).get("paused"):
        return None
    return Why(reason="paused by a person (spec.paused)", verbs=(f"promote {_name(seen)}",))


def _paused(seen: World, now: datetime) -> Why | None:
    conditions = world.status(seen.root).get("pauseConditions") or ()
    if not conditions:
        return None
    reason = str(conditions[0].get("reason") or "")
    teller = _PAUSES.get(reason, _pause_other)
    return teller(seen, str(conditions[0].get("startTime") or ""), now)


def _pause_step(seen: World, start: str, now: datetime) -> Why:
    duration = ((_step(seen) or {}).get("pause") or {}).get("duration")
    if duration is None:
        return _for_promotion(seen, start, now)
    return _timed(seen, _seconds(duration), start, now)


def _pause_blue_green(seen: World, start: str, now: datetime) -> Why:
    wanted = strategy(seen.root)
    after = wanted.get("autoPromotionSeconds")
    if not after or wanted.get("autoPromotionEnabled") is False:
        return _for_promotion(seen, start, now)
    return _timed(seen, float(after), start, now)


def _for_promotion(seen: World, start: str, now: datetime) -> Why:
    waited = age(world.since(start, now))
    reason = "waits for a promotion" + (f", {waited} so far" if waited else "")
    return Why(reason=reason + _at_step(seen), verbs=(f"promote {_name(seen)}", f"abort {_name(seen)}"))


def _timed(seen: World, seconds: float, start: str, now: datetime) -> Why:
    passed = world.since(start, now) or 0.0
    left = f"{age(seconds - passed)} left" if passed < seconds else "over, the controller goes on"
    return Why(
        reason=f"waits for the pause of {age(seconds)} to pass, {left}" + _at_step(seen),
        verbs=(f"promote {_name(seen)}",),
    )


def _inconclusive(seen: World, start: str, now: datetime) -> Why:
    waited = age(world.since(start, now))
    return Why(
        reason=f"waits for a person to decide, {waited} so far: the measurements were inconclusive" + _at_step(seen),
        verbs=(f"promote {_name(seen)}", f"abort {_name(seen)}"),
    )


def _pause_other(seen: World, start: str, now: datetime) -> Why:
    return _for_promotion(seen, start, now)


_PAUSES: dict[str, Callable[[World, str, datetime], Why]] = {
    "CanaryPauseStep": _pause_step,
    "BlueGreenPause": _pause_blue_green,
    "InconclusiveAnalysisRun": _inconclusive,
    "InconclusiveExperiment": _inconclusive,
}


def _unpausing(seen: World, now: datetime) -> Why | None:
    return (
        Why(reason="waits for the controller to go on after a promotion")
        if phase_of(seen.root)[1] == NOT_UNPAUSED
        else None
    )


def _restarting(seen: World, now: datetime) -> Why | None:
    wanted = str(world.spec(seen.root).get("restartAt") or "")
    if not wanted or wanted == world.status(seen.root).get("restartedAt"):
        return None
    ahead = -(world.since(wanted, now) or 0.0)
    if ahead > 0:
        return None
    mine = [pod for item in seen.owned_replica_sets(seen.root) for pod in seen.owned_pods(item)]
    done = sum((world.instant(world.created(pod)) or now) >= (world.instant(wanted) or now) for pod in mine)
    return Why(reason=f"waits for pods to be restarted: {done} of {count(len(mine), 'pod')} done")


def _analysis(seen: World, now: datetime) -> Why | None:
    runs = [run for run in _current_runs(seen) if _blocks(run)]
    if not runs:
        return None
    told = "; ".join(filter(None, (_measured(run) for run in runs)))
    return Why(
        reason=f"waits for analysis {world.name(runs[0])}{': ' + told if told else ' to start'}" + _at_step(seen)
    )


def _blocks(run: JSON) -> bool:
    """Whether the run isn't done and something waits for it: a run in the background holds nobody."""
    unfinished = world.status(run).get("phase") in (None, "", "Pending", "Running")
    return unfinished and world.label(run, "rollout-type") != "Background"


def _measured(run: JSON) -> str:
    wanted = {metric.get("name"): metric.get("count") for metric in world.spec(run).get("metrics") or ()}
    parts = []
    for result in world.status(run).get("metricResults") or ():
        of = f" of {wanted[result.get('name')]}" if wanted.get(result.get("name")) else ""
        parts.append(f"{result.get('name')} measured {result.get('count') or 0}{of}")
    return ", ".join(parts)


def _experiment(seen: World, now: datetime) -> Why | None:
    current = (world.status(seen.root).get("canary") or {}).get("currentExperiment")
    found = [item for item in world.owned(seen.experiments, seen.root) if world.name(item) == current]
    phase = str(world.status(found[0]).get("phase") or "Pending") if found else ""
    if phase not in ("Pending", "Running"):
        return None
    message = str(world.status(found[0]).get("message") or "")
    trouble = f": {message}" if message else ""
    return Why(reason=f"waits for experiment {current}" + _rest_of(found[0], now) + _at_step(seen) + trouble)


def _rest_of(experiment: JSON, now: datetime) -> str:
    started = world.since(str(world.status(experiment).get("availableAt") or ""), now)
    duration = world.spec(experiment).get("duration")
    if started is None or duration is None:
        return ""
    return f", {age(max(0.0, _seconds(duration) - started))} left"


def _pods_coming(seen: World, now: datetime) -> Why | None:
    told = _pods(seen)
    return Why(reason=f"waits for pods: {told}") if told and phase_of(seen.root)[0] == "Progressing" else None


_TELLERS: Sequence[Callable[[World, datetime], Why | None]] = (
    _invalid,
    _unseen,
    _failing,
    _aborted,
    _deadline,
    _paused_by_hand,
    _paused,
    _unpausing,
    _restarting,
    _unrouted,
    _analysis,
    _experiment,
    _pods_coming,
)


def _pods(seen: World) -> str:
    """How many pods of the new version are ready, and what ails the first that is not."""
    current = world.status(seen.root).get("currentPodHash")
    fresh = [item for item in seen.owned_replica_sets(seen.root) if world.pod_hash(item) == current]
    if not fresh:
        return ""
    wanted = int(world.spec(fresh[0]).get("replicas") or 0)
    pods = seen.owned_pods(fresh[0])
    ready = sum(map(is_ready, pods))
    if ready >= wanted:
        return ""
    ailing = sorted((pod for pod in pods if not is_ready(pod)), key=lambda pod: pod_state(pod).style != BAD)
    told = f"{ready} of {count(wanted, 'pod')} of revision {world.revision(fresh[0])} ready"
    return told + (f"; {_ailment(ailing[0])}" if ailing else "")


def _ailment(pod: JSON) -> str:
    detail = trouble(pod)
    return f"{world.name(pod)} is {pod_state(pod).word}" + (f" ({detail})" if detail else "")


def _step(seen: World) -> JSON | None:
    index, steps = step_index(seen.root), steps_of(seen.root)
    return steps[index] if index is not None and index < len(steps) else None


def _at_step(seen: World) -> str:
    step, index = _step(seen), step_index(seen.root)
    if step is None or index is None or not is_canary(seen.root):
        return ""
    return f" (step {index + 1} of {len(steps_of(seen.root))}, {step_text(step)})"


def _ago(moment: object, now: datetime) -> str:
    passed = age(world.since(str(moment or ""), now))
    return f" {passed} ago" if passed else ""


def _seconds(duration: object) -> float:
    from rollouts.api.durations import seconds

    try:
        return seconds(duration if isinstance(duration, int) else str(duration))
    except ValueError:
        return 0.0
