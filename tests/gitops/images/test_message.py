"""Messages from templates of tenants."""

from __future__ import annotations

import pytest

from rollouts.gitops.errors import ImageError
from rollouts.gitops.images.commit import Author, Draft, commit_object
from rollouts.gitops.images.markers import find
from rollouts.gitops.images.message import message
from rollouts.gitops.images.plan import Change

MARKER = find(b'a: host/web:1 # {"$imagepolicy": "shop:web"}\n', file="app/a.yaml")[0]
CHANGES = (Change(marker=MARKER, old="host/web:1", new="host/web:2"),)


def filled(template: str | None, **values: str) -> str:
    return message(template, CHANGES, sync="shop/app", values=values)


def test_without_a_template() -> None:
    assert filled(None) == "Update images of shop/app\n\n- shop:web: host/web:1 -> host/web:2\n"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("chore: {{ Values.team | upper }}", "chore: OPS\n"),
        ("{% for f in Changed.FileChanges.items() %}x{% endfor %}", None),
        ("{% for f in Changed.FileChanges %}{{ f }}{% endfor %}", "app/a.yaml\n"),
        ("{% if Changed.Changes | length == 1 %}one{% else %}more{% endif %}", "one\n"),
        ("a\x07b\x00c", "abc\n"),
    ],
)
def test_templates(template: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ImageError, match="Call is not possible here"):
            filled(template, team="ops")
    else:
        assert filled(template, team="ops") == expected


LOOP, END = "{% for a in Changed.Changes %}", "{% endfor %}"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ 'a' * 1000000000 }}",
        "{% for i in range(1000000000) %}{% endfor %}",
        LOOP * 3 + END * 3,
        "{% set x = 1 %}", "{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{% macro m() %}{% endmacro %}",
        "{{ lipsum() }}", "{{ 'x' | format }}", "{% for", "{{", "", "x" * 5000, "{# only a comment #}",
    ],
)  # fmt: skip
def test_templates_that_are_refused(template: str) -> None:
    if not template:
        template = " "
    with pytest.raises(ImageError, match="messageTemplate"):
        filled(template)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a <b>", "a\0"])
def test_authors_that_git_could_not_write_down(name: str) -> None:
    with pytest.raises(ImageError, match="one line without angle brackets"):
        Author(name=name, email="a@example.com")


def test_a_commit_object_is_the_same_for_the_same_draft() -> None:
    from datetime import UTC, datetime

    when = datetime(2026, 11, 21, 12, tzinfo=UTC)
    draft = Draft(parent="p", files={}, author=Author(name="Bot", email="b@x"), message="hello\n", when=when)
    assert commit_object(draft, "t") == (
        b"tree t\nparent p\nauthor Bot <b@x> 1795262400 +0000\ncommitter Bot <b@x> 1795262400 +0000\n\nhello\n"
    )
