"""The message of a commit, from a template that a tenant wrote.

Jinja2, in its sandbox, and of its language only what fills in text: names, loops over what is given (two deep), `if`,
a few filters. No calls, no arithmetic, so no template can take long or grow without end. The data are those Flux hands
to its templates: `AutomationObject`, `Changed.FileChanges`, `Changed.Objects`, `Changed.Changes`, `Values`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rollouts.gitops.errors import ImageError
from rollouts.gitops.images.plan import Change

DEFAULT = """\
Update images of {{ AutomationObject }}

{% for change in Changed.Changes -%}
- {{ change.Setter }}: {{ change.OldValue }} -> {{ change.NewValue }}
{% endfor %}"""

LONGEST_TEMPLATE, LONGEST_MESSAGE, DEEPEST_LOOP = 4_096, 16_384, 2

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const,
    nodes.For, nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or, nodes.Filter,
)  # fmt: skip
_FILTERS = frozenset({"upper", "lower", "trim", "length", "first", "last", "default", "join", "title"})


def message(template: str | None, changes: Iterable[Change], *, sync: str, values: Mapping[str, str]) -> str:
    """The message. ImageError when the template is none, or does more than a message needs."""
    text = template or DEFAULT
    environment = ImmutableSandboxedEnvironment(autoescape=False, keep_trailing_newline=False)
    try:
        _examine(environment.parse(text), text)
        filled = environment.from_string(text).render(data(changes, sync=sync, values=values))
    except TemplateError as error:
        raise ImageError(f"commit.messageTemplate: {error.message}") from None
    lines = (line.rstrip() for line in "".join(_printable(filled)).strip().splitlines())
    result = "\n".join(lines)[:LONGEST_MESSAGE]
    if not result:
        raise ImageError("commit.messageTemplate gives an empty message")
    return result + "\n"


def data(changes: Iterable[Change], *, sync: str, values: Mapping[str, str]) -> dict[str, Any]:
    """What a template can name."""
    every = [_row(change) for change in changes]
    by_file: dict[str, list[dict[str, str]]] = {}
    for row in every:
        by_file.setdefault(row["File"], []).append(row)
    return {
        "AutomationObject": sync,
        "Changed": {"Changes": every, "FileChanges": by_file, "Objects": by_file},
        "Values": dict(values),
    }


def _row(change: Change) -> dict[str, str]:
    marker = change.marker
    setter = ":".join(part for part in (marker.namespace, marker.policy, marker.part) if part)
    return {"OldValue": change.old, "NewValue": change.new, "Setter": setter, "File": marker.file}


def _examine(node: nodes.Node, text: str, loops: int = 0) -> None:
    if len(text) > LONGEST_TEMPLATE:
        raise ImageError(f"commit.messageTemplate is longer than {LONGEST_TEMPLATE} letters")
    if not isinstance(node, _ALLOWED) or (isinstance(node, nodes.Filter) and node.name not in _FILTERS):
        what = node.name if isinstance(node, nodes.Filter) else type(node).__name__
        raise ImageError(f"commit.messageTemplate: {what} is not possible here")
    loops += isinstance(node, nodes.For)
    if loops > DEEPEST_LOOP:
        raise ImageError(f"commit.messageTemplate: loops are more than {DEEPEST_LOOP} deep")
    for child in node.iter_child_nodes():
        _examine(child, text, loops)


def _printable(text: str) -> Iterable[str]:
    return (letter for letter in text if letter.isprintable() or letter == "\n")
