"""How a Rollout is, in words for a forge: which step, which weight, what is waited for, which metric failed. Pure.

Every change of these words is a request to the forge and a line in its history. So they name what a person would look
for, and nothing that moves by itself: no pods that come up, no seconds that pass, no measurements that are fine.

    web: step 2/5, 50 %, pause: 10m
    web: step 3/5, 50 %, analysis errors, latency
    web: step 4/5, 50 %, waits for a promotion (error-rate 0.002, p99 118)
    web: aborted, success-rate failed: 0.42
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.gitops import health
from rollouts.gitops.claims import dig
from rollouts.gitops.forges.values import State
from rollouts.gitops.objects import JSON
from rollouts.strategy.keys import POD_HASH, STEP_INDEX
from rollouts.strategy.steps import kind_of

_BAD = ("Failed", "Error", "Inconclusive")
_LONGEST_VALUE = 40
_ABORTED = ": aborted"
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A Rollout's state. `updating`: a release is under way; else, if pending, only its pods are."""

    state: State
    text: str
    updating: bool = False


def words(rollout: JSON, runs: Iterable[JSON] = ()) -> Words | None:
    """What to say. None while its controller has not seen its spec: nobody can know yet. `runs`: its AnalysisRuns."""
    found = health.assess(rollout)
    status = dig(rollout, "status")
    if found is None or not _observed(rollout):
        return None
    name = str(rollout["metadata"]["name"])
    if status.get("phase") == "Healthy":
        return Words(state=State.SUCCESS, text=f"{name}: released")
    known = [run for run in runs if dig(run, "metadata", "labels").get(POD_HASH) == status.get("currentPodHash")]
    metric = _metric(known)
    if status.get("phase") == "Degraded":
        return Words(state=State.FAILURE, text=f"{name}: {_failure(status, metric)}", updating=True)
    updating = status.get("stableRS") != status.get("currentPodHash")
    text = ", ".join(part for part in (*_place(rollout, updating), _waiting(rollout, metric)) if part)
    text = (text or "waits for its pods") + (_measured(rollout, known) if updating else "")
    return Words(state=State.PENDING, text=f"{name}: {text}", updating=updating)


def repeats(before: str, text: str) -> bool:
    """Whether a text says nothing new. Why a Rollout was aborted is told once: runs that are cleaned up later take the
    value with them."""
    return before == text or (before.partition(_ABORTED)[1] != "" and _until(before) == _until(text))


def _until(text: str) -> str:
    head, found, _ = text.partition(_ABORTED)
    return head + found


def _observed(rollout: JSON) -> bool:
    seen = str(dig(rollout, "status").get("observedGeneration", ""))
    generation = int(rollout["metadata"].get("generation") or 0)
    return seen.isdigit() and int(seen) >= generation and bool(dig(rollout, "status").get("phase"))


def _failure(status: JSON, metric: str) -> str:
    if status.get("abort") or status.get("abortedAt"):
        return f"aborted, {metric}" if metric else f"aborted: {_message(status)}"
    return _message(status)


def _message(status: JSON) -> str:
    """The Rollout's own message, without the word that says it was aborted."""
    return str(status.get("message") or "degraded").removeprefix("RolloutAborted: ")


def _place(rollout: JSON, updating: bool) -> tuple[str, ...]:
    """Step and weight of a canary."""
    steps, index = _steps(rollout), dig(rollout, "status").get("currentStepIndex")
    if not updating or not steps or not isinstance(index, int):
        return ()
    if index >= len(steps):
        return ("all steps done",)
    return f"step {index + 1}/{len(steps)}", _weight(rollout, steps[: index + 1])


def _steps(rollout: JSON) -> Sequence[Any]:
    found = dig(rollout, "spec", "strategy", "canary").get("steps")
    return found if isinstance(found, list) else ()


def _weight(rollout: JSON, passed: Iterable[Any]) -> str:
    """What the canary gets: what the router was told, else the last weight asked for."""
    told = dig(rollout, "status", "canary", "weights", "canary").get("weight")
    if isinstance(told, int):
        return f"{told} %"
    asked = [step["setWeight"] for step in passed if isinstance(step, Mapping) and "setWeight" in step]
    return f"{asked[-1]} %" if asked else "0 %"


def _waiting(rollout: JSON, metric: str) -> str:
    """What it waits for."""
    status = dig(rollout, "status")
    reasons = [row.get("reason") for row in status.get("pauseConditions") or () if isinstance(row, Mapping)]
    if any(str(reason).startswith("Inconclusive") for reason in reasons):
        return f"{metric or 'inconclusive'}, a person must decide"
    if dig(rollout, "spec").get("paused"):
        return "paused by a person"
    if reasons and "CanaryPauseStep" not in reasons:
        return "waits for a promotion"
    return _promotion(status) or _step(rollout)


_PROMOTION = {
    "prePromotionAnalysisRunStatus": "analysis before the promotion",
    "postPromotionAnalysisRunStatus": "analysis after the promotion",
}


def _promotion(status: JSON) -> str:
    """Which analysis of a blue/green release is under way."""
    found = dig(status, "blueGreen")
    going = (text for key, text in _PROMOTION.items() if dig(found, key).get("status") in ("Pending", "Running"))
    return next(going, "")


def _step(rollout: JSON) -> str:
    """The step in the words of its kind: `pause: 10m`, `analysis`; weights are told already."""
    steps, index = _steps(rollout), dig(rollout, "status").get("currentStepIndex")
    if not isinstance(index, int) or not 0 <= index < len(steps) or not isinstance(steps[index], Mapping):
        return ""
    kind, value = kind_of(steps[index])
    if kind is None or kind.key == "setWeight":
        return ""
    if kind.key == "pause":
        return kind.describe(value) if (value or {}).get("duration") is not None else "waits for a promotion"
    names = [row.get("templateName") for row in (value or {}).get("templates") or () if isinstance(row, Mapping)]
    return " ".join(part for part in (kind.key, ", ".join(str(name) for name in names if name)) if part)


def _results(runs: Iterable[JSON]) -> list[Mapping[str, Any]]:
    """The metrics of the newest of these runs."""
    newest = max(runs, key=lambda run: str(run["metadata"].get("creationTimestamp") or ""), default=None)
    found = () if newest is None else dig(newest, "status").get("metricResults") or ()
    return [row for row in found if isinstance(row, Mapping)]


def _metric(runs: Iterable[JSON]) -> str:
    """The metric that failed in the newest run that did, with its last value; empty when none."""
    bad = [run for run in runs if dig(run, "status").get("phase") in _BAD]
    return next((_told(row) for row in _results(bad) if row.get("phase") in _BAD), "")


def _measured(rollout: JSON, runs: Iterable[JSON]) -> str:
    """What the analysis before this step found: its metrics and their last values. It is over, so they stay."""
    steps, index = _steps(rollout), dig(rollout, "status").get("currentStepIndex")
    if not isinstance(index, int) or not 0 < index <= len(steps) or "analysis" not in steps[index - 1]:
        return ""
    there = [run for run in runs if dig(run, "metadata", "labels").get(STEP_INDEX) == str(index - 1)]
    good = [row for row in _results(there) if row.get("phase") == "Successful" and not row.get("dryRun")]
    values = [f"{row.get('name')} {_last_value(row)}".strip() for row in good[:_SHOWN]]
    return f" ({', '.join(values)})" if values else ""


def _last_value(row: Mapping[str, Any]) -> str:
    judged = [one for one in row.get("measurements") or () if one.get("phase") == row.get("phase")]
    return str(judged[-1].get("value") or "passed")[:_LONGEST_VALUE] if judged else "passed"


def _told(row: Mapping[str, Any]) -> str:
    """`success-rate failed: 0.42`, with the last measurement that was judged so."""
    judged = [one for one in row.get("measurements") or () if one.get("phase") == row.get("phase")]
    last = judged[-1] if judged else {}
    value = str(last.get("value") or last.get("message") or row.get("message") or "")[:_LONGEST_VALUE]
    verb = {"Failed": "failed", "Error": "had errors", "Inconclusive": "is inconclusive"}[str(row["phase"])]
    return f"{row.get('name')} {verb}" + (f": {value}" if value else "")
