"""Nothing of a Secret is ever text (§2.4; §2.5 C)."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rollouts.gitops import mask


def secret(**data: bytes) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(encoded)}
    return {"kind": "Secret", "metadata": {"name": "s", "annotations": applied}, "data": encoded}


@given(st.binary(min_size=6), st.binary(min_size=6))
def test_no_value_of_a_secret_is_in_a_diff(before: bytes, after: bytes) -> None:
    shown = "\n".join(mask.diff(secret(a=before), secret(a=after)))
    for value in (before, after):
        assert base64.b64encode(value).decode() not in shown
        assert value.hex() not in shown
    assert ("hidden" in shown) == (before != after)


def test_plain_values_are_hidden_too_and_equal_ones_look_equal() -> None:
    body = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hunter22", "b": "hunter22"}}
    shown = mask.masked(body)["data"]
    assert "hunter22" not in str(shown)
    assert shown["a"] == shown["b"]


def test_what_only_the_server_keeps_is_no_difference() -> None:
    live = {"kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": "1", "uid": "x"}, "data": {"a": "1"}}
    wanted = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "2"}}
    assert [line for line in mask.diff(live, wanted) if line[0] in "+-"] == ["-  a: '1'", "+  a: '2'"]
