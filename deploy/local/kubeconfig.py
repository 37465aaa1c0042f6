"""Kubeconfig files with everything embedded, so that one file is all a client needs."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

NAME = "rollouts-local"


def write_kubeconfig(path: Path, *, server: str, ca: Path, certificate: Path, key: Path) -> Path:
    """Write a kubeconfig of one cluster, user and context, readable by the owner only; returns its path."""
    cluster = {"server": server, "certificate-authority-data": _embed(ca)}
    user = {"client-certificate-data": _embed(certificate), "client-key-data": _embed(key)}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": "default"}}],
    }  # fmt: skip
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _embed(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
