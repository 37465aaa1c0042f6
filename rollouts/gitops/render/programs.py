"""Running kustomize and helm inside a render child: an environment from nothing, output up to a number of bytes.

The walls of the child hold for the program too. Its output comes through a pipe and never by way of a file: helm does
not notice when it can't write, and half of its output would look like a chart with fewer objects. Its complaints come
back without the paths of this machine in them.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rollouts.gitops.errors import RenderError, redact
from rollouts.gitops.render.task import Task

_LONGEST_COMPLAINT = 2_000
_ADVICE = "Use --debug flag to render out invalid YAML"
"""Of helm, to people who run it themselves."""


def run(task: Task, *arguments: str, cwd: Path) -> str:
    """What the program printed. RenderError with its complaint when it failed, or printed too much."""
    errors = task.scratch / "errors"
    with (
        errors.open("wb") as file,
        subprocess.Popen(  # noqa: S603
            [task.program, *arguments],
            cwd=cwd,
            env=environment(task.scratch),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
        ) as process,
    ):
        output = process.stdout.read(task.output_bytes + 1) if process.stdout else b""
        if len(output) > task.output_bytes:
            process.kill()
            text = f"{task.renderer} printed more than {task.output_bytes} bytes"
            raise RenderError(text, file=task.path, budget="render-output-bytes")
    if process.returncode:
        raise RenderError(complaint(task, errors.read_bytes(), process.returncode), file=task.path)
    return output.decode("utf-8", errors="replace")


def environment(scratch: Path) -> dict[str, str]:
    """The whole environment of a program: nothing is found on PATH, every folder is the scratch folder."""
    home = str(scratch)
    return {
        "PATH": "/nonexistent",
        "HOME": home,
        "TMPDIR": home,
        "XDG_CONFIG_HOME": home,
        "XDG_CACHE_HOME": home,
        "XDG_DATA_HOME": home,
        "HELM_PLUGINS": f"{home}/no-plugins",
        "KUBECONFIG": f"{home}/no-kubeconfig",
        "KUSTOMIZE_PLUGIN_HOME": f"{home}/no-plugins",
        "GOMEMLIMIT": f"{_memory() * 3 // 4}B",
        "GOMAXPROCS": "2",
        "NO_COLOR": "1",
    }


def _memory() -> int:
    """What this process may have, and so the program; 1 GiB where nothing is said."""
    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return 1024**3 if limit == resource.RLIM_INFINITY else limit


def complaint(task: Task, errors: bytes, code: int) -> str:
    """What the program said, as one text without our own paths."""
    text = errors.decode("utf-8", errors="replace").replace(f"{task.tree}/", "").replace(str(task.root), "")
    said = redact(" ".join(text.split())).removeprefix("Error: ").removesuffix(_ADVICE).rstrip()
    if code < 0 and not said:
        said = f"it was ended by signal {-code}: too much processor time or memory"
    return f"{task.renderer}: {_short(said or f'exit code {code}')}"


def _short(text: str) -> str:
    half = _LONGEST_COMPLAINT // 2
    return text if len(text) <= _LONGEST_COMPLAINT else f"{text[:half]} … {text[-half:]}"


def arguments_for(flag: str, values: Sequence[str]) -> list[str]:
    """`--flag=value` for each; in one word, so that a value can never be taken for a flag."""
    return [f"--{flag}={value}" for value in values]
