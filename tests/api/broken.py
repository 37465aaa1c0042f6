"""Rollouts that each break one rule, and what is said of it: checked in memory, and on a real API server."""

from __future__ import annotations

from typing import Any

from tests.api.samples import (
    CONTAINER,
    ROUTED,
    TEMPLATE,
    rollout,
    with_container,
    with_pod,
    with_spec,
    with_step,
)

CANARY = "spec.strategy.canary"
STEP = f"{CANARY}.steps[0]"
POD = "spec.template.spec"
APP = f"{POD}.containers[0]"
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
ISTIO = {"istio": {"virtualService": {"name": "v"}}}


def routed(routing: dict[str, Any], **canary: Any) -> dict[str, Any]:
    return rollout(canary={**ROUTED, "trafficRouting": routing, **canary})


def matched(value: dict[str, Any]) -> dict[str, Any]:
    """A header route for the requests whose header x fits this."""
    step = {"setHeaderRoute": {"name": "r", "match": [{"headerName": "x", "headerValue": value}]}}
    return routed({**ISTIO, "managedRoutes": [{"name": "r"}]}, steps=[step])


def blue_green(**fields: Any) -> dict[str, Any]:
    return rollout(blueGreen={"activeService": "active", **fields})


def analysis_step(**fields: Any) -> dict[str, Any]:
    return with_step({"analysis": {"templates": [{"templateName": "t"}], **fields}})


BROKEN: list[tuple[dict[str, Any], str, str]] = [
    # the Rollout as a whole
    (with_spec(replicas=-1), "spec.replicas", "must be 0 or more, not -1"),
    (with_spec(minReadySeconds=-1), "spec.minReadySeconds", "must be 0 or more, not -1"),
    (with_spec(revisionHistoryLimit=-1), "spec.revisionHistoryLimit", "must be 0 or more, not -1"),
    (with_spec(minReadySeconds=600), "spec.progressDeadlineSeconds", "must be greater than minReadySeconds (600)"),
    (with_spec(rollbackWindow={"revisions": -1}), "spec.rollbackWindow.revisions", "must be 0 or more, not -1"),
    (with_spec(analysis={"successfulRunHistoryLimit": -1}), "spec.analysis.successfulRunHistoryLimit", "must be 0"),
    (with_spec(selector=None), "spec.selector", "is required"),
    (with_spec(selector={}), "spec.selector", "must not be empty"),
    (with_spec(selector={"matchLabels": {"app": "b"}}), "spec.template.metadata.labels", "(spec.selector) must match"),
    (
        with_spec(selector={"matchExpressions": [{"key": "app", "operator": "NotIn"}]}),
        "spec.selector.matchExpressions[0].values",
        "must have values",
    ),
    (with_spec(template=None), "spec.template", "is required (or a workloadRef"),
    (with_spec(strategy=None), "spec.strategy", "is required: set one of canary, blueGreen"),
    (with_spec(strategy={}), "spec.strategy", "set one of canary, blueGreen"),
    (
        rollout(canary={}, blueGreen={"activeService": "a"}),
        "spec.strategy",
        "set only one of canary, blueGreen",
    ),
    # workloads referred to
    (
        with_spec(workloadRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}),
        "spec.template",
        "must be empty",
    ),
    (
        with_spec(template=None, selector=None, workloadRef={"apiVersion": "apps/v1", "kind": "Deployment"}),
        "spec.workloadRef.name",
        "is required",
    ),
    (
        with_spec(template=None, selector=None, workloadRef={"apiVersion": "apps/v1", "kind": "Pod", "name": "d"}),
        "spec.workloadRef.kind",
        'must be one of Deployment, ReplicaSet, PodTemplate, not "Pod"',
    ),
    (
        with_spec(template=None, selector=None, workloadRef={"apiVersion": "v1", "kind": "Deployment", "name": "d"}),
        "spec.workloadRef.apiVersion",
        'must be apps/v1 for a Deployment, not "v1"',
    ),
    # pods
    (with_spec(template={"metadata": TEMPLATE["metadata"]}), POD, "is required"),
    (with_pod(containers=[]), f"{POD}.containers", "at least one container is required"),
    (with_pod(restartPolicy="Never"), f"{POD}.restartPolicy", 'must be Always, not "Never"'),
    (with_pod(activeDeadlineSeconds=5), f"{POD}.activeDeadlineSeconds", "can't be used"),
    (with_pod(containers=["app"]), APP, "must be an object"),
    (with_container(name=None), f"{APP}.name", "is required"),
    (with_container(name="App_1"), f"{APP}.name", '"App_1" is no name'),
    (with_container(image=""), f"{APP}.image", "is required"),
    (with_container(image=" x"), f"{APP}.image", "must not begin or end with a space"),
    (with_container(ports=[{"containerPort": 0}]), f"{APP}.ports[0].containerPort", "must be between 1 and 65535"),
    (
        with_container(ports=[{"containerPort": "80"}]),
        f"{APP}.ports[0].containerPort",
        'must be between 1 and 65535, not the text "80"',
    ),
    (with_container(ports=[{"containerPort": 1}] * 2), f"{APP}.ports[1]", "port 1/TCP is there already"),
    (
        with_container(ports=[{"name": "p", "containerPort": 1}, {"name": "p", "containerPort": 2}]),
        f"{APP}.ports[1].name",
        '"p" is there already',
    ),
    (with_container(resources={"limits": "1"}), f"{APP}.resources.limits", "must be an object of amounts"),
    (
        with_container(resources={"requests": {"cpu": "2 cores"}}),
        f"{APP}.resources.requests.cpu",
        '"2 cores" is no quantity',
    ),
    (
        with_container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        f"{APP}.volumeMounts[0].name",
        'there is no volume "v" in the pod',
    ),
    (with_pod(volumes=[{"name": "v"}] * 2), f"{POD}.volumes[1].name", '"v" is there already'),
    (with_pod(initContainers=[CONTAINER]), APP + ".name", '"app" is there already'),
    (
        with_spec(template={"metadata": {"labels": {"app": "app", "a b": "c"}}, "spec": TEMPLATE["spec"]}),
        "spec.template.metadata.labels[a b]",
        "is no label key",
    ),
    # canary
    (rollout(canary={"maxSurge": 0, "maxUnavailable": "0%"}), f"{CANARY}.maxSurge", "must not be 0 when"),
    (rollout(canary={"maxSurge": -1}), f"{CANARY}.maxSurge", "must be 0 or more, not -1"),
    (rollout(canary={"maxSurge": "many"}), f"{CANARY}.maxSurge", '"many" is neither a whole number nor a percentage'),
    (rollout(canary={"maxUnavailable": "101%"}), f"{CANARY}.maxUnavailable", "must not be more than 100%"),
    (
        rollout(canary={"canaryService": "s", "stableService": "s"}),
        f"{CANARY}.stableService",
        "must be another Service",
    ),
    (
        rollout(canary={"scaleDownDelaySeconds": 0}),
        f"{CANARY}.scaleDownDelaySeconds",
        "only be used with trafficRouting",
    ),
    (rollout(canary={"dynamicStableScale": True}), f"{CANARY}.dynamicStableScale", "only be used with trafficRouting"),
    (
        rollout(canary={**ROUTED, "dynamicStableScale": True, "scaleDownDelaySeconds": 5}),
        f"{CANARY}.scaleDownDelaySeconds",
        "can't be used with dynamicStableScale",
    ),
    (rollout(canary={"minPodsPerReplicaSet": -1}), f"{CANARY}.minPodsPerReplicaSet", "must be 0 or more"),
    (
        rollout(canary={"replicaProgressThreshold": {"type": "Percent", "value": 101}}),
        f"{CANARY}.replicaProgressThreshold.value",
        "must be between 1 and 100",
    ),
    (rollout(canary={"antiAffinity": {}}), f"{CANARY}.antiAffinity", "set one of preferredDuring"),
    (
        rollout(canary={"antiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 0}}}),
        f"{CANARY}.antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight",
        "must be between 1 and 100, not 0",
    ),
    # steps
    (with_step({}), STEP, "set one of setWeight, pause"),
    (with_step({"setWeight": 1, "pause": {}}), STEP, "set only one of setWeight, pause"),
    (with_step({"setWeight": 101}), f"{STEP}.setWeight", "needs to be between 0 and 100, not 101"),
    (with_step({"setWeight": -1}), f"{STEP}.setWeight", "needs to be between 0 and 100, not -1"),
    (with_step({"pause": {"duration": -1}}), f"{STEP}.pause.duration", "must be between 0 and"),
    (with_step({"pause": {"duration": "1x"}}), f"{STEP}.pause.duration", 'invalid duration "1x"'),
    (with_step({"setCanaryScale": {"weight": 5}}), f"{STEP}.setCanaryScale", "only be used with trafficRouting"),
    (with_step({"setCanaryScale": {"weight": 101}}, **ROUTED), f"{STEP}.setCanaryScale.weight", "between 0 and 100"),
    (with_step({"setCanaryScale": {"replicas": -1}}, **ROUTED), f"{STEP}.setCanaryScale.replicas", "must be 0 or more"),
    (
        with_step({"setHeaderRoute": {"name": "r"}}, **ROUTED),
        f"{STEP}.setHeaderRoute",
        "needs trafficRouting by one of alb, apisix, istio, plugins",
    ),
    (
        routed(ISTIO, steps=[{"setHeaderRoute": {"name": "r"}}]),
        f"{STEP}.setHeaderRoute.name",
        '"r" is not in trafficRouting.managedRoutes',
    ),
    (
        routed(
            {"alb": {"ingress": "i", "servicePort": 80}, "managedRoutes": [{"name": "r"}]},
            steps=[{"setHeaderRoute": {"name": "r", "match": [{"headerName": "h", "headerValue": {"regex": "x"}}]}}],
        ),
        f"{STEP}.setHeaderRoute.match[0].headerValue",
        "must be exact",
    ),
    (
        routed(
            {**ISTIO, "managedRoutes": [{"name": "r"}]},
            steps=[{"setMirrorRoute": {"name": "r", "match": [{"path": {}}]}}],
        ),
        f"{STEP}.setMirrorRoute.match[0].path",
        "set one of exact, prefix, regex",
    ),
    (
        with_step({"setMirrorRoute": {"name": "r"}}, **ROUTED),
        f"{STEP}.setMirrorRoute",
        "needs trafficRouting by one of istio, plugins",
    ),
    (
        routed(
            {**ISTIO, "managedRoutes": [{"name": "r"}]}, steps=[{"setMirrorRoute": {"name": "r", "percentage": 101}}]
        ),
        f"{STEP}.setMirrorRoute.percentage",
        "between 0 and 100",
    ),
    (with_step({"plugin": {"name": ""}}), f"{STEP}.plugin.name", "is required"),
    (with_step({"experiment": {"templates": []}}), f"{STEP}.experiment.templates", "at least one template"),
    (
        with_step({"experiment": {"templates": [{"name": "a", "specRef": "canary", "weight": 5}]}}),
        f"{STEP}.experiment.templates[0].weight",
        "needs trafficRouting by one of alb, istio, plugins, smi",
    ),
    (
        with_step({"experiment": {"templates": [{"name": "a", "specRef": "canary"}] * 2}}),
        f"{STEP}.experiment.templates[1].name",
        '"a" is there already',
    ),
    (
        with_step({"experiment": {"templates": [{"name": "a", "specRef": "canary"}], "duration": "5"}}),
        f"{STEP}.experiment.duration",
        'invalid duration "5"',
    ),
    # analysis in a strategy
    (with_step({"analysis": {}}), f"{STEP}.analysis.templates", "at least one template is required"),
    (with_step({"analysis": {"templates": [{}]}}), f"{STEP}.analysis.templates[0].templateName", "is required"),
    (
        with_step({"analysis": {"templates": [{"templateName": "t"}] * 2}}),
        f"{STEP}.analysis.templates[1].templateName",
        '"t" is there already',
    ),
    (
        analysis_step(args=[{"name": "a", "value": "1", "valueFrom": {"podTemplateHashValue": "Stable"}}]),
        f"{STEP}.analysis.args[0]",
        "set only one of value, valueFrom",
    ),
    (analysis_step(args=[{"name": "a"}, {"name": "a"}]), f"{STEP}.analysis.args[1].name", '"a" is there already'),
    (analysis_step(args=[{"name": "a", "valueFrom": {}}]), f"{STEP}.analysis.args[0].valueFrom", "set one of"),
    (
        analysis_step(args=[{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata..x"}}}]),
        f"{STEP}.analysis.args[0].valueFrom.fieldRef.fieldPath",
        '"metadata..x" is no path of a field',
    ),
    (rollout(canary={"analysis": {"startingStep": 1}}), f"{CANARY}.analysis.templates", "at least one template"),
    # routers
    (
        rollout(canary={"trafficRouting": {"smi": {}}, "stableService": "s"}),
        f"{CANARY}.canaryService",
        "is required with trafficRouting by smi",
    ),
    (rollout(canary={"trafficRouting": ISTIO, "canaryService": "s"}), f"{CANARY}.stableService", "by istio"),
    (routed({"istio": {}}), f"{CANARY}.trafficRouting.istio", "set one of virtualService, virtualServices"),
    (routed({"nginx": {}}), f"{CANARY}.trafficRouting.nginx", "set one of stableIngress, stableIngresses"),
    (
        routed({"nginx": {"stableIngress": "a", "stableIngresses": ["b"]}}),
        f"{CANARY}.trafficRouting.nginx",
        "set only one of stableIngress, stableIngresses",
    ),
    (
        routed(
            {"alb": {"ingress": "i", "servicePort": 80, "stickinessConfig": {"enabled": True, "durationSeconds": 0}}}
        ),
        f"{CANARY}.trafficRouting.alb.stickinessConfig.durationSeconds",
        "must be between 1 and 604800",
    ),
    (
        routed({"smi": {}, "maxTrafficWeight": 1000}),
        f"{CANARY}.trafficRouting.maxTrafficWeight",
        "only be used with nginx",
    ),
    (routed({"ambassador": {"mappings": []}}), f"{CANARY}.trafficRouting.ambassador.mappings", "at least one"),
    (
        routed({**ISTIO, "managedRoutes": [{"name": "r"}, {"name": "r"}]}),
        f"{CANARY}.trafficRouting.managedRoutes[1].name",
        '"r" is there already',
    ),
    (
        rollout(canary={"pingPong": {"pingService": "a", "pongService": "b"}}),
        f"{CANARY}.pingPong",
        "only be used with trafficRouting",
    ),
    (
        rollout(canary={"pingPong": {"pingService": "a", "pongService": "a"}, "trafficRouting": ISTIO}),
        f"{CANARY}.pingPong.pongService",
        "must be another Service",
    ),
    (
        rollout(canary={"pingPong": {"pingService": "a", "pongService": "b"}, "trafficRouting": {"smi": {}}}),
        f"{CANARY}.pingPong",
        "needs trafficRouting by one of alb, istio, plugins",
    ),
    (
        rollout(
            canary={
                "pingPong": {"pingService": "a", "pongService": "b"},
                "trafficRouting": {"alb": {"ingress": "i", "servicePort": 80}},
            }
        ),
        f"{CANARY}.trafficRouting.alb.rootService",
        "is required with pingPong",
    ),
    # blue/green
    (rollout(blueGreen={"activeService": ""}), "spec.strategy.blueGreen.activeService", "is required"),
    (blue_green(previewService="active"), "spec.strategy.blueGreen.previewService", "must be another Service"),
    (blue_green(autoPromotionSeconds=-1), "spec.strategy.blueGreen.autoPromotionSeconds", "must be 0 or more"),
    (
        blue_green(scaleDownDelayRevisionLimit=11),
        "spec.strategy.blueGreen.scaleDownDelayRevisionLimit",
        "must not be more than the revision history limit (10), not 11",
    ),
    (
        blue_green(prePromotionAnalysis={}),
        "spec.strategy.blueGreen.prePromotionAnalysis.templates",
        "at least one template is required",
    ),
]


TWO_SERVICES: dict[str, Any] = {
    "alb": {"ingress": "i", "servicePort": 80},
    "nginx": {"stableIngress": "i"},
    "smi": {},
    "apisix": {"route": {"name": "r"}},
    "ambassador": {"mappings": ["m"]},
    "appMesh": {
        "virtualService": {"name": "v"},
        "virtualNodeGroup": {"canaryVirtualNodeRef": {"name": "c"}, "stableVirtualNodeRef": {"name": "s"}},
    },
    "traefik": {"weightedTraefikServiceName": "t"},
    "istio": {"virtualService": {"name": "v"}},
}

#: What people know from the peer, search for and match on → a Rollout that makes it be said, and where.
KNOWN: list[tuple[str, dict[str, Any], str]] = [
    ("Rollout has missing field '.spec.selector'", with_spec(selector=None), "spec.selector"),
    ("Rollout has missing field '.spec.template'", with_spec(template=None), "spec.template"),
    (
        "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
        with_spec(strategy=None),
        "spec.strategy",
    ),
    ("empty selector is invalid for deployment", with_spec(selector={}), "spec.selector"),
    (
        "`selector` does not match template `labels`",
        with_spec(selector={"matchLabels": {"app": "b"}}),
        "spec.template.metadata.labels",
    ),
    (
        "Multiple Strategies can not be listed",
        rollout(canary={}, blueGreen={"activeService": "a"}),
        "spec.strategy",
    ),
    (
        "MaxSurge and MaxUnavailable both can not be zero",
        rollout(canary={"maxSurge": 0, "maxUnavailable": 0}),
        f"{CANARY}.maxSurge",
    ),
    (
        "This rollout uses the same service for the stable and canary services, but two different services are "
        "required.",
        rollout(canary={"canaryService": "s", "stableService": "s"}),
        f"{CANARY}.stableService",
    ),
    (
        "This rollout uses the same service for the ping and pong services, but two different services are required.",
        rollout(canary={"pingPong": {"pingService": "a", "pongService": "a"}, "trafficRouting": ISTIO}),
        f"{CANARY}.pingPong.pongService",
    ),
    (
        "This rollout uses the same service for the active and preview services, but two different services are "
        "required.",
        blue_green(previewService="active"),
        "spec.strategy.blueGreen.previewService",
    ),
    (
        "This rollout's revision history limit can not be smaller than the rollout's scale down limit",
        blue_green(scaleDownDelayRevisionLimit=11),
        "spec.strategy.blueGreen.scaleDownDelayRevisionLimit",
    ),
    (
        "AntiAffinity must have exactly one strategy listed",
        rollout(canary={"antiAffinity": {}}),
        f"{CANARY}.antiAffinity",
    ),
    ("SetWeight needs to be between 0 and 100", with_step({"setWeight": 101}), f"{STEP}.setWeight"),
    ("Duration needs to be greater than 0", with_step({"pause": {"duration": -1}}), f"{STEP}.pause.duration"),
    (
        "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause",
        with_step({}),
        STEP,
    ),
    (
        "SetCanaryScale requires TrafficRouting to be set",
        with_step({"setCanaryScale": {"weight": 5}}),
        f"{STEP}.setCanaryScale",
    ),
    (
        "Experiment template weight cannot be set unless TrafficRouting is enabled",
        with_step({"experiment": {"templates": [{"name": "a", "specRef": "canary", "weight": 5}]}}),
        f"{STEP}.experiment.templates[0].weight",
    ),
    (
        "SetHeaderRoute match value invalid. ALB supports 'exact' value only",
        routed(
            {"alb": {"ingress": "i", "servicePort": 80}, "managedRoutes": [{"name": "r"}]},
            steps=[{"setHeaderRoute": {"name": "r", "match": [{"headerName": "h", "headerValue": {"regex": "x"}}]}}],
        ),
        f"{STEP}.setHeaderRoute.match[0].headerValue",
    ),
    (
        "Canary scaleDownDelaySeconds can only be used with traffic routing",
        rollout(canary={"scaleDownDelaySeconds": 5}),
        f"{CANARY}.scaleDownDelaySeconds",
    ),
    (
        "Canary dynamicStableScale can only be used with traffic routing",
        rollout(canary={"dynamicStableScale": True}),
        f"{CANARY}.dynamicStableScale",
    ),
    (
        "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds",
        rollout(canary={**ROUTED, "dynamicStableScale": True, "scaleDownDelaySeconds": 5}),
        f"{CANARY}.scaleDownDelaySeconds",
    ),
    (
        "Root service field is required for the configuration with ALB and ping-pong feature enabled",
        rollout(
            canary={
                "pingPong": {"pingService": "a", "pongService": "b"},
                "trafficRouting": {"alb": {"ingress": "i", "servicePort": 80}},
            }
        ),
        f"{CANARY}.trafficRouting.alb.rootService",
    ),
    (
        "Canary service and Stable service must to be set to use Traffic Routing",
        rollout(canary={"trafficRouting": {"smi": {}}, "stableService": "s"}),
        f"{CANARY}.canaryService",
    ),
    (
        "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins",
        routed({"smi": {}, "maxTrafficWeight": 1000}),
        f"{CANARY}.trafficRouting.maxTrafficWeight",
    ),
    (
        "Ping service and Pong service must to be set to use Ping-Pong feature",
        rollout(canary={"pingPong": {"pingService": "a", "pongService": ""}, "trafficRouting": ISTIO}),
        f"{CANARY}.pingPong.pongService",
    ),
    (
        "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only",
        rollout(canary={"pingPong": {"pingService": "a", "pongService": "b"}, "trafficRouting": {"smi": {}}}),
        f"{CANARY}.pingPong",
    ),
    (
        "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix",
        with_step({"setHeaderRoute": {"name": "r"}}, **ROUTED),
        f"{STEP}.setHeaderRoute",
    ),
    (
        "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins",
        with_step({"setMirrorRoute": {"name": "r"}}),
        f"{STEP}.setMirrorRoute",
    ),
    (
        "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'",
        routed(ISTIO, steps=[{"setHeaderRoute": {"name": "r"}}]),
        f"{STEP}.setHeaderRoute.name",
    ),
    (
        "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes",
        routed({**ISTIO, "managedRoutes": [{"name": "other"}]}, steps=[{"setMirrorRoute": {"name": "r"}}]),
        f"{STEP}.setMirrorRoute.name",
    ),
    (
        "StringMatch value missed, match value must have one of the following: exact, regex, prefix",
        matched({}),
        f"{STEP}.setHeaderRoute.match[0].headerValue",
    ),
    (
        "StringMatch match value must have exactly one of the following: exact, regex, prefix",
        matched({"exact": "x", "prefix": "y"}),
        f"{STEP}.setHeaderRoute.match[0].headerValue",
    ),
    (
        "AntiAffinity weight must be between 1-100",
        blue_green(antiAffinity={"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 101}}),
        "spec.strategy.blueGreen.antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight",
    ),
    (
        "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time",
        routed(
            {"nginx": {"stableIngress": "i"}},
            steps=[{"experiment": {"templates": [{"name": "a", "specRef": "canary", "weight": 5}]}}],
        ),
        f"{STEP}.experiment.templates[0].weight",
    ),
    (
        "Analyses arguments must refer to valid object metadata supported by downwardAPI",
        analysis_step(args=[{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata..x"}}}]),
        f"{STEP}.analysis.args[0].valueFrom.fieldRef.fieldPath",
    ),
    (
        "must be greater than minReadySeconds",
        with_spec(minReadySeconds=600),
        "spec.progressDeadlineSeconds",
    ),
]
