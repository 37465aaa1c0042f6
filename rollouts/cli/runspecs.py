"""From a template (in the cluster, a file, the catalog) and arguments on the command line to the spec of a run.

Templates are joined and arguments filled by what the controller itself uses (`strategy.templates`), so what is tried
here is what a Rollout would run. The cluster is asked only for what is not in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import typer

from rollouts.api.kinds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, ROLLOUT
from rollouts.cli.errors import CliError, near
from rollouts.cli.kubeconfig import load
from rollouts.cli.options import flags_of
from rollouts.cli.session import Session

JSON = Mapping[str, Any]
_KINDS = {kind.kind: kind for kind in (ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)}

Template = Annotated[str, typer.Argument(metavar="[TEMPLATE]", help="Name of an AnalysisTemplate.", show_default=False)]
File = Annotated[str, typer.Option("--filename", "-f", help="Take the template, or run, from a file; - for stdin.")]
Global = Annotated[bool, typer.Option("--global", help="TEMPLATE is a ClusterAnalysisTemplate.")]
Catalog = Annotated[bool, typer.Option("--catalog", help="TEMPLATE is one of the catalog (`analysis catalog`).")]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--argument", "-a", metavar="NAME=VALUE", help="An argument; may be repeated.", show_default=False),
]
FromRollout = Annotated[
    str, typer.Option("--rollout", help="The Rollout that arguments with a fieldRef are taken from.")
]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was asked for on the command line."""

    ctx: typer.Context
    name: str = ""
    file: str = ""
    everywhere: bool = False
    catalog: bool = False
    arguments: Sequence[str] = ()
    rollout: str = ""

    @cached_property
    def session(self) -> Session:
        """The cluster; only asked when something is not in a file."""
        return Session.of(self.ctx)

    @property
    def given(self) -> dict[str, str]:
        """Arguments by name. Raises CliError."""
        pairs = [text.partition("=") for text in self.arguments]
        for name, equals, _ in pairs:
            if not equals or not name:
                raise CliError(f'-a "{name}": write it as NAME=VALUE')
        return {name: value for name, _, value in pairs}

    @property
    def namespace(self) -> str:
        """The namespace that was asked for, or the context's; empty without a kubeconfig."""
        try:
            return load(flags_of(self.ctx)).namespace
        except CliError:
            return flags_of(self.ctx).namespace

    @cached_property
    def owner(self) -> JSON:
        """What arguments with a fieldRef are read from: the Rollout, or no more than the namespace."""
        if self.rollout:
            return {**self.session.find(ROLLOUT, self.rollout), "kind": "Rollout"}
        return {"kind": "Rollout", "metadata": {"namespace": self.namespace or None}}


@dataclass(kw_only=True)
class Shelf:
    """Templates by kind and name: those of the file, and what has been fetched since."""

    choice: Choice
    known: dict[tuple[str, str], JSON] = field(default_factory=dict)

    def get(self, kind: str, name: str) -> JSON:
        """The template. Raises CliError."""
        if (kind, name) not in self.known:
            self.known[kind, name] = self.choice.session.find(_KINDS[kind], name)
        return self.known[kind, name]

    def all_of(self, root: JSON) -> None:
        """Fetch what the template names, and what those name."""
        seen: set[tuple[str, str]] = set()
        waiting = [root]
        while waiting:
            for key in _named(waiting.pop()):
                if key not in seen:
                    seen.add(key)
                    waiting.append(self.get(*key))


def _named(template: JSON) -> Iterator[tuple[str, str]]:
    for ref in (template.get("spec") or {}).get("templates") or ():
        kind = CLUSTER_ANALYSIS_TEMPLATE if ref.get("clusterScope") else ANALYSIS_TEMPLATE
        yield kind.kind, str(ref.get("templateName"))


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The name of a template or run, and the spec of a run made from it, as in YAML."""

    name: str
    spec: dict[str, Any]


def choose(choice: Choice) -> Chosen:
    """The spec of a run of what was asked for. Raises CliError that names every argument that is missing."""
    shelf = Shelf(choice=choice)
    root = _root(choice, shelf)
    name = str((root.get("metadata") or {}).get("name") or (root.get("metadata") or {}).get("generateName") or "run")
    if root.get("kind") == ANALYSIS_RUN.kind:
        return Chosen(name=name.rstrip("-"), spec=_overridden(root, choice.given))
    shelf.all_of(root)
    _check_arguments([root, *shelf.known.values()], choice)
    return Chosen(name=name, spec=_joined(root, choice, shelf))


def _root(choice: Choice, shelf: Shelf) -> JSON:
    if choice.catalog:
        return _of_catalog(choice.name)
    if choice.file:
        return _of_file(choice, shelf)
    if not choice.name:
        raise CliError(
            "which template?", hint="Name one of the cluster, or give a file with -f; `analysis catalog` lists more."
        )
    return {
        **shelf.get((CLUSTER_ANALYSIS_TEMPLATE if choice.everywhere else ANALYSIS_TEMPLATE).kind, choice.name),
        "kind": (CLUSTER_ANALYSIS_TEMPLATE if choice.everywhere else ANALYSIS_TEMPLATE).kind,
    }


def _of_catalog(name: str) -> JSON:
    from analysis import catalog

    names = [entry.name for entry in catalog.entries()]
    if name not in names:
        raise CliError(f'the catalog has no template "{name}"', hint=near(name, names))
    return catalog.find(name).value


def _of_file(choice: Choice, shelf: Shelf) -> JSON:
    from rollouts.cli.manifests import Manifest, read_all

    found = read_all([choice.file])
    for item in found:
        if not isinstance(item, Manifest):
            raise CliError(f"{item.file}:{item.line}: {item.message}")
    values = [item.value for item in found if isinstance(item, Manifest)]
    for value in values:
        if value.get("kind") in _KINDS:
            shelf.known[str(value["kind"]), str((value.get("metadata") or {}).get("name"))] = value
    roots = [value for value in values if value.get("kind") in (*_KINDS, ANALYSIS_RUN.kind)]
    named = [value for value in roots if (value.get("metadata") or {}).get("name") == choice.name]
    chosen = named if choice.name else roots
    if not chosen:
        what = f'template "{choice.name}"' if choice.name else "analysis template or run"
        raise CliError(f"{choice.file} has no {what}")
    return chosen[0]


def _overridden(run: JSON, given: Mapping[str, str]) -> dict[str, Any]:
    spec = dict(run.get("spec") or {})
    args = {str(arg.get("name")): arg for arg in spec.get("args") or ()}
    args |= {name: {"name": name, "value": value} for name, value in given.items()}
    return {**spec, "args": list(args.values())} if args else spec


def _check_arguments(templates: Iterable[JSON], choice: Choice) -> None:
    """Whether all that must be given is, and nothing else."""
    declared: dict[str, bool] = {}
    for template in templates:
        for arg in (template.get("spec") or {}).get("args") or ():
            name = str(arg.get("name"))
            declared[name] = declared.get(name, False) or _resolves(arg, choice)
    unknown = [name for name in choice.given if name not in declared]
    if unknown:
        raise CliError(f'the template has no argument "{unknown[0]}"', hint=near(unknown[0], declared))
    missing = [name for name, has_value in declared.items() if not has_value and name not in choice.given]
    if missing:
        words = " ".join(f"-a {name}=…" for name in missing)
        raise CliError(f"no value for {', '.join(missing)}", hint=f"Give {words}, or --rollout for those of a Rollout.")


def _resolves(arg: JSON, choice: Choice) -> bool:
    from rollouts.strategy.fields import read_field

    source = arg.get("valueFrom") or {}
    path = (source.get("fieldRef") or {}).get("fieldPath")
    return arg.get("value") is not None or "secretKeyRef" in source or bool(path and read_field(choice.owner, path))


def _joined(root: JSON, choice: Choice, shelf: Shelf) -> dict[str, Any]:
    from rollouts.strategy.snapshot import Snapshot
    from rollouts.strategy.templates import UnusableAnalysisError, run_spec

    name = str(root["metadata"]["name"])
    everywhere = root.get("kind") == CLUSTER_ANALYSIS_TEMPLATE.kind
    shelf.known[str(root["kind"]), name] = root
    by_kind = {kind: {key[1]: value for key, value in shelf.known.items() if key[0] == kind} for kind in _KINDS}
    snapshot = Snapshot(
        rollout=choice.owner,
        templates=by_kind[ANALYSIS_TEMPLATE.kind],
        cluster_templates=by_kind[CLUSTER_ANALYSIS_TEMPLATE.kind],
    )
    block = {
        "templates": [{"templateName": name, "clusterScope": everywhere}],
        "args": [{"name": key, "value": value} for key, value in choice.given.items()],
    }
    try:
        return run_spec(block, snapshot, path=name, stable_hash="", latest_hash="", background=True)
    except UnusableAnalysisError as error:
        raise CliError("\n".join(problem.message for problem in error.problems)) from None
