"""TLS from a kubeconfig.

The standard library loads client certificates from files only, so they pass through one that exists for a moment,
readable by its owner alone. The context is a plain one and not the library's default: since Python 3.13 that refuses
the authorities many clusters have (no key identifier).
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Any

from rollouts.cli.errors import CliError
from rollouts.cli.kubeconfig import Access


class Context(ssl.SSLContext):
    """A context that may expect another name in the server's certificate than the address has."""

    expected_name = ""

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """As the base class, with `expected_name` if there is one."""
        options["server_hostname"] = self.expected_name or options.get("server_hostname")
        return super().wrap_socket(*arguments, **options)


def context_of(access: Access) -> ssl.SSLContext:
    """The TLS context for `access`. CliError for certificates that can't be used."""
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.expected_name = access.server_name
    try:
        _trust(context, access)
        if access.certificate:
            _identify(context, access.certificate + b"\n" + access.key)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise CliError(f"the kubeconfig's certificates can't be used: {error}") from None
    return context


def _trust(context: ssl.SSLContext, access: Access) -> None:
    if not access.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif access.authority:
        context.load_verify_locations(cadata=access.authority.decode())
    else:
        context.load_default_certs()


def _identify(context: ssl.SSLContext, chain_and_key: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="kubectl-rollouts-") as folder:
        path = Path(folder) / "client.pem"
        path.touch(mode=0o600)
        path.write_bytes(chain_and_key)
        context.load_cert_chain(path)
