"""`python -m deploy.local`: keep a control plane up by hand, or make its tools beforehand."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path

from deploy.local.errors import LocalError
from deploy.local.plane import Plane
from deploy.local.tools import ALL, ensure_tools, find_tool, say

CHECK_SECONDS = 1.0


def cluster(options: argparse.Namespace) -> None:
    """Keep a plane up until Ctrl-C (or SIGTERM)."""
    ended = threading.Event()
    with Plane(directory=options.directory, nodes=options.nodes, network=options.network) as plane:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        print(_welcome(plane), flush=True)
        while not ended.wait(CHECK_SECONDS):
            plane.check()
        say("stopping")


def setup(options: argparse.Namespace) -> None:
    """Find or make tools, all of them unless some are named."""
    for name, program in ensure_tools(options.tools or ALL).items():
        print(f"{name:<24} {program}")


def tools(options: argparse.Namespace) -> None:
    """Say which tools would be used as they are, making none."""
    for name in ALL:
        print(f"{name:<24} {find_tool(name) or 'from the cache, or made when it is needed'}")


def _welcome(plane: Plane) -> str:
    kubeconfig = shlex.quote(str(plane.kubeconfig))
    return (
        f"The control plane is up at {plane.server}\n\n"
        f"  export KUBECONFIG={kubeconfig}\n"
        "  kubectl get nodes\n"
        "  kubectl create deployment web --image=nginx --replicas=3 && kubectl get pods --watch\n\n"
        f"Logs are in {plane.directory}. Ctrl-C stops it."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("cluster", help="keep a control plane up until Ctrl-C", description=cluster.__doc__)
    up.add_argument("--nodes", type=int, default=1, help="simulated nodes (default: 1; 0 needs no kwok)")
    up.add_argument("--network", action="store_true", help="in a network namespace, so that pods have real addresses")
    up.add_argument("--directory", type=Path, help="where to keep state and logs (default: temporary, removed)")
    up.set_defaults(run=cluster)
    make = commands.add_parser("setup", help="find or make the tools", description=setup.__doc__)
    make.add_argument("tools", nargs="*", metavar="TOOL", help=f"of {', '.join(ALL)} (default: all)")
    make.set_defaults(run=setup)
    commands.add_parser("tools", help="say where each tool comes from", description=tools.__doc__).set_defaults(
        run=tools
    )
    return parser


def main() -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args()
    # SIGTERM unwinds like Ctrl-C, so that a plane that is just starting is taken down as well
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options.run(options)
    except KeyboardInterrupt:
        say("interrupted; run it again to go on")
        return 130
    except LocalError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
