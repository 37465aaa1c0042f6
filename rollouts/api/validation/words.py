"""Sentences people know from Argo Rollouts, search for and match on. Errors begin with them; what to do follows."""

from __future__ import annotations

from typing import Final

MISSING: Final = "Rollout has missing field '{}'"
SELECTS_ALL: Final = "empty selector is invalid for deployment"
ONE_STRATEGY: Final = "Multiple Strategies can not be listed"
SURGE: Final = "MaxSurge and MaxUnavailable both can not be zero"
SAME_SERVICES: Final = (
    "This rollout uses the same service for the {} and {} services, but two different services are required."
)
HISTORY: Final = "This rollout's revision history limit can not be smaller than the rollout's scale down limit"
ANTI_AFFINITY: Final = "AntiAffinity must have exactly one strategy listed"
WEIGHT: Final = "SetWeight needs to be between 0 and {}"
DURATION: Final = "Duration needs to be greater than 0"
STEP: Final = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"
SCALE: Final = "SetCanaryScale requires TrafficRouting to be set"
EXPERIMENT_WEIGHT: Final = "Experiment template weight cannot be set unless TrafficRouting is enabled"
EXACT_HEADERS: Final = "SetHeaderRoute match value invalid. ALB supports 'exact' value only"
ROUTED_ONLY: Final = "Canary {} can only be used with traffic routing"
DYNAMIC: Final = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
TWO_SERVICES: Final = "Canary service and Stable service must to be set to use Traffic Routing"
MAX_WEIGHT: Final = "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins"
PING_AND_PONG: Final = "Ping service and Pong service must to be set to use Ping-Pong feature"
PING_PONG_ROUTERS: Final = "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only"
HEADER_ROUTERS: Final = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix"
MIRROR_ROUTERS: Final = "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins"
WEIGHT_ROUTERS: Final = (
    "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time"
)
NO_MATCH: Final = "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
MATCHES: Final = "StringMatch match value must have exactly one of the following: exact, regex, prefix"
MANAGED_ROUTES: Final = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes"
AFFINITY_WEIGHT: Final = "AntiAffinity weight must be between 1-100"
FIELD_PATH: Final = "Analyses arguments must refer to valid object metadata supported by downwardAPI"
ROOT_SERVICE: Final = "Root service field is required for the configuration with ALB and ping-pong feature enabled"
