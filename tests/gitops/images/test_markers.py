"""Marked values: what is found, and that nothing else changes, to the byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.gitops.errors import ImageError
from rollouts.gitops.images.markers import Marker, edited, find

TIGHT = '#{"$imagepolicy":"s:w"}'
M = '# {"$imagepolicy": "shop:web"}'
LAYOUT = "a: {{b: c}}\n\n# n\nx:   y:{}   " + M.replace("{", "{{").replace("}", "}}") + "   \n---\n"


def change(text: str, value: str) -> str:
    data = text.encode()
    return edited(data, dict.fromkeys(find(data, file="a.yaml"), value), file="a.yaml").decode()


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        pytest.param(f"image: web:1 {M}\n", "web:2", f"image: web:2 {M}\n", id="plain"),
        pytest.param(f'image: "web:1"   {M}\n', "web:2", f'image: "web:2"   {M}\n', id="double quotes and blanks stay"),
        pytest.param(f"image: 'web:1' {M}\n", "web:2", f"image: 'web:2' {M}\n", id="single quotes stay"),
        pytest.param(f"a:\r\n  b: x:1 {M}\r\nc: d\r\n", "x:2", f"a:\r\n  b: x:2 {M}\r\nc: d\r\n", id="CRLF"),
        pytest.param(f"\ufeffa: x:1 {M}\n", "x:2", f"\ufeffa: x:2 {M}\n", id="byte order mark"),
        pytest.param(f"- x:1 {M}\n- y:1 # {{}}\n", "x:2", f"- x:2 {M}\n- y:1 # {{}}\n", id="only what is marked"),
        pytest.param(f"é: 'ü😀'\na: x:1 {M}", "x:2", f"é: 'ü😀'\na: x:2 {M}", id="letters beyond ASCII"),
        pytest.param(f"tag: 1.9 {M}\n", "1.10", f'tag: "1.10" {M}\n', id="quoted where it would be a number"),
        pytest.param(f"tag: v1 {M}\n", "true", f'tag: "true" {M}\n', id="or a boolean"),
        pytest.param(f"tag: v1 {M}\n", "2026-11-21", f'tag: "2026-11-21" {M}\n', id="or a date"),
        pytest.param(f"tag: v1 {M}\n", "0x10", f'tag: "0x10" {M}\n', id="or hexadecimal"),
        pytest.param(LAYOUT.format(1), "y:2", LAYOUT.format(2), id="layout"),
        pytest.param(f"a: x:1 {M}\n---\nb: x:1 {M}\n", "x:2", f"a: x:2 {M}\n---\nb: x:2 {M}\n", id="several"),
        pytest.param(f"a: x:1 {TIGHT}\n", "x:2", f"a: x:2 {TIGHT}\n", id="no blanks"),
    ],
)  # fmt: skip
def test_only_the_value_changes(before: str, value: str, after: str) -> None:
    assert change(before, value) == after


@pytest.mark.parametrize(
    ("comment", "part"),
    [("shop:web", ""), ("shop:web:name", "name"), ("shop:web:tag", "tag"), ("s:w:digest", "digest")],
)
def test_parts(comment: str, part: str) -> None:
    (marker,) = find(f'x:\n  a: b # {{"$imagepolicy": "{comment}"}}\n'.encode(), file="f.yaml")
    assert (marker.part, marker.line, marker.value, marker.file) == (part, 2, "b", "f.yaml")


@pytest.mark.parametrize(
    "text",
    [
        'a: b # {"$imagepolicy": "web"}\n',
        'a: b # {"$imagepolicy": "a:b:c"}\n',
        'a: b # {"$imagepolicy": "a::tag"}\n',
        'a: b # {"$imagepolicy": 1}\n',
        "a: b # $imagepolicy\n",
        f"a: # {M}\n",
        f"# a: b {M}\n",
        f"a: |\n  b {M}\n",
        f'a: "b {M}"\n'.replace('"$', "'$").replace('y":', "y':").replace('"shop:web"', "'shop:web'"),
        "a: b\n",
    ],
)
def test_what_is_no_marker(text: str) -> None:
    assert find(text.encode(), file="a.yaml") == ()


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        (f"a: &x web:1 {M}\n", "anchor"),
        (f'a: "w\\u0065b" {M}\n', "escape"),
        (f"a: [ {M}\n", "not readable"),
        (f"a: b {M}\n" + "x" * 2_000_000, "bytes, more than"),
    ],
)
def test_files_that_cannot_be_edited_safely(text: str, fragment: str) -> None:
    with pytest.raises(ImageError, match=fragment):
        find(text.encode(), file="a.yaml")


def test_a_file_that_would_read_differently_elsewhere_is_left_alone() -> None:
    """A marker with wrong offsets, as a defect would make it, is noticed by reading the result."""
    data = f"a: web:1 {M}\nb: other\n".encode()
    (good,) = find(data, file="a.yaml")
    at = data.decode().index("other")
    fields = {name: getattr(good, name) for name in Marker.__slots__}
    wrong = Marker(**{**fields, "start": at, "end": at + 3})
    with pytest.raises(ImageError, match="more than the marked values"):
        edited(data, {wrong: "web:2"}, file="a.yaml")


WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)


@given(
    before=st.lists(WORDS, max_size=4),
    after=st.lists(WORDS, max_size=4),
    end=st.sampled_from(["\n", "\r\n"]),
    quote=st.sampled_from(["", "'", '"']),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True),
)
def test_whatever_stands_around_it_stays(before: list[str], after: list[str], end: str, quote: str, tag: str) -> None:
    head = "".join(f"# {line}{end}" for line in before)
    tail = "".join(f"# {line}{end}" for line in after)
    text = f"{head}a: {quote}web:1{quote}  {M}{end}{tail}"
    result = change(text, f"web:{tag}")
    assert result == f"{head}a: {quote}web:{tag}{quote}  {M}{end}{tail}"
