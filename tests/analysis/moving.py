"""Counters that move while Prometheus looks: requests of a stable version, a good canary and a bad one.

Each second stable answers 2000 requests, a canary 500. Of stable's and the good canary's one in fifty fails and one in
ten takes longer than half a second; of the bad canary's, ten in fifty and six in ten. The numbers follow the clock, so
a rate over any span is what is said here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

RATES = {"stable": (2000, 0.02, 0.1), "good": (500, 0.02, 0.1), "bad": (500, 0.2, 0.6)}
"""Version: requests a second, share of errors, share of slow ones."""
BOUNDS = {"0.1": 0.5, "0.5": 0.0, "1": -0.9, "+Inf": -1.0}
"""Bucket: how much of the slow ones it leaves out (-1: none), or of the fast ones (0.5: half)."""
_BEGUN = time.monotonic()


def exposition() -> bytes:
    """The counters now, in Prometheus' text format."""
    seconds = 1000 + time.monotonic() - _BEGUN
    return "\n".join([*_requests(seconds), *_durations(seconds), ""]).encode()


def _requests(seconds: float) -> Iterator[str]:
    yield "# TYPE http_requests_total counter"
    for version, (rate, errors, _) in RATES.items():
        for code, share in (("200", 1 - errors), ("500", errors)):
            yield f'http_requests_total{{version="{version}",code="{code}"}} {int(seconds * rate * share)}'


def _durations(seconds: float) -> Iterator[str]:
    yield "# TYPE http_request_duration_seconds histogram"
    for version, (rate, _, slow) in RATES.items():
        for bound, kept in BOUNDS.items():
            share = (1 - slow) * (1 - max(0.0, kept)) + slow * max(0.0, -kept)
            name = "http_request_duration_seconds_bucket"
            yield f'{name}{{version="{version}",le="{bound}"}} {int(seconds * rate * share)}'
        yield f'http_request_duration_seconds_count{{version="{version}"}} {int(seconds * rate)}'
        yield f'http_request_duration_seconds_sum{{version="{version}"}} {seconds * rate * slow:.3f}'
