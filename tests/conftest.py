"""For every test: programs that cluster tests need are made before the first test.

A test has a time limit, which a first build (minutes) would break; and its progress should be seen.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from deploy.local.errors import LocalError
from deploy.local.tools import ALL, ensure_tools
from tests.analysis.catalog.series import everything, honoured, recovered
from tests.analysis.history import prometheus_with
from tests.programs import argo_rollouts, helm, kustomize, registry, wanted  # noqa: F401  # fixtures


def pytest_configure() -> None:
    """pytest-asyncio asks for the current event loop; Python 3.11 would make one then, which nobody closes.

    Hypothesis would fail an example that takes 200 ms: on a busy machine any of them may. Controllers run in threads:
    what they log goes through `logging`, which locks; several threads printing to what pytest captures crash Python.
    A shell's background jobs ignore Ctrl-C, and so would every program we start to see what it does then.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.set_event_loop(None)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper(fmt="%H:%M:%S"),
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    logging.getLogger("rollouts").setLevel(logging.DEBUG)
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Runs once it is known which tests will run."""
    needed = [*(ALL if any(map(_needs_tools, session.items)) else ()), *wanted(session.items)]
    if session.config.option.collectonly or not needed:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    assert capture
    with capture.global_and_fixture_disabled():
        try:
            ensure_tools(needed)
        except LocalError as error:
            pytest.exit(f"programs that tests need could not be made: {error}", returncode=3)


def _needs_tools(item: pytest.Item) -> bool:
    elsewhere = "ROLLOUTS_TEST_KUBECONFIG" in os.environ or os.environ.get("ROLLOUTS_TEST_CLUSTER", "local") != "local"
    return item.get_closest_marker("cluster") is not None and not elsewhere


@pytest.fixture(scope="module")
def past() -> Iterator[str]:
    """URL of a Prometheus with an hour of traffic, as `tests/analysis/catalog/series.py` describes it.

    One for each file: the traffic ends some minutes after it was made, and the whole run takes longer.
    """
    with prometheus_with([*everything(), *recovered(), *honoured()]) as url:
        yield url
