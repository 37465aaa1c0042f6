"""The names revisions go by: the pod-template hash and the hash of the canary steps, as Argo Rollouts computes them.

A ReplicaSet is called `<rollout>-<hash>`, and its pods carry the hash as the label `rollouts-pod-template-hash`. The
hash is FNV-1a (32 bits) over the JSON that Go makes of the Rollout's pod template as the user wrote it, without
defaults. Its decimal digits are then written in an alphabet without vowels, so that no hash spells a word.

Worked: the sum 3141592653 has the digits `3141592653`, whose bytes are 51, 49, 52, …; 51 mod 27 = 24 is the letter
`7`, and so on for each digit.

Equal hashes let a controller pick up where another left off. They are not what decides whether a ReplicaSet
belongs to a template: `identity` falls back on what the template means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rollouts.strategy.podtemplate import encoders

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_OFFSET: Final = 2166136261
_PRIME: Final = 16777619


def fnv1a(data: bytes) -> int:
    """FNV-1a over the bytes, 32 bits."""
    value = _OFFSET
    for byte in data:
        value = (value ^ byte) * _PRIME & 0xFFFFFFFF
    return value


def safe_encode(text: str) -> str:
    """Each byte of the text as a letter of an alphabet without vowels and look-alikes."""
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in text.encode())


def _hash(text: str, collision_count: int | None = None) -> str:
    # Go writes the count as 32 bits into a buffer of eight bytes and hashes the whole buffer.
    salt = b"" if collision_count is None else collision_count.to_bytes(8, "little")
    return safe_encode(str(fnv1a(text.encode() + salt)))


def pod_template_hash(template: Mapping[str, Any], *, collision_count: int | None = None) -> str:
    """The hash of a pod template as written by the user, e.g. `9fd5d6b77`.

    `collision_count`: `status.collisionCount`; None and 0 give different hashes, as in the peer. Fields Kubernetes
    does not know are ignored. Raises `EncodingError` when a value can't be what its field is.
    """
    return _hash(encoders.template().encode(encoders.TEMPLATE, template), collision_count)


def legacy_hashes(template: Mapping[str, Any], *, collision_count: int | None = None) -> tuple[str, ...]:
    """Hashes that older peers gave the same template, to find ReplicaSets they made."""
    text = encoders.template_with_timestamps().encode(encoders.TEMPLATE, template)
    return (_hash(text, collision_count),)


def step_hash(steps: Sequence[Mapping[str, Any]] | None) -> str:
    """The hash of canary steps as written by the user; None stands for a strategy without steps."""
    kind = encoders.steps().kind(encoders.STEPS)
    return _hash(kind.absent if steps is None else kind.write(steps))


def legacy_step_hashes(steps: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Hashes that older peers gave the same steps, to know them again in a status they left."""
    return tuple(_hash(encoder.kind(encoders.STEPS).write(steps)) for encoder in encoders.older_steps())
