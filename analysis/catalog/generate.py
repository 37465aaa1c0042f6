"""Writes `templates/`: `python -m analysis.catalog.generate`. The tables are in `sources` and `kinds`.

The YAML is put together as text, since what people apply and read should keep its comments and block queries.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from analysis.catalog import DESCRIPTION
from analysis.catalog.kinds import ALONE, BY_SOURCE, Question, Template, latency
from analysis.catalog.sources import SOURCES, Arg

FOLDER = Path(__file__).parent / "templates"

COMMON = (
    Arg(name="interval", what="Time between measurements.", value="1m"),
    Arg(name="count", what="Measurements to take.", value="5"),
    Arg(name="initial-delay", what="Time to the first measurement: let the window fill.", value="2m"),
    Arg(name="failure-limit", what="Failed measurements tolerated; keep it below count.", value="0"),
    Arg(name="inconclusive-limit", what="Measurements without data tolerated; keep it below count.", value="0"),
    Arg(name="prometheus", what="URL of Prometheus. Default: the controller's ARGO_ROLLOUTS_PROMETHEUS_ADDRESS.",
        value=""),
)  # fmt: skip
"""What every template has besides its own arguments."""


def templates() -> Iterator[Template]:
    """All there are."""
    for source in SOURCES:
        yield from (make(source) for make in BY_SOURCE if source.buckets or make is not latency)
    yield from (make() for make in ALONE)


def written(template: Template) -> str:
    """The file."""
    args = "\n".join(_arg(arg) for arg in (*template.args, *COMMON))
    metrics = "\n".join(_metric(question) for question in template.questions)
    return (
        f"# {template.description}\n#\n{_comment(template.needs)}\n"
        "apiVersion: argoproj.io/v1alpha1\nkind: ClusterAnalysisTemplate\n"
        f"metadata:\n  name: {template.name}\n  annotations:\n    {DESCRIPTION}: {_quoted(template.description)}\n"
        f"spec:\n  args:\n{args}\n  metrics:\n{metrics}\n"
    )


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in textwrap.wrap(text, 116))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _arg(arg: Arg) -> str:
    lines = [f"  # {arg.what}", f"  - name: {arg.name}"]
    if arg.field:
        lines += ["    valueFrom:", "      fieldRef:", f"        fieldPath: {arg.field}"]
    elif arg.value is not None:
        lines.append(f"    value: {_quoted(arg.value)}")
    return "\n".join(lines)


def _metric(question: Question) -> str:
    return f"""\
  - name: {question.name}
    interval: "{{{{args.interval}}}}"
    count: "{{{{args.count}}}}"
    initialDelay: "{{{{args.initial-delay}}}}"
    failureLimit: "{{{{args.failure-limit}}}}"
    inconclusiveLimit: "{{{{args.inconclusive-limit}}}}"
    successCondition: {question.success}
    failureCondition: {question.failure}
    provider:
      prometheus:
        address: "{{{{args.prometheus}}}}"
        query: |-
{textwrap.indent(question.query, " " * 10)}"""


def main() -> None:
    """Write all files, and remove those no table stands for."""
    files = {f"{template.name}.yaml": written(template) for template in templates()}
    for old in FOLDER.glob("*.yaml"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
