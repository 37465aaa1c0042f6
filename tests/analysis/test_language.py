"""The condition language as a table: what holds, what does not, what is an error and what it says.

The rows follow expr-lang, whose outcomes were observed by running it. Where the peer reports a mistake before it
evaluates, an error of ours at evaluation is the same outcome for a measurement.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analysis.language import ConditionError, compile_condition, evaluate_time, go_float, judge_condition, plain_float

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAN = float("nan")

IN_USE: list[tuple[str, Any, bool]] = [
    ("result[0] >= 0.95", [0.96], True),
    ("result[0] >= 0.95", [0.94], False),
    ("result == true", True, True),
    ("result == 'It worked!'", "It worked!", True),
    ("result.major == '1'", {"major": "1"}, True),
    ("result.ok && result.successPercent >= 0.90", {"ok": True, "successPercent": 0.9}, True),
    ("len(result) > 0 && result[0] >= 0.95", [], False),
    ("len(result) == 0 || result[0] < 0.05", [], True),
    ("isNaN(result) || result >= 0.95", NAN, True),
    ("isNaN(result[0])", [NAN], True),
    ("isNaN(result)", 5, False),
    ("isInf(result)", float("inf"), True),
    ("default(result, 0) < 0.05", None, True),
    ("default(result, 0) < 0.05", 0.5, False),
    ("isNil(result)", None, True),
    ("isNil(nil)", 1.0, False),
    ("all(result, # < 1000)", [1, 2, 999], True),
    ("len(result[0].Values) >= 2 and all(result[0].Values, {# <= 0.01})", [{"Values": [0.01, 0.0]}], True),
    ("all(result.apdex.values, {asFloat(.value) >= 9900})", {"apdex": {"values": [{"value": "9901"}]}}, True),
    ("max(result) < 0.05", [0.01, 0.04], True),
    ("2 in result", [1, 2], True),
    ("asInt(result) == 1", "1", True),
    ("asFloat(result) == 1.5", "1.5", True),
]

SEMANTICS: list[tuple[str, Any, bool]] = [
    ("7/2 == 3.5", None, True),
    ("10/5 == 2", None, True),
    ("1 == 1.0", None, True),
    ("isInf(1/0)", None, True),
    ("-7 % 3 == -1", None, True),
    ("2 ** 3 ** 2 == 512.0", None, True),
    ("-2 ** 2 == -4.0", None, True),
    ("2 + 3 * 4 == 14 && (2 + 3) * 4 == 20", None, True),
    ("9223372036854775807 + 1 < 0", None, True),
    ("1_000 + 0x1F + 0b11 + 0o17 == 1049", None, True),
    (".5 + 1e2 == 100.5", None, True),
    ("1..3 == [1, 2, 3]", None, True),
    ("3 not in [1,2]", None, True),
    ("not (1 in [1,2])", None, False),
    ("'a' in {a: 1}", None, True),
    ("1 < result < 2", 1.5, True),
    ("1 < result <= 2 < 2", 1.5, False),
    ("result ? true : false", True, True),
    ("false ?: true", None, True),
    ("if result > 1 {true} else if result > 0 {false} else {true}", 2, True),
    ("let x = 2; let y = x * 3; x + y == 8", None, True),
    ("1; 2; true", None, True),
    ("{a: 1}.a == 1 && {'b c': 2}['b c'] == 2", None, True),
    ("[1, 2, 3][-1] == 3 && [1,2,3][1:] == [2,3] && 'abcd'[1:3] == 'bc'", None, True),
    ("result.b == nil", {"a": 1}, True),
    ("(result.b?.c.d ?? 5) == 5", {}, True),
    ("result?.a == nil", None, True),
    ("(result.a ?? 3) == 3", {"a": None}, True),
    ("result.a == 1", {"a": "1"}, False),
    ("result.a == 1", {"a": True}, False),
    ("[true] == [1]", None, False),
    ("result.not && result.in", {"not": True, "in": True}, True),
    ("'abc' contains 'b' && 'abc' startsWith 'a' && 'abc' endsWith 'c'", None, True),
    ("result matches '^v[0-9]+$'", "v12", True),
    ("result not matches '^v[0-9]+$'", "x", True),
    ('"\\u00e9\\n\\x41" == `é\nA`', None, True),
    ("(result | filter(# > 1) | len()) == 1", [1, 2], True),
    ("true // the end", None, True),
    ("/* so */ true", None, True),
    ("$env.result == 3", 3, True),
    ("true || result.a.b.c > 1", {}, True),
    ("'Argo' + \" Rollouts\" == 'Argo Rollouts'", None, True),
]

FUNCTIONS: list[tuple[str, Any, bool]] = [
    ("any(result, # > 2) && none(result, # > 3) && one(result, # == 1)", [1, 2, 3], True),
    ("count(result, # > 1) == 2 && count([true, false]) == 1", [1, 2, 3], True),
    ("sum(result) == 6 && sum(result, # * 2) == 12", [1, 2, 3], True),
    ("map(result, # * #index) == [0, 2, 6]", [1, 2, 3], True),
    ("find(result, # > 1) == 2 && findIndex(result, # > 1) == 1", [1, 2, 3], True),
    ("findLast(result, # > 1) == 3 && findLastIndex(result, # < 3) == 1", [1, 2, 3], True),
    ("find(result, # > 9) == nil", [1], True),
    ("reduce(1..4, #acc + #) == 10 && reduce([], #acc + #, 7) == 7", None, True),
    ("groupBy(result, .k)['a'] == [{k: 'a'}]", [{"k": "a"}, {"k": "b"}], True),
    ("map(sortBy(result, .n, 'desc'), .n) == [2, 1]", [{"n": 1}, {"n": 2}], True),
    ("all(result, {let limit = 5; # < limit})", [1, 2], True),
    ("all([[1, 2], [3]], all(#, # > 0))", None, True),
    ("map([[1, 2], [3]], sum(#) + len(#)) == [5, 4]", None, True),
    ("mean(result) == 2 && median(result) == 2 && min(result) == 1 && max(1, [5, 2]) == 5", [1, 2, 3], True),
    ("abs(-3) == 3 && ceil(1.2) == 2 && floor(1.8) == 1 && round(2.5) == 3 && round(-2.5) == -3", None, True),
    ("int('42') == 42 && float('1.5') == 1.5 && int(2.9) == 2", None, True),
    ("string(1000000.0) == '1e+06' && string(0.95) == '0.95' && string([1, nil]) == '[1 <nil>]'", None, True),
    ("type(1.5) == 'float' && type(nil) == 'nil' && type({}) == 'map'", None, True),
    ("trim('  a ') == 'a' && trimPrefix('v1', 'v') == '1' && trimSuffix('a.b', '.b') == 'a'", None, True),
    ("upper('a') + lower('B') == 'Ab'", None, True),
    ("split('a,b,c', ',') == ['a','b','c'] && split('a,b,c', ',', 2) == ['a','b,c']", None, True),
    ("splitAfter('a,b', ',') == ['a,', 'b'] && join(['a','b'], '-') == 'a-b'", None, True),
    ("replace('aaa', 'a', 'b', 2) == 'bba' && repeat('ab', 2) == 'abab'", None, True),
    ("indexOf('abcb', 'b') == 1 && lastIndexOf('abcb', 'b') == 3 && indexOf('a', 'z') == -1", None, True),
    ("hasPrefix('abc', 'ab') && hasSuffix('abc', 'bc')", None, True),
    ('fromJSON(\'{"a": [1]}\').a[0] == 1 && toJSON([1.0]) == "[\\n  1\\n]"', None, True),
    ("fromBase64(toBase64('secret')) == 'secret'", None, True),
    ("first(result) == 1 && last(result) == 3 && first([]) == nil && take(result, 2) == [1,2]", [1, 2, 3], True),
    ("get({a: 1}, 'a') == 1 && get({}, 'a') == nil && get([1], 5) == nil", None, True),
    ("sort(keys({b: 1, a: 2})) == ['a', 'b'] && sort([3, 1, 2], 'desc') == [3, 2, 1]", None, True),
    ("values({a: 1}) == [1] && toPairs({a: 1}) == [['a', 1]] && fromPairs([['a', 1]]) == {a: 1}", None, True),
    ("uniq([1, 1.0, 2]) == [1, 2] && concat([1], [2]) == [1, 2] && flatten([1, [2, [3]]]) == [1, 2, 3]", None, True),
    ("reverse([1, 2]) == [2, 1]", None, True),
    ("bitand(6, 3) == 2 && bitor(6, 3) == 7 && bitxor(6, 3) == 5 && bitshl(1, 4) == 16 && bitnot(0) == -1", None, True),
    ("bitushr(-1, 63) == 1 && bitshr(-8, 1) == -4 && bitnand(6, 3) == 4", None, True),
    ("now() - duration('5m') < now() && (now() - date('2026-01-02')).Hours() > 3", None, True),
    ("date('2026-01-02T03:04:05Z') == now() && now().Year() == 2026 && now().Unix() == 1767323045", None, True),
    ("duration('90s').String() == '1m30s' && duration('1h').Minutes() == 60", None, True),
    ("date('02/01/2026', '02/01/2006') < now()", None, True),
]


@pytest.mark.parametrize(("text", "result", "expected"), [*IN_USE, *SEMANTICS, *FUNCTIONS])
def test_what_holds(text: str, result: Any, expected: bool) -> None:
    assert judge_condition(text, result, now=NOW) is expected


ERRORS: list[tuple[str, Any, str]] = [
    ('"1" == 1', None, "mismatched types string and int"),
    ('asFloat(result) == "1.1"', 1.1, "mismatched types float and string"),
    ('result == "a"', 1.0, "mismatched types float and string"),
    ("7.5 % 2 == 1", None, "mismatched types float and int"),
    ("result.a > 0", {"a": "1"}, "> (mismatched types string and int)"),
    ("result.b > 1", {}, "> (mismatched types nil and int)"),
    ("result[0] > 1", [], "index out of range: 0 (array length is 0)"),
    ("result[0] > 1", None, "nil has no field 0"),
    ("result.b.c == 1", {}, "cannot fetch c from nil"),
    ("result.a == 1", [{"a": 1}], "pick an item first"),
    ("nil ?? 0 > 1", None, "cannot be mixed"),
    ("result && true", 1.0, "&& (mismatched types float and bool)"),
    ("result ?: 3", 1.0, "a test should be a bool"),
    ("isNaN(5)", None, "invalid argument for isNaN (type int)"),
    ("foo", None, "unknown name foo"),
    ("resutl > 1", None, "did you mean result?"),
    ("asIn(result) > 1", 1, "unknown function asIn, did you mean"),
    ("1", None, "expected bool, but got int"),
    ("result", 1.0, "expected bool, but got float"),
    ("result.a", {"a": 1}, "expected bool, but got float"),
    ("len()", None, "not enough arguments to call len"),
    ("len(1, 2)", None, "too many arguments to call len"),
    ("asInt(result) == 1", "1.5", "invalid argument for int"),
    ("max([]) > 1", None, "the array is empty"),
    ("all(result, #)", [1.0], "should give a bool, it gave float"),
    ("# > 1", [1], "#"),
    ("result matches '('", "a", "cannot use the regular expression"),
    ("1 % 0 == 1", None, "integer divide by zero"),
    ("date('soon') > now()", None, "invalid date 'soon'"),
    ("duration('5') > duration('1s')", None, 'invalid duration "5"'),
    ("let result = 1; true", None, "cannot declare result"),
    ("sort([1, 'a']) == []", None, "cannot sort values of types"),
    ("", None, "unexpected end of expression"),
    ("(1 > 0", None, "')' was expected"),
    ("'abc", None, "not closed"),
    ("result @ 1", 1, "unexpected character '@'"),
    ("99999999999999999999 > 1", None, "too large"),
    ("result > 1 result", 1, "unexpected token name 'result'"),
]


@pytest.mark.parametrize(("text", "result", "fragment"), ERRORS)
def test_what_is_an_error(text: str, result: Any, fragment: str) -> None:
    with pytest.raises(ConditionError) as caught:
        judge_condition(text, result, now=NOW)
    assert fragment in str(caught.value)


def test_an_error_points_at_its_place() -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition("result > 1 &&\n  foo < 2")
    assert (caught.value.line, caught.value.column) == (2, 3)
    assert str(caught.value).endswith("\n |   foo < 2\n |   ^")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("result[0] > 1 &&\n", "unexpected end of expression (1:17)\n | result[0] > 1 &&\n |                 ^"),
        (
            "result[0] > 1 &&\n  result[1 > 3\n\n",
            "unexpected end of expression, ']' was expected (2:15)\n |   result[1 > 3\n |               ^",
        ),
        ("result[1 2]", "unexpected token number 2, ']' was expected (1:10)\n | result[1 2]\n |          ^"),
        ("result[1:2", "unexpected end of expression, ']' was expected (1:11)"),
    ],
)
def test_an_end_that_comes_too_soon_is_shown_after_the_last_word(text: str, said: str) -> None:
    """A block of YAML ends with a line break: the line after it has nothing to point at."""
    with pytest.raises(ConditionError) as caught:
        compile_condition(text)
    assert str(caught.value).startswith(said)


def test_without_a_known_kind_a_condition_compiles_once_for_any_result() -> None:
    condition = compile_condition("result == 'ok'")
    assert compile_condition("result == 'ok'") is condition
    assert condition("ok")
    assert not condition(1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now()", NOW),
        ('now() - duration("5m")', NOW - timedelta(minutes=5)),
        ('duration("1h")', NOW - timedelta(hours=1)),
        ('date("2026-01-01T00:00:00Z")', datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert evaluate_time(text, now=NOW) == expected


def test_a_time_that_is_none() -> None:
    with pytest.raises(ConditionError, match="expected a time, but got int"):
        evaluate_time("1 + 1", now=NOW)


@pytest.mark.parametrize(
    ("value", "go", "plain"),
    [
        (0.95, "0.95", "0.95"),
        (1.0, "1", "1"),
        (1e6, "1e+06", "1000000"),
        (123456.7, "123456.7", "123456.7"),
        (1.5e-7, "1.5e-07", "0.00000015"),
        (-2.5e21, "-2.5e+21", "-2500000000000000000000"),
        (NAN, "NaN", "NaN"),
        (float("-inf"), "-Inf", "-Inf"),
        (0.0, "0", "0"),
    ],
)
def test_how_numbers_are_shown(value: float, go: str, plain: str) -> None:
    assert (go_float(value), plain_float(value)) == (go, plain)
