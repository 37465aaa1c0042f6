"""What a render child does once it is confined: read the task, render, say the objects or what is wrong.

One table says which function renders what. Programs that could dial out are only run when this very process can't.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rollouts.gitops.errors import RenderError, RenderFailedError
from rollouts.gitops.objects import Manifest
from rollouts.gitops.render import directory, documents, helm, kustomize
from rollouts.gitops.render.collect import Results, collect
from rollouts.gitops.render.confinement import network_reachable
from rollouts.gitops.render.task import Task, errors_answer, objects_answer

RENDERERS: Mapping[str, Callable[[Task], Results]] = {
    "directory": directory.render,
    "kustomize": kustomize.render,
    "helm": helm.render,
}


def main() -> None:
    """Answer the one task on standard input."""
    task = Task.from_json(sys.stdin.buffer.read())
    documents.in_force = documents.Limits(**task.yaml)
    os.umask(0o077)
    answer = answer_to(task)
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", errors="surrogatepass"))
    sys.stdout.flush()


def answer_to(task: Task) -> Mapping[str, Any]:
    """The objects, or everything that is wrong."""
    try:
        if task.program and network_reachable():
            raise RenderError(_NETWORK.format(task=task), file=task.path)
        manifests = collect(RENDERERS[task.renderer](task))
        if len(manifests) > task.max_objects:
            text = f"{len(manifests)} objects, more than {task.max_objects}: split it"
            raise RenderError(text, file=task.path, budget="objects")
        if large := tuple(_too_large(manifests, task)):
            return errors_answer(large)
        return objects_answer(manifests)
    except RenderError as error:
        return errors_answer([error])
    except RenderFailedError as failed:
        return errors_answer(failed.errors)
    except MemoryError:
        text = "rendering needs more memory than this sync allows"
        return errors_answer([RenderError(text, file=task.path, budget="render-memory-bytes")])
    except RecursionError:
        return errors_answer([RenderError("the values nest too deeply", file=task.path)])


def _too_large(manifests: Iterable[Manifest], task: Task) -> Iterator[RenderError]:
    for manifest in manifests:
        size = len(json.dumps(manifest.body))
        if size > task.object_bytes:
            text = f"{manifest.body['kind']} has {size} bytes, more than {task.object_bytes}: no API server takes it"
            yield RenderError(text, file=manifest.file, line=manifest.line or None, budget="object-bytes")


_NETWORK = (
    "{task.renderer} is not run, because nothing here can keep it off the network: neither seccomp (x86-64 and ARM64) "
    "nor a network namespace is to be had; see docs/rendering.md"
)
