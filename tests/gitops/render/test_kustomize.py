"""Kustomizations, built by the real program in a real child; options and bases that mean harm (§2.5 A, H)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.render.kustomize import overlaid
from tests.gitops.render.trees import DEPLOYMENT, config, names, refusal, rendered

pytestmark = pytest.mark.usefixtures("kustomize")

PROD = "resources: [../base]\nnamePrefix: prod-\nimages: [{name: nginx, newName: mirror/nginx}]\n"
COMPONENT = "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nresources: [tls.yaml]\n"
PATCH = {"patch": "- {op: replace, path: /spec/replicas, value: 7}", "target": {"kind": "Deployment"}}
SHOP = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": DEPLOYMENT,
    "prod/kustomization.yaml": PROD,
    "parts/tls/kustomization.yaml": COMPONENT,
    "parts/tls/tls.yaml": config("tls"),
}


async def built(**options: Any) -> dict[str, Any]:
    return {str(m.body["metadata"]["name"]): m.body for m in await rendered(SHOP, "prod", kustomize=options)}


async def test_a_base_elsewhere_in_the_repository() -> None:
    assert await names(SHOP, "prod") == ["prod-web"]


@pytest.mark.parametrize(
    ("options", "where", "expected"),
    [
        pytest.param({"namePrefix": "x-"}, ("x-web", "kind"), "Deployment", id="prefix instead of the file's"),
        pytest.param({"nameSuffix": "-b"}, ("prod-web-b", "kind"), "Deployment", id="suffix"),
        pytest.param({"namespace": "shop"}, ("prod-web", "metadata", "namespace"), "shop", id="namespace"),
        pytest.param({"replicas": [{"name": "web", "count": 5}]}, ("prod-web", "spec", "replicas"), 5, id="replicas"),
        pytest.param(
            {"commonAnnotations": {"a": "b"}}, ("prod-web", "metadata", "annotations"), {"a": "b"}, id="annotations"
        ),
        pytest.param(
            {"commonLabels": {"t": "a"}}, ("prod-web", "spec", "selector", "matchLabels"), {"app": "web", "t": "a"},
            id="labels reach selectors",
        ),
        pytest.param(
            {"commonLabels": {"t": "a"}, "labelWithoutSelector": True},
            ("prod-web", "spec", "selector", "matchLabels"), {"app": "web"}, id="or leave them alone",
        ),
        pytest.param(
            {"commonLabels": {"t": "a"}, "labelWithoutSelector": True, "labelIncludeTemplates": True},
            ("prod-web", "spec", "template", "metadata", "labels"), {"app": "web", "t": "a"}, id="but for templates",
        ),
        pytest.param(
            {"patches": [PATCH]},
            ("prod-web", "spec", "replicas"), 7, id="a patch",
        ),
        pytest.param({"components": ["../parts/tls"]}, ("prod-tls", "kind"), "ConfigMap", id="a component"),
        pytest.param(
            {"components": ["../nope"], "ignoreMissingComponents": True}, ("prod-web", "kind"), "Deployment",
            id="a component that may be missing",
        ),
    ],
)  # fmt: skip
async def test_options(options: dict[str, Any], where: tuple[str, ...], expected: object) -> None:
    value: Any = await built(**options)
    for key in where:
        value = value[key]
    assert value == expected


TARGETS: dict[str, Any] = {
    "base/kustomization.yaml": "resources: [web.yaml, ingress.yaml, other.yaml]\n",
    "base/web.yaml": DEPLOYMENT,
    "base/ingress.yaml": config("web").replace("name: web", "name: web, namespace: shop, labels: {tier: front}"),
    "base/other.yaml": config("other").replace("name: other", "name: other, annotations: {team: a}"),
    "base/patch.yaml": "- {op: add, path: /metadata/annotations, value: {patched: here}}",
}
ADD = "- {op: add, path: /metadata/annotations, value: {patched: here}}"


@pytest.mark.parametrize(
    ("target", "patched"),
    [
        ({"kind": "Deployment"}, {"Deployment web"}),
        ({"group": "apps"}, {"Deployment web"}),
        ({"version": "v1", "kind": "ConfigMap"}, {"ConfigMap web", "ConfigMap other"}),
        ({"version": "v2", "kind": "ConfigMap"}, set()),
        ({"name": "w.*"}, {"Deployment web", "ConfigMap web"}),
        ({"namespace": "sh.p"}, {"ConfigMap web"}),
        ({"labelSelector": "tier=front"}, {"ConfigMap web"}),
        ({"annotationSelector": "team in (a, b)"}, {"ConfigMap other"}),
    ],
)
@pytest.mark.parametrize("given", [{"patch": ADD}, {"path": "patch.yaml"}], ids=["in place", "in a file"])
async def test_which_objects_a_patch_is_for(given: dict[str, str], target: dict[str, str], patched: set[str]) -> None:
    found = await rendered(TARGETS, "base", kustomize={"patches": [{**given, "target": target}]})
    marked = [m for m in found if (m.body["metadata"].get("annotations") or {}).get("patched")]
    assert {f"{m.ref.kind} {m.ref.name}" for m in marked} == patched


RENAME = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: renamed}\n"
RETYPE = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: web}\n"


@pytest.mark.parametrize(
    ("patch", "options", "expected"),
    [
        (RENAME, {}, "Deployment prod-web"),
        (RENAME, {"allowNameChange": True}, "Deployment prod-renamed"),
        (RETYPE, {}, "Deployment prod-web"),
        (RETYPE, {"allowKindChange": True}, "StatefulSet prod-web"),
    ],
)
async def test_a_patch_may_rename_only_if_it_says_so(patch: str, options: dict[str, bool], expected: str) -> None:
    row = {"patch": patch, "target": {"kind": "Deployment"}, "options": options}
    (found,) = await rendered(SHOP, "prod", kustomize={"patches": [row]})
    assert f"{found.ref.kind} {found.ref.name}" == expected


async def test_a_component_that_is_not_there_is_an_error() -> None:
    assert "../nope" in await refusal(SHOP, "prod", kustomize={"components": ["../nope"]})


async def test_labels_reach_no_selector_and_no_template_unless_they_are_to() -> None:
    options = {"commonLabels": {"t": "a"}, "labelWithoutSelector": True}
    body = (await built(**options))["prod-web"]
    assert (body["metadata"]["labels"], body["spec"]["template"]["metadata"]["labels"]) == ({"t": "a"}, {"app": "web"})


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("nginx:2.0", "mirror/nginx:2.0"),
        ("nginx=other/nginx:3", "other/nginx:3"),
        ("nginx@sha256:" + "a" * 64, "mirror/nginx@sha256:" + "a" * 64),
        ("nginx=host:5000/nginx", "host:5000/nginx:1.0"),
    ],
)
async def test_images(option: str, expected: str) -> None:
    body = (await built(images=[option]))["prod-web"]
    assert body["spec"]["template"]["spec"]["containers"][0]["image"] == expected


def test_a_file_without_options_is_left_as_it_is() -> None:
    given = {"resources": ["a.yaml"], "images": [{"name": "a", "newTag": "1"}]}
    assert overlaid(given, {}, exists=lambda _: True) == given


@pytest.mark.parametrize(
    ("kustomization", "fragment"),
    [
        pytest.param("resources: ['https://example.com/a.yaml']", "nothing is fetched", id="address"),
        pytest.param("resources: ['github.com/org/repo//base?ref=v1']", "nothing is fetched", id="remote base"),
        pytest.param("bases: ['git@host:org/repo.git']", "nothing is fetched", id="clone"),
        pytest.param("components: ['../../../etc']", "leaves the repository", id="upwards"),
        pytest.param("resources: [/etc/hostname]", "leaves the repository", id="absolute"),
        pytest.param(
            "resources: [a.yaml]\npatches: [{path: 'http://x/y'}]", "nothing is fetched", id="patch from afar"
        ),
        pytest.param(
            "configMapGenerator: [{name: a, files: [x=/etc/passwd]}]", "leaves the repository", id="generator"
        ),
        pytest.param("configMapGenerator: [{name: a, envs: [../../../proc/1/environ]}]", "leaves the", id="envs"),
        pytest.param("resources: [../outside.yaml]", "security", id="a file outside the kustomization"),
        pytest.param("helmCharts: [{name: x, repo: 'https://x'}]", "helmCharts is not rendered", id="helm"),
        pytest.param("openapi: {path: 'https://x'}", "nothing is fetched", id="schema from afar"),
        pytest.param("resources: [nope.yaml]", "app/kustomization.yaml: resources: 'nope.yaml'", id="missing"),
        pytest.param("resources: [a.yaml", "app/kustomization.yaml:", id="broken"),
        pytest.param("- a", "is one mapping", id="a list"),
        pytest.param("resources: [a.yaml]\nnope: 1", "nope", id="a field kustomize does not know"),
    ],
)
async def test_what_is_refused(kustomization: str, fragment: str) -> None:
    files = {"app/kustomization.yaml": kustomization, "app/a.yaml": config("a"), "outside.yaml": config("o")}
    assert fragment in await refusal(files, "app")


async def test_functions_and_plugins_are_not_run() -> None:
    function = """\
apiVersion: v1
kind: Made
metadata:
  name: made
  annotations:
    config.kubernetes.io/function: "{exec: {path: /bin/true}}"
"""
    files = {
        "kustomization.yaml": "resources: [a.yaml]\ngenerators: [g.yaml]\n",
        "a.yaml": config("a"),
        "g.yaml": function,
    }
    assert "plugins disabled" in await refusal(files)


async def test_without_the_program_only_its_folders_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (await refusal(SHOP, "prod")).startswith("prod: kustomize was not found on PATH: install it")
    assert await names({"a.yaml": config("a")}) == ["a"]
