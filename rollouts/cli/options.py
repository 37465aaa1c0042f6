"""The flags every verb has, as kubectl spells them; they may stand before or after the verb.

Each command gets them as parameters that keep their values in the context, so verbs don't repeat fifteen arguments.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any

import typer

from rollouts.cli.errors import CliError
from rollouts.cli.kubeconfig import Flags

META = "rollouts.flags"
PANEL = "Global flags"


def _option(*names: str, help: str, hidden: bool = False, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=PANEL, show_default=False, hidden=hidden, metavar=metavar)


def _flags(
    namespace: Annotated[str, _option("--namespace", "-n", help="The namespace; the context's by default.")] = "",
    context: Annotated[str, _option("--context", help="The kubeconfig context.")] = "",
    kubeconfig: Annotated[str, _option("--kubeconfig", help="The kubeconfig file.")] = "",
    cluster: Annotated[str, _option("--cluster", help="The kubeconfig cluster.", hidden=True)] = "",
    user: Annotated[str, _option("--user", help="The kubeconfig user.", hidden=True)] = "",
    server: Annotated[str, _option("--server", "-s", help="The API server's address.", hidden=True)] = "",
    token: Annotated[str, _option("--token", help="A bearer token.", hidden=True)] = "",
    as_user: Annotated[str, _option("--as", help="Act as another user.", hidden=True)] = "",
    as_group: Annotated[list[str] | None, _option("--as-group", help="Act as a group.", hidden=True)] = None,
    certificate_authority: Annotated[str, _option("--certificate-authority", help="CA file.", hidden=True)] = "",
    client_certificate: Annotated[str, _option("--client-certificate", help="Certificate file.", hidden=True)] = "",
    client_key: Annotated[str, _option("--client-key", help="Key file.", hidden=True)] = "",
    tls_server_name: Annotated[str, _option("--tls-server-name", help="Expected name.", hidden=True)] = "",
    insecure_skip_tls_verify: Annotated[
        bool, _option("--insecure-skip-tls-verify", help="Trust any certificate.", hidden=True)
    ] = False,
    request_timeout: Annotated[str, _option("--request-timeout", help="Limit of a request, like 10s.")] = "",
    no_color: Annotated[bool, _option("--no-color", help="No colours; NO_COLOR does the same.")] = False,
    loglevel: Annotated[str, _option("--loglevel", help="Ignored; for scripts.", hidden=True)] = "",
    kloglevel: Annotated[str, _option("--kloglevel", "-v", help="Ignored; for scripts.", hidden=True)] = "",
) -> None:
    """Only the signature is used."""


def global_params() -> list[Any]:
    """The flags as parameters of a command: their values go to the context, not to the verb's function."""
    return [_kept(param) for param in _command().params]


@functools.cache
def _command() -> Any:
    app = typer.Typer(add_completion=False)
    app.command()(_flags)
    return typer.main.get_command(app)


def _kept(param: Any) -> Any:
    param.expose_value = False
    param.callback = _keep
    return param


def _keep(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    if value and param.name:
        ctx.meta.setdefault(META, {})[param.name] = value
    return value


def flag(ctx: typer.Context, name: str) -> Any:
    """The value of a global flag; None when it was not given."""
    return ctx.meta.get(META, {}).get(name)


def flags_of(ctx: typer.Context) -> Flags:
    """The connection flags that were given."""
    given = {key: value for key, value in ctx.meta.get(META, {}).items() if key in Flags.__dataclass_fields__}
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return Flags(**values)


def duration(text: str, *, option: str) -> float:
    """Seconds of a duration that was typed: `90`, `90s`, `1m30s`. CliError names the option."""
    from rollouts.api.durations import parse_duration

    try:
        return float(text) if text.replace(".", "", 1).isdecimal() else parse_duration(text)
    except ValueError as error:
        raise CliError(f"{option}: {error}", hint="Write it like 90s, 5m or 1h30m.", code=2) from None
