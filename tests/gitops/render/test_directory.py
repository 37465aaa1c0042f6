"""Folders of plain manifests and Jsonnet, in a real child."""

from __future__ import annotations

import pytest

from tests.gitops.render.trees import config, names, refusal, rendered

FOLDER = {
    "app/a.yaml": config("a"),
    "app/b.yml": config("b") + "---\n" + config("b2"),
    "app/sub/c.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}',
    "app/.hidden/d.yaml": config("hidden"),
    "app/notes.txt": "kind: [not yaml",
    "app/skipped.yaml": "# +argocd:skip-file-rendering\nkind: [not yaml\n",
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, ["a", "b", "b2", "c"], id="everything below the folder"),
        pytest.param({"recurse": False}, ["a", "b", "b2"], id="the folder alone"),
        pytest.param({"include": "*.json"}, ["c"], id="a star stands for slashes too"),
        pytest.param({"include": "{a.yaml,sub/*}"}, ["a", "c"], id="either of two"),
        pytest.param({"exclude": "sub/*"}, ["a", "b", "b2"], id="but those"),
        pytest.param({"include": "*.y*", "exclude": "b.?ml"}, ["a"], id="both"),
    ],
)
async def test_which_files_count(options: dict[str, object], expected: list[str]) -> None:
    assert await names(FOLDER, "app", directory=options) == expected


async def test_file_and_line_of_each_object_are_kept() -> None:
    found = await rendered(FOLDER, "app")
    assert {m.ref.name: m.place for m in found} == {
        "a": "app/a.yaml:1", "b": "app/b.yml:1", "b2": "app/b.yml:6", "c": "app/sub/c.json:1",
    }  # fmt: skip


async def test_every_mistake_of_a_commit_is_named_at_once() -> None:
    said = await refusal({"a.yaml": "kind: [\n", "b.yaml": "kind: Pod\nmetadata: {name: x}\n", "c.yaml": config("c")})
    assert "a.yaml:" in said
    assert "b.yaml:1: not a Kubernetes object: apiVersion missing" in said


async def test_lists_are_opened() -> None:
    item = "{apiVersion: v1, kind: ConfigMap, metadata: {name: NAME}}"
    text = "apiVersion: v1\nkind: List\nitems:\n" + "".join(
        f"- {item.replace('NAME', name)}\n" for name in ("one", "two")
    )
    assert await names({"a.yaml": text}) == ["one", "two"]


HEAD = "apiVersion: 'v1', kind: 'ConfigMap'"
VARIABLES = {
    "extVars": [{"name": "e", "value": "1"}, {"name": "c", "value": "1 + 1", "code": True}],
    "tlas": [{"name": "t", "value": "x"}],
}


def made(name: str) -> str:
    return f"{{{HEAD}, metadata: {{name: {name}}}}}"


@pytest.mark.parametrize(
    ("files", "options", "expected"),
    [
        pytest.param({"a.jsonnet": made("'one'")}, {}, ["one"], id="object"),
        pytest.param({"a.jsonnet": f"[{made('n')} for n in ['a', 'b']]"}, {}, ["a", "b"], id="list"),
        pytest.param({"a.jsonnet": "{x: {deep: " + made("'d'") + ", z: null}}"}, {}, ["d"], id="names"),
        pytest.param(
            {"app/a.jsonnet": "(import '../l.libsonnet')('far')", "l.libsonnet": f"function(n) {made('n')}"},
            {}, ["far"], id="import beside the folder",
        ),
        pytest.param(
            {"app/a.jsonnet": "(import 'k.libsonnet') {metadata: {name: 'lib'}}", "vendor/k.libsonnet": f"{{{HEAD}}}"},
            {"libs": ["vendor"]}, ["lib"], id="import from libs",
        ),
        pytest.param(
            {"a.jsonnet": "function(t) " + made("std.extVar('e') + std.extVar('c') + t")}, VARIABLES, ["12x"],
            id="variables",
        ),
    ],
)  # fmt: skip
async def test_jsonnet(files: dict[str, str], options: dict[str, object], expected: list[str]) -> None:
    path = "app" if any(name.startswith("app/") for name in files) else "."
    assert await names(files, path, directory={"jsonnet": options}) == expected


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        pytest.param("{a: error 'why'}", "why", id="its own error"),
        pytest.param("{apiVersion: 'v1', kin: 'x', metadata: {name: 'a'}}", "kind missing", id="a typo in kind"),
        pytest.param("importstr '/etc/hostname'", "leaves the repository", id="absolute import"),
        pytest.param("importstr '../../../etc/hostname'", "leaves the repository", id="import upwards"),
        pytest.param("local f(x) = f(x + 1) + 1; f(0)", "max stack", id="endless recursion"),
    ],
)
async def test_jsonnet_that_is_refused(text: str, fragment: str) -> None:
    said = await refusal({"app/a.jsonnet": text}, "app")
    assert "app/a.jsonnet" in said
    assert fragment in said


@pytest.mark.parametrize(
    ("source", "fragment"),
    [
        ({"directory": {"include": "{a"}}, "brace"),
        ({"directory": {"recursive": True}}, "source.directory.recursive is not supported"),
        ({"helm": {"version": "v2"}}, "one version of Helm"),
        ({"kustomize": {"x": 1}, "helm": {"y": 1}}, "only one of"),
    ],
)
async def test_options_nobody_knows_are_refused(source: dict[str, object], fragment: str) -> None:
    assert fragment in await refusal({"a.yaml": config("a")}, **source)
