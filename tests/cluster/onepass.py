"""One pass of a sync over a bare repository, without a controller: all that is remembered is in the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rollouts.engine.client import connect
from rollouts.gitops.plan import Policy
from rollouts.gitops.report import Report
from rollouts.gitops.source import Source
from rollouts.gitops.sync import Settings, Syncer
from tests.gitops.bare import Bare

Once = Callable[..., Awaitable[Report]]


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


@pytest.fixture
def once(bare: Bare, kubeconfig: Path, namespace: str, tmp_path: Path) -> Once:
    """One pass over the newest commit."""

    async def run(*, adopt: bool = False, **policy: bool) -> Report:
        settings = Settings(
            name="app",
            namespace=namespace,
            source=Source(url=bare.url, revision="main", allow_local=True),
            policy=replace(Policy(sync="app"), **policy),  # type: ignore[arg-type]
            attempts=1,
            adopt=adopt,
        )
        async with connect(kubeconfig=str(kubeconfig)) as api:
            return await Syncer(api=api, settings=settings, directory=tmp_path / "store").once()

    return run
