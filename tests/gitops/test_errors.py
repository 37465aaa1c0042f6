"""What is kept out of messages, and what git says in few words."""

from __future__ import annotations

import pytest

from rollouts.engine.errors import InvalidError
from rollouts.gitops.errors import SourceError, SourceUnavailableError, redact
from rollouts.gitops.examine import refusal
from rollouts.gitops.faults import failure
from rollouts.gitops.objects import Manifest


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
    error = failure(("push",), PROTECTED)
    verdict = "[remote rejected] main (pre-receive hook declined)"
    reason = "GitLab: You are not allowed to push code to protected branches on this project."
    assert str(error) == f"git push failed: {verdict} {reason}"


@pytest.mark.parametrize(
    ("said", "text", "kind"),
    [
        ("", "no message", SourceUnavailableError),
        (" ! [rejected]  a -> main (fetch first)", "[rejected] a -> main (fetch first)", SourceUnavailableError),
        ("a" * 700 + " Permission denied", f"{'a' * 300} … {'a' * 282} Permission denied", SourceError),
    ],
)
def test_other_failures(said: str, text: str, kind: type[SourceError]) -> None:
    error = failure(("fetch",), said)
    assert (str(error), type(error)) == (f"git fetch failed: {text}", kind)


MANIFEST = Manifest(
    body={"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}}, file="a.yaml", line=1
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "PATCH /apis/argoproj.io/v1alpha1/namespaces/a/rollouts/web: failed to create typed patch object (a/web; "
            "argoproj.io/v1alpha1, Kind=Rollout): .spec.strategyy: field not declared in schema",
            ".spec.strategyy: field not declared in schema: is it misspelt, or of another version of the kind?",
        ),
        ('PATCH /api/v1/x: ConfigMap "a" is invalid: no', 'ConfigMap "a" is invalid: no'),
        ("no prefix", "no prefix"),
    ],
)
def test_a_refusal_names_the_field_and_not_the_request(said: str, told: str) -> None:
    assert refusal(InvalidError(said, status=422), MANIFEST) == told
