"""Attacks by way of rendering (§2.5 A, B, H), each tried on the real child.

The walls are tried one at a time as well: a child is made to do the forbidden thing with all other walls left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from rollouts.gitops.errors import RenderUnavailableError
from rollouts.gitops.render import confinement, landlock, launch, seccomp
from rollouts.gitops.render.confinement import WALLS, Budget
from rollouts.gitops.render.sandbox import Limits
from tests.gitops.render.trees import config, names, refusal, rendered

SECRET = "a-secret-of-this-machine"

ATTEMPT = """
import ctypes, json, os, sys
def need(result):
    if result:
        raise OSError
sys.path[:] = {modules!r}
from pathlib import Path
from rollouts.gitops.render.confinement import Budget, confine
confine(budget=Budget(), folder=Path({folder!r}), programs=[], walls={walls!r})
try:
    {deed}
except (OSError, PermissionError) as error:
    print("refused")
else:
    print("done")
"""


def attempt(deed: str, *, folder: Path, walls: tuple[str, ...]) -> str:
    """What became of a statement inside the walls."""
    code = ATTEMPT.format(modules=[path for path in sys.path if path], folder=str(folder), walls=walls, deed=deed)
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.fixture
def listener() -> socket.socket:
    """Somebody who could be dialled, outside."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server  # type: ignore[misc]


needs_landlock = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")


@pytest.mark.parametrize("walls", [("seccomp",), ("namespaces",), WALLS], ids=str)
def test_nothing_can_be_dialled(walls: tuple[str, ...], listener: socket.socket, tmp_path: Path) -> None:
    deed = f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), timeout=2)"
    assert attempt(deed, folder=tmp_path, walls=()) == "done"
    assert attempt(deed, folder=tmp_path, walls=walls) == "refused"


@needs_landlock
@pytest.mark.parametrize(
    "deed", ["open({path!r}).read()", "open({path!r}, 'a')", "os.unlink({path!r})", "os.listdir({parent!r})"]
)
def test_no_file_of_the_machine_can_be_touched(deed: str, tmp_path: Path) -> None:
    (folder := tmp_path / "folder").mkdir()
    secret = tmp_path / "token"
    secret.write_text(SECRET)
    deed = deed.format(path=str(secret), parent=str(tmp_path))
    assert attempt(deed, folder=folder, walls=("landlock",)) == "refused"
    assert secret.read_text() == SECRET
    assert (
        attempt("open('x', 'w').write('y')".replace("'x'", repr(str(folder / "x"))), folder=folder, walls=WALLS)
        == "done"
    )


@pytest.mark.parametrize(
    "deed",
    [
        "need(ctypes.CDLL(None).unshare(0x10000000))",
        "need(ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None))",
        "need(min(0, ctypes.CDLL(None).syscall(425, 1, None)))",
        "import socket; socket.socket(socket.AF_UNIX)",
    ],
    ids=["another namespace", "mount", "io_uring", "local socket"],
)
def test_the_walls_cannot_be_undone(deed: str, tmp_path: Path) -> None:
    assert attempt(deed, folder=tmp_path, walls=("seccomp",)) == "refused"


def test_when_memory_runs_out_a_child_goes_first(tmp_path: Path) -> None:
    """§2.5 B: not the controller, whatever else fills the container."""
    deed = "need(Path('/proc/self/oom_score_adj').read_text().strip() != '1000')"
    assert attempt(deed, folder=tmp_path, walls=()) == "done"


def test_every_architecture_filters_the_same_calls() -> None:
    tables = [set(calls) for _, calls in seccomp.ARCHITECTURES.values()]
    assert all(table == tables[0] for table in tables)
    assert len({len(seccomp.program(name)) for name in seccomp.ARCHITECTURES}) == 1


def test_nothing_of_our_environment_reaches_a_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor anything of a spec its command line."""
    from rollouts.gitops.render.programs import environment

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert SECRET not in str(environment(tmp_path))
    assert set(environment(tmp_path)) & set(os.environ) <= {"PATH", "HOME", "TMPDIR", "NO_COLOR"} | {
        name for name in environment(tmp_path) if name.startswith(("XDG_", "GO"))
    }


async def test_a_child_sees_an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    said = await refusal({"a.jsonnet": "importstr '../../../../../proc/self/environ'"})
    assert "leaves the repository" in said
    assert SECRET not in said


@pytest.mark.usefixtures("helm")
async def test_programs_are_not_run_where_nothing_keeps_them_off_the_network() -> None:
    chart = {"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", "templates/a.yaml": config("a")}
    open_ = Limits(walls=("landlock",))
    assert "nothing here can keep it off the network" in await refusal(chart, limits=open_)
    assert [m.ref.name for m in await rendered(chart, limits=Limits(walls=("namespaces",)))] == ["a"]
    assert [m.ref.name for m in await rendered(chart, limits=Limits(walls=("seccomp",)))] == ["a"]
    assert [m.ref.name for m in await rendered({"a.yaml": config("a")}, limits=open_)] == ["a"]


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("files", "fragment"),
    [
        pytest.param({"a.yaml": "[" * 60_000}, "nests deeper", id="nesting that kills the parser"),
        pytest.param({"a.yaml": "{a: " * 60_000}, "nests deeper", id="the same with mappings"),
        pytest.param({"a.yaml": "- " * 60_000}, "nests deeper", id="the same with dashes"),
        pytest.param({"a.yaml": LAUGHS}, "too large once its aliases are expanded", id="a billion laughs"),
        pytest.param({"a.yaml": "a: &a {b: *a}\n"}, "a.yaml", id="an alias of itself"),
        pytest.param({"a.yaml": "!!python/object/apply:os.system ['true']\n"}, "tag", id="a tag that runs things"),
        pytest.param({"a.jsonnet": "std.repeat('x', 1 << 40)"}, "", id="memory without end"),
        pytest.param({"a.jsonnet": "(" * 2_000_000}, "", id="a parser's stack"),
    ],
)
async def test_bombs_end_the_render_and_nothing_else(files: dict[str, str], fragment: str) -> None:
    assert fragment in await refusal(files)
    assert await names({"a.yaml": config("fine")}) == ["fine"]


SMALL = Budget(memory_bytes=40_000_000)
LITTLE = Limits(budget=SMALL, manifest_bytes=10**9)
ENDLESS = "local f(n) = if n < 0 then 0 else f(n + 1) tailstrict; f(0)"


@pytest.mark.parametrize(
    ("files", "limits", "fragment"),
    [
        pytest.param({"a.jsonnet": ENDLESS}, Limits(budget=Budget(cpu_seconds=1)), "1 s of processor time", id="cpu"),
        pytest.param({"a.jsonnet": ENDLESS}, Limits(seconds=1), "took longer than 1 s", id="time"),
        pytest.param({"a.yaml": config("a")}, Limits(answer_bytes=50), "more than 50 bytes", id="answer"),
        pytest.param(
            {"a.yaml": "---\n".join(config("x" * 200) for _ in range(4000))},
            Limits(answer_bytes=200_000, seconds=25), "more than 200000 bytes", id="answer that fills the pipe",
        ),
        pytest.param({"a.yaml": config("a") + "---\n" + config("b")}, Limits(objects=1), "2 objects", id="objects"),
        pytest.param({"a.yaml": "- " + "x" * 30_000_000}, LITTLE, "memory", id="memory"),
    ],
)  # fmt: skip
async def test_every_limit_says_which(files: dict[str, str], limits: Limits, fragment: str) -> None:
    assert fragment in await refusal(files, limits=limits)


@pytest.mark.usefixtures("helm")
async def test_a_chart_that_never_ends_or_prints_without_end_is_stopped() -> None:
    chart = {"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"}
    busy = "{{ range $i := until 1000000 }}{{ range $j := until 1000000 }}x{{ end }}{{ end }}"
    tight = Limits(seconds=20, answer_bytes=1_000_000, budget=Budget(cpu_seconds=2, memory_bytes=200_000_000))
    assert "helm" in await refusal({**chart, "templates/a.yaml": busy}, limits=tight)
    wide = config("a").replace("{a: b}", "") + "\n".join(f"  k{number}: {'x' * 1000}" for number in range(2000))
    assert "helm printed more than 1000000 bytes" in await refusal({**chart, "templates/a.yaml": wide}, limits=tight)


async def test_a_full_disk_is_no_smaller_commit() -> None:
    """Nothing is rendered from files that could not all be written (a file in the way fails like a full disk)."""
    with pytest.raises(RenderUnavailableError, match="could not be laid out"):
        await rendered({"a.yaml": config("a"), "a.yaml/b.yaml": config("b")})


async def test_no_process_and_no_folder_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    await refusal({"a.jsonnet": ENDLESS}, limits=Limits(seconds=1))
    assert await names({"a.yaml": config("a")}) == ["a"]
    assert list(tmp_path.iterdir()) == []
    running = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
    assert not [line for line in running if str(tmp_path).encode() in line]


PARENT = """
import asyncio
from tests.gitops.render.trees import rendered
asyncio.run(rendered({"a.jsonnet": %r}))
"""


def test_a_child_does_not_outlive_a_sync_that_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT % ENDLESS], env=environment, cwd=root)
    try:
        until(lambda: children(tmp_path))
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not children(tmp_path))


def children(folder: Path) -> list[Path]:
    """Render children whose folder is below this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{folder}/render-".encode() in (process / "cmdline").read_bytes():
                found.append(process)
    return found


def until(probe: Callable[[], object]) -> None:
    deadline = time.monotonic() + 25
    while not probe():
        assert time.monotonic() < deadline


def test_a_forged_answer_is_no_answer() -> None:
    """A child that was taken over can say wrong objects, not half an answer."""
    from rollouts.gitops.render.task import manifests_of

    for forged in ({}, {"objects": [["f", 1]]}, {"objects": [["f", "x", {}]]}, []):
        with pytest.raises((KeyError, TypeError, ValueError)):
            manifests_of(forged)


async def test_the_folder_the_controller_was_started_in_is_not_shown_to_a_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`python -m` puts it on sys.path; started in `/`, a child would see everything."""
    from rollouts.gitops.render.sandbox import modules

    monkeypatch.setattr(sys, "path", ["/", str(tmp_path), "", *sys.path])
    assert not {"/", str(tmp_path), ""} & set(modules())
    assert await names({"a.yaml": config("a"), "b.jsonnet": "[]"}) == ["a"]


def test_the_command_line_of_a_child_holds_nothing_of_the_repository(tmp_path: Path) -> None:
    from rollouts.gitops.render.sandbox import command
    from rollouts.gitops.render.task import Task

    task = Task(renderer="helm", root=tmp_path, path="--post-renderer", options={"values": SECRET})
    line = command(task, Limits())
    assert line[1:4] == ["-I", "-S", "-B"]
    assert line[4] == launch.__file__
    assert SECRET not in " ".join(line)
    assert json.loads(line[5])["budget"] == asdict(replace(Budget()))
    assert tuple(json.loads(line[5])["walls"]) == confinement.WALLS
