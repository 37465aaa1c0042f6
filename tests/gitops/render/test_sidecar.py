"""Rendering in another process behind a Unix socket (§4.4 (5)): the same answers, and nothing worse when it is away,
killed, replaced, or somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from rollouts.gitops.errors import RenderError, RenderFailedError, RenderUnavailableError, SyncError
from rollouts.gitops.render import wire
from rollouts.gitops.render.confinement import Budget
from rollouts.gitops.render.installed import Program
from rollouts.gitops.render.options import Options
from rollouts.gitops.render.renderer import Renderer
from rollouts.gitops.render.sandbox import Limits
from rollouts.gitops.render.sidecar import Sidecar
from rollouts.gitops.render.task import Task
from tests.gitops.render.sidecars import RendererProcess, Talk, impostor, running, until_soon
from tests.gitops.render.trees import DEPLOYMENT, config, tree

pytestmark = pytest.mark.usefixtures("helm", "kustomize")

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": "name: a\n",
    "templates/a.yaml": config("{{ .Values.name }}"),
}
KUSTOMIZATION = {"kustomization.yaml": "resources: [web.yaml]\nnamePrefix: eu-\n", "web.yaml": DEPLOYMENT}
ENDLESS = {"a.jsonnet": "local f(n) = if n < 0 then 0 else f(n + 1) tailstrict; f(0)"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RendererProcess]:
    """A renderer that is only asked."""
    with running(tmp_path_factory.mktemp("renderer")) as process:
        yield process


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RendererProcess]:
    """A renderer that may be killed."""
    with running(tmp_path) as process:
        yield process


def test_its_log_says_what_it_lacks_and_that_it_ended(tmp_path: Path) -> None:
    process = RendererProcess(tmp_path).start(programs=())
    assert process.stop() == 0
    rows = [line for line in process.log.read_text().splitlines() if "renderer" in line]
    told = ["serving", "not on PATH", "not on PATH", "stopping", "stopped"]
    assert [next(word for word in told if word in row) for row in rows] == told, rows
    assert [name in row for name, row in zip(("helm", "kustomize"), rows[1:3], strict=True)] == [True, True]


def test_its_log_warns_of_nothing_where_all_is_there(shared: RendererProcess) -> None:
    assert "not on PATH" not in shared.log.read_text()


async def said(renderer: Renderer, files: dict[str, str], **source: Any) -> Any:
    """What came of it: objects with their places, or all errors with theirs."""
    try:
        return await renderer.render(tree(files), options=Options.of(source))
    except RenderFailedError as failed:
        return [(error.reason, error.file, error.line, error.budget) for error in failed.errors]
    except RenderError as error:
        return (error.reason, error.file, error.line, error.budget)


@pytest.mark.parametrize(
    ("files", "source", "limits"),
    [
        pytest.param({"a.yaml": config("a"), "b.yaml": config("b")}, {}, Limits(), id="manifests"),
        pytest.param({}, {"kustomize": {}}, Limits(), id="no file at all"),
        pytest.param(
            {"a.jsonnet": "[]", "ä/ö.yaml": config("ü")}, {"directory": {"recurse": True}}, Limits(), id="names"
        ),
        pytest.param(CHART, {"helm": {"valuesObject": {"name": "b"}}}, Limits(), id="a chart and its options"),
        pytest.param(KUSTOMIZATION, {"kustomize": {"nameSuffix": "-x"}}, Limits(), id="a kustomization"),
        pytest.param({"a.yaml": "a: [\n", "b.yaml": "kind: X\n"}, {}, Limits(), id="every mistake, by file and line"),
        pytest.param({**CHART, "templates/a.yaml": "{{ fail `no` }}"}, {}, Limits(), id="what a program complains of"),
        pytest.param(ENDLESS, {}, Limits(seconds=1), id="seconds"),
        pytest.param(ENDLESS, {}, Limits(budget=Budget(cpu_seconds=1)), id="seconds of processor"),
        pytest.param({"a.yaml": config("a")}, {}, Limits(answer_bytes=50), id="bytes of the answer"),
        pytest.param({"a.yaml": config("a"), "b.yaml": config("b")}, {}, Limits(objects=1), id="objects"),
    ],
)
async def test_it_says_what_a_child_of_our_own_says(
    shared: RendererProcess, files: dict[str, str], source: dict[str, Any], limits: Limits
) -> None:
    here = await said(Renderer(limits=limits), files, **source)
    assert here or not files
    assert await said(Renderer(limits=limits, place=Sidecar(shared.socket)), files, **source) == here


async def test_files_that_cannot_be_written_are_told_after_the_last(shared: RendererProcess) -> None:
    """A file in the way fails like a full disk; there is more to come than a socket holds."""
    files = {"a.yaml": config("a"), "a.yaml/b.yaml": config("b"), "z.yaml": config("z") + "#" * 5_000_000}
    with pytest.raises(RenderUnavailableError, match="could not be laid out"):
        await said(Renderer(place=Sidecar(shared.socket)), files)


async def test_many_megabytes_of_files_arrive(shared: RendererProcess) -> None:
    files = {f"{number}.yaml": config(f"a{number}") + "#" * 500_000 for number in range(18)}
    assert len(await said(Renderer(place=Sidecar(shared.socket)), files)) == 18


async def test_two_renders_at_once_do_not_meet(shared: RendererProcess) -> None:
    renderer = Renderer(place=Sidecar(shared.socket), concurrency=4)
    found = await asyncio.gather(*(said(renderer, {"a.yaml": config(f"a{number}")}) for number in range(4)))
    assert [manifest.ref.name for (manifest,) in found] == ["a0", "a1", "a2", "a3"]


def test_it_has_no_network_and_no_other_user_may_ask(shared: RendererProcess) -> None:
    """§2.5 H."""
    status = Path(f"/proc/{shared.pid}/status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
    assert shared.socket.stat().st_mode & 0o777 == 0o600


# --- away, killed, replaced


async def test_without_a_renderer_nothing_is_rendered(tmp_path: Path) -> None:
    renderer = Renderer(place=Sidecar(tmp_path / "socket"))
    with pytest.raises(
        RenderUnavailableError, match="No such file or directory; look whether `rollouts renderer` runs"
    ):
        await renderer.render(tree({"a.yaml": config("a")}))
    assert RenderUnavailableError.retriable


async def test_one_that_is_killed_in_the_middle_has_rendered_nothing(own: RendererProcess) -> None:
    asked = asyncio.create_task(said(Renderer(place=Sidecar(own.socket)), ENDLESS))
    await until_soon(own.children)
    own.kill()
    with pytest.raises(RenderUnavailableError, match="hung up while it rendered; if that was for want of memory"):
        await asked


async def test_the_next_one_takes_over_the_socket(own: RendererProcess) -> None:
    renderer = Renderer(place=Sidecar(own.socket))
    own.kill()
    own.start()
    assert [m.ref.name for m in await renderer.render(tree({"a.yaml": config("a")}))] == ["a"]


async def test_what_was_rendered_before_is_still_known_while_it_is_away(own: RendererProcess) -> None:
    renderer = Renderer(place=Sidecar(own.socket))
    before = await renderer.render(tree(CHART))
    own.kill()
    assert await renderer.render(tree(CHART)) == before
    with pytest.raises(RenderUnavailableError):
        await renderer.render(tree({**CHART, "values.yaml": "name: b\n"}))


async def test_who_gives_up_ends_the_child(own: RendererProcess) -> None:
    asked = asyncio.create_task(said(Renderer(place=Sidecar(own.socket)), ENDLESS))
    await until_soon(own.children)
    asked.cancel()
    await until_soon(lambda: not own.children())
    assert [m.ref.name for m in await said(Renderer(place=Sidecar(own.socket)), {"a.yaml": config("a")})] == ["a"]


async def test_it_stops_when_told_to_whatever_it_does_and_leaves_no_socket(own: RendererProcess) -> None:
    asked = asyncio.create_task(said(Renderer(place=Sidecar(own.socket)), ENDLESS))
    await until_soon(own.children)
    assert await asyncio.to_thread(own.stop) == 0
    assert not own.socket.exists()
    with pytest.raises(RenderUnavailableError):
        await asked


async def test_a_second_one_does_not_take_the_socket_from_the_first(own: RendererProcess, tmp_path: Path) -> None:
    second = RendererProcess(tmp_path)
    with pytest.raises(AssertionError, match="somebody serves there already"):
        await asyncio.to_thread(second.start)
    assert [m.ref.name for m in await said(Renderer(place=Sidecar(own.socket)), {"a.yaml": config("a")})] == ["a"]


# --- somebody else at the socket


def _frames(*frames: bytes, more: int = 0) -> Talk:
    """A renderer that says this, whatever it is asked; `more`: bytes promised and not sent."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello, *answers = frames
        await wire.send(writer, hello)
        await wire.receive(reader, limit=wire.ORDER_BYTES)
        await wire.receive(reader, limit=wire.FILES_BYTES)
        for number, answer in enumerate(answers):
            last = number == len(answers) - 1
            writer.write(wire._LENGTH.pack(len(answer) + (more if last else 0)) + answer)
        await writer.drain()

    return talk


HELLO = wire.greeting({})
FINE = wire.outcome(None)
ONE = orjson.dumps({"objects": [["a.yaml", 1, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}]]})


@pytest.mark.parametrize(
    ("talk", "error", "fragment"),
    [
        pytest.param(_frames(b"{}"), RenderUnavailableError, "it speaks protocol None and not 1", id="no greeting"),
        pytest.param(_frames(b"\xff"), RenderUnavailableError, "not from the release", id="no JSON"),
        pytest.param(_frames(b"x" * 100_000), RenderUnavailableError, "a frame of 100000 bytes", id="a long greeting"),
        pytest.param(
            _frames(orjson.dumps({"protocol": 1, "programs": {"helm": {"path": "/x", "argv": "--post-renderer"}}})),
            RenderUnavailableError, "not from the release", id="programs with more to them",
        ),
        pytest.param(_frames(HELLO), RenderUnavailableError, "hung up", id="nothing more"),
        pytest.param(_frames(HELLO, FINE), RenderUnavailableError, "hung up", id="no answer"),
        pytest.param(_frames(HELLO, FINE, ONE, more=1), RenderUnavailableError, "hung up", id="half an answer"),
        pytest.param(_frames(HELLO, b"[]"), RenderUnavailableError, "no answer: \\[\\] where a dict", id="no outcome"),
        pytest.param(_frames(HELLO, FINE, b"{"), RenderError, "no usable answer", id="an answer that is no JSON"),
        pytest.param(_frames(HELLO, FINE, b"[1]"), RenderError, "no usable answer", id="no objects"),
        pytest.param(_frames(HELLO, FINE, b'{"objects": [["a", 1, "b"]]}'), RenderError, "not a Kubernetes", id="text"),
        pytest.param(_frames(HELLO, FINE, ONE.replace(b'"v1"', b"1")), RenderError, "apiVersion missing", id="no type"),
        pytest.param(_frames(HELLO, FINE, b"x" * 2000), RenderError, "more than 1000 bytes", id="more than asked for"),
        pytest.param(_frames(HELLO, b'{"error": {"file": "a", "line": "x"}}'), RenderError, "no reason", id="an error"),
    ],
)  # fmt: skip
async def test_an_impostor_is_an_error_and_never_half_an_answer(
    tmp_path: Path, talk: Talk, error: type[SyncError], fragment: str
) -> None:
    """§2.5 H."""
    renderer = Renderer(place=Sidecar(tmp_path / "socket"), limits=Limits(answer_bytes=1000))
    async with impostor(tmp_path / "socket", talk):
        with pytest.raises(error, match=fragment):
            await renderer.render(tree({"a.yaml": config("a")}))


async def test_it_is_asked_again_when_its_programs_changed_in_between(tmp_path: Path) -> None:
    """R1: an answer is never kept under the program of another release."""
    greetings = [wire.greeting({"helm": Program("helm", "/bin/helm", 1, age)}) for age in (1, 2)]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.send(writer, greetings.pop(0) if len(greetings) > 1 else greetings[0])
        await reader.read()

    async with impostor(tmp_path / "socket", talk):
        with pytest.raises(RenderUnavailableError, match="replaced a moment ago"):
            await Renderer(place=Sidecar(tmp_path / "socket")).render(tree(CHART))


# --- hostile orders

TASK = Task(renderer="directory", path=".")


def ordered(**changed: Any) -> bytes:
    """An order with one thing in it changed."""
    text = orjson.loads(wire.order(TASK, program="", limits=Limits(), files={"a.yaml": b"x"}))
    for place, value in changed.items():
        *way, last = place.split("__")
        target = text
        for name in way:
            target = target[name]
        target[last] = value
    return orjson.dumps(text)


@pytest.mark.parametrize(
    ("changed", "fragment"),
    [
        ({"files": [["../a", 1]]}, "'../a' leads out of the folder"),
        ({"files": [["a/../../b", 1]]}, "leads out of the folder"),
        ({"files": [["/etc/passwd", 1]]}, "leads out of the folder"),
        ({"files": [["a\0b", 1]]}, "leads out of the folder"),
        ({"files": [[1, 1]]}, "1 where a str was to be"),
        ({"files": [["a", -1]]}, "-1 is no size"),
        ({"files": [["a", "1"]]}, "'1' is no size"),
        ({"files": [["a"]]}, "not enough values"),
        ({"files": [["a", 2**40]]}, "1099511627776 bytes of files, more than"),
        ({"task__path": "../.."}, "leads out of the folder"),
        ({"task__root": "/"}, "root can't be said from outside"),
        ({"task__program": "/bin/sh"}, "program can't be said from outside"),
        ({"task__argv": ["--post-renderer"]}, "no order"),
        ({"limits__walls": []}, "walls can't be said from outside"),
        ({"limits__more": 1}, "no order"),
        ({"limits": None}, "no order"),
        ({"task": []}, "no order"),
    ],
    ids=str,
)
def test_what_no_renderer_would_do_is_refused(changed: dict[str, Any], fragment: str) -> None:
    """§2.5 H: no path, no program, no wall is taken from outside."""
    with pytest.raises(ValueError, match=fragment):
        wire.order_of(ordered(**changed))


async def test_a_hostile_order_ends_its_connection_and_nothing_else(shared: RendererProcess) -> None:
    for order in (ordered(program="/bin/sh"), ordered(task__root="/"), b"{", b"", ordered(limits__seconds="x")):
        reader, writer = await asyncio.open_unix_connection(shared.socket)
        await wire.receive(reader, limit=wire.GREETING_BYTES)
        with contextlib.suppress(OSError):
            await wire.send(writer, order)
            await wire.send(writer, b"x")
            assert await reader.read() == b""
        writer.close()
    assert [m.ref.name for m in await said(Renderer(place=Sidecar(shared.socket)), {"a.yaml": config("a")})] == ["a"]


def test_an_order_arrives_as_it_was_given() -> None:
    task = replace(TASK, path="apps/shop", options={"a": 1}, target={"name": "x"}, max_objects=7)
    limits = Limits(seconds=3, budget=Budget(cpu_seconds=2))
    order = wire.order_of(wire.order(task, program="helm", limits=limits, files={"b": b"12", "a": b"", "c/d": b"345"}))
    assert (order.task, order.program, order.limits) == (task, "helm", limits)
    assert order.files == (("b", 2), ("a", 0), ("c/d", 3))
