"""§2.5 F: what comes from Git and becomes a link is an address and nothing else; and which addresses there are."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops.addresses import LINK, MOST, addresses, safe


def linked(value: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"annotations": {f"{LINK}docs": value}}}


def ingress(**spec: Any) -> dict[str, Any]:
    return {"kind": "Ingress", "spec": spec}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (linked("https://wiki.example.com/shop?a=1#b"), ("https://wiki.example.com/shop?a=1#b",)),
        (linked("Wiki|https://wiki.example.com"), ("https://wiki.example.com",)),
        (
            ingress(rules=[{"host": "b.example"}, {"host": "a.example"}, {}], tls=[{"hosts": ["a.example"]}]),
            ("http://b.example", "https://a.example"),
        ),
        ({"kind": "HTTPRoute", "spec": {"hostnames": ["c.example", "*.example"]}}, ("http://c.example",)),
        (ingress(rules="strange"), ()),
    ],
)
def test_addresses(body: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert addresses([body, body]) == expected


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "x|javascript:alert(1)//https://a.example",
        "data:text/html,x", "vbscript:x", "//a.example", "https://", "https:a.example", "https://user:pass@a.example",
        'https://a.example/"onload="x', "https://a.example/<b>", "https://a.example/\x1b[31m", "https://a.example/\u202e",
        "http://[::1", "http://-a", "https://a.example/" + "x" * 500, "", "ftp://a.example", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_what_is_no_address_is_left_out(url: str) -> None:
    assert not safe(url)
    assert addresses([linked(url)]) == ()


def test_there_are_never_too_many() -> None:
    """R23."""
    assert len(addresses(linked(f"https://a.example/{number}") for number in range(500))) == MOST
