"""Run a controller of Argo Rollouts on a local control plane, bring Rollouts to every moment of `moments.py`, stop it,
write down what it left, and let ours take over.

    python -m tests.recorder --controller PROGRAM --crds FOLDER --to tests/data/recordings/v1.8.3

PROGRAM is a `rollouts-controller` of that version, FOLDER the `manifests/crds` of its source. With `--back` it is the
other way round: ours brings them to the moments and stops, theirs takes over, and nothing is written down. Nothing of
the plane stays. What is not as promised is said, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

from deploy.local.components import GUEST_RANK
from deploy.local.doors import hold_port, port_of
from deploy.local.plane import Plane
from rollouts.api import kinds
from rollouts.api.kinds import Kind
from tests.cluster.controllers import OwnController
from tests.cluster.harness import CRDS
from tests.cluster.space import JSON, Background, Space, background
from tests.recorder.metrics import metrics
from tests.recorder.moments import Moment, moments

#: What owns comes before what it owns.
KINDS = (kinds.SERVICE, kinds.DEPLOYMENT, kinds.ANALYSIS_TEMPLATE, kinds.ROLLOUT, kinds.EXPERIMENT, kinds.ANALYSIS_RUN,
         kinds.REPLICA_SET)  # fmt: skip
KEPT = (kinds.REPLICA_SET, kinds.POD, kinds.ANALYSIS_RUN, kinds.EXPERIMENT)
PLACE = ("phase", "currentStepIndex", "stableRS", "currentPodHash", "abort", "controllerPause")
LEFT_OUT = ("managedFields", "selfLink")
REST_SECONDS = 3.0


def free_port() -> int:
    """A port nobody listens on."""
    with hold_port() as held:
        return port_of(held)


def start(plane: Plane, program: Path) -> None:
    """The recorded controller; all versions know these flags."""
    ports = ["--metricsport", str(free_port()), "--healthzPort", str(free_port())]
    argv = [str(program), "--kubeconfig", str(plane.kubeconfig), "--leader-elect=false", *ports]
    plane.processes.start(name="recorded", argv=argv, rank=GUEST_RANK)


def spaces(plane: Plane, client: Background, names: list[str]) -> dict[str, Space]:
    """A namespace for each moment."""
    for name in names:
        plane.kubectl("create", "namespace", name)
    return {name: Space(client, name, plane.check) for name in names}


def wrong(name: str, attempt: object) -> list[str]:
    """What went wrong in a moment, as a line to print."""
    try:
        attempt()  # type: ignore[operator]
    except Exception as error:
        return [f"{name}: {type(error).__name__}: {error}"]
    return []


def objects(space: Space, kind: Kind) -> list[JSON]:
    """Those of a kind, oldest first."""
    found = [obj for obj in space.list(kind) if obj["metadata"]["name"] != "kubernetes"]
    found = sorted(found, key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]))
    return [{"apiVersion": kind.api_version, "kind": kind.kind, **obj} for obj in found]


def write(space: Space, file: Path) -> None:
    """What is there, an object a line; each a document of YAML."""
    found = [obj for kind in KINDS for obj in objects(space, kind)]
    for obj in found:
        for key in LEFT_OUT:
            obj["metadata"].pop(key, None)
    lines = [json.dumps(obj, separators=(",", ":"), sort_keys=True) for obj in found]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n---\n".join(lines) + "\n")


def versions(space: Space) -> dict[str, str]:
    """The resourceVersion of everything there is, pods included."""
    found = [obj for kind in (*KINDS, kinds.POD, kinds.JOB) for obj in objects(space, kind)]
    return {f"{obj['kind']} {obj['metadata']['name']}": obj["metadata"]["resourceVersion"] for obj in found}


def taken_over(plane: Plane, there: dict[str, Space], all_moments: dict[str, Moment]) -> list[str]:
    """Our definitions over theirs, our controller on what they left; what is not as promised."""
    before = {name: versions(space) for name, space in there.items()}
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    with OwnController(kubeconfig=plane.kubeconfig, namespace=None) as ours:
        time.sleep(REST_SECONDS)  # long enough for whatever it might want to write
        found = [f"it wrote {request.method} {request.path}: {request.body}" for request in list(ours.writes)]
        found += [f"{name}: written" for name, space in there.items() if versions(space) != before[name]]
        for name, space in there.items():
            sets = {rs["metadata"]["name"] for rs in space.list(kinds.REPLICA_SET)}
            found += wrong(f"{name} goes on", partial(all_moments[name].go_on, space))
            more = {rs["metadata"]["name"] for rs in space.list(kinds.REPLICA_SET)} - sets
            found += [f"{name}: rolled {more}"] if more else []
    return found


def standing(space: Space) -> dict[str, object]:
    """What has to be the same after another controller took over: which pods there are, and where the Rollouts are."""
    rollouts = {
        rollout["metadata"]["name"]: [rollout.get("status", {}).get(name) for name in PLACE]
        for rollout in space.list(kinds.ROLLOUT)
    }
    named = {kind.plural: sorted(obj["metadata"]["name"] for obj in space.list(kind)) for kind in KEPT}
    return {**rollouts, **named}


def back(plane: Plane, options: argparse.Namespace, url: str) -> list[str]:
    """Ours on the way there, theirs on the way on; what is not as whoever goes back would want."""
    plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    plane.kubectl("create", "namespace", "argo-rollouts")
    wanted = chosen(options, url)
    found: list[str] = []
    with background(plane.kubeconfig) as client:
        with OwnController(kubeconfig=plane.kubeconfig, namespace=None):
            there = spaces(plane, client, list(wanted))
            for name, space in there.items():
                found += wrong(name, partial(wanted[name].arrive, space))
            time.sleep(REST_SECONDS)
        before = {name: standing(space) for name, space in there.items()}
        for file in sorted(options.crds.glob("*-crd.yaml")):
            plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
        start(plane, options.controller)
        time.sleep(2 * REST_SECONDS)
        for name, space in there.items():
            after = standing(space)
            found += [f"{name}: {key} was {old}, is {after.get(key)}" for key, old in before[name].items()
                      if after.get(key) != old]  # fmt: skip
            found += wrong(f"{name} goes on", partial(wanted[name].go_on, space))
            space.close()
    return found


def chosen(options: argparse.Namespace, url: str) -> dict[str, Moment]:
    """The moments asked for."""
    return {name: moment for name, moment in moments(url).items() if not options.moments or name in options.moments}


def record(plane: Plane, options: argparse.Namespace, url: str) -> list[str]:
    """All of it; what went wrong."""
    for file in sorted(options.crds.glob("*-crd.yaml")):
        plane.kubectl("apply", "--server-side", "-f", str(file))
    plane.kubectl("create", "namespace", "argo-rollouts")
    wanted = chosen(options, url)
    start(plane, options.controller)
    found: list[str] = []
    with background(plane.kubeconfig) as client:
        there = spaces(plane, client, list(wanted))
        for name, space in there.items():
            found += wrong(name, partial(wanted[name].arrive, space))
        time.sleep(REST_SECONDS)
        plane.processes.stop("recorded")
        for name, space in there.items():
            write(space, options.to / f"{name}.yaml")
        found += taken_over(plane, there, wanted)
        for space in there.values():
            space.close()
    return found


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.recorder", description=__doc__)
    parser.add_argument("moments", nargs="*", metavar="MOMENT", help="default: all")
    parser.add_argument("--controller", type=Path, required=True)
    parser.add_argument("--crds", type=Path, required=True)
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--to", type=Path, help="where to write what they left")
    to.add_argument("--back", action="store_true", help="from ours to theirs")
    options = parser.parse_args()
    with Plane(nodes=1) as plane, metrics() as url:
        found = (back if options.back else record)(plane, options, url)
        if found and (log := plane.directory / "recorded.log").exists():
            sys.stderr.write("".join(log.read_text().splitlines(keepends=True)[-10:]))
    sys.stdout.write("\n".join([*found, f"{len(found)} faults", ""]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
