"""An API server in memory, as far as the engine needs one: versions, conflicts, preconditions, merge patches.

It takes the place of the sending part of `Api`, so no socket is opened and tests may run in virtual time.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api, Request
from rollouts.engine.errors import ApiError, from_response

JSON = Mapping[str, Any]
PLURALS = {kind.plural for kind in vars(kinds).values() if isinstance(kind, Kind)}


class MemoryApi(Api):
    """`objects` by path; `log` is every request as `METHOD path`. `before` runs ahead of each and may raise."""

    def __init__(self, *objects: tuple[Kind, JSON]) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.before: Callable[[Request], None] = lambda _: None
        self.requests = Counter()
        self.server = "memory:"
        self.headers = {}
        self._versions = itertools.count(100)
        for kind, obj in objects:
            self.put(kind, obj)

    def put(self, kind: Kind, obj: JSON) -> dict[str, Any]:
        """Write behind the engine's back, as a person or another controller would."""
        metadata = obj["metadata"]
        stored = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            **copy.deepcopy(dict(obj)),
            "metadata": {"uid": f"uid-{metadata['name']}", **metadata, "resourceVersion": str(next(self._versions))},
        }
        self.objects[kind.path(metadata.get("namespace"), metadata["name"])] = stored
        return copy.deepcopy(stored)

    def accepting(self, media_type: str) -> Api:
        """Everything is answered in full."""
        return self

    def writes(self) -> list[str]:
        """What was asked other than reading."""
        return [line for line in self.log if not line.startswith("GET")]

    async def send(self, request: Request) -> dict[str, Any]:
        self.log.append(str(request))
        self.before(request)
        path = request.path.removesuffix("/status").removesuffix("/eviction")
        return copy.deepcopy(getattr(self, f"_{request.method.lower()}")(request, path))

    def _get(self, request: Request, path: str) -> Any:
        if path in self.objects:
            return self.objects[path]
        if path.rsplit("/", 1)[-1] in PLURALS:
            found = [obj for key, obj in self.objects.items() if key.rsplit("/", 1)[0] == path]
            return {"metadata": {"resourceVersion": str(next(self._versions))}, "items": found}
        raise refusal(404, request)

    def _post(self, request: Request, path: str) -> Any:
        body = dict(request.body or {})
        if body.get("kind") == "Eviction":
            return self._known(path, request)
        key = f"{path}/{body['metadata']['name']}"
        if key in self.objects:
            raise refusal(409, request, reason="AlreadyExists")
        metadata = {"uid": f"uid-{body['metadata']['name']}", **body["metadata"]}
        self.objects[key] = {**body, "metadata": {**metadata, "resourceVersion": str(next(self._versions))}}
        return self.objects[key]

    def _patch(self, request: Request, path: str) -> Any:
        known, body = self._known(path, request), request.body or {}
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != known["metadata"]["resourceVersion"]:
            raise refusal(409, request)
        merged = merge(known, body)
        merged["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[path] = merged
        return merged

    def _delete(self, request: Request, path: str) -> Any:
        known = self._known(path, request)
        uid = (request.body or {}).get("preconditions", {}).get("uid")
        if uid not in (None, known["metadata"]["uid"]):
            raise refusal(409, request)
        return self.objects.pop(path)

    def _known(self, path: str, request: Request) -> dict[str, Any]:
        if path not in self.objects:
            raise refusal(404, request)
        return self.objects[path]


def refusal(status: int, request: object = "request", *, reason: str = "") -> ApiError:
    """The error an API server's answer with this status turns into."""
    return from_response(status, {"message": "no", "reason": reason}, request=str(request), retry_after=None)


def merge(target: JSON, patch: JSON) -> dict[str, Any]:
    """RFC 7386."""
    result = copy.deepcopy(dict(target))
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = merge(result.get(key) or {}, value)
        else:
            result[key] = value
    return result
