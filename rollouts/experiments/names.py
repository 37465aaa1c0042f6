"""How the things of an Experiment are called. The engine asks for the same names to see which of them are taken.

ReplicaSet     <experiment>-<template>, then <experiment>-<template>-1, -2, … where that is somebody else's
Service        the ReplicaSet's name, or the template's `service.name`
AnalysisRun    <experiment>-<analysis>, then <experiment>-<analysis>.1, .2, …
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rollouts.api.loose import listed, mapping

JSON = Mapping[str, Any]


def replica_set(experiment: str, template: str, collisions: int | None) -> str:
    """The name of a template's ReplicaSet after so many collisions; None and 0: none."""
    return f"{experiment}-{template}-{collisions}" if collisions else f"{experiment}-{template}"


def run(experiment: str, analysis: str, count: int) -> str:
    """The name of an analysis' run after so many others."""
    return f"{experiment}-{analysis}.{count}" if count else f"{experiment}-{analysis}"


def taken(name: Callable[[int], str], exists: Callable[[str], bool]) -> Iterator[str]:
    """The names `name(0)`, `name(1)`, … up to the first that does not exist."""
    count = 0
    while exists(name(count)):
        yield name(count)
        count += 1


def of_entries(experiment: JSON, key: str) -> list[str]:
    """The names of the entries of `spec.templates` or `spec.analyses`, read leniently."""
    found = [mapping(entry).get("name") for entry in listed(mapping(experiment.get("spec")).get(key))]
    return [name for name in found if isinstance(name, str)]


def of_services(experiment: JSON) -> list[str]:
    """The names templates ask for with `service.name`, read leniently."""
    entries = listed(mapping(experiment.get("spec")).get("templates"))
    found = [mapping(mapping(entry).get("service")).get("name") for entry in entries]
    return [name for name in found if isinstance(name, str)]
