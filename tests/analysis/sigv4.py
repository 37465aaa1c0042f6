"""AWS Signature Version 4 as a server checks it, from AWS's description of it, for a request as it arrived."""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.analysis.wire import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/(?P<scope>[^,]+), SignedHeaders=(?P<names>[^,]+), Signature=(?P<hex>\w+)"
)


def signed_by(request: Request, *, secret_key: str, region: str, service: str) -> bool:
    """Whether the request carries the signature that this key makes for it."""
    headers = {name.lower(): " ".join(text.split()) for name, text in request.headers.items()}
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        return False
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    if found["scope"] != scope or not {"host", "x-amz-date"} <= set(found["names"].split(";")):
        return False
    to_sign = "\n".join(["AWS4-HMAC-SHA256", moment, scope, _digest(_canonical(request, headers, found["names"]))])
    key = f"AWS4{secret_key}".encode()
    for part in (moment[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), found["hex"])


def _canonical(request: Request, headers: dict[str, str], names: str) -> str:
    parts = urlsplit(request.target)
    path = quote(quote(unquote(parts.path), safe="/~"), safe="/~")
    pairs = sorted((_encoded(name), _encoded(text)) for name, text in parse_qsl(parts.query, keep_blank_values=True))
    query = "&".join(f"{name}={text}" for name, text in pairs)
    lines = [f"{name}:{headers[name]}" for name in names.split(";")]
    return "\n".join([request.method, path, query, *lines, "", names, _digest(request.body)])


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
