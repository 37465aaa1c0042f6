"""Only what a status may contain: values of another type are taken for absent, so that they can't stop a decision.

Our CRDs let nothing else in; other people's, and other people's programs, may. What is taken for absent is written
afresh with the next status, so such a status heals. Unknown keys are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

JSON = Mapping[str, Any]

_RUN: Final = {"name": str, "status": str, "message": str}
_WEIGHT: Final = {"weight": int, "serviceName": str, "podTemplateHash": str}
_CONDITION: Final = {
    **dict.fromkeys(("type", "status", "reason", "message", "lastUpdateTime", "lastTransitionTime"), str),
}
SHAPE: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("abort", "controllerPause", "promoteFull"), bool),
    **dict.fromkeys(("currentStepIndex", "collisionCount"), int),
    **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas"), int),
    **dict.fromkeys(("abortedAt", "restartedAt", "phase", "message", "selector"), str),
    **dict.fromkeys(("currentPodHash", "currentStepHash", "stableRS"), str),
    "conditions": [_CONDITION],
    "pauseConditions": [{"reason": str, "startTime": str}],
    "canary": {
        "currentStepAnalysisRunStatus": _RUN,
        "currentBackgroundAnalysisRunStatus": _RUN,
        "currentExperiment": str,
        "stablePingPong": str,
        "pausedStepIndex": int,
        "weights": {"canary": _WEIGHT, "stable": _WEIGHT, "additional": [_WEIGHT], "verified": bool},
    },
    "blueGreen": {
        "activeSelector": str,
        "previewSelector": str,
        "scaleUpPreviewCheckPoint": bool,
        "prePromotionAnalysisRunStatus": _RUN,
        "postPromotionAnalysisRunStatus": _RUN,
    },
    "duration": {
        **dict.fromkeys(("rolloutStartedAt", "manualPauseStartedAt", "finishedAt", "completionStatus"), str),
        "totalManualPauseDurationSeconds": int,
    },
}
"""Types by key; a list stands for lists of what is in it. `observedGeneration` is read as text whatever it is."""
EXPERIMENT: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("phase", "message", "availableAt"), str),
    "conditions": [_CONDITION],
    "templateStatuses": [
        {
            **dict.fromkeys(("name", "status", "message", "lastTransitionTime", "serviceName", "podTemplateHash"), str),
            **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), int),
            "collisionCount": int,
        }
    ],
    "analysisRuns": [dict.fromkeys(("name", "analysisRun", "phase", "message"), str)],
}
"""The same for the status of an Experiment."""
TEMPLATE: Final[Mapping[str, Any]] = {
    "metrics": [{"name": str}],
    "args": [{"name": str, "valueFrom": {"fieldRef": {"fieldPath": str}}}],
    "templates": [{"templateName": str, "clusterScope": bool}],
    "dryRun": [{}],
    "measurementRetention": [{}],
    "score": {},
}
"""What has to be so of an AnalysisTemplate's spec to make a run of it; the rest is the run's matter."""
_TOGETHER: Final = {"pauseConditions": "controllerPause"}
"""Without its pauses the controller's pause would look as if somebody had ended it."""


def status(found: object) -> JSON:
    """The status of a Rollout without the keys whose values are of another type."""
    return _without(found, SHAPE)


def experiment(found: object) -> JSON:
    """The same for the status of an Experiment."""
    return _without(found, EXPERIMENT)


def _without(found: object, shape: Mapping[str, Any]) -> JSON:
    if not isinstance(found, Mapping):
        return {}
    bad = {key for key, value in found.items() if key in shape and not fits(value, shape[key])}
    bad |= {_TOGETHER[key] for key in bad & _TOGETHER.keys() if found[key] is not None}
    return {key: value for key, value in found.items() if key not in bad} if bad else found


def fits(value: Any, shape: Any) -> bool:
    """Whether a value has a shape: exactly that type, or all its parts theirs. Absent keys are fine, and numbers are of
    the size Kubernetes has them."""
    if isinstance(shape, dict):
        return isinstance(value, Mapping) and all(fits(value[key], shape[key]) for key in shape if key in value)
    if isinstance(shape, list):
        return isinstance(value, list | tuple) and all(fits(item, shape[0]) for item in value)
    return type(value) is shape and (shape is not int or abs(value) < 2**31)
