"""`python -m deploy.local.node`: run a process node until SIGTERM, SIGINT or the API server's end."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import signal
import sys
from pathlib import Path

from deploy.local.node.agent import run_node
from deploy.local.node.settings import NODE_ADDRESS, POD_CIDR, Settings


def main() -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args()
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    return asyncio.run(_run(_settings(options)))


async def _run(settings: Settings) -> int:
    settings.directory.mkdir(parents=True, exist_ok=True)
    node = asyncio.create_task(run_node(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, node.cancel)
    try:
        return await node
    except asyncio.CancelledError:
        return 0


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        name=options.name, kubeconfig=options.kubeconfig, directory=options.directory.resolve(),
        pod_cidr=options.pod_cidr, address=options.address, labels=dict(options.label),
        back_off=options.back_off, back_off_limit=options.back_off_limit, api_timeout=options.api_timeout,
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.node", description=__doc__)
    add = parser.add_argument
    add("--name", default="process-0", help="of the Node (default: process-0)")
    add("--kubeconfig", type=Path, required=True, help="with certificates embedded; its first cluster and user count")
    add("--directory", type=Path, required=True, help="for logs and scratch space of pods")
    add("--pod-cidr", type=ipaddress.IPv4Network, default=POD_CIDR, help=f"addresses of pods (default: {POD_CIDR})")
    add("--address", default=NODE_ADDRESS, help=f"of the node itself (default: {NODE_ADDRESS})")
    add("--label", type=_label, action="append", default=[], metavar="KEY=VALUE", help="of the Node; may be repeated")
    add(
        "--back-off", type=float, default=1.0, help="seconds before the second restart; doubles from there (default: 1)"
    )
    add("--back-off-limit", type=float, default=30.0, help="seconds that it grows to (default: 30)")
    add("--api-timeout", type=float, default=300.0, help="seconds without an API server that end it (default: 300)")
    add("--log-level", default="info", help="debug, info, warning or error (default: info)")
    return parser


def _label(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


if __name__ == "__main__":
    sys.exit(main())
