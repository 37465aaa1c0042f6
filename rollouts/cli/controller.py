"""`rollouts controller`: run the controller. Flags are the peer's where it has them; the rest of its flags are accepted
and said to have no effect, so its Helm values and manifests keep working."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollouts.cli.errors import CliError

if TYPE_CHECKING:  # imported where they are used, so that --help is quick
    from rollouts.engine.app import App, Settings
    from rollouts.engine.client import Api
    from rollouts.engine.lease import Timing
    from rollouts.gitops.gitsync.controller import GitSyncs

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
    analysis_threads: Annotated[int, typer.Option(help="AnalysisRuns worked on at once.")] = 64,
    experiment_threads: Annotated[int, typer.Option(help="Experiments worked on at once.")] = 10,
    leader_elect: Annotated[bool, typer.Option(help="Act only while holding the Lease.")] = True,
    lease_duration: Annotated[str, typer.Option("--leader-election-lease-duration")] = "15s",
    renew_deadline: Annotated[str, typer.Option("--leader-election-renew-deadline")] = "10s",
    retry_period: Annotated[str, typer.Option("--leader-election-retry-period")] = "2s",
    gitops: Annotated[bool, typer.Option(help="Look after GitSyncs too.")] = True,
    default_service_account: Annotated[str, typer.Option(help="For GitSyncs that name no ServiceAccount.")] = "",
    webhook_port: Annotated[int, typer.Option(help="Where GitSyncs hear of pushes. -1: off; 0: any.")] = -1,
    concurrent_syncs: Annotated[int, typer.Option(help="GitSyncs applied at once.", min=1)] = 4,
    insecure_registry: Annotated[
        list[str] | None, typer.Option(help="host:port of an image registry without TLS; may be repeated.")
    ] = None,
    sync_budget: Annotated[
        list[str] | None,
        typer.Option(help="NAME=NUMBER, what a GitSync may take at most (docs/gitops.md); may be repeated."),
    ] = None,
    renderer_socket: Annotated[
        Path | None, typer.Option(help="Where `rollouts renderer` serves. Default: rendering in children of our own.")
    ] = None,
    allow_local: Annotated[
        bool,
        typer.Option("--allow-local", help="Permit file:// repositories of this machine, to try things out."),
    ] = False,
) -> None:
    """Release Rollouts and measure AnalysisRuns until told to stop (SIGTERM or Ctrl-C)."""
    from rollouts.engine import logs
    from rollouts.engine.app import Settings
    from rollouts.engine.lease import Timing
    from rollouts.gitops.budgets import Budgets

    own = namespace or _own_namespace()
    settings = Settings(
        namespace=own if namespaced else None,
        instance_id=instance_id,
        rollout_workers=rollout_threads,
        analysis_workers=analysis_threads,
        experiment_workers=experiment_threads,
    )
    try:
        logs.configure(level=loglevel, form=logformat)
        budgets = Budgets.parse(sync_budget or ())
        timing = Timing.of(duration=lease_duration, renew_deadline=renew_deadline, retry=retry_period)
    except ValueError as error:
        raise CliError(str(error)) from error
    if context.args:
        sys.stderr.write(f"no effect here, ignored: {' '.join(context.args)}\n")
    run = _run(
        kubeconfig=kubeconfig,
        context=kube_context,
        settings=settings,
        lock=(own, LOCK + (f"-{instance_id}" if instance_id else "")) if leader_elect else None,
        timing=timing,
        ports=(healthz_port, metrics_port),
        gitops={
            "account": default_service_account,
            "passes": concurrent_syncs,
            "insecure_registries": insecure_registry or (),
            "budgets": budgets,
            "renderer": renderer_socket,
            "allow_local": allow_local,
        }
        if gitops
        else None,
        webhook_port=webhook_port,
    )
    if asyncio.run(run):  # the Lease was lost: whoever started this starts it again, as a standby
        raise typer.Exit(1)


async def _run(
    *,
    kubeconfig: str | None,
    context: str | None,
    settings: Settings,
    lock: tuple[str, str] | None,
    timing: Timing,
    ports: tuple[int, int],
    gitops: dict[str, Any] | None,
    webhook_port: int,
) -> bool:
    """Run to the end; whether that was because the Lease was lost."""
    from rollouts import operator
    from rollouts.engine.app import App
    from rollouts.engine.lease import Lease

    async with connected(kubeconfig, context) as api, _syncing(gitops) as additions:
        identity = f"{os.environ.get('POD_NAME') or socket.gethostname()}_{os.getpid()}"
        lease = lock and Lease(api=api, namespace=lock[0], name=lock[1], identity=identity, timing=timing)
        app = App(api=api, settings=settings, lease=lease or None, additions=additions)
        async with _serving(app, ports), _hearing(additions, webhook_port):
            await operator.run(app, stop=asyncio.Event())
        return app.lost


@contextlib.asynccontextmanager
async def connected(kubeconfig: str | None, context: str | None) -> AsyncIterator[Api]:
    """The client for a cluster; CliError with what to do when there is none."""
    from kubernetes.aio.config import ConfigException

    from rollouts.engine.client import connect

    async with contextlib.AsyncExitStack() as stack:
        try:
            _look_for(kubeconfig or os.environ.get("KUBECONFIG") or "")
            api = await stack.enter_async_context(connect(kubeconfig=kubeconfig, context=context))
        except (ConfigException, OSError) as error:
            hint = "say which one with --kubeconfig or KUBECONFIG; inside a cluster neither is needed"
            raise CliError(f"no cluster to connect to: {error}", hint=hint) from error
        yield api


def _look_for(paths: str) -> None:
    """FileNotFoundError when files are named and none is there: the library would miss the context only."""
    if paths and not any(Path(path).expanduser().exists() for path in paths.split(os.pathsep)):
        raise FileNotFoundError(f"there is no file {paths}")


@contextlib.asynccontextmanager
async def _syncing(gitops: dict[str, Any] | None) -> AsyncIterator[tuple[GitSyncs, ...]]:
    """The sync, with a folder of its own for what it fetches."""
    if gitops is None:
        yield ()
        return
    from rollouts.gitops.gitsync.controller import GitSyncs

    with tempfile.TemporaryDirectory(prefix="rollouts-gitops-") as folder:
        yield (GitSyncs(directory=Path(folder), **gitops),)


@contextlib.asynccontextmanager
async def _hearing(syncs: tuple[GitSyncs, ...], port: int) -> AsyncIterator[None]:
    """The webhooks, on a port of their own: it is the only one that strangers reach."""
    if port < 0 or not syncs:
        yield
        return
    import structlog

    from rollouts.gitops.gitsync.webhooks import serving

    async with contextlib.AsyncExitStack() as stack:
        try:
            taken = await stack.enter_async_context(serving(syncs[0].door(), port=port))
        except OSError as error:
            hint = "choose another with --webhook-port (0: any free one, -1: none)"
            raise CliError(f"cannot hear of pushes: {error}", hint=hint) from error
        structlog.get_logger(__name__).info("serving /hook/<namespace>/<name>", port=taken)
        yield


@contextlib.asynccontextmanager
async def _serving(app: App, ports: tuple[int, int]) -> AsyncIterator[None]:
    import structlog

    from rollouts.engine.probes import serving

    async with contextlib.AsyncExitStack() as stack:
        try:
            taken = await stack.enter_async_context(
                serving(metrics=app.metrics, alive=app.trouble, ready=app.not_ready, ports=ports)
            )
        except OSError as error:
            hint = "choose others with --healthzPort and --metricsPort (0: any free one, -1: none)"
            raise CliError(f"cannot serve probes and metrics: {error}", hint=hint) from error
        structlog.get_logger(__name__).info("serving /healthz, /readyz and /metrics", ports=taken)
        yield


def _own_namespace() -> str:
    if "POD_NAMESPACE" in os.environ:
        return os.environ["POD_NAMESPACE"]
    return _SERVICE_ACCOUNT.read_text().strip() if _SERVICE_ACCOUNT.exists() else "default"
