"""What git, ssh and a Git server say when something fails, and what people can do about it. Pure.

    git ls-remote failed: git@host: Permission denied (publickey).: the server does not take the key: …
    └ what was tried      └ what they said                          └ what to do, a row of RULES

A row also says whether waiting may help. What no row knows is told as it is and tried again. Lines that say the same in
more words, and what is different each time (folders of keys, milliseconds), are left out: a status should not change
while the fault is the same. Texts of a server are a stranger's: they choose a row, and nothing else is done with them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rollouts.gitops.errors import SourceError, SourceUnavailableError, redact

OPENS = "the Secret of spec.source.secretRef"
SPARED = "keep large files elsewhere, or allow more: --sync-budget fetch-bytes=NUMBER, which is {limit} now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`sign`: a pattern for what was said. `todo`: for people; `{secret}` is the Secret. `waiting`: it may help.

    `pushes`: also said of pushes, which have words of their own about who may push. `without`: in place of `todo` where
    no credentials were given.
    """

    sign: str
    todo: str
    without: str = ""
    waiting: bool = False
    pushes: bool = False


RULES: tuple[Rule, ...] = (
    Rule(
        sign=r"HOST IDENTIFICATION HAS CHANGED|Host key for \S+ has changed",
        todo="the host shows another key than `known_hosts` of {secret} has: find out why before you write the new one",
        pushes=True,
    ),
    Rule(
        sign=r"Host key verification failed",
        todo="write the host's key into `known_hosts` of {secret}: `ssh-keyscan HOST`, and compare its fingerprint "
        "with the one the host publishes",
        pushes=True,
    ),
    Rule(
        sign=r"Load key |invalid format|error in libcrypto",
        todo="`identity` of {secret} must be a private key in the form ssh-keygen writes, without a passphrase",
        pushes=True,
    ),
    Rule(
        sign=r"Permission denied \(",
        todo="the server does not take the key: add the public half of `identity` of {secret} there, as a deploy key "
        "of this repository; a key with a passphrase can't be used",
    ),
    Rule(
        sign=r"could not read Username|could not read Password|Authentication failed|error: 401",
        todo="the server refuses the credentials of {secret}: they must be of an account that may read this "
        "repository, and not expired",
        without="the server wants credentials: name a Secret in spec.source.secretRef, with `username` and `password` "
        "(a token is a password), or `bearerToken`",
    ),
    Rule(
        sign=r"error: 403",
        todo="the account of {secret} may not read this repository, or asked too often: check its rights at the server",
        waiting=True,
    ),
    Rule(sign=r"error: 429", todo="the server is asked too often: raise spec.interval", waiting=True),
    Rule(
        sign=r"repository '\S+' not found|does not appear to be a git repository|error: 404|Repository not found",
        todo="check the path in spec.source.repoURL; servers also say so to whoever may not read a private repository: "
        "that needs spec.source.secretRef",
    ),
    Rule(
        sign=r"error: 30\d|redirect",
        todo="the address leads elsewhere, and that is not followed: write the address it leads to into "
        "spec.source.repoURL",
    ),
    Rule(
        sign=r"certificate has expired|certificate is not yet valid",
        todo="the server's certificate must be renewed",
        pushes=True,
    ),
    Rule(
        sign=r"subject name|does not match target host|SSL: no alternative",
        todo="the server's certificate is for another host name: use that in spec.source.repoURL",
        pushes=True,
    ),
    Rule(
        sign=r"certificate",
        todo="nobody vouches for the server: put the certificate of its authority into `ca.crt` of {secret}",
        pushes=True,
    ),
    Rule(
        sign=r"Could not resolve host",
        todo="check the host in spec.source.repoURL, and whether the controller's Pod can ask the DNS",
        waiting=True,
        pushes=True,
    ),
    Rule(
        sign=r"Connection refused|Couldn't connect|Failed to connect|timed out|No route to host|is unreachable"
        r"|Connection reset|Connection closed",
        todo="check host and port in spec.source.repoURL, and whether a NetworkPolicy or firewall keeps the "
        "controller's Pod from them",
        waiting=True,
        pushes=True,
    ),
    Rule(sign=r"error: 5\d\d", todo="the server has a fault of its own; it is asked again", waiting=True, pushes=True),
    Rule(
        sign=r"transport '\S+' not allowed",
        todo="submodules and other addresses are not followed: write the address itself into spec.source.repoURL",
    ),
    Rule(
        sign=r"not our ref|unadvertised object|find remote ref",
        todo="the repository does not have it, or no longer: if the branch was rewritten, the next look takes what it "
        "is now; if spec.source.targetRevision names it, name another",
        waiting=True,
    ),
    Rule(
        sign=r"fsck error",
        todo="the history holds an object that git takes for broken or hostile: rewrite it without that object",
    ),
    Rule(
        sign=r"No space left on device|Disk quota exceeded",
        todo="the controller's disk is full: give its Pod more ephemeral storage",
        waiting=True,
        pushes=True,
    ),
    Rule(
        sign=r"Could not read from remote repository",
        todo="check the path in spec.source.repoURL, and that the key of {secret} may read that repository",
        waiting=True,
    ),
)
"""The first that fits counts: what is meant before what follows from it."""

_PERMANENT = (
    "Permission denied",
    "not found",
    "not allowed",
    "Authentication failed",
    "could not read Username",
    "does not appear to be a git repository",
)
"""Waiting does not help, though no row says what would."""

_NOISE = (
    "@",
    "hint:",
    "To ",
    "error: failed to push some refs",
    "error: unable to read askpass response",
    "Please make sure you have",
    "and the repository exists",
    "IT IS POSSIBLE",
    "Someone could be",
    "It is also possible",
    "Please contact",
    "Add correct host key",
    "Offending ",
    "remove with:",
    "ssh-keygen -f",
)
_FOLLOWS = "fatal: Could not read from remote repository."
"""Said after every fault of ssh: left out where there is anything else."""
_VERDICT = re.compile(r"! (\[[a-z ]+\]) (?:[0-9a-f]{40,64} -> )?(.*)")
_FLEETING = re.compile(r"(?<=\")/[^\"\n]*/(?=[^/\"\n]+\")| after \d+ ms")
_LONGEST = 600


def failure(
    arguments: Sequence[str], complaint: str, *, address: str = "", authorized: bool = True, limit: int = 0
) -> SourceError:
    """The error for people. `address`: of the repository; `authorized`: credentials were given; `limit`: bytes that git
    may write."""
    place = f" {address}" if address and arguments[0] in _OF_REMOTE else ""
    if "signal 25" in complaint or "File too large" in complaint:
        text = f"git {arguments[0]}{place} ended: the repository is larger than this sync allows"
        return SourceError(f"{text}: {SPARED.format(limit=limit)}", budget="fetch-bytes")
    rule = _rule(arguments[0], complaint)
    text = said(complaint) or "no message"
    if address and address in text:
        place = ""
    kind = SourceUnavailableError if _may_wait(rule, complaint) else SourceError
    if rule is not None:
        todo = rule.todo if authorized else rule.without or rule.todo
        text = f"{text.rstrip('.')}: {todo.format(secret=OPENS)}"
    return kind(f"git {arguments[0]}{place} failed: {text}")


_OF_REMOTE = frozenset({"ls-remote", "fetch", "push"})


def _rule(command: str, complaint: str) -> Rule | None:
    asked = (rule for rule in RULES if rule.pushes or command != "push")
    return next((rule for rule in asked if re.search(rule.sign, complaint)), None) if command in _OF_REMOTE else None


def _may_wait(rule: Rule | None, complaint: str) -> bool:
    if rule is not None:
        return rule.waiting
    return not any(sign in complaint for sign in _PERMANENT)


def said(complaint: str) -> str:
    """What git and the server say, in one line: the verdict on a push first; no advice, no ids that come and go."""
    lines = [line.removeprefix("remote:").strip() for line in complaint.splitlines()]
    kept = [" ".join(line.split()) for line in lines if line and not line.startswith(_NOISE)]
    kept = [line for line in kept if line != _FOLLOWS] or kept
    verdicts = [" ".join(found.groups()) for line in kept if (found := _VERDICT.match(line))]
    text = " ".join([*verdicts, *(line for line in kept if not _VERDICT.match(line))])
    text = redact(_FLEETING.sub("", text))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
