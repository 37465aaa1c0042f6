"""Charts, rendered by the real program in a real child; options and templates that mean harm (§2.5 A, H)."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops.render.options import Target
from tests.gitops.render.trees import config, names, refusal, rendered

pytestmark = pytest.mark.usefixtures("helm")

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-web
  namespace: {{ .Release.Namespace }}
data:
  color: {{ .Values.color | quote }}
  text: {{ .Values.text | default "" | quote }}
  kube: {{ .Capabilities.KubeVersion.Version }}
  kind: {{ kindOf .Values.text | quote }}
  has: {{ .Capabilities.APIVersions.Has "argoproj.io/v1alpha1" | quote }}
"""
TEST = "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n"
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": "color: blue\n",
    "chart/prod.yaml": "color: red\n",
    "chart/templates/web.yaml": TEMPLATE,
    "chart/templates/tests/t.yaml": TEST,
    "chart/crds/c.yaml": config("a-crd"),
    "envs/green.yaml": "color: green\n",
    "envs/motd.txt": "one, two",
}


async def data(**options: Any) -> dict[str, str]:
    found = await rendered(CHART, "chart", helm=options, target=Target(name="shop", namespace="apps"))
    return next(m.body["data"] for m in found if m.ref.name.endswith("-web"))


async def test_names_come_from_the_sync_and_places_from_the_templates() -> None:
    found = await rendered(CHART, "chart", target=Target(name="shop", namespace="apps"))
    assert {(m.ref.name, m.file) for m in found} == {
        ("a-crd", "chart/crds/c.yaml (rendered)"),
        ("shop-web", "chart/templates/web.yaml (rendered)"),
    }
    assert {m.ref.namespace for m in found if m.ref.name == "shop-web"} == {"apps"}


@pytest.mark.parametrize(
    ("options", "color"),
    [
        ({}, "blue"),
        ({"valueFiles": ["prod.yaml"]}, "red"),
        ({"valueFiles": ["prod.yaml", "../envs/green.yaml"]}, "green"),
        ({"valueFiles": ["/envs/green.yaml"]}, "green"),
        ({"valueFiles": ["nope.yaml"], "ignoreMissingValueFiles": True}, "blue"),
        ({"valueFiles": ["prod.yaml"], "values": "color: pink"}, "pink"),
        ({"values": "color: pink", "valuesObject": {"color": "gold"}}, "gold"),
        ({"values": "color: pink", "parameters": [{"name": "color", "value": "a,b"}]}, "a,b"),
        ({"parameters": [{"name": "color", "value": "010", "forceString": True}]}, "010"),
        ({"fileParameters": [{"name": "color", "path": "../envs/motd.txt"}]}, "one, two"),
    ],
)
async def test_later_values_win(options: dict[str, Any], color: str) -> None:
    assert (await data(**options))["color"] == color


async def test_what_the_cluster_is() -> None:
    target = Target(name="a", namespace="b", kube_version="1.31.4", api_versions=("argoproj.io/v1alpha1",))
    found = await rendered({k: v for k, v in CHART.items() if "crds" not in k}, "chart", target=target)
    assert (found[0].body["data"]["kube"], found[0].body["data"]["has"]) == ("v1.31.4", "true")
    assert (await data(kubeVersion="1.30.0"))["kube"] == "v1.30.0"


async def test_release_name_and_crds_may_be_chosen() -> None:
    assert await names(CHART, "chart", helm={"releaseName": "x", "skipCrds": True}) == ["x-web"]


async def test_a_vendored_sub_chart_is_rendered() -> None:
    files = CHART | {
        "chart/Chart.yaml": CHART["chart/Chart.yaml"] + "dependencies: [{name: sub, version: 1.x.x}]\n",
        "chart/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.2.0\n",
        "chart/charts/sub/templates/s.yaml": config("sub"),
    }
    assert await names(files, "chart") == ["a-crd", "main-web", "sub"]
    missing = {name: text for name, text in files.items() if "/charts/" not in name}
    assert "missing in charts/" in await refusal(missing, "chart")


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"valueFiles": ["https://example.com/v.yaml"]}, "is no path of this repository"),
        ({"valueFiles": ["$other/v.yaml"]}, "is no path of this repository"),
        ({"valueFiles": ["../../etc/passwd"]}, "leaves the repository"),
        ({"valueFiles": ["/../etc/passwd"]}, "leaves the repository"),
        ({"valueFiles": ["nope.yaml"]}, "the repository has no file 'chart/nope.yaml'"),
        ({"fileParameters": [{"name": "a", "path": "../../../etc/passwd"}]}, "leaves the repository"),
        ({"releaseName": "--post-renderer=x"}, "release name"),
        ({"values": "{{{"}, "source.helm.values"),
    ],
)
async def test_options_that_are_refused(options: dict[str, Any], fragment: str) -> None:
    assert fragment in await refusal(CHART, "chart", helm=options)


@pytest.mark.parametrize(
    ("template", "fragment"),
    [
        pytest.param("{{ fail \"because\" }}", "because", id="its own error"),
        pytest.param("a: {{ randAlphaNum 12 }}", "web/templates/web.yaml renders differently each time", id="chance"),
        pytest.param("a: {{ now | date \"150405\" | quote }}", "renders differently", id="time"),
        pytest.param("a: {{ .Values.nope.deep }}", "nil pointer", id="missing value"),
        pytest.param("kind: [", "web/templates/web.yaml", id="broken YAML"),
    ],
)  # fmt: skip
async def test_templates_that_are_refused(template: str, fragment: str) -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  {template}\n"
    said = await refusal(CHART | {"chart/templates/web.yaml": text}, "chart")
    assert fragment in said
    assert "--debug" not in said


async def test_a_chart_that_only_names_chance_is_rendered() -> None:
    text = config("a") + "  c: {{ if .Values.never }}{{ randAlpha 5 }}{{ end }}x\n"
    text = text.replace("{a: b}\n", "\n")
    assert await names(CHART | {"chart/templates/web.yaml": text}, "chart") == ["a", "a-crd"]


async def test_lookup_finds_nothing_and_names_do_not_resolve() -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
        '  found: {{ lookup "v1" "Secret" "kube-system" "" | toJson | quote }}\n'
        '  host: {{ getHostByName "localhost" | quote }}\n'
    )
    found = await rendered(CHART | {"chart/templates/web.yaml": text}, "chart")
    assert next(m.body["data"] for m in found if m.ref.name == "a") == {"found": "{}", "host": ""}


async def test_the_namespace_a_chart_is_rendered_for() -> None:
    found = await rendered(CHART, "chart", helm={"namespace": "own"}, target=Target(name="shop", namespace="apps"))
    assert {m.ref.namespace for m in found if m.ref.name == "shop-web"} == {"own"}


async def test_api_versions_and_plain_numbers() -> None:
    chosen = await data(apiVersions=["argoproj.io/v1alpha1"], parameters=[{"name": "text", "value": "12"}])
    assert (chosen["has"], (await data(apiVersions=["other/v1"]))["has"]) == ("true", "false")
    assert (chosen["text"], chosen["kind"]) == ("12", "int64")
    assert (await data(parameters=[{"name": "text", "value": "12", "forceString": True}]))["kind"] == "string"


async def test_values_are_held_against_the_schema_of_a_chart_unless_told_otherwise() -> None:
    schema = '{"properties": {"color": {"enum": ["blue"]}}}'
    files = CHART | {"chart/values.schema.json": schema}
    assert "color" in await refusal(files, "chart", helm={"values": "color: pink"})
    assert await names(files, "chart", helm={"values": "color: pink", "skipSchemaValidation": True})


@pytest.mark.parametrize("options", [{}, {"skipTests": True}, {"skipTests": False}])
async def test_tests_of_a_chart_are_left_out_whatever_is_said(options: dict[str, Any]) -> None:
    assert await names(CHART, "chart", helm=options) == ["a-crd", "main-web"]
