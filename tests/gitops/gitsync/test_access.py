"""From a Secret to git: nothing of it in errors, arguments or text (§2.5 C); headers can't be smuggled in."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.errors import SourceError
from rollouts.gitops.git import environment
from rollouts.gitops.gitsync.access import access_of


def secret(**data: bytes) -> dict[str, Any]:
    return {"metadata": {"name": "key"}, "data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


def test_a_password_becomes_a_header_in_the_environment_only(tmp_path: Path) -> None:
    access = access_of(secret(username=b"ann", password=b"hunter22"), folder=tmp_path, https=True)
    assert access.authorization == "Basic " + base64.b64encode(b"ann:hunter22").decode()
    assert "hunter22" not in repr(access)
    assert access.authorization not in repr(access)
    values = environment(home=tmp_path, protocols="https", access=access)
    assert f"Authorization: {access.authorization}" in values.values()


def test_a_token_wins_over_a_password(tmp_path: Path) -> None:
    both = secret(bearerToken=b"t0ken\n", password=b"x")
    assert access_of(both, folder=tmp_path, https=True).authorization == "Bearer t0ken"


def test_a_key_is_a_private_file(tmp_path: Path) -> None:
    access = access_of(secret(identity=b"KEY", known_hosts=b"host key"), folder=tmp_path, https=False)
    assert access.identity is not None
    assert (access.identity.read_bytes(), stat.S_IMODE(access.identity.stat().st_mode)) == (b"KEY\n", 0o600)
    assert access.authorization == ""


def test_ssh_never_gets_a_header_and_https_none_without_a_password(tmp_path: Path) -> None:
    mixed = secret(identity=b"KEY", known_hosts=b"h", password=b"x")
    assert access_of(mixed, folder=tmp_path, https=False).authorization == ""
    assert access_of(secret(**{"ca.crt": b"CA"}), folder=tmp_path, https=True).authorization == ""


@pytest.mark.parametrize(
    ("data", "https", "word"),
    [
        (secret(password=b"a\nX-Evil: 1"), True, "`password`"),
        (secret(bearerToken=b"a\rb"), True, "`bearerToken`"),
        (secret(known_hosts=b"h"), False, "`identity`"),
        (secret(identity=b"topsecret"), False, "`known_hosts`"),
        (secret(token=b"topsecret"), True, "none of the keys for https (it has token): add `username` and `password`"),
        (secret(username=b"topsecret"), True, "or `bearerToken`"),
        (secret(identity=b"topsecret", known_hosts=b"h"), True, "it has identity, known_hosts"),
        (secret(), True, "it is empty"),
        ({"metadata": {"name": "key"}, "data": {"password": "not base64!"}}, True, "base64"),
    ],
)
def test_what_is_wrong_is_named_but_never_shown(data: Any, https: bool, word: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refused:
        access_of(data, folder=tmp_path, https=https)
    assert word in str(refused.value)
    assert not any(value in str(refused.value) for value in ("X-Evil", "topsecret", "not base64!"))
