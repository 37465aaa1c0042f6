"""Graphite for real: queries as people write them, and what a running Graphite answers to them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from analysis.providers.graphite import GraphiteProvider
from tests.analysis.asking import error, value
from tests.analysis.graphite import SUPPORTED, VALUES, graphite

pytestmark = pytest.mark.skipif(
    not SUPPORTED, reason=f"graphite-web needs Python 3.11, this is {sys.version_info[0]}.{sys.version_info[1]}"
)


@pytest.fixture(scope="module")
def graphite_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with graphite(tmp_path_factory.mktemp("graphite")) as url:
        yield url


@pytest.fixture
async def provider() -> AsyncIterator[GraphiteProvider]:
    found = GraphiteProvider()
    yield found
    await found.close()


QUERIES = {
    "target=app.errors&from=-6min": f"result == {VALUES}",
    "app.errors": f"result == {VALUES}",
    "target=summarize(\n    app.errors,\n    '1day', 'max'\n)\n&from=-6min": "max(result) == 1.5",
    "target=asPercent(app.errors, app.errors)&from=-6min": "len(result) == 3 and all(result, # == 100)",
    "target=app.{errors,warnings}&from=-6min": "len(result) == 3",
    "target=alias(app.errors, 'a b')&from=-6min": "len(result) == 3",
}


@pytest.mark.parametrize("query", QUERIES)
async def test_queries(provider: GraphiteProvider, graphite_url: str, query: str) -> None:
    await value(provider, {"graphite": {"address": graphite_url, "query": query}}, QUERIES[query])


@pytest.mark.parametrize(
    ("query", "fragment"),
    [
        ("target=app.nothing", "no values found"),
        ("target=noSuchFunction(app.errors)", "Graphite at http://127.0.0.1"),
        ("target=app.errors&from=yesteryear", "Graphite at http://127.0.0.1"),
    ],
)
async def test_faulty_queries(provider: GraphiteProvider, graphite_url: str, query: str, fragment: str) -> None:
    assert fragment in await error(provider, {"graphite": {"address": graphite_url, "query": query}})
