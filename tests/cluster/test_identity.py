"""A template means the same before and after a real API server stored it, and nothing else does.

The table touches every field the API server defaults in a pod template, and the ways of writing one thing twice.
"""

import json
from collections.abc import Mapping
from typing import Any

from rollouts.strategy import identity, podhash
from tests.cluster.harness import Kubectl

JSON = Mapping[str, Any]
DIGEST = f"sha256:{'0' * 64}"


def pod(*, metadata: JSON | None = None, container: JSON | None = None, **spec: Any) -> dict[str, Any]:
    """A pod template with one container, which `container` adds to."""
    first = {"name": "main", "image": "main:1", **(container or {})}
    return {"metadata": {"labels": {"app": "odd"}, **(metadata or {})}, "spec": {"containers": [first], **spec}}


def image(reference: str) -> dict[str, Any]:
    return pod(container={"image": reference})


def volume(**source: Any) -> dict[str, Any]:
    return pod(volumes=[{"name": "v", **source}])


def probe(**probe: Any) -> dict[str, Any]:
    return pod(container={"livenessProbe": probe, "readinessProbe": probe, "startupProbe": {**probe}})


def hook(**action: Any) -> dict[str, Any]:
    return pod(container={"lifecycle": {"postStart": action, "preStop": action}})


def env(**source: Any) -> dict[str, Any]:
    return pod(container={"env": [{"name": "A", "valueFrom": source}, {"name": "B"}, {"name": "C", "value": ""}]})


def resources(**resources: Any) -> dict[str, Any]:
    return pod(container={"resources": resources})


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}
TEMPLATES: dict[str, dict[str, Any]] = {
    "plain": pod(),
    "image-untagged": image("nginx"),
    "image-latest": image("nginx:latest"),
    "image-tagged": image("registry.example:5000/team/nginx:1.25"),
    "image-port-untagged": image("registry.example:5000/nginx"),
    "image-digest": image(f"nginx@{DIGEST}"),
    "image-tag-and-digest": image(f"nginx:latest@{DIGEST}"),
    "image-capitals": image("Nginx"),
    "image-capital-domain": image("Registry/nginx"),
    "image-nonsense": image("::::"),
    "image-identifier": image("a" * 64),
    "policy-never": pod(container={"imagePullPolicy": "Never"}),
    "ports": pod(container={"ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP", "name": "u"}]}),
    "host-network": pod(hostNetwork=True, container={"ports": [{"containerPort": 80, "hostPort": 80}]}),
    "probe-http": probe(httpGet={"port": 80}),
    "probe-http-named": probe(httpGet={"port": "http", "path": "/", "scheme": "HTTPS", "httpHeaders": []}),
    "probe-grpc": probe(grpc={"port": 80}),
    "probe-tcp": probe(tcpSocket={"port": "web"}, periodSeconds=3),
    "probe-exec": probe(exec={"command": ["true", "<&>"]}, initialDelaySeconds=0, timeoutSeconds=5),
    "hook-http": hook(httpGet={"port": 80}),
    "hook-exec": hook(exec={"command": ["sh", "-c", "a && b > c"]}),
    "hook-sleep": hook(sleep={"seconds": 3}),
    "env-field": env(fieldRef={"fieldPath": "metadata.name"}),
    "env-resource": env(resourceFieldRef={"resource": "limits.cpu"}),
    "env-resource-divisor": env(resourceFieldRef={"resource": "limits.cpu", "divisor": "0.001"}),
    "env-secret": env(secretKeyRef={"name": "s", "key": "k"}),
    "env-config": env(configMapKeyRef={"name": "s", "key": "k", "optional": False}),
    "env-from": pod(container={"envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}]}),
    "resources-decimal": resources(limits={"cpu": "0.5", "memory": "1.5Gi"}, requests={"cpu": "500m"}),
    "resources-number": resources(limits={"cpu": 2, "memory": 1000000000}),
    "resources-exponent": resources(requests={"memory": "1e9", "cpu": "0.0001"}),
    "resources-empty": resources(limits={}, requests={}),
    "resize": pod(container={"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]}),
    "security-empty": pod(container={"securityContext": {}}, securityContext={}),
    "security": pod(securityContext={"runAsUser": 0, "fsGroup": 1, "seccompProfile": {"type": "RuntimeDefault"}}),
    "capabilities": pod(container={"securityContext": {"capabilities": {"drop": ["ALL"]}, "privileged": False}}),
    "init": pod(initContainers=[{"name": "i", "image": "init", "ports": [{"containerPort": 1}]}]),
    "sidecar": pod(initContainers=[{"name": "i", "image": "i:1", "restartPolicy": "Always"}]),
    "pod-fields": pod(
        terminationGracePeriodSeconds=0,
        activeDeadlineSeconds=None,
        dnsPolicy="None",
        dnsConfig={"nameservers": ["10.0.0.1"], "options": [{"name": "ndots", "value": "2"}]},
        hostAliases=[{"ip": "10.0.0.1", "hostnames": ["a"]}],
        enableServiceLinks=False,
        automountServiceAccountToken=False,
        shareProcessNamespace=True,
        nodeSelector={"b": "1", "a": "2"},
        schedulerName="mine",
        imagePullSecrets=[{"name": "s"}],
        runtimeClassName="r",
        priorityClassName="p",
        readinessGates=[{"conditionType": "www.example.com/gate"}],
        os={"name": "linux"},
    ),
    "service-account": pod(serviceAccountName="robot"),
    "service-account-old": pod(serviceAccount="robot"),
    "service-account-both": pod(serviceAccount="old", serviceAccountName="robot"),
    "overhead": pod(overhead={"cpu": "0.25"}),
    "pod-resources": pod(resources={"limits": {"cpu": "1.0"}}),
    "tolerations": pod(
        tolerations=[{"operator": "Exists"}, {"key": "k", "effect": "NoExecute", "tolerationSeconds": 0}]
    ),
    "spread": pod(
        topologySpreadConstraints=[
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ]
    ),
    "affinity-empty": pod(affinity={}),
    "affinity": pod(
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {"matchLabels": {"a": "b"}}, "topologyKey": "zone"}
                ]
            },
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
                ]
            },
        }
    ),
    "volume-nothing": volume(),
    "volume-empty-dir": volume(emptyDir={"sizeLimit": "1024Ki", "medium": "Memory"}),
    "volume-secret": volume(secret={"secretName": "s", "items": [{"key": "a", "path": "b"}]}),
    "volume-config": volume(configMap={"name": "c", "defaultMode": 0}),
    "volume-config-plain": volume(configMap={"name": "c"}),
    "volume-host-path": volume(hostPath={"path": "/x"}),
    "volume-downward": volume(downwardAPI={"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.labels"}}]}),
    "volume-projected": volume(
        projected={
            "sources": [
                {"serviceAccountToken": {"path": "t"}},
                {"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                {"configMap": {"name": "c"}},
                {"secret": {"name": "s"}},
            ]
        }
    ),
    "volume-ephemeral": volume(ephemeral={"volumeClaimTemplate": {"spec": CLAIM}}),
    "volume-claim": volume(persistentVolumeClaim={"claimName": "c"}),
    "volume-image": volume(image={"reference": "data"}),
    "volume-image-tagged": volume(image={"reference": "data:1"}),
    "volume-iscsi": volume(iscsi={"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:a", "lun": 0}),
    "volume-rbd": volume(rbd={"monitors": ["10.0.0.1"], "image": "i"}),
    "volume-azure": volume(azureDisk={"diskName": "d", "diskURI": "https://b.example/d.vhd", "kind": "Dedicated"}),
    "volume-azure-plain": volume(
        azureDisk={"diskName": "d", "diskURI": "/subscriptions/s", "kind": "Managed", "fsType": None}
    ),
    "volume-scale-io": volume(
        scaleIO={"gateway": "g", "system": "s", "volumeName": "v", "secretRef": {"name": "x"}, "readOnly": False}
    ),
    "volume-nfs": volume(nfs={"server": "s", "path": "/p"}),
    "volume-csi": volume(csi={"driver": "csi.example.com", "volumeAttributes": {}}),
    "text": pod(
        metadata={"annotations": {"html": "<a href='x'>&amp;</a>", "lines": '1\n2\t"3"\\', "word": "ünïcode ☃ \u2028"}},
        container={"args": ["", " ", "--flag=<&>"], "command": []},
    ),
    "dropped-annotation": pod(metadata={"annotations": {"pod.beta.kubernetes.io/init-containers": "[]", "k": ""}}),
    "no-annotations": pod(metadata={"annotations": {}, "creationTimestamp": None}),
}

# The table's different ways of writing one thing; any other two differ.
SAME = {
    frozenset({"plain", "resources-empty", "affinity-empty", "no-annotations"}),
    frozenset({"service-account", "service-account-old", "service-account-both"}),
}


def replica_set(name: str, template: JSON) -> dict[str, Any]:
    digest = podhash.pod_template_hash(template)
    labelled = identity.inject_hash_label(template, digest)
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "labels": labelled["metadata"]["labels"]},
        "spec": {"replicas": 0, "selector": {"matchLabels": labelled["metadata"]["labels"]}, "template": labelled},
    }


def create(kubectl: Kubectl, *objects: JSON) -> None:
    """POST them, as the controller does."""
    kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def test_stored_templates_mean_what_was_written_and_nothing_else(kubectl: Kubectl) -> None:
    create(kubectl, *(replica_set(name, template) for name, template in TEMPLATES.items()))
    stored = {rs["metadata"]["name"]: rs["spec"]["template"] for rs in kubectl.json("get", "replicasets")["items"]}
    assert stored.keys() == TEMPLATES.keys()
    strangers = [name for name, template in TEMPLATES.items() if not identity.same_template(stored[name], template)]
    assert strangers == []
    groups = {
        frozenset(other for other, template in TEMPLATES.items() if identity.same_template(stored[one], template))
        for one in TEMPLATES
    }
    assert {group for group in groups if len(group) > 1} == SAME
    assert sum(map(len, groups)) == len(TEMPLATES)


def test_a_replica_set_is_found_by_what_its_stored_template_means(kubectl: Kubectl) -> None:
    template = TEMPLATES["volume-projected"]
    made = identity.inject_anti_affinity(
        template,
        {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 1}},
        stable_hash="abc",
        namespace="default",
    )
    foreign = identity.inject_hash_label(made, "foreign")
    labels = foreign["metadata"]["labels"]
    body = replica_set("web-foreign", template)
    body["metadata"]["labels"] = labels
    body["spec"] |= {"template": foreign, "selector": {"matchLabels": labels}}
    create(kubectl, body)
    sets = kubectl.json("get", "replicasets")["items"]
    found = identity.find_new(sets, template, collision_count=None, status_hash=None)
    assert found is not None
    assert found["metadata"]["name"] == "web-foreign"
    # What the API server stored, written into the Rollout by an undo, is no change either.
    undone = identity.strip_hash_label(identity.strip_anti_affinity(found["spec"]["template"]))
    assert podhash.pod_template_hash(undone) != podhash.pod_template_hash(template)
    assert identity.find_new(sets, undone) == found
    assert identity.find_new(sets, TEMPLATES["plain"], status_hash="foreign") is None
