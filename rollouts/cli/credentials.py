"""Credentials that a program or a provider hands out (exec plugins, OIDC): the official client knows them all.

Imported only for kubeconfigs that ask for it: it costs 0.7 s.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rollouts.cli.errors import CliError


def from_program(*, files: list[Path], context: str, user: str) -> dict[str, Any]:
    """What the current user's plugin answers, as keys of a kubeconfig user. CliError with the plugin's complaint."""
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=os.pathsep.join(map(str, files)), context=context or None, client_configuration=configuration
        )
    except Exception as error:
        raise CliError(
            f"the kubeconfig's login program failed: {error}", hint="Run it by hand, or log in again."
        ) from None
    keys = configuration.api_key or {}
    token = str(keys.get("BearerToken") or keys.get("authorization") or "").removeprefix("Bearer ")
    found = {"token": token, "client-certificate": configuration.cert_file, "client-key": configuration.key_file}
    return {key: value for key, value in found.items() if value}
