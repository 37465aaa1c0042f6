"""Hostile conditions and results: nothing but ConditionError comes out, and soon."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.language import ConditionError, judge_condition
from analysis.language.builtins import FUNCTIONS

PIECES = [
    *(f"{name}(" for name in FUNCTIONS), "result", "#", "#acc", "#index", ".a", "?.b", "[0]", "[1:", "]", "(", ")", "{",
    "}", "'x'", '"', "`", "1", "2.5", "nil", "true", "+", "-", "*", "/", "%", "**", "..", "|", "??", "?", ":", ",", ";",
    "let x = ", "x", "if ", " else ", " in ", " not ", " matches ", " contains ", "==", "<", ">=", "&&", "||", "!",
    "$env", "//", "/*", "\\", "\x00", "é", " ", "now()", "duration('1h')", ".Unix()", "1e999", "0x", "b'a'", "\ud800",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=8,
)


def judged(text: str, result: Any) -> bool | None:
    """The verdict, or None for an error; anything else raised fails the test."""
    try:
        return judge_condition(text, result)
    except ConditionError as error:
        assert str(error)
        return None


@settings(max_examples=600, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=14).map("".join), result=JSON)
def test_any_text_gives_a_verdict_or_its_own_error(text: str, result: Any) -> None:
    assert judged(text, result) in (True, False, None)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    arguments=st.lists(
        st.sampled_from(["result", "#", "result.a", "1", "'a'", "nil", "[1]", "-1", "1e300"]), max_size=4
    ),
    result=JSON,
)
def test_any_function_on_any_value(name: str, arguments: list[str], result: Any) -> None:
    assert judged(f"{name}({', '.join(arguments)}) == result", result) in (True, False, None)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40))
def test_plain_noise(text: str) -> None:
    assert judged(text, 1.0) in (True, False, None)


DEEP: Any = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("text", "result", "fragment"),
    [
        ("(" * 500 + "1" + ")" * 500, None, "nested too deeply"),
        ("!" * 5000 + "true", None, "nested too deeply"),
        ("[" * 5000, None, "nested too deeply"),
        ("1" + "+1" * 5000 + " > 0", None, "nested too deeply"),
        ("result" + ".a" * 5000, {}, "nested too deeply"),
        ("true ? " * 2000, None, "nested too deeply"),
        ("a" * 30_000, None, "too long"),
        ("[" + "1," * 9_900 + "1" + ",1" * 200 + "] == result", None, "too"),
        ("len(0..100000000) > 1", None, "takes too long"),
        ("all(1..2000, all(1..2000, # > 0))", None, "takes too long"),
        ("repeat('abc', 1000000000) == ''", None, "too long"),
        ("let a = repeat('x', 999999); a + a == ''", None, "too long"),
        ("replace(repeat('a', 500000), 'a', repeat('b', 500000)) == ''", None, "too long"),
        ("; ".join(["let a = 1..1000", *(f"let {c} = [{p},{p}]" for p, c in zip("abcdefghijklmno", "bcdefghijklmnop",
         strict=True)), "flatten(p) == []"]), None, "takes too long"),
        ("result == result", DEEP, "nested too deeply"),
        ("toJSON(result) == ''", DEEP, "nested too deeply"),
        ("9 ** 9 ** 9 ** 9 > 0 && 1 / 0 > 0 && result", None, "mismatched types"),
    ],
)  # fmt: skip
def test_attacks_end_with_an_error(text: str, result: Any, fragment: str) -> None:
    with pytest.raises(ConditionError, match=fragment):
        judge_condition(text, result)


def test_regular_expressions_take_linear_time() -> None:
    assert judge_condition("result matches '^(a+)+$'", "a" * 5000 + "b") is False


def test_results_show_no_python_inside() -> None:
    for text in ("result.__class__ == nil", "result.keys == nil", "result['__class__'] == nil"):
        assert judge_condition(text, {"a": 1})
