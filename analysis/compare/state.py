"""What is kept between two looks: when the last was, how many there were, and what the judge wants to remember."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from analysis.providers.base import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """`at`: seconds since the epoch, None before the first look. `state`: JSON, the judge's own."""

    at: float | None = None
    looks: int = 0
    state: Any = None

    def text(self) -> str:
        """As compact JSON."""
        at = None if self.at is None else round(self.at, 3)
        return json.dumps({"at": at, "looks": self.looks, "state": self.state}, separators=(",", ":"))

    @classmethod
    def read(cls, text: str | None) -> Kept:
        """The inverse of `text`; None is the beginning. Raises Misconfigured."""
        if text is None:
            return cls()
        try:
            found = json.loads(text)
            return cls(at=float(found["at"]), looks=int(found["looks"]), state=found["state"])
        except (ValueError, KeyError, TypeError) as error:
            raise Misconfigured(
                f"what the comparison kept in the status cannot be read ({error!r}): somebody else has changed it; "
                "begin a new run"
            ) from error
