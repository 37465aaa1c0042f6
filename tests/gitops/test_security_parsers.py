"""Every parser of what strangers write, on arbitrary input: an answer or an error of ours, never anything else
(§2.5 A, B, G).
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.gitops import semver, url
from rollouts.gitops.errors import ImageError, RenderError, SourceError, SyncError, VerificationError
from rollouts.gitops.images import markers, policy, reference
from rollouts.gitops.images.credentials import logins
from rollouts.gitops.images.message import message
from rollouts.gitops.links import follow
from rollouts.gitops.render import directory, kustomize
from rollouts.gitops.render.documents import documents
from rollouts.gitops.signatures import Keys, commit_parts, pgp_verdict, tag_parts
from rollouts.gitops.source import checked_revision

WORDS = (
    "a|: |- |\n|  |[|]|{|}|,|&x |*x|!!str |!t |'|\"|>-\n|---\n|...\n|#|<<|? |1.5|0x|.inf|~|\t|\ufeff|é|%YAML 1.2\n|\\"
)
YAML = st.lists(st.sampled_from([*WORDS.split("|"), "|\n", "kind", "apiVersion"]), max_size=40).map("".join)
TEXT = st.text(max_size=60)
PARTS = [
    "https://",
    "ssh://",
    "git@",
    "host",
    ":",
    "/",
    "::",
    "-",
    "..",
    "@",
    "[",
    "]",
    "169.254.169.254",
    "22",
    "x",
    "?",
    "#",
    "%",
    "\\",
    "~",
    "file://",
    "ext",
    "0x",
    ".",
]
ADDRESS = st.lists(st.sampled_from([*PARTS, " "]), max_size=8).map("".join)

PARSERS: dict[str, tuple[Callable[[str], object], st.SearchStrategy[str], tuple[type[Exception], ...]]] = {
    "YAML": (lambda text: documents(text, file="f"), YAML | TEXT, (RenderError,)),
    "manifests": (lambda text: list(directory.read("f", text.encode(errors="replace"))), YAML, ()),
    "markers": (lambda text: markers.find(text.encode(errors="replace"), file="f"), YAML, (ImageError,)),
    "patterns of files": (directory.pattern, TEXT | st.text("{},*?a"), (RenderError,)),
    "image options": (kustomize.image, TEXT | st.text("a:/@=."), ()),
    "images": (reference.parse, TEXT | st.text("a:/@.-_0"), (ImageError,)),
    "ranges": (semver.constraints, TEXT | st.text("1.x*<>=~^|, -v0a"), (ValueError,)),
    "versions": (semver.parse, TEXT | st.text("1.v-+0a"), ()),
    "addresses": (url.parse, TEXT | ADDRESS, (SourceError,)),
    "revisions": (checked_revision, TEXT, (SourceError,)),
    "commits": (lambda text: commit_parts(text.encode(errors="replace")), TEXT, (VerificationError,)),
    "tags": (lambda text: tag_parts(text.encode(errors="replace")), TEXT, (VerificationError,)),
    "words of gpgv": (pgp_verdict, TEXT, (VerificationError,)),
    "keys": (lambda text: Keys.of({"a.asc": text.encode(errors="replace")}), TEXT, (VerificationError,)),
    "logins": (lambda text: logins({".dockerconfigjson": text.encode(errors="replace")}), TEXT, (ImageError,)),
    "messages": (lambda text: message(text, (), sync="s", values={}), TEXT | st.text("{}%# ax|()"), (ImageError,)),
    "patterns of tags": (
        lambda text: policy.ranked(["a"], policy.Rule(order="alphabetical", pattern=text, extract="$1")),
        TEXT | st.text("()[]{}*+?|^$\\ab1"), (ImageError,),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_only_errors_of_ours(name: str) -> None:
    parse, inputs, expected = PARSERS[name]

    @settings(max_examples=150, deadline=None, database=None)
    @given(inputs)
    def run(text: str) -> None:
        try:
            parse(text)
        except expected:
            return
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} for {text!r}") from error

    run()


@settings(max_examples=150, deadline=None, database=None)
@given(ADDRESS)
def test_an_address_that_is_taken_is_one_git_would_not_misread(text: str) -> None:
    """Whatever else the grammar lets through: no option, no helper, no user of https, no local file."""
    try:
        found = url.parse(text)
    except SourceError:
        return
    assert found.transport in (url.Transport.HTTPS, url.Transport.SSH)
    assert not found.text.startswith("-")
    assert "::" not in found.text.partition("[")[0]
    if found.transport is url.Transport.HTTPS:
        assert "@" not in found.text.removeprefix("https://").partition("/")[0]


NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)
LINKS = st.lists(st.sampled_from(["a", "b", "c", "..", ".", "", "/"]), min_size=1, max_size=5).map("/".join)


@settings(max_examples=200, deadline=None, database=None)
@given(files=st.sets(NAMES, max_size=5), links=st.dictionaries(NAMES, LINKS, max_size=4))
def test_a_link_only_ever_means_a_file_of_the_repository(files: set[str], links: dict[str, str]) -> None:
    found = None
    with contextlib.suppress(SyncError):
        found = follow(files, links, limit=200)
    if found is None:
        return
    assert set(found.names.values()) <= files
    assert not {path for path in found.names if path in files}
    assert set(found.refused) <= set(links)
    for path in found.names:
        assert posixpath.normpath(path) == path
        assert not path.startswith(("../", "/"))


@pytest.mark.parametrize("deep", ["[" * 5000, '{"a":' * 5000])
def test_nesting_in_json_of_strangers(deep: str) -> None:
    with pytest.raises(ImageError):
        logins({".dockerconfigjson": deep.encode()})
    with pytest.raises(RenderError):
        documents(deep, file="f")
