"""What is kept out of messages, and what git says in few words."""

from __future__ import annotations

import pytest

from rollouts.gitops.errors import SourceError, SourceUnavailableError, redact
from rollouts.gitops.git import _failure


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use ssh://user@host/path or git@host:path", "use ssh://user@host/path or git@host:path"),
        ("git+ssh://git@host/x", "git+ssh://git@host/x"),
        ("ssh://git:secret@host/x", "ssh://host/x"),
        ("ssh://git%3Asecret@host/x", "ssh://host/x"),
        ("https://token@host/x", "https://host/x"),
        ("https://me:se@cret@host/x", "https://host/x"),
        ("from 'https://me:secret@a/x' to ssh://me@b/y", "from 'https://a/x' to ssh://me@b/y"),
        ("://me:secret@a/x", "://a/x"),
        ("https://host/me@example.com", "https://host/me@example.com"),
    ],
)
def test_secrets_are_taken_out_of_addresses_and_user_names_of_ssh_are_none(text: str, expected: str) -> None:
    assert redact(text) == expected


PROTECTED = """\
remote: GitLab: You are not allowed to push code to protected branches on this project.
To https://bot:secret@git.example/shop.git
 ! [remote rejected] 0123456789abcdef0123456789abcdef01234567 -> main (pre-receive hook declined)
error: failed to push some refs to 'https://git.example/shop.git'
hint: Updates were rejected
"""


def test_of_a_refused_push_the_verdict_comes_first() -> None:
    error = _failure(("push",), PROTECTED)
    verdict = "[remote rejected] main (pre-receive hook declined)"
    reason = "GitLab: You are not allowed to push code to protected branches on this project."
    assert str(error) == f"git push failed: {verdict} {reason}"


@pytest.mark.parametrize(
    ("said", "text", "kind"),
    [
        ("", "no message", SourceUnavailableError),
        ("fatal: Authentication failed for 'x'\n", "fatal: Authentication failed for 'x'", SourceError),
        (" ! [rejected]  a -> main (fetch first)", "[rejected] a -> main (fetch first)", SourceUnavailableError),
        ("a" * 700 + " Permission denied", f"{'a' * 300} … {'a' * 282} Permission denied", SourceError),
    ],
)
def test_other_failures(said: str, text: str, kind: type[SourceError]) -> None:
    error = _failure(("fetch",), said)
    assert (str(error), type(error)) == (f"git fetch failed: {text}", kind)
