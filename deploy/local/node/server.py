"""What `kubectl logs` ends up at: the part of a kubelet's own API that serves logs.

The API server insists on TLS but believes any certificate, so it is one of our own making, new at each start. The
server is only to be reached from within the plane's network namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FOLLOW_SECONDS = 0.2
CHUNK_BYTES = 64 * 1024

#: Where the logs of a pod's container are: namespace, pod and container in; its newest log first out; empty if unknown.
FindLogs = Callable[[str, str, str], list[Path]]
#: Whether the container may still write: namespace, pod and container.
IsLive = Callable[[str, str, str], bool]


@contextlib.asynccontextmanager
async def serve_logs(*, address: str, find: FindLogs, is_live: IsLive) -> AsyncIterator[int]:
    """Serve logs while the context lasts; gives the port."""
    app = web.Application()
    routes = LogRoutes(find=find, is_live=is_live)
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", routes.get)
    app.router.add_route("*", "/{rest:.*}", _unsupported)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, 0, ssl_context=_tls(address)).start()
        port: int = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()


class LogRoutes:
    """Options as kubectl sends them: `previous`, `tailLines`, `limitBytes`, `follow`."""

    def __init__(self, *, find: FindLogs, is_live: IsLive) -> None:
        self._find = find
        self._is_live = is_live

    async def get(self, request: web.Request) -> web.StreamResponse:
        """A log, or 400 with the reason: the API server passes on the text of no other refusal."""
        info, query = request.match_info, request.query
        key = (info["namespace"], info["pod"], info["container"])
        logs = self._find(*key)
        index = 1 if query.get("previous") == "true" else 0
        if len(logs) <= index:
            which = "previous terminated container" if index else "container"
            return web.Response(status=400, text=f"{which} {key[2]!r} in pod {key[1]!r} has no log")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        live = query.get("follow") == "true" and not index
        await self._copy(logs[index], response, query=query, is_live=lambda: live and self._is_live(*key))
        return response

    async def _copy(
        self, log: Path, response: web.StreamResponse, *, query: Mapping[str, str], is_live: Callable[[], bool]
    ) -> None:
        left = int(query.get("limitBytes", 2**63))
        with log.open("rb") as source:
            source.seek(tail_offset(log, lines=int(query.get("tailLines", -1))))
            while left > 0:
                more = is_live()  # asked before reading, or the last lines could be missed
                chunk = source.read(min(left, CHUNK_BYTES))
                left -= len(chunk)
                await response.write(chunk)
                if not chunk and not more:
                    return
                if not chunk:
                    await asyncio.sleep(FOLLOW_SECONDS)


def tail_offset(log: Path, *, lines: int) -> int:
    """Where the last `lines` lines of a file begin; a negative number means all of it."""
    data = log.read_bytes()
    if lines < 0:
        return 0
    tail = data.splitlines(keepends=True)[-lines:] if lines else []
    return len(data) - sum(map(len, tail))


async def _unsupported(request: web.Request) -> web.Response:
    what = request.path.split("/")[1]
    return web.Response(status=400, text=f"the process node serves logs only, not {what!r}")


def _tls(address: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, address=address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # the ssl module loads certificates from files only
    with tempfile.NamedTemporaryFile() as pem:
        encoding = serialization.Encoding.PEM
        pem.write(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        pem.write(certificate.public_bytes(encoding))
        pem.flush()
        context.load_cert_chain(pem.name)
    return context


def _certificate(key: ec.EllipticCurvePrivateKey, *, address: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "process-node")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
