"""One control plane for all cluster tests, a namespace of its own for each.

The plane is the local one (`deploy/local`), unless another cluster is asked for:

    ROLLOUTS_TEST_KUBECONFIG=PATH    any cluster that may be messed with
    ROLLOUTS_TEST_CLUSTER=kind       a kind cluster, made for the run and deleted after it

A plane that dies ends the run at once with the end of its log: every test after it would only wait in vain.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.errors import LocalError, ProcessDiedError
from deploy.local.plane import Plane
from deploy.local.prometheus import Prometheus
from deploy.local.tools import ensure_tool
from tests.cluster.controllers import client, controller, own_controller, process, space  # noqa: F401  # fixtures
from tests.cluster.gitsyncs import git_server, opened, syncer, syncing  # noqa: F401  # fixtures
from tests.cluster.harness import Cluster, Kubectl, cluster_under_test, install_crds, watched
from tests.cluster.onepass import bare, once  # noqa: F401  # fixtures

HERE = Path(__file__).parent
NUMBERS = itertools.count(1)
CLUSTER = pytest.StashKey[Cluster]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a cluster."""
    for item in _ours(items):
        item.add_marker("cluster")


def pytest_runtest_setup(item: pytest.Item) -> None:
    _exit_if_dead(item)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    _exit_if_dead(item)


def _ours(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if item.path.is_relative_to(HERE)]


def _exit_if_dead(item: pytest.Item) -> None:
    cluster = item.config.stash.get(CLUSTER, None)
    if cluster is None:
        return
    try:
        cluster.check()
    except ProcessDiedError as error:
        pytest.exit(f"the control plane died (seen at {item.nodeid}): {error}", returncode=3)


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster under test, with our CRDs installed."""
    with cluster_under_test() as cluster:
        install_crds(Kubectl(program=ensure_tool("kubectl"), kubeconfig=cluster.kubeconfig))
        request.config.stash[CLUSTER] = cluster
        with watched(cluster):
            yield cluster
        del request.config.stash[CLUSTER]


@pytest.fixture(scope="session")
def kubeconfig(plane: Cluster) -> Path:
    """The admin's kubeconfig for it."""
    return plane.kubeconfig


@pytest.fixture
def namespace(plane: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of this test's own; deleted afterwards without waiting for it."""
    name = f"test-{os.getpid():x}-{next(NUMBERS)}"
    admin = Kubectl(program=ensure_tool("kubectl"), kubeconfig=plane.kubeconfig)
    metadata = {"name": name, "annotations": {"rollouts/test": request.node.nodeid}}
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    yield name
    admin("delete", "namespace", name, "--wait=false")


@pytest.fixture
def kubectl(plane: Cluster, namespace: str) -> Kubectl:
    """kubectl in this test's namespace."""
    return Kubectl(program=ensure_tool("kubectl"), kubeconfig=plane.kubeconfig, namespace=namespace)


@pytest.fixture(scope="session")
def prometheus(plane: Cluster) -> Iterator[Prometheus]:
    """A Prometheus that scrapes itself; `configure` makes it scrape more."""
    with Prometheus(plane=plane if isinstance(plane, Plane) else None) as started:
        targets = [started.inside_url.removeprefix("http://")]
        started.configure(scrape_configs=[{"job_name": "prometheus", "static_configs": [{"targets": targets}]}])
        yield started


@pytest.fixture
def eventually(plane: Cluster) -> Callable[..., Any]:
    """`eventually(what, probe, seconds=30)`: call probe until it returns something true, and return that.

    An AssertionError in the probe counts as 'not yet' and is what the test fails with in the end.
    """

    def wait(what: str, probe: Callable[[], Any], *, seconds: float = 30.0) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            plane.check()
            result, reason = _attempt(probe)
            if result:
                return result
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not so after {seconds:g} s (last seen: {reason})")
            time.sleep(0.1)

    return wait


def _attempt(probe: Callable[[], Any]) -> tuple[Any, Any]:
    try:
        result = probe()
    except (AssertionError, LocalError) as error:
        return None, error
    return result, repr(result)
