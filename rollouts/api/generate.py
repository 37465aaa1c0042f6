"""Writes `crds/*.yaml` from the models: `python -m rollouts.api.generate`.

    python -m rollouts.api.generate                      write crds/ from the models
    python -m rollouts.api.generate --check              exit 1 when crds/ differs from the models
    python -m rollouts.api.generate --kubernetes SOURCE  first take Kubernetes' types anew from SOURCE

SOURCE is the OpenAPI v3 document of batch/v1: a file, `-` for standard input
(`kubectl get --raw /openapi/v3/apis/batch/v1 | python -m rollouts.api.generate --kubernetes -`), or a URL.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from rollouts.api.schema.kubernetes import Definitions, extract
from rollouts.api.schema.resources import ANNOTATION_LIMIT, RESOURCES, Resource, applied_size, definition

_HERE = Path(__file__).parent
CRDS = _HERE.parent.parent / "crds"
DEFINITIONS = _HERE / "schema" / "definitions.json"
_HEADER = "# Generated from rollouts/api by `python -m rollouts.api.generate`; change the models instead.\n"


class _Dumper(yaml.SafeDumper):
    """YAML without anchors, so that a diff shows what changed where."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def rendered(resource: Resource, definitions: Definitions) -> str:
    """The file for one kind. Raises ValueError when the CRD is too large for client-side `kubectl apply`."""
    crd = definition(resource, definitions)
    if applied_size(crd) >= ANNOTATION_LIMIT:
        raise ValueError(f"{resource.kind.plural}: {applied_size(crd)} bytes, more than kubectl apply takes")
    return _HEADER + yaml.dump(crd, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def files(definitions: Definitions) -> dict[str, str]:
    """Name → content of every file in `crds/`."""
    return {f"{resource.kind.plural}.yaml": rendered(resource, definitions) for resource in RESOURCES}


def stale(folder: Path = CRDS) -> list[str]:
    """Names of files that are missing, different or superfluous in `folder`."""
    wanted = files(Definitions.committed())
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def _read(source: str) -> Any:
    if source == "-":
        return json.load(sys.stdin)
    if source.startswith(("http://", "https://")):
        with urllib.request.urlopen(source, timeout=30) as answer:  # noqa: S310  (the scheme was just checked)
            return json.load(answer)
    return json.loads(Path(source).read_text(encoding="utf-8"))


def _take(source: str) -> None:
    definitions = extract(_read(source))
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(body)}" for name, body in definitions.by_name.items())
    DEFINITIONS.write_text("{\n" + rows + "\n}\n", encoding="utf-8")


def _write() -> None:
    CRDS.mkdir(exist_ok=True)
    for name, text in files(Definitions.committed()).items():
        (CRDS / name).write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rollouts.api.generate", description="Write crds/ from the models.")
    parser.add_argument("--check", action="store_true", help="exit 1 when crds/ differs from the models")
    parser.add_argument("--kubernetes", metavar="SOURCE", help="take Kubernetes' types anew: a file, - or a URL")
    chosen = parser.parse_args(arguments)
    if chosen.kubernetes:
        _take(chosen.kubernetes)
    if not chosen.check:
        _write()
        return 0
    differing = stale()
    if differing:
        sys.stderr.write(f"out of date: {', '.join(differing)}; run python -m rollouts.api.generate\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
