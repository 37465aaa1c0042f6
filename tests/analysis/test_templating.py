"""Arguments in metrics: values stay values, what is missing is named, secrets are hidden."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from analysis.spec import Measurement
from analysis.templating import Secrets, TemplatingError, fill, fill_metric, redact_measurement
from tests.analysis.runs import metric

TRICKY = 'a"b\\c\nd: {e} {{args.other}}'


@pytest.mark.parametrize("placeholder", ["{{args.x}}", "{{ args.x }}", "{{\targs.x}}"])
def test_any_value_stays_a_value(placeholder: str) -> None:
    filled = fill_metric(metric(successCondition=f"result == {placeholder}"), {"x": TRICKY})
    assert filled.success_condition == f"result == {TRICKY}"


def test_every_string_is_reached() -> None:
    spec = {"template": {"spec": {"containers": [{"args": ["{{args.a}}"], "env": {"{{args.b}}": "-{{args.a}}-"}}]}}}
    filled = fill_metric(metric(count="{{args.b}}", provider={"job": {"spec": spec}}), {"a": "x", "b": "2"})
    assert filled.count == "2"
    assert filled.provider.job is not None
    container = filled.provider.job.spec["template"]["spec"]["containers"][0]
    assert container == {"args": ["x"], "env": {"2": "-x-"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("no braces", "no braces"), ("{{args.a}}{{args.a}}", "11"), ("{{ open", "{{ open"), ('m{a="b"}', 'm{a="b"}')],
)
def test_fill(text: str, expected: str) -> None:
    assert fill(text, {"a": "1"}) == expected


@pytest.mark.parametrize("text", ["{{args.b}}", "{{a}}", "{{}}", "{{inputs.a}}"])
def test_what_cannot_be_filled_is_named(text: str) -> None:
    with pytest.raises(TemplatingError) as caught:
        fill(text, {"a": "1"}, where="m.query")
    assert str(caught.value).startswith(f"failed to resolve {text} in m.query")
    assert "args.a" in str(caught.value)


def test_a_body_is_filled_and_keeps_what_is_no_text() -> None:
    body = {"{{args.a}}": ["{{args.a}}", 1, True, None], "n": {"x": 1.5}}
    filled = fill_metric(metric(provider={"web": {"url": "http://x", "jsonBody": body}}), {"a": "v"})
    assert filled.provider.web is not None
    assert filled.provider.web.json_body == {"v": ["v", 1, True, None], "n": {"x": 1.5}}


SECRET = 'p@ss w"rd/1'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"url?x={quote(SECRET)}",
        f"url?x={quote(SECRET, safe='')}",
        f"body {json.dumps({'k': SECRET})}",
        f"repr {[SECRET]!r}",
    ],
)
def test_secrets_are_hidden_however_they_are_quoted(text: str) -> None:
    hidden = Secrets(values={"s": SECRET}).redact(text)
    assert "*****" in hidden
    assert "ss" not in hidden.replace("*****", "")


def test_several_lines_are_hidden_one_by_one() -> None:
    secrets = Secrets(values={"key": "-----BEGIN-----\nabcdefgh\n-----END-----\n"})
    assert secrets.redact("bad line: abcdefgh!") == "bad line: *****!"


def test_an_empty_secret_hides_nothing() -> None:
    assert Secrets(values={"s": "", "t": " "}).redact("a b") == "a b"


def test_a_measurement_shows_no_secret() -> None:
    measured = Measurement(phase="Error", message="m hush", value="v hush", metadata={"k": "d hush"})
    hidden = redact_measurement(measured, Secrets(values={"s": "hush"}))
    assert hidden == Measurement(phase="Error", message="m *****", value="v *****", metadata={"k": "d *****"})


def test_a_metric_without_placeholders_is_taken_as_it_is() -> None:
    plain = metric(successCondition="result[0] > 0.5")
    assert fill_metric(plain, {"x": "1"}) is plain
    assert fill_metric(metric(interval="{{args.x}}"), {"x": "1m"}) == metric(interval="1m")
