"""Where the server is and who we are, from kubeconfig files and flags."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.cli.errors import CliError
from rollouts.cli.kubeconfig import Flags, load


def config(name: str = "one", **user: Any) -> dict[str, Any]:
    return {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443/"}}],
        "users": [{"name": name, "user": user or {"token": f"token-{name}"}}],
    }


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`written(config, …)`: files that KUBECONFIG lists; returns their paths."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "https_proxy", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)

    def write(*configs: Any) -> list[Path]:
        paths = [tmp_path / f"config-{at}" for at in range(len(configs))]
        for path, content in zip(paths, configs, strict=True):
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join([*map(str, paths), "/does/not/exist"]))
        return paths

    return write


def test_the_current_context(written: Any) -> None:
    written(config())
    access = load(Flags())
    assert (access.server, access.namespace) == ("https://one:6443", "ns-one")
    assert access.headers == {"Authorization": "Bearer token-one"}


def test_files_are_merged_and_the_first_wins(written: Any) -> None:
    written(config("one"), {**config("one", token="never"), "current-context": "two"}, config("two"))
    assert load(Flags()).headers == {"Authorization": "Bearer token-one"}
    assert load(Flags(context="two")).server == "https://two:6443"
    assert load(Flags(context="two", user="one")).headers == {"Authorization": "Bearer token-one"}


def test_flags_win(written: Any) -> None:
    written(config())
    flags = Flags(
        namespace="other", server="http://x:1", token="t", insecure_skip_tls_verify=True, tls_server_name="name"
    )
    access = load(flags)
    assert (access.namespace, access.server, access.verify, access.server_name) == (
        "other",
        "http://x:1",
        False,
        "name",
    )
    assert access.headers == {"Authorization": "Bearer t"}


def test_the_usual_file(written: Any, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(yaml.safe_dump(config("home")))
    assert load(Flags()).server == "https://home:6443"


@pytest.mark.parametrize(
    ("user", "headers"),
    [
        ({"username": "bob", "password": "pw"}, {"Authorization": "Basic " + base64.b64encode(b"bob:pw").decode()}),
        ({"tokenFile": "token"}, {"Authorization": "Bearer from-file"}),
        ({"client-certificate-data": base64.b64encode(b"PEM").decode()}, {}),
    ],
)
def test_kinds_of_users(written: Any, tmp_path: Path, user: dict[str, str], headers: dict[str, str]) -> None:
    (tmp_path / "token").write_text("from-file\n")
    written(config("one", **user))
    assert load(Flags()).headers == headers


def test_certificates_by_relative_path(written: Any, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "me.crt").write_text("CERT")
    content = config("one", **{"client-certificate": "me.crt", "client-key-data": base64.b64encode(b"KEY").decode()})
    content["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    written(content)
    access = load(Flags())
    assert (access.authority, access.certificate, access.key) == (b"CA", b"CERT", b"KEY")


def test_a_login_program_is_asked(written: Any, tmp_path: Path) -> None:
    program = tmp_path / "login"
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"fresh"}}'
    program.write_text(f"#!/bin/sh\necho '{credential}'\n")
    program.chmod(0o755)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    written(config("one", exec=plugin))
    assert load(Flags()).headers == {"Authorization": "Bearer fresh"}


@pytest.mark.parametrize(
    ("content", "flags", "told"),
    [
        (config(), Flags(context="two"), 'no context "two"'),
        (config(), Flags(cluster="two"), 'no cluster "two"'),
        (config(), Flags(kubeconfig="/no/such"), "no kubeconfig file /no/such"),
        ("- a list", Flags(), "is no mapping"),
        ("a: [", Flags(), "can't read the kubeconfig"),
        ("", Flags(), "no kubeconfig found"),
        ({**config(), "clusters": []}, Flags(), 'no cluster "one"'),
        ({**config(), "contexts": [], "current-context": ""}, Flags(), "names no server"),
    ],
)
def test_what_is_wrong_is_said(written: Any, content: Any, flags: Flags, told: str) -> None:
    written(content)
    with pytest.raises(CliError, match="kubeconfig") as error:
        load(flags)
    assert told in error.value.message


def test_a_file_that_is_gone_is_named(written: Any) -> None:
    written(config("one", tokenFile="gone"))
    with pytest.raises(CliError, match=r"can't read .*/gone"):
        load(Flags())
