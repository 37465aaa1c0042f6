"""Extract the field table of `PodTemplateSpec` from the published Go types into `types.json`.

The pod-template hash is taken over what Go's encoder makes of the template, so it depends on facts that only the Go
types state: the order of fields, their JSON names, which are left out when empty, which are pointers. This script
reads those facts (and nothing else) from the modules `k8s.io/api` and `k8s.io/apimachinery`:

    python -m rollouts.strategy.podtemplate.generate v0.36.3

needs a Go toolchain on PATH, which finds the modules. Each struct becomes a list of `[JSON name, type, omit]`, with

* type: `string`, `int`, `bool`, `quantity`, `intstr`, `time`, `bytes`, `raw`, the name of a struct (`core.Container`),
  or one of these behind `*` (pointer), `[]` (slice) or `{}` (map with string keys);
* omit: "" (always written), "empty" (omitempty) or "zero" (omitzero).

Embedded structs are inlined where they stand, as Go does.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

Row = list[str]
SOURCES = {
    "core": ("k8s.io/api", "core/v1/types.go"),
    "meta": ("k8s.io/apimachinery", "pkg/apis/meta/v1/types.go"),
}
ROOT = "core.PodTemplateSpec"
PACKAGES = {"metav1.": "meta.", "resource.": "resource.", "intstr.": "intstr.", "types.": "types."}
LEAVES = {
    "string": "string",
    "bool": "bool",
    "int": "int",
    "int32": "int",
    "int64": "int",
    "resource.Quantity": "quantity",
    "intstr.IntOrString": "intstr",
    "meta.Time": "time",
    "meta.FieldsV1": "raw",
    "types.UID": "string",
}
_COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_ALIAS = re.compile(r"^type (\w+) ((?:map|\[\]|\w)[^{\n]*)$", re.MULTILINE)
_FIELD = re.compile(r'^\s*(?:(\w+)\s+)?([\w.*\[\]]+)\s+`[^`\n]*json:"([^"]*)"[^`\n]*`', re.MULTILINE)
_OMIT = {"omitzero": "zero", "omitempty": "empty"}


def module_folder(module: str, version: str) -> Path:
    """Where Go keeps a module's source. Fetches it when absent; raises `CalledProcessError` when Go can't."""
    command = ["go", "mod", "download", "-json", f"{module}@{version}"]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return Path(json.loads(found.stdout)["Dir"])


def read_package(package: str, text: str) -> tuple[dict[str, str], dict[str, str]]:
    """The structs (name → body) and the other named types (name → what they are) of one Go file."""
    bare = _COMMENTS.sub("", text)
    structs = {f"{package}.{name}": body for name, body in _STRUCT.findall(bare)}
    aliases = {f"{package}.{name}": _qualified(kind.strip(), package) for name, kind in _ALIAS.findall(bare)}
    return structs, aliases


def _qualified(kind: str, package: str) -> str:
    """A Go type with its package spelled out: `*ProbeHandler` in core → `*core.ProbeHandler`."""
    match = re.fullmatch(r"((?:\*|\[\]|map\[[\w.]+\])*)([\w.]+)", kind)
    if match is None:
        raise ValueError(f"can't read the Go type {kind!r}")
    wrap, name = re.sub(r"map\[[\w.]+\]", "{}", match[1]), match[2]
    for alias, full in PACKAGES.items():
        if name.startswith(alias):
            return wrap + full + name.removeprefix(alias)
    return wrap + (name if name in LEAVES or name == "byte" else f"{package}.{name}")


class Types:
    """All structs and named types of the sources, and how a field's type is written in the table."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.structs: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        for package, text in sources.items():
            structs, aliases = read_package(package, text)
            self.structs.update(structs)
            self.aliases.update(aliases)

    def resolve(self, kind: str) -> str:
        """Named types down to what Go's encoder sees; structs and leaves stay."""
        match = re.fullmatch(r"((?:\*|\[\]|\{\})*)(.+)", kind)
        assert match is not None
        wrap, name = match.groups()
        if (wrap + name).endswith("[]byte"):
            return wrap.removesuffix("[]") + "bytes"
        if name in LEAVES:
            return wrap + LEAVES[name]
        return wrap + (name if name in self.structs else self.resolve(self.aliases[name]))

    def fields(self, struct: str) -> Iterator[Row]:
        """The rows of a struct, embedded structs inlined."""
        package = struct.partition(".")[0]
        for name, kind, tag in _FIELD.findall(self.structs[struct]):
            key, *options = tag.split(",")
            full = _qualified(kind, package)
            if not name and not key:
                yield from self.fields(full.removeprefix("*"))
            elif key != "-":
                # omitzero is the stricter of the two for the only type that has it, metav1.Time
                omit = next((short for long, short in _OMIT.items() if long in options), "")
                yield [key or name, self.resolve(full), omit]


def table(types: Types, root: str) -> dict[str, list[Row]]:
    """The rows of `root` and of every struct it leads to."""
    found: dict[str, list[Row]] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = list(types.fields(name))
            waiting += [re.sub(r"[*\[\]{}]", "", kind) for _, kind, _ in found[name] if "." in kind]
    return dict(sorted(found.items()))


def render(rows: Mapping[str, list[Row]], version: str) -> str:
    """The table as JSON, a line for each struct, so that a new Kubernetes version reads well as a diff."""
    lines = [f"{json.dumps('version')}: {json.dumps(version)}"]
    lines += [f"{json.dumps(name)}: {json.dumps(fields)}" for name, fields in rows.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(version: str) -> None:
    """Write `types.json` beside this file."""
    texts = {
        package: (module_folder(module, version) / path).read_text() for package, (module, path) in SOURCES.items()
    }
    target = Path(__file__).with_name("types.json")
    target.write_text(render(table(Types(texts), ROOT), version))


if __name__ == "__main__":
    main(sys.argv[1])
