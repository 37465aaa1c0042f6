"""lint: every error, with its file, line, document and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: good
spec:
  selector: {matchLabels: {app: good}}
  template:
    metadata: {labels: {app: good}}
    spec: {containers: [{name: app, image: example/app:1}]}
  strategy:
    canary:
      steps:
      - setWeight: 20
      - pause: {}
"""
BAD = """\
# a comment
---
apiVersion: v1
kind: ConfigMap
metadata: {name: not-ours}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: bad
spec:
  replica: 3
  selector: {matchLabels: {app: bad}}
  template:
    metadata: {labels: {app: bad}}
    spec: {containers: [{name: app, image: example/app:1}]}
  strategy:
    canary:
      steps:
      - setWeight: 20
      - setWeight: 120
"""
BLUE_GREEN = GOOD.replace(
    "canary:\n      steps:\n      - setWeight: 20\n      - pause: {}", "blueGreen:\n      activeService: web"
)
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: other}, ports: [{port: 80}]}
"""


@pytest.fixture
def lint(run: Any, tmp_path: Path) -> Any:
    """`lint(text, …)`: lint of files a.yaml, b.yaml, …; (exit code, lines) with paths shortened."""

    def check(*texts: str, options: str = "") -> tuple[int, list[str]]:
        paths = [tmp_path / f"{name}.yaml" for name in "abc"[: len(texts)]]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        result = run("lint " + " ".join(f"-f {path}" for path in paths) + options)
        return result.exit_code, (result.stdout + result.stderr).replace(f"{tmp_path}/", "").splitlines()

    return check


def test_good_manifests(lint: Any) -> None:
    assert lint(GOOD) == (0, ["✔ 1 object checked, no errors"])
    assert lint(GOOD + "---\n" + GOOD.replace("name: good", "name: next") + "---\n") == (
        0,
        ["✔ 2 objects checked, no errors"],
    )


def test_all_errors_with_their_places(lint: Any) -> None:
    code, lines = lint(BAD, GOOD)
    assert code == 1
    assert lines[0].startswith('a.yaml:12: Rollout/bad (document 2): spec.replica: unknown field "replica"')
    assert lines[1].startswith("a.yaml:21: Rollout/bad (document 2): spec.strategy.canary.steps[1].setWeight: ")
    assert lines[2:] == ["✖ 2 errors in 2 objects"]


def test_errors_come_in_the_order_of_the_file(lint: Any) -> None:
    text = GOOD.replace("  selector:", "  zzz: 1\n  selector:").replace("setWeight: 20", "setWeight: 200")
    text = text.replace("name: good", "name: Not_Good").replace("pause: {}", "pause: {until: 1}")
    _, lines = lint(text)
    numbers = [int(line.split(":")[1]) for line in lines[:-1]]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) >= 3


def test_what_the_controller_would_refuse_is_refused_beforehand(lint: Any) -> None:
    routed = "canary: {stableService: web, canaryService: next, trafficRouting: {nginx: {stableIngress: web}}}\n"
    text = GOOD.partition("    canary:")[0] + "    " + routed
    code, lines = lint(text)
    assert code == 1
    place = "a.yaml:11: Rollout/good (document 1): spec.strategy.canary.trafficRouting.nginx: "
    assert lines[0] == place + "Forbidden: not supported by this version of the controller"
    code, lines = lint(text.replace("nginx", "kong"))
    assert [line.partition("kong: ")[2][:20] for line in lines[:-1]] == ['unknown field "kong"']


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", "a.yaml:2: not readable as YAML"),
        ("a: 1\na: 2\n", "a.yaml:2: the key 'a' is there twice"),
        ("- x\n", "a.yaml:1: the document is no object"),
        (
            GOOD.replace("kind: Rollout", "kind: Rolout"),
            'a.yaml:2: Rolout/good (document 1): kind: unknown kind "Rolout"',
        ),
        (
            GOOD.replace("v1alpha1", "v1"),
            'a.yaml:1: Rollout/good (document 1): apiVersion: must be "argoproj.io/v1alpha1"',
        ),
        (GOOD.replace("spec:\n", "spce:\n", 1), "a.yaml:5: Rollout/good (document 1): spce: unknown field"),
    ],
)
def test_other_mistakes(lint: Any, text: str, line: str) -> None:
    code, lines = lint(text)
    assert code == 1
    assert any(found.startswith(line) for found in lines), lines


SYNC = """\
apiVersion: gitops.rollouts.dev/v1alpha1
kind: GitSync
metadata: {name: shop}
spec:
  source: {repoURL: "https://git.example.com/shop.git"}
  interval: 1h
  serviceAccountName: deployer
"""


def test_git_syncs_are_looked_at(lint: Any) -> None:
    assert lint(SYNC) == (0, ["✔ 1 object checked, no errors"])
    code, lines = lint(SYNC.replace("repoURL", "repoUrl").replace("1h", "1 hour"))
    assert code == 1
    assert lines[0] == "a.yaml:5: GitSync/shop (document 1): spec.source.repoURL: is required"
    assert 'a.yaml:5: GitSync/shop (document 1): spec.source.repoUrl: unknown field "repoUrl", did you mean' in lines[1]
    code, lines = lint(SYNC.replace("1h", "1 hour"))
    assert (code, lines[0].startswith("a.yaml:6: GitSync/shop (document 1): spec.interval: ")) == (1, True)
    code, lines = lint(SYNC.replace("gitops.rollouts.dev", "argoproj.io"))
    assert 'apiVersion: must be "gitops.rollouts.dev/v1alpha1"' in lines[0]


FOLLOWING = (
    SYNC
    + """\
  imageUpdate:
    git: {commit: {author: {email: a@example.com}}}
    images:
    - name: web
      image: ghcr.io/example/web
      policy: {semver: {range: 1.x}}
"""
)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("1.x", "1.x", ""),
        ("1.x", "one", "13: GitSync/shop (document 1): spec.imageUpdate.images[0].policy: 'one' is no range"),
        (
            "semver: {range: 1.x}",
            "",
            "13: GitSync/shop (document 1): spec.imageUpdate.images[0].policy: image 'web': set",
        ),
        (
            "semver: {range: 1.x}",
            "tag: main",
            "13: GitSync/shop (document 1): spec.imageUpdate.images[0].policy: image",
        ),
        (
            "/web",
            "/web:1",
            "12: GitSync/shop (document 1): spec.imageUpdate.images[0].image: 'ghcr.io/example/web:1' is",
        ),
        (
            "  imageUpdate:",
            "  imageUpdate:\n    interval: 5 m",
            "9: GitSync/shop (document 1): spec.imageUpdate.interval",
        ),
        ("author:", "messageTemplate: '{% for c in Changed.Changes %}{{ c.NewValue }}{% endfor %}', author:", ""),
        (
            "author:",
            "messageTemplate: '{{ range .Changed }}', author:",
            "9: GitSync/shop (document 1): spec.imageUpdate.git.commit.",
        ),
        ("https://git", "http://git", "5: GitSync/shop (document 1): spec.source.repoURL: the repository address"),
    ],
)
def test_what_a_sync_would_find_by_itself(lint: Any, before: str, after: str, line: str) -> None:
    code, lines = lint(FOLLOWING.replace(before, after, 1))
    assert (code, bool(line)) in ((0, False), (1, True))
    assert not line or lines[0].startswith(f"a.yaml:{line}"), lines


LIMITED = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: rate}
spec:
  args: [{name: limit}]
  metrics:
  - name: rate
    successCondition: reslt[0] >= {{args.limit}}
    provider: {prometheus: {address: "http://prometheus:9090", query: up}}
"""


def test_one_mistake_in_a_metric_does_not_hide_the_others(lint: Any) -> None:
    text = LIMITED.replace("query: up", "qurey: up, query: 'up{a=\"{{args.b}}\"}', timeout: [1]")
    text = text.replace("reslt[0] >= {{args.limit}}", '"result[0] >="')
    code, lines = lint(text)
    place = "AnalysisTemplate/rate (document 1): spec.metrics[0]."
    said = "\n".join(lines)
    assert code == 1
    for fault in ("successCondition: unexpected end", "provider.prometheus.qurey: unknown", "query: {{args.b}} cannot"):
        assert fault in said, said
    assert said.count(place) >= 4


def test_what_can_not_be_told_is_no_error_but_said(lint: Any) -> None:
    code, lines = lint(LIMITED)
    place = "a.yaml:8: AnalysisTemplate/rate (document 1): spec.metrics[0].successCondition: "
    assert (code, lines[0]) == (0, "✔ 1 object checked, no errors")
    assert lines[1].startswith(place + "not checked, because args.limit has no default; with 1 in its place: unknown")
    assert lint(LIMITED.replace("reslt", "result")) == (0, lines[:1])


def test_lists_are_opened(lint: Any) -> None:
    indented = "\n".join(("- " if at == 0 else "  ") + line for at, line in enumerate(GOOD.splitlines()))
    text = "apiVersion: v1\nkind: List\nitems:\n" + indented.replace("setWeight: 20", "setWeight: 200")
    code, lines = lint(text)
    assert (code, lines[0].split(": ")[0]) == (1, "a.yaml:16")


def test_services_in_the_same_files_are_looked_at(lint: Any) -> None:
    assert lint(BLUE_GREEN)[0] == 0
    code, lines = lint(BLUE_GREEN, SERVICE)
    assert code == 1
    assert lines[0].startswith("a.yaml:12: Rollout/good (document 1): spec.strategy.blueGreen.activeService: ")
    assert lint(BLUE_GREEN, SERVICE.replace("app: other", "app: good"))[0] == 0


def test_folders_and_standard_input(run: Any, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.yml").write_text(GOOD)
    (tmp_path / "readme.txt").write_text("a: [")
    assert run(f"lint -f {tmp_path}").stdout == "✔ 1 object checked, no errors\n"
    assert run("lint -f -", input=BAD).stdout.startswith("stdin:12: Rollout/bad")


def test_for_other_programs(lint: Any) -> None:
    code, lines = lint(BAD, options=" -o json")
    assert code == 1
    first = json.loads("\n".join(lines))[0]
    assert (first["line"], first["document"], first["path"]) == (12, 2, "spec.replica")


def test_nothing_to_check(lint: Any, run: Any) -> None:
    assert lint("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")[0] == 0
    assert "there is no file or folder nowhere.yaml" in run("lint -f nowhere.yaml").stderr


def test_a_rollout_is_created(run: Any, api: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)
    assert run(f"create -f {path}").stdout == "rollout.argoproj.io/good created\n"
    ((method, where, body),) = api.writes()
    assert (method, where, body["metadata"]["name"]) == (
        "POST",
        "/apis/argoproj.io/v1alpha1/namespaces/canary/rollouts",
        "good",
    )
    path.write_text(SERVICE)
    assert "a.yaml:2: can't create a Service" in run(f"create -f {path}").stderr


def test_a_typo_in_the_pod_template_is_named_with_what_was_meant(lint: Any) -> None:
    code, lines = lint(GOOD.replace("image: example/app:1", "imgae: example/app:1"))
    assert code == 1
    assert any(
        line.endswith('spec.template.spec.containers[0].imgae: unknown field "imgae", did you mean "image"?')
        for line in lines
    )


EXPERIMENT = """\
apiVersion: argoproj.io/v1alpha1
kind: Experiment
metadata: {name: compare}
spec:
  duration: 1m
  templates:
  - name: a
    selector: {matchLabels: {app: a}}
    template:
      metadata: {labels: {app: a}}
      spec: {containers: [{name: app, image: example/app:1}]}
  analyses:
  - {name: r, templateName: t, args: [{name: x, value: "{{templates.a.podTemplateHash}}"}]}
"""


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ("image:", "imgae:", "spec.templates[0].template.spec.containers[0].imgae: unknown field"),
        (
            "templates.a.",
            "templates.b.",
            "args[0].value: {{templates.b.podTemplateHash}} is not known",
        ),
        ("- name: a\n", "- name: a\n    service: {}\n", "spec.templates[0].service: a Service needs ports"),
        ("duration: 1m", "duration: soon", "spec.duration: invalid duration"),
    ],
)
def test_an_experiment_is_looked_at_as_closely(lint: Any, good: str, bad: str, words: str) -> None:
    assert lint(EXPERIMENT)[0] == 0
    code, lines = lint(EXPERIMENT.replace(good, bad))
    assert code == 1
    assert any(words in line for line in lines), lines


def test_a_typo_does_not_hide_a_wrong_field_whose_name_begins_like_it(lint: Any) -> None:
    _, lines = lint(GOOD.replace("spec:\n  selector", "spec:\n  replica: 3\n  replicas: -1\n  selector"))
    assert any("spec.replica: unknown field" in line for line in lines)
    assert any("spec.replicas: must be 0 or more" in line for line in lines)


TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: checks}
spec:
  args:
  - name: service
  metrics:
  - name: errors
    successCondition: result[0] < 0.05
    provider:
      prometheus:
        address: prometheus:9090
        query: up{service="{{args.servise}}"}
        rangeQuery:
          start: now() - duration("5m")
          end: now()
          step: 1 minute
  - name: smoke
    provider:
      job:
        spec:
          template:
            spec:
              restartPolicy: Never
              containers:
              - name: test
                imge: example/test:1
"""


def test_faulty_providers_are_named_with_object_field_and_line(lint: Any) -> None:
    place = "AnalysisTemplate/checks (document 1): spec.metrics[0].provider.prometheus"
    code, lines = lint(TEMPLATE)
    assert code == 1
    assert sorted(lines[:-1]) == [
        f'a.yaml:12: {place}.address: "prometheus:9090" is not a URL such as http://service.namespace:8080',
        f"a.yaml:13: {place}.query: {{{{args.servise}}}} cannot be filled in: there is no such argument "
        "(args: service)",
        f'a.yaml:17: {place}.rangeQuery.step: invalid duration "1 minute": write a number with a unit, such as 30s, '
        "5m or 1h30m",
        "a.yaml:27: AnalysisTemplate/checks (document 1): spec.metrics[1].provider.job.spec.template.spec."
        'containers[0].imge: unknown field "imge", did you mean "image"?',
    ]


def test_arguments_may_come_with_other_templates(lint: Any) -> None:
    text = TEMPLATE.replace("prometheus:9090", "http://p").replace("1 minute", "1m").replace("imge", "image")
    assert lint(text)[0] == 1
    assert lint(text + "  templates: [{templateName: more}]\n")[0] == 0


def test_metrics_are_looked_into_whatever_else_is_wrong(lint: Any) -> None:
    """A key nobody knows hides neither other faults of its metric nor those of the next."""
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: check}
spec:
  arg: []
  args: [{name: limit, value: "0.9"}]
  metrics:
  - name: rate
    intervall: 1m
    successCondition: result[0] >= {{args.limit}} && reslt
    provider: {prometheus: {address: "http://p:9090", query: "up{a=\\"{{args.servce}}\\"}"}}
  - name: latency
    successCondition: result >
    provider: {prometheus: {address: "p:9090", query: up}}
  - just text
"""
    code, lines = lint(text)
    found = {line.split(": ")[2] for line in lines if ": AnalysisTemplate/check" in line}
    assert code == 1
    assert found == {
        "spec.arg",
        "spec.metrics[0].intervall",
        "spec.metrics[0].successCondition",
        "spec.metrics[0].provider.prometheus.query",
        "spec.metrics[1].successCondition",
        "spec.metrics[1].provider.prometheus.address",
        "spec.metrics[2]",
    }


EMPTY = "---\n# nothing\n---\nnull\n---\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            GOOD.replace("kind:", "knd:", 1),
            [
                "a.yaml:1: ?/good (document 1): not a Kubernetes object: kind missing or not text; "
                '"knd" is probably meant to be "kind"',
                "✖ 1 error in 1 object",
            ],
        ),
        (
            GOOD + EMPTY + "data: {a: b}\n",
            [
                "a.yaml:20: ?/? (document 4): not a Kubernetes object: apiVersion and kind missing or not text",
                "✖ 1 error in 2 objects",
            ],
        ),
        (
            MAP.replace("name:", "nmae:"),
            ["a.yaml:1: ConfigMap/? (document 1): ConfigMap has no metadata.name", "✖ 1 error in 1 object"],
        ),
        (
            GOOD + "---\n" + MAP + "---\n" + MAP,
            [
                "a.yaml:20: ConfigMap/x (document 3): ConfigMap x is there already, at a.yaml:16",
                "✖ 1 error in 2 objects",
            ],
        ),
        (GOOD + EMPTY, ["✔ 1 object checked, no errors"]),
        ("apiVersion: v1\nkind: Config\nclusters: []\n", None),
        ("apiVersion: 1\ndatasources: []\n", None),
        ("replicas: 3\n", None),
    ],
)
def test_what_a_sync_would_refuse_of_any_object(lint: Any, text: str, lines: list[str] | None) -> None:
    nothing = ["no Rollout, AnalysisTemplate, AnalysisRun, Experiment or GitSync found, nothing checked"]
    code, found = lint(text)
    assert (found, code) == (lines or nothing, int("✖" in found[-1]))


def folder(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return f"lint -f {root}"


def test_the_same_object_in_two_files_of_a_folder(run: Any, tmp_path: Path) -> None:
    found = run(folder(tmp_path, {"a.yaml": GOOD, "b.yaml": GOOD}))
    text = f"{tmp_path}/b.yaml:1: Rollout/good (document 1): Rollout good is there already, at {tmp_path}/a.yaml:1\n"
    assert (found.exit_code, found.stdout) == (1, text + "✖ 1 error in 2 objects\n")


def test_a_file_named_twice_is_one_file(run: Any, tmp_path: Path) -> None:
    again = folder(tmp_path, {"a.yaml": GOOD}) + f" -f {tmp_path}/a.yaml"
    assert run(again).exit_code == 0


def test_whether_one_sync_takes_two_folders_can_not_be_told(run: Any, tmp_path: Path) -> None:
    found = run(folder(tmp_path, {"staging/a.yaml": GOOD, "prod/a.yaml": GOOD}))
    assert (found.exit_code, found.stdout) == (0, "✔ 2 objects checked, no errors\n")
    assert "Rollout good is there already" in found.stderr
    assert "a sync of a folder above both refuses it" in found.stderr


@pytest.mark.parametrize(
    "files",
    [
        {"Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n", "values.yaml": "a: 1\n---\n" + MAP, "r.yaml": GOOD},
        {"kustomization.yaml": "resources: [r.yaml]\n", "r.yaml": GOOD, "patches/r.yaml": GOOD, "p.yaml": GOOD},
        {"base/kustomization.yml": "apiVersion: kustomize.config.k8s.io/v1beta1\n", "base/deep/r.yaml": GOOD},
        {"r.yaml": GOOD, ".github/r.yaml": "apiVersion: v1\n"},
        {"r.yaml": GOOD, "s.yaml": "# +argocd:skip-file-rendering\napiVersion: v1\n"},
    ],
)
def test_what_a_program_reads_is_no_manifest(run: Any, tmp_path: Path, files: dict[str, str]) -> None:
    found = run(folder(tmp_path, files))
    assert (found.exit_code, found.stderr) == (0, ""), found.stdout


def test_an_unreadable_file_is_told_apart_from_objects(lint: Any) -> None:
    code, lines = lint(GOOD, "a: [")
    assert (code, lines[-1]) == (1, "✖ 1 error in 1 object and 1 unreadable document")
    assert lint("a: [")[1][-1] == "✖ 1 error in 1 unreadable document"
