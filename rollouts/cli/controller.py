"""`rollouts controller`: run the controller. Flags are the peer's where it has them; the rest of its flags are accepted
and said to have no effect, so its Helm values and manifests keep working."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LOCK = "argo-rollouts-controller-lock"
CONTEXT_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""For the registration of the command: flags of the peer that have no effect here are let through to it."""


def controller(
    context: typer.Context,
    kubeconfig: Annotated[
        str | None, typer.Option(help="Path of a kubeconfig. Default: KUBECONFIG, or the pod's.")
    ] = None,
    kube_context: Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")] = None,
    namespaced: Annotated[bool, typer.Option(help="Only look after the controller's own namespace.")] = False,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="With --namespaced: that namespace.")
    ] = None,
    loglevel: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    logformat: Annotated[str, typer.Option(help="json, or text for the console.")] = "text",
    metrics_port: Annotated[int, typer.Option("--metricsPort", "--metricsport", help="-1: off; 0: any.")] = 8090,
    healthz_port: Annotated[int, typer.Option("--healthzPort", help="-1: off; 0: any.")] = 8080,
    instance_id: Annotated[str, typer.Option(help="Only objects labelled with this controller instance id.")] = "",
    rollout_threads: Annotated[int, typer.Option(help="Rollouts worked on at once.")] = 512,
    analysis_threads: Annotated[int, typer.Option(help="AnalysisRuns worked on at once.")] = 30,
    leader_elect: Annotated[bool, typer.Option(help="Act only while holding the Lease.")] = True,
    lease_duration: Annotated[str, typer.Option("--leader-election-lease-duration")] = "15s",
    renew_deadline: Annotated[str, typer.Option("--leader-election-renew-deadline")] = "10s",
    retry_period: Annotated[str, typer.Option("--leader-election-retry-period")] = "2s",
) -> None:
    """Release Rollouts and measure AnalysisRuns until told to stop (SIGTERM or Ctrl-C)."""
    from analysis.spec.durations import parse_duration
    from rollouts.engine import logs
    from rollouts.engine.app import Settings
    from rollouts.engine.lease import Timing

    logs.configure(level=loglevel, form=logformat)
    if context.args:
        sys.stderr.write(f"no effect here, ignored: {' '.join(context.args)}\n")
    own = namespace or _own_namespace()
    settings = Settings(
        namespace=own if namespaced else None,
        instance_id=instance_id,
        rollout_workers=rollout_threads,
        analysis_workers=analysis_threads,
    )
    timing = Timing(
        duration=parse_duration(lease_duration),
        renew_deadline=parse_duration(renew_deadline),
        retry=parse_duration(retry_period),
    )
    lost = asyncio.run(
        _run(
            kubeconfig=kubeconfig,
            context=kube_context,
            settings=settings,
            lock=(own, LOCK + (f"-{instance_id}" if instance_id else "")) if leader_elect else None,
            timing=timing,
            ports=(healthz_port, metrics_port),
        )
    )
    if lost:  # so that whoever started it starts it again, as a standby
        raise typer.Exit(1)


async def _run(
    *,
    kubeconfig: str | None,
    context: str | None,
    settings: object,
    lock: tuple[str, str] | None,
    timing: object,
    ports: tuple[int, int],
) -> bool:
    """Whether the Lease was lost."""
    import structlog

    from rollouts import operator
    from rollouts.engine.app import App, Settings
    from rollouts.engine.client import connect
    from rollouts.engine.lease import Lease, Timing
    from rollouts.engine.probes import serving

    assert isinstance(settings, Settings)
    assert isinstance(timing, Timing)
    log = structlog.get_logger(__name__)
    async with connect(kubeconfig=kubeconfig, context=context) as api:
        identity = f"{os.environ.get('POD_NAME') or socket.gethostname()}_{os.getpid()}"
        lease = lock and Lease(api=api, namespace=lock[0], name=lock[1], identity=identity, timing=timing)
        app = App(api=api, settings=settings, lease=lease or None)
        async with serving(metrics=app.metrics, alive=app.trouble, ready=app.not_ready, ports=ports) as taken:
            log.info("serving /healthz, /readyz and /metrics", ports=taken)
            await operator.run(app, stop=asyncio.Event())
        return app.lost


def _own_namespace() -> str:
    if "POD_NAMESPACE" in os.environ:
        return os.environ["POD_NAMESPACE"]
    return _SERVICE_ACCOUNT.read_text().strip() if _SERVICE_ACCOUNT.exists() else "default"
