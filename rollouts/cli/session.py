"""What a verb works with: the client, the namespace, the terminal, and the lookups that many verbs share."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import typer

from rollouts.api.kinds import ROLLOUT, Kind
from rollouts.cli.client import Client
from rollouts.cli.errors import ApiError, CliError, explain, near
from rollouts.cli.kubeconfig import load
from rollouts.cli.options import duration, flag, flags_of
from rollouts.cli.patches import Patch
from rollouts.cli.terminal import Terminal

REQUEST_TIMEOUT = 30.0


class Session:
    """One run of a verb. `program`: how the person called us, for hints: with the flags that say which cluster and
    namespace, so that a hint can be copied."""

    def __init__(self, *, client: Client, namespace: str, terminal: Terminal, program: str) -> None:
        self.client = client
        self.namespace = namespace
        self.terminal = terminal
        self.program = program

    @classmethod
    def of(cls, ctx: typer.Context) -> Session:
        """The session for a command's context; its connections are closed when the command ends."""
        access = load(flags_of(ctx))
        limit = flag(ctx, "request_timeout")
        timeout = duration(limit, option="--request-timeout") if limit else REQUEST_TIMEOUT
        client = Client(access=access, timeout=timeout or REQUEST_TIMEOUT)
        ctx.call_on_close(client.close)
        return cls(client=client, namespace=access.namespace, terminal=terminal_of(ctx), program=_called(ctx))

    def find(self, kind: Kind, name: str) -> dict[str, Any]:
        """The object of that name in the namespace; CliError with near names when there is none."""
        try:
            return self.client.get(kind, self.namespace, bare(name))
        except ApiError as error:
            raise self.missing(kind, name, error) from None

    def patch(self, kind: Kind, name: str, patch: Patch) -> dict[str, Any]:
        """Send a patch: its status to the status subresource first, all of it to the object where there is none.

        The object as it is then; empty for an empty patch.
        """
        try:
            return self._patch(kind.path(self.namespace, bare(name)), patch)
        except ApiError as error:
            raise self.missing(kind, name, error) from None

    def _patch(self, path: str, patch: Patch) -> dict[str, Any]:
        patched: dict[str, Any] = {}
        if patch.status is not None:
            try:
                patched = self.client.patch(f"{path}/status", {"status": patch.status})
            except ApiError as error:
                if error.status != 404:
                    raise
                return self.client.patch(path, patch.body)
        if patch.spec is not None:
            patched = self.client.patch(path, {"spec": patch.spec})
        return patched

    def missing(self, kind: Kind, name: str, error: ApiError) -> CliError:
        """`error` in words; for an object that does not exist, with names like it."""
        if not (error.status == 404 and error.missing_object):
            return explain(error)
        message = f'there is no {kind.kind} "{bare(name)}" in namespace "{self.namespace}"'
        return CliError(message, hint=near(bare(name), self._names(kind)) or self._elsewhere(kind))

    def _names(self, kind: Kind) -> list[str]:
        try:
            found = self.client.list(kind, self.namespace)
        except ApiError:
            return []
        return [str(item["metadata"]["name"]) for item in found.get("items") or ()]

    def _elsewhere(self, kind: Kind) -> str:
        others = f"`kubectl get {kind.plural} -A` lists them"
        return f"The namespace has no {kind.kind} at all: name another with -n; {others}."

    def each(self, names: list[str], act: Any) -> None:
        """Do `act(name)` for every name; what fails for one doesn't keep the others from being done."""
        errors: list[CliError] = []
        for name in names:
            try:
                act(bare(name))
            except CliError as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise CliError("\n".join(error.message for error in errors), hint=errors[0].hint)


def terminal_of(ctx: typer.Context) -> Terminal:
    """The terminal, with colours as the flags say."""
    return Terminal(colour=False if flag(ctx, "no_color") else None)


def _called(ctx: typer.Context) -> str:
    given = (
        ("--kubeconfig", flag(ctx, "kubeconfig")),
        ("--context", flag(ctx, "context")),
        ("-n", flag(ctx, "namespace")),
    )
    words = [str(ctx.find_root().info_name), *(f"{name} {shlex.quote(value)}" for name, value in given if value)]
    return " ".join(words)


def bare(name: str) -> str:
    """`app` for `app`, `rollout/app` and `rollouts.argoproj.io/app`."""
    return name.rpartition("/")[2]


def rollout_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names to complete; nothing when the cluster can't be asked."""
    try:
        found: Mapping[str, Any] = Session.of(ctx).client.list(ROLLOUT, load(flags_of(ctx)).namespace)
    except (CliError, ApiError):
        return []
    names = [str(item["metadata"]["name"]) for item in found.get("items") or ()]
    return [name for name in names if name.startswith(incomplete)]
