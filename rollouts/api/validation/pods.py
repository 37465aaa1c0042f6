"""Pod templates: what must be right before a ReplicaSet is made from one.

Not the whole of Kubernetes' validation (the API server does that when the ReplicaSet or its pods are created), but the
mistakes people make, found before anything is scaled: no containers, no image, names twice, ports twice, a restart
policy a ReplicaSet can't have, resources that are no quantities.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.api.errors import FieldError, Path
from rollouts.api.meta import LabelSelector
from rollouts.api.validation import common

_QUANTITY = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
_CONTAINER_LISTS = ("initContainers", "containers")


def template_errors(template: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    """Errors of a pod template at `path`."""
    metadata = common.mapping(template.get("metadata"))
    yield from common.labels(common.mapping(metadata.get("labels")), path / "metadata" / "labels")
    spec = template.get("spec")
    if not isinstance(spec, Mapping):
        yield (path / "spec").error("is required, an object with the pod's containers")
        return
    yield from _spec_errors(spec, path / "spec")


def selector_errors(
    *, selector: LabelSelector | None, template: Mapping[str, Any], at: Path, template_at: Path
) -> Iterator[FieldError]:
    """Errors of a selector beside the template whose pods it must match."""
    if selector is None:
        yield at.error("is required; it must match the labels of the pod template")
        return
    yield from common.selector(selector, at)
    if common.is_empty(selector):
        yield at.error("must not be empty: it would match every pod in the namespace")
        return
    labels = common.mapping(common.mapping(template.get("metadata")).get("labels"))
    if not common.matches(selector, labels):
        yield (template_at / "metadata" / "labels").error(
            f"`selector` does not match template `labels`: the selector ({at}) must match these labels"
        )


def _spec_errors(spec: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    if not common.items(spec.get("containers")):
        yield (path / "containers").error("at least one container is required")
    if spec.get("restartPolicy", "Always") not in ("Always", "", None):
        yield (path / "restartPolicy").error(f'must be Always, not "{spec["restartPolicy"]}"')
    if spec.get("activeDeadlineSeconds") is not None:
        yield (path / "activeDeadlineSeconds").error("can't be used: pods of a ReplicaSet have no deadline")
    yield from _container_errors(spec, path)
    yield from _volume_errors(spec, path / "volumes")


def _container_errors(spec: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    names: set[str] = set()
    for field in _CONTAINER_LISTS:
        for index, container in enumerate(common.items(spec.get(field))):
            place = path / field / index
            if not isinstance(container, Mapping):
                yield place.error("must be an object")
                continue
            yield from _name_errors(container.get("name"), names, place / "name")
            yield from _one_container(container, place)


def _name_errors(name: Any, seen: set[str], path: Path) -> Iterator[FieldError]:
    if not isinstance(name, str) or not name:
        yield path.error("is required")
        return
    yield from common.dns_label(name, path)
    if name in seen:
        yield path.error(f'"{name}" is there already; each container needs a name of its own')
    seen.add(name)


def _one_container(container: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    image = container.get("image")
    if not isinstance(image, str) or not image.strip():
        yield (path / "image").error("is required")
    elif image != image.strip():
        yield (path / "image").error("must not begin or end with a space")
    yield from _port_errors(common.items(container.get("ports")), path / "ports")
    yield from _resource_errors(common.mapping(container.get("resources")), path / "resources")


def _port_errors(ports: Any, path: Path) -> Iterator[FieldError]:
    good = [common.mapping(port) for port in ports]
    for index, port in enumerate(good):
        number = port.get("containerPort")
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 65535:
            given = f', not the text "{number[:50]}"' if isinstance(number, str) else ""
            yield (path / index / "containerPort").error(f"must be between 1 and 65535{given}")
    yield from common.no_duplicates([_hashable(port.get("name") or None) for port in good], path, "name")
    pairs = [(_hashable(port.get("containerPort")), _hashable(port.get("protocol") or "TCP")) for port in good]
    for index, pair in enumerate(pairs):
        if pair[0] is not None and pair in pairs[:index]:
            yield (path / index).error(f"port {pair[0]}/{pair[1]} is there already")


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | int) else None


def _resource_errors(resources: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    for field in ("limits", "requests"):
        amounts = resources.get(field)
        if amounts is not None and not isinstance(amounts, Mapping):
            yield (path / field).error("must be an object of amounts by resource, such as {cpu: 500m, memory: 64Mi}")
        for name, amount in common.mapping(amounts).items():
            if not _is_quantity(amount):
                yield (path / field / str(name)).error(f"{_shown(amount)} is no quantity, such as 500m, 2 or 64Mi")


def _is_quantity(amount: Any) -> bool:
    if isinstance(amount, bool):
        return False
    return isinstance(amount, int | float) or (isinstance(amount, str) and bool(_QUANTITY.fullmatch(amount)))


def _shown(amount: Any) -> str:
    return f'"{amount[:40]}"' if isinstance(amount, str) else f"{type(amount).__name__}"


def _volume_errors(spec: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    names = [_hashable(common.mapping(volume).get("name")) for volume in common.items(spec.get("volumes"))]
    yield from common.no_duplicates(names, path, "name")
    for field in _CONTAINER_LISTS:
        for index, container in enumerate(common.items(spec.get(field))):
            mounts = common.items(common.mapping(container).get("volumeMounts"))
            place = path.up() / field / index / "volumeMounts"
            yield from _mount_errors(mounts, set(names), place)


def _mount_errors(mounts: Any, volumes: set[Any], path: Path) -> Iterator[FieldError]:
    for index, mount in enumerate(mounts):
        name = _hashable(common.mapping(mount).get("name"))
        if name not in volumes:
            yield (path / index / "name").error(f'there is no volume "{name}" in the pod')
