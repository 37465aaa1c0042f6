"""One namespace as a test sees it: objects in, objects out, waiting for what should come, and the commands of the
`kubectl argo rollouts` plugin with exactly its patches.

Tests are plain functions. Requests run on one event loop in the background, through the controller's own client: a
look costs a few milliseconds, so waiting for a condition is polling, and nothing ever sleeps for a guessed time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api, Request, connect
from rollouts.engine.errors import ApiError, NotFoundError

JSON = dict[str, Any]
PODS = {"resources": {"requests": {"cpu": "5m", "memory": "16Mi"}}}
JOIN_SECONDS = 20.0


class Background:
    """An event loop in a thread, with a client on it."""

    def __init__(self, kubeconfig: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: self.loop.run_until_complete(self._serve(kubeconfig)), daemon=True
        )
        self._thread.start()
        assert self._ready.wait(JOIN_SECONDS), "the client did not start"

    async def _serve(self, kubeconfig: Path) -> None:
        async with connect(kubeconfig=str(kubeconfig)) as self.api:
            self._ready.set()
            await self._over.wait()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    def call(self, coroutine: Coroutine[Any, Any, Any], *, seconds: float = 30.0) -> Any:
        """Run a coroutine there; its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)

    def close(self) -> None:
        """End the loop and its thread."""
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join(JOIN_SECONDS)
        self.loop.close()


class EventLog:
    """The events of a namespace in the order they came to be; a repeated one appears again."""

    def __init__(self, background: Background, namespace: str) -> None:
        self._seen: list[JSON] = []
        self._background = background
        self._started = threading.Event()
        self._task = asyncio.run_coroutine_threadsafe(self._watch(background.api, namespace), background.loop)
        assert self._started.wait(JOIN_SECONDS), "no watch on events"

    async def _watch(self, api: Api, namespace: str) -> None:
        path = api.server + kinds.EVENT.path(namespace)
        async with api.session.get(path, params={"watch": "true"}, timeout=None) as response:
            self._started.set()
            async for line in response.content:
                change = json.loads(line)
                if change["type"] in {"ADDED", "MODIFIED"}:
                    self._seen.append(change["object"])

    def of(self, name: str = "app", kind: str = "Rollout") -> list[tuple[str, str]]:
        """(reason, message) of each event on an object."""
        involved = [(event["involvedObject"], event) for event in list(self._seen)]
        return [
            (event["reason"], event["message"])
            for about, event in involved
            if (about["kind"], about["name"]) == (kind, name)
        ]

    def reasons(self, name: str = "app", kind: str = "Rollout") -> list[str]:
        """Their reasons alone."""
        return [reason for reason, _ in self.of(name, kind)]

    def text(self) -> str:
        """Everything ever said, for looking for what must not be there."""
        return json.dumps(self._seen)

    def close(self) -> None:
        """Stop watching."""
        self._task.cancel()


class Space:
    """Objects of one namespace. `check` raises when the cluster died; waiting calls it."""

    def __init__(self, background: Background, namespace: str, check: Callable[[], None]) -> None:
        self.namespace = namespace
        self.background = background
        self._check = check
        self._api = background.api
        self.events = EventLog(background, namespace)

    # --- objects

    def create(self, *bodies: JSON) -> JSON:
        """Create objects of kinds this project knows; the last as the server answered."""
        for body in bodies:
            kind = next(k for k in vars(kinds).values() if isinstance(k, Kind) and k.kind == body["kind"])
            answer = self.background.call(self._api.create(kind, self.namespace, body))
        return answer

    def get(self, kind: Kind, name: str) -> JSON:
        """One object; NotFoundError."""
        return self.background.call(self._api.get(kind, self.namespace, name))

    def find(self, kind: Kind, name: str) -> JSON | None:
        """One object, or None."""
        with contextlib.suppress(NotFoundError):
            return self.get(kind, name)
        return None

    def list(self, kind: Kind, selector: str = "") -> list[JSON]:
        """All objects of a kind, or those a label selector fits."""
        return self.background.call(self._api.list(kind, self.namespace, selector=selector))["items"]

    def patch(self, kind: Kind, name: str, body: JSON, subresource: str | None = None) -> JSON:
        """A merge patch."""
        return self.background.call(self._api.patch(kind, self.namespace, name, body, subresource=subresource))

    def delete(self, kind: Kind, name: str) -> None:
        """Delete, dependents in the background."""
        self.background.call(self._api.delete(kind, self.namespace, name))

    def send(self, request: Request) -> JSON:
        """Any other request."""
        return self.background.call(self._api.send(request))

    # --- Rollouts

    def rollout(self, name: str = "app") -> JSON:
        """A Rollout."""
        return self.get(kinds.ROLLOUT, name)

    def status(self, name: str = "app") -> JSON:
        """Its status."""
        return self.rollout(name).get("status") or {}

    def edit(self, name: str = "app", **spec: Any) -> JSON:
        """Merge into spec."""
        return self.patch(kinds.ROLLOUT, name, {"spec": spec})

    def set_image(self, image: str, name: str = "app") -> JSON:
        """A new revision: `set image`, which reads and writes back."""
        containers = self.rollout(name)["spec"]["template"]["spec"]["containers"]
        return self.edit(name, template={"spec": {"containers": [{**containers[0], "image": image}]}})

    def set_steps(self, steps: list[JSON], name: str = "app") -> JSON:
        """New steps."""
        return self.edit(name, strategy={"canary": {"steps": steps}})

    def sets(self, name: str = "app") -> dict[str, JSON]:
        """ReplicaSets of a Rollout by revision."""
        owned = [rs for rs in self.list(kinds.REPLICA_SET) if _owner(rs) == name]
        return {rs["metadata"]["annotations"]["rollout.argoproj.io/revision"]: rs for rs in owned}

    def sizes(self, name: str = "app") -> dict[str, int]:
        """spec.replicas by revision."""
        return {revision: rs["spec"]["replicas"] for revision, rs in sorted(self.sets(name).items())}

    def selected(self, service: str) -> str | None:
        """The revision whose pods a Service selects; None when it selects all of them."""
        digest = self.get(kinds.SERVICE, service)["spec"]["selector"].get("rollouts-pod-template-hash")
        found = [
            revision
            for revision, rs in self.sets().items()
            if rs["metadata"]["labels"]["rollouts-pod-template-hash"] == digest
        ]
        return next(iter(found), digest)

    def pods(self, name: str = "app") -> list[JSON]:
        """Pods of a Rollout that are not going away."""
        return [pod for pod in self.list(kinds.POD, f"app={name}") if not pod["metadata"].get("deletionTimestamp")]

    def condition(self, kind: str, name: str = "app") -> JSON:
        """A condition without its times; empty when there is none."""
        found = next((c for c in self.status(name).get("conditions") or () if c["type"] == kind), {})
        return {key: found[key] for key in ("status", "reason", "message") if key in found}

    def runs(self, name: str = "app") -> list[JSON]:
        """AnalysisRuns of a Rollout, oldest first."""
        owned = [run for run in self.list(kinds.ANALYSIS_RUN) if _owner(run) == name]
        return sorted(owned, key=lambda run: (run["metadata"]["creationTimestamp"], run["metadata"]["name"]))

    # --- the plugin's commands, with its patches

    def command(self, name: str = "app", **status: Any) -> JSON:
        """Merge into status, as commands do."""
        return self.patch(kinds.ROLLOUT, name, {"status": status}, "status")

    def abort(self, name: str = "app") -> JSON:
        """`abort`."""
        return self.command(name, abort=True)

    def retry(self, name: str = "app") -> JSON:
        """`retry`."""
        return self.command(name, abort=False)

    def promote(self, name: str = "app") -> JSON:
        """`promote`."""
        spec, status = self.rollout(name)["spec"], self.status(name)
        index = status.get("currentStepIndex", 0) + 1
        run = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
        if spec.get("paused"):
            return self.edit(name, paused=False)
        if status.get("pauseConditions") and status.get("controllerPause") and run.get("status") == "Inconclusive":
            return self.command(name, pauseConditions=None, controllerPause=False, currentStepIndex=index)
        if status.get("pauseConditions"):
            return self.command(name, pauseConditions=None)
        return self.command(name, pauseConditions=None, currentStepIndex=index)

    def promote_full(self, name: str = "app") -> None:
        """`promote --full`."""
        self.command(name, promoteFull=True)
        if self.rollout(name)["spec"].get("paused"):
            self.edit(name, paused=False)

    # --- waiting

    def until(self, what: str, probe: Callable[[], Any], *, seconds: float = 30.0) -> Any:
        """Look until it is true, and return that; an AssertionError or an absent server counts as 'not yet'."""
        deadline = time.monotonic() + seconds
        while True:
            self._check()
            result, reason = _attempt(probe)
            if result:
                return result
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not so after {seconds:g} s (last seen: {reason})")
            time.sleep(0.05)

    def until_status(self, name: str = "app", *, seconds: float = 30.0, **wanted: Any) -> JSON:
        """Wait until status, of the generation there is now, has these values (None: the key is absent)."""

        def look() -> JSON:
            rollout = self.rollout(name)
            status = rollout.get("status") or {}
            seen = {key: status.get(key) for key in wanted} | {"generation": status.get("observedGeneration")}
            assert seen == wanted | {"generation": str(rollout["metadata"]["generation"])}, (seen, status)
            return status

        return self.until(f"{name} has {wanted}", look, seconds=seconds)

    def until_phase(self, phase: str, name: str = "app", *, message: str | None = None, seconds: float = 30.0) -> JSON:
        """Wait for a phase (and message) of the generation there is now."""
        wanted = {"phase": phase} if message is None else {"phase": phase, "message": message}
        return self.until_status(name, seconds=seconds, **wanted)

    def until_paused(self, name: str = "app", *, at: int, seconds: float = 30.0) -> JSON:
        """Wait for a pause step."""
        return self.until_status(name, seconds=seconds, phase="Paused", message="CanaryPauseStep", currentStepIndex=at)

    def until_gone(self, kind: Kind, name: str, *, seconds: float = 30.0) -> None:
        """Wait until an object is no more."""
        self.until(f"{kind.kind} {name} is gone", lambda: self.find(kind, name) is None, seconds=seconds)

    def close(self) -> None:
        """Stop watching."""
        self.events.close()


def _attempt(probe: Callable[[], Any]) -> tuple[Any, Any]:
    try:
        result = probe()
    except (AssertionError, ApiError, LookupError) as error:
        return None, repr(error)
    return result, repr(result)


def _owner(obj: Mapping[str, Any]) -> str | None:
    references = obj["metadata"].get("ownerReferences") or ()
    return next((ref["name"] for ref in references if ref.get("controller")), None)


def container(image: str, **more: Any) -> JSON:
    """The one container of the Rollouts here."""
    ports = [{"containerPort": 8080, "name": "http", "protocol": "TCP"}]
    return {"name": "app", "image": image, "ports": ports, **PODS, **more}


def rollout(
    name: str = "app",
    *,
    steps: list[JSON] | None = None,
    replicas: int | None = 1,
    image: str = "example/app:1",
    canary: JSON | None = None,
    labels: JSON | None = None,
    **spec: Any,
) -> JSON:
    """A Rollout with a canary: one pod more than wanted at most, never one fewer."""
    strategy = {"maxSurge": 1, "maxUnavailable": 0, **({"steps": steps} if steps else {}), **(canary or {})}
    return {
        "apiVersion": kinds.ROLLOUT.api_version,
        "kind": "Rollout",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container(image)]}},
            "strategy": {"canary": strategy},
            **spec,
        },
    }


def blue_green(name: str = "app", *, strategy: JSON | None = None, **options: Any) -> JSON:
    """A Rollout that switches the Service `active`, with a preview at `preview`."""
    made = rollout(name, **options)
    made["spec"]["strategy"] = {
        "blueGreen": {"activeService": "active", "previewService": "preview", **(strategy or {})}
    }
    return made


def service(name: str, app: str = "app") -> JSON:
    """A Service that selects all pods of an app."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def younger_than_pods(space: Space) -> str:
    """A moment for restartAt: later than the youngest pod, whose time has whole seconds, and not in the future."""
    born = max(datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in space.pods())
    space.until("the next second", lambda: datetime.now(UTC) > born + timedelta(seconds=1))
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextlib.contextmanager
def background(kubeconfig: Path) -> Iterator[Background]:
    """A `Background` for a while."""
    started = Background(kubeconfig)
    try:
        yield started
    finally:
        started.close()
