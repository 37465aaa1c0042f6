"""Sentences people know from Argo Rollouts, search for and match on. Errors begin with them; what to do follows."""

from __future__ import annotations

from typing import Final

MISSING: Final = "Rollout has missing field '{}'"
SELECTS_ALL: Final = "This rollout is selecting all pods. A non-empty selector is required."
ONE_STRATEGY: Final = "Multiple Strategies can not be listed"
SURGE: Final = "MaxSurge and MaxUnavailable both can not be zero"
SAME_SERVICES: Final = (
    "This rollout uses the same service for the {} and {} services, but two different services are required."
)
HISTORY: Final = "This rollout's revision history limit can not be smaller than the rollout's scale down limit"
ANTI_AFFINITY: Final = "AntiAffinity must have exactly one strategy listed"
WEIGHT: Final = "SetWeight needs to be between 0 and {}"
DURATION: Final = "Duration needs to be greater than 0"
STEP: Final = "Step must have one of the following set: experiment, setWeight, setCanaryScale or pause"
SCALE: Final = "SetCanaryScale requires TrafficRouting to be set"
EXPERIMENT_WEIGHT: Final = "Experiment template weight cannot be set unless TrafficRouting is enabled"
EXACT_HEADERS: Final = "SetHeaderRoute match value invalid. ALB supports 'exact' value only"
ROUTED_ONLY: Final = "Canary {} can only be used with traffic routing"
DYNAMIC: Final = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
ROOT_SERVICE: Final = "Root service field is required for the configuration with ALB and ping-pong feature enabled"
