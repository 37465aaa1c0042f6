"""The Secret of a webhook: its token, and in words for people what is wrong with it.

Whoever calls gets the same answer whatever is wrong, so that nothing is learnt by asking. The people of the GitSync are
told by its condition `WebhookReady`, and by an event when that changes: their pushes are found by polling alone, which
nobody notices otherwise. It is looked at when a pass is asked for or begins a process, while it is wrong, and with each
request. An API server that does not answer is no fault: then nothing new is known.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from rollouts.engine.errors import ForbiddenError, NotFoundError
from rollouts.gitops.gitsync.values import Mandate
from rollouts.gitops.objects import JSON

log = structlog.get_logger(__name__)

KEY = "token"
READY = "WebhookReady"
UNTIL = "until then pushes are found by polling alone"

Read = Callable[[str, str], Awaitable[JSON]]
"""Reads a Secret: namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`value`: empty where there is none, and an empty one proves nothing. `fault`: what is wrong, empty for nothing,
    None where it could not be found out."""

    value: bytes = b""
    fault: str | None = ""


def name_of(obj: JSON) -> str | None:
    """The Secret that a GitSync names; None without a webhook."""
    webhook = (obj.get("spec") or {}).get("webhook")
    return str((webhook.get("secretRef") or {}).get("name")) if isinstance(webhook, Mapping) else None


def due(status: JSON, mandate: Mandate) -> bool:
    """Whether a pass is to look at it, and not only requests."""
    rows = status.get("conditions") or ()
    fine = any(row.get("type") == READY and row.get("status") == "True" for row in rows)
    return mandate.explicit or mandate.thorough or not fine


async def read(secret: Read, *, namespace: str, name: str) -> Token:
    """The token. Never raises."""
    try:
        return token_of(await secret(namespace, name), name=name)
    except NotFoundError:
        made = f"kubectl -n {namespace} create secret generic {name} --from-literal={KEY}=…"
        return Token(fault=f"there is no Secret {name}: make it, and tell the forge the same token: {made}; {UNTIL}")
    except ForbiddenError:
        return Token(fault=f"the controller may not read the Secret {name}: give it a Role that allows it; {UNTIL}")
    except Exception as error:
        log.warning("the secret of a webhook could not be read", secret=f"{namespace}/{name}", error=str(error)[:300])
        return Token(fault=None)


def token_of(secret: JSON, *, name: str) -> Token:
    """The token of a Secret that is there."""
    data: Mapping[str, Any] = secret.get("data") or {}
    if KEY not in data:
        there = f"it has {', '.join(sorted(data))}" if data else "it is empty"
        return Token(fault=f"the Secret {name} has no key `{KEY}` ({there}): add it; {UNTIL}")
    try:
        value = base64.b64decode(data[KEY] or "", validate=True)
    except (binascii.Error, ValueError, TypeError):
        return Token(fault=f"the key `{KEY}` of the Secret {name} is not base64: write it anew; {UNTIL}")
    if not value.strip():
        return Token(fault=f"the key `{KEY}` of the Secret {name} is blank, which proves nothing: fill it; {UNTIL}")
    return Token(value=value)
