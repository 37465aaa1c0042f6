"""Charts in the repository: `helm template`, never an installation, never the cluster, never the network.

Values come in Argo CD's order, later ones winning: value files, `values` or `valuesObject`, parameters, file
parameters. A value file is a path beside the chart, or from the repository's root if it starts with a slash. Sub-charts
must be vendored in `charts/`. `lookup` finds nothing and host names do not resolve, as always with `helm template`.

The same commit must give the same objects. So a chart that calls a function of chance or time is rendered twice, with
a moment between, and refused if the results differ: it would change the cluster at each look, for no commit at all.
"""

from __future__ import annotations

import json
import posixpath
import re
import time
from collections.abc import Iterator

from rollouts.gitops.errors import RenderError
from rollouts.gitops.objects import JSON
from rollouts.gitops.render import programs
from rollouts.gitops.render.collect import Results, objects
from rollouts.gitops.render.documents import documents
from rollouts.gitops.render.task import Task

_CHANCE = re.compile(
    rb"\b(?:rand(?:AlphaNum|Alpha|Ascii|Numeric|Bytes|Int)|uuidv4|shuffle|now|ago|bcrypt|htpasswd|encryptAES"
    rb"|gen(?:PrivateKey|CA|CAWithKey|SelfSignedCert|SelfSignedCertWithKey|SignedCert|SignedCertWithKey))\b"
)
_A_MOMENT = 1.1
_SOURCE = re.compile(r"^# Source: [^/\s]+/(\S+)$")
_ALWAYS = ("--dry-run=client", "--skip-tests", "--disable-openapi-validation")


def render(task: Task) -> Results:
    """The objects of the chart."""
    command = ["template", *_ALWAYS, *arguments(task), "--", release(task), "."]
    text = programs.run(task, *command, cwd=task.folder)
    if _may_vary(task):
        time.sleep(_A_MOMENT)
        again = programs.run(task, *command, cwd=task.folder)
        if again != text:
            raise RenderError(_varies(text, again), file=task.path)
    places = Places(text, folder=task.path)
    for document in documents(text, file=f"{task.path} (helm)"):
        file, line = places.of(document.line)
        yield from objects(document.value, file=file, line=line)


def release(task: Task) -> str:
    """The name of the release: the option, else the sync's name."""
    return str(task.options.get("releaseName") or task.target["name"])


def arguments(task: Task) -> list[str]:
    """The flags that the options and the target amount to."""
    options, target = task.options, task.target
    flags = {
        "namespace": [options.get("namespace") or target["namespace"]],
        "kube-version": [version] if (version := options.get("kubeVersion") or target["kubeVersion"]) else [],
        "api-versions": options.get("apiVersions") or target["apiVersions"],
        "values": [*_value_files(task), *_inline_values(task)],
    }
    switches = {
        "--include-crds": not options.get("skipCrds"),
        "--skip-schema-validation": options.get("skipSchemaValidation"),
    }
    return [
        *(argument for flag, values in flags.items() for argument in programs.arguments_for(flag, values)),
        *(switch for switch, on in switches.items() if on),
        *_parameters(task),
    ]


def _value_files(task: Task) -> Iterator[str]:
    for path in task.options.get("valueFiles") or ():
        if found := _file(task, path, field="valueFiles", optional=bool(task.options.get("ignoreMissingValueFiles"))):
            yield found


def _inline_values(task: Task) -> Iterator[str]:
    options: JSON = task.options
    text = json.dumps(options["valuesObject"]) if options.get("valuesObject") else options.get("values")
    if text:
        documents(text, file="source.helm.values")
        file = task.scratch / "values.yaml"
        file.write_text(text)
        yield str(file)


def _parameters(task: Task) -> Iterator[str]:
    for parameter in task.options.get("parameters") or ():
        flag = "set-string" if parameter.get("forceString") else "set"
        yield f"--{flag}={parameter['name']}={escaped(parameter['value'])}"
    for parameter in task.options.get("fileParameters") or ():
        yield f"--set-file={parameter['name']}={_file(task, parameter['path'], field='fileParameters')}"


def escaped(value: str) -> str:
    r"""The value of a parameter, for `--set`, which would take a comma for the next parameter.

    >>> print(escaped("a,b"), escaped("{a,b}"))
    a\,b {a,b}
    """
    return value if value.startswith("{") and value.endswith("}") else re.sub(r"(?<!\\),", r"\\,", value)


def _file(task: Task, path: str, *, field: str, optional: bool = False) -> str | None:
    """A path of a spec as an absolute one, inside the tree. None when it is missing and may be."""
    if "://" in path or path.startswith("$"):
        raise RenderError(f"helm.{field}: {path!r} is no path of this repository", file=task.path)
    start = "" if path.startswith("/") else task.path
    inside = posixpath.normpath(posixpath.join(start, path.lstrip("/")))
    if inside.startswith(".."):
        raise RenderError(f"helm.{field}: {path!r} leaves the repository", file=task.path)
    if (task.tree / inside).is_file():
        return str(task.tree / inside)
    if optional:
        return None
    raise RenderError(f"helm.{field}: the repository has no file {inside!r}", file=task.path)


def _may_vary(task: Task) -> bool:
    """Whether a template speaks of chance or time, or can't be looked into because it is packed."""
    files = [file for file in task.folder.rglob("*") if file.is_file()]
    packed = any(file.suffix == ".tgz" for file in files)
    return packed or any("templates" in file.parts and _CHANCE.search(file.read_bytes()) for file in files)


def _varies(first: str, second: str) -> str:
    one, two = first.splitlines(), second.splitlines()
    at = next((index for index, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), 0)
    sources = [line for line in one[: at + 1] if _SOURCE.match(line)]
    where = sources[-1].removeprefix("# Source: ") if sources else "a template"
    return (
        f"{where} renders differently each time (a function of chance or of time): every look at it would change the "
        "cluster. Set the value yourself, or keep it in a Secret that is not part of the chart"
    )


class Places:
    """Which template each line of Helm's output came from."""

    def __init__(self, text: str, *, folder: str) -> None:
        lines = text.splitlines()
        self._starts = [
            (number, posixpath.normpath(posixpath.join(folder, found[1])))
            for number, line in enumerate(lines, start=1)
            if (found := _SOURCE.match(line)) and number > 1 and lines[number - 2] == "---"
        ]
        self._folder = folder

    def of(self, line: int) -> tuple[str, int]:
        """File and line within what the template rendered to. Documents after the first of a file count on."""
        before = [(start, file) for start, file in self._starts if start < line]
        if not before:
            return f"{self._folder} (helm)", line
        start, file = before[-1]
        return f"{file} (rendered)", line - start
