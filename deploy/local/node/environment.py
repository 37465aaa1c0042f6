"""What a container's process is started with: its environment, and its command with `$(NAME)` filled in.

ConfigMaps and Secrets are read anew at each start. What can't be had is a ConfigError, which the pod's status shows as
CreateContainerConfigError until it is mended.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from deploy.local.node.client import ApiError, Client, Object

REFERENCE = re.compile(r"\$(\$|\(([-._a-zA-Z0-9]+)\))")
KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
Source = tuple[str, str]
Data = Mapping[str, str]


class ConfigError(Exception):
    """The container can't be started as it is written."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A pod as its containers may see it."""

    pod: Object
    address: str
    host: str

    def field(self, path: str) -> str:
        """The value of a `fieldRef`."""
        if keyed := KEYED.fullmatch(path):
            return str(self.pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
        if path not in FIELDS:
            raise ConfigError(f"fieldRef {path!r} is not supported: use {', '.join(FIELDS)}, or a label or annotation")
        return FIELDS[path](self)


FIELDS: Mapping[str, Callable[[Facts], str]] = {
    "metadata.name": lambda facts: facts.pod["metadata"]["name"],
    "metadata.namespace": lambda facts: facts.pod["metadata"]["namespace"],
    "metadata.uid": lambda facts: facts.pod["metadata"]["uid"],
    "spec.nodeName": lambda facts: facts.pod["spec"]["nodeName"],
    "spec.serviceAccountName": lambda facts: facts.pod["spec"].get("serviceAccountName", "default"),
    "status.podIP": lambda facts: facts.address,
    "status.podIPs": lambda facts: facts.address,
    "status.hostIP": lambda facts: facts.host,
    "status.hostIPs": lambda facts: facts.host,
}


async def read_sources(container: Object, *, client: Client, namespace: str) -> dict[Source, Data]:
    """The ConfigMaps and Secrets that a container's environment names, as far as they exist."""
    wanted = set(_sources(container))
    found = {source: await _read(source, client=client, namespace=namespace) for source in wanted}
    return {source: data for source, data in found.items() if data is not None}


def build_environment(container: Object, *, facts: Facts, sources: Mapping[Source, Data]) -> dict[str, str]:
    """`envFrom`, then `env` over it, in order; a later one may refer to an earlier one."""
    values: dict[str, str] = {}
    for entry in container.get("envFrom", []):
        prefix = entry.get("prefix", "")
        values |= {f"{prefix}{key}": value for key, value in _whole(entry, sources).items()}
    for entry in container.get("env", []):
        value = _value(entry, facts=facts, sources=sources, values=values)
        if value is not None:
            values[entry["name"]] = value
    return values


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` by its value; `$$` is a dollar; an unknown name stays as it is."""
    return REFERENCE.sub(lambda found: "$" if found[1] == "$" else values.get(found[2], found[0]), text)


def build_command(container: Object, *, values: Mapping[str, str]) -> list[str]:
    """The command with its arguments; ConfigError if there is none, as there is no image to have one."""
    words = [*container.get("command", []), *container.get("args", [])]
    if not words:
        raise ConfigError("no command specified: the process node has no images, so give the container a command")
    return [expand(word, values) for word in words]


def _value(entry: Object, *, facts: Facts, sources: Mapping[Source, Data], values: Data) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return expand(entry.get("value", ""), values)
    if "fieldRef" in source:
        return facts.field(source["fieldRef"]["fieldPath"])
    for key, kind in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if key in source:
            return _keyed(source[key], kind=kind, sources=sources)
    raise ConfigError(f"{entry['name']}: {', '.join(source)} is not supported by the process node")


def _keyed(reference: Object, *, kind: str, sources: Mapping[Source, Data]) -> str | None:
    data = sources.get((kind, reference["name"]), {})
    if reference["key"] in data or reference.get("optional"):
        return data.get(reference["key"])
    if (kind, reference["name"]) not in sources:
        raise ConfigError(f"{kind} {reference['name']!r} not found")
    raise ConfigError(f"couldn't find key {reference['key']} in {kind} {reference['name']!r}")


def _whole(entry: Object, sources: Mapping[Source, Data]) -> Data:
    kind, reference = _from(entry)
    if (kind, reference["name"]) not in sources and not reference.get("optional"):
        raise ConfigError(f"{kind} {reference['name']!r} not found")
    return sources.get((kind, reference["name"]), {})


def _from(entry: Object) -> tuple[str, Object]:
    return ("configmaps", entry["configMapRef"]) if "configMapRef" in entry else ("secrets", entry["secretRef"])


def _sources(container: Object) -> Iterator[Source]:
    for entry in container.get("envFrom", []):
        kind, reference = _from(entry)
        yield kind, reference["name"]
    for entry in container.get("env", []):
        for key, kind in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
            if reference := entry.get("valueFrom", {}).get(key):
                yield kind, reference["name"]


async def _read(source: Source, *, client: Client, namespace: str) -> Data | None:
    kind, name = source
    try:
        obj = await client.request("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}")
    except ApiError as error:
        if error.status == 404:
            return None
        raise ConfigError(f"{kind} {name!r} could not be read: {error}") from error
    data: Data = obj.get("data") or {}
    if kind == "secrets":
        return {key: base64.b64decode(value).decode(errors="surrogateescape") for key, value in data.items()}
    return data
