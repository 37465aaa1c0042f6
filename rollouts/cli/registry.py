"""The verbs as a table, and the commands made from it: each is imported when it is run, never to be listed.

A row says where a verb lives and what it does in a sentence; `--help` of a program reads nothing but the table.
A row with `verbs` is a group such as `get rollout`; its `default` is what a name alone means (`get app`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from rollouts.cli.errors import ApiError, CliError, explain
from rollouts.cli.help import usage_pieces, write_commands, write_params
from rollouts.cli.options import global_params
from rollouts.cli.quick import quicken

CONTEXT = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One row. `module`, `function`: where it lives. `globals`: whether it takes kubectl's flags."""

    name: str
    help: str
    module: str = ""
    function: str = "run"
    aliases: tuple[str, ...] = ()
    panel: str | None = None
    hidden: bool = False
    globals: bool = True
    verbs: tuple[Verb, ...] = field(default=())
    default: str = ""


class VerbCommand(TyperCommand):
    """A command whose values are taken as they are where that is right, and whose help is plain."""

    def get_params(self, ctx: Any) -> Any:
        """The parameters, --help among them."""
        return quicken(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`ROLLOUT... [flags]`, as kubectl writes it."""
        return usage_pieces(self.get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and flags."""
        write_params(self.get_params(ctx), ctx, formatter)


class LazyCommand(TyperCommand):
    """A row of the table, which becomes the real command when it is run."""

    def __init__(self, verb: Verb) -> None:
        super().__init__(verb.name, help=verb.help, hidden=verb.hidden, rich_help_panel=verb.panel)
        self.verb = verb

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The real command's context."""
        command = load_command(self.verb)
        return command.make_context(info_name, spelled_out(args, command.params), parent=parent, **extra)


def load_command(verb: Verb) -> Any:
    """Import a verb and make its command; the module's CONTEXT_SETTINGS, if any, go with it."""
    module = import_module(verb.module)
    found = getattr(module, verb.function)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = {**CONTEXT, **getattr(module, "CONTEXT_SETTINGS", {})}
    app.command(name=verb.name, cls=VerbCommand, context_settings=settings)(found)
    command = typer.main.get_command(app)
    command.params += global_params() if verb.globals else []
    return command


def spelled_out(args: Sequence[str], params: Sequence[Any]) -> list[str]:
    """`--watch=false` as kubectl's users write it, in the form our parser knows: `--no-watch`; `=true` is dropped."""
    switches = {name: param for param in params if getattr(param, "is_flag", False) for name in param.opts}
    result: list[str] = []
    for arg in args:
        name, _, value = arg.partition("=")
        if name not in switches or value not in ("true", "false"):
            result.append(arg)
        elif value == "true":
            result.append(name)
        else:
            result += switches[name].secondary_opts[:1]
    return result


class VerbGroup(TyperGroup):
    """A group whose commands are rows of a table."""

    verbs: tuple[Verb, ...] = ()
    default = ""
    takes_globals = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"context_settings": CONTEXT, "no_args_is_help": True, **options, "rich_markup_mode": None})
        self.params += global_params() if self.takes_globals else []

    def get_params(self, ctx: Any) -> Any:
        """The parameters, --help among them."""
        return quicken(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`COMMAND [flags]`."""
        return ["COMMAND", "[flags]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Commands first, then flags."""
        write_commands((self.get_command(ctx, name) for name in self.list_commands(ctx)), formatter)
        write_params(self.get_params(ctx), ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the table's order."""
        return [verb.name for verb in self.verbs]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name or alias; what a bare name means, if the table says so."""
        for verb in self.verbs:
            if cmd_name == verb.name or cmd_name in verb.aliases:
                return group_of(verb) if verb.verbs else LazyCommand(verb)
        return None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, with the verb brought to the front: `get -w rollout app`; `get app` is `get rollout app`."""
        asks_help = any(arg in CONTEXT["help_option_names"] for arg in args)
        place = self._place(args) if ctx.parent is not None else None
        if place is not None:
            args = [args[place], *args[:place], *args[place + 1 :]]
        elif args and self.default and not asks_help:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def _place(self, args: Sequence[str]) -> int | None:
        """Where the verb stands, flags and their values aside."""
        valued = {name for param in self.params if not getattr(param, "is_flag", False) for name in param.opts}
        names = {name for verb in self.verbs for name in (verb.name, *verb.aliases)}
        found = (at for at, arg in enumerate(args) if arg in names and (not at or args[at - 1] not in valued))
        return next(found, None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As usual; a misspelt verb gets the one that was meant."""
        self.commands = {verb.name: LazyCommand(verb) for verb in self.verbs}
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run; errors for people are printed as such."""
        if ctx.parent is not None:
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except ApiError as error:
            raise fail(explain(error)) from None
        except CliError as error:
            raise fail(error) from None


def group_of(verb: Verb) -> VerbGroup:
    """The group a row with verbs stands for."""
    group = VerbGroup(name=verb.name, help=verb.help, hidden=verb.hidden, rich_help_panel=verb.panel)
    group.verbs, group.default = verb.verbs, verb.default
    return group


def fail(error: CliError) -> typer.Exit:
    """Print an error and make the exit that goes with it."""
    typer.secho(f"Error: {error.message}", fg="red", err=True)
    if error.hint:
        typer.secho(error.hint, err=True)
    return typer.Exit(error.code)
