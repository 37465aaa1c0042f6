"""When a question is asked again, and the bounds of an answer: time, size, TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from analysis.providers.base import Misconfigured, Refused, TimedOut, Unavailable, Unreachable
from analysis.providers.client import Ask, Client, address_of, reason_of
from analysis.providers.retries import ATTEMPTS, retry_after
from analysis.providers.web import WebProvider
from deploy.local.certs import Authority, Subject
from tests.analysis.asking import error
from tests.analysis.wire import Reply, Request, wire

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    found = Client()
    yield found
    await found.close()


def ask(url: str, *, timeout: float = 2.0, **more: object) -> Ask:
    return Ask(who="the service", url=url, timeout=timeout, **more)  # type: ignore[arg-type]


def in_turn(replies: Sequence[Reply]) -> Callable[[Request], Reply]:
    left = list(replies)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "Fri, 02 Jan 2026 03:05:05 GMT"}, 60),
        ({"Retry-After": "Fri, 02 Jan 2026 03:00:00 GMT"}, 0),
        ({"X-RateLimit-Reset": "3"}, 3),
        ({"X-RateLimit-Reset": "1767323045"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "-3"}, None),
        ({}, None),
    ],
)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == seconds


async def test_a_server_that_asks_to_wait_gets_its_time(client: Client) -> None:
    slow = Reply(code=429, headers={"Retry-After": "0.2"})
    with wire(in_turn([slow, Reply(code=503), Reply(body="fine")])) as server:
        assert await client.text(ask(server.url)) == "fine"
        assert len(server.seen) == 3


async def test_a_server_that_asks_to_wait_too_long_is_not_asked_again(client: Client) -> None:
    with wire(lambda _: Reply(code=503, headers={"Retry-After": "120"}, body="busy")) as server:
        with pytest.raises(Unavailable, match=r"busy; it asks to wait 120 s, which is longer than the timeout of 2 s"):
            await client.text(ask(server.url))
        assert len(server.seen) == 1


async def test_it_gives_up(client: Client) -> None:
    with wire(lambda _: Reply(code=502)) as server:
        with pytest.raises(Unavailable, match="502 Bad Gateway"):
            await client.text(ask(server.url))
        assert len(server.seen) == ATTEMPTS


async def test_what_may_change_something_is_sent_once(client: Client) -> None:
    with wire(lambda _: Reply(code=502)) as server:
        with pytest.raises(Unavailable):
            await client.text(ask(server.url, repeat=False, method="POST"))
        assert len(server.seen) == 1


async def test_an_answer_that_drips_ends_in_time(client: Client) -> None:
    with wire(lambda _: Reply(body="x" * 400, drip=True)) as server:
        with pytest.raises(TimedOut, match=r"did not answer within 0\.3 s"):
            await client.text(ask(server.url, timeout=0.3))
        provider = WebProvider()
        said = await error(provider, {"web": {"url": server.url, "timeoutSeconds": 1}})
        await provider.close()
    assert "did not finish its answer in time" in said


@pytest.mark.parametrize(
    ("url", "kind", "fragment"),
    [
        (
            "http://127.0.0.1:1/x?token=t",
            Unreachable,
            r"the service at http://127\.0\.0\.1:1/x is unreachable: Connection refused",
        ),
        ("http://no-such-host.invalid/", Unreachable, "the service at http://no-such-host.invalid is unreachable"),
        ("http://127.0.0.1:99999/", Misconfigured, "cannot be asked"),
    ],
)
async def test_no_way_there(client: Client, url: str, kind: type[Exception], fragment: str) -> None:
    with pytest.raises(kind, match=fragment):
        await client.text(ask(url))


async def test_a_header_that_cannot_be_sent_is_not_shown(client: Client) -> None:
    with wire(lambda _: Reply()) as server, pytest.raises(Misconfigured, match="that can't be sent") as caught:
        await client.text(ask(server.url, headers={"Api-Key": "two\nlines"}))
    assert "lines" not in str(caught.value)


async def test_what_is_no_http(client: Client) -> None:
    with wire(lambda _: Reply(headers={"Content-Length": "many"})) as server, pytest.raises((Refused, Unreachable)):
        await client.text(ask(server.url))


@pytest.mark.parametrize(
    ("address", "fragment"),
    [
        (None, "is empty"),
        ("  ", "is empty"),
        ("example.com", "is not a URL"),
        ("ftp://x", "not a URL"),
        ("http://[", "not a URL"),
    ],
)
def test_addresses(address: str | None, fragment: str) -> None:
    assert address_of(" https://example.com/a/ ", where="f") == "https://example.com/a"
    with pytest.raises(Misconfigured, match=f"the field .*{fragment}"):
        address_of(address, where="the field")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"message": "m"}', "m"),
        ('{"error": {"message": "deep"}}', "deep"),
        ('{"errors": ["first", "second"]}', "first"),
        ('{"errors": [{"title": "t", "detail": "d"}]}', "d"),
        ('{"status": {"message": "m"}}', '{"status": {"message": "m"}}'),
        ("plain\n  text", "plain text"),
        ("[" * 100_000, "[" * 200 + "…"),
        ("", ""),
    ],
)
def test_reasons(text: str, reason: str) -> None:
    assert reason_of(text) == reason


# -- TLS ---------------------------------------------------------------------------------------------------------------


class _Fine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def https(tmp_path: Path) -> Iterator[str]:
    """A server with a certificate nobody vouches for."""
    subject = Subject(user="metrics", hosts=("127.0.0.1",))
    certificate, key = Authority(directory=tmp_path).issue("metrics", subject)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = HTTPServer(("127.0.0.1", 0), _Fine)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_a_certificate_nobody_vouches_for(client: Client, https: str) -> None:
    with pytest.raises(Unreachable, match=r"cannot be trusted: .*certificate"):
        await client.text(ask(https))
    assert await client.text(ask(https, verify=False)) == "true"
