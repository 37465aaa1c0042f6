"""What a metric provider is: something that is asked about a metric, and answers with a value or with a measurement.

Most providers answer at once: `run` returns an `Answer`, and `analysis.measure` judges it by the metric's conditions. A
provider whose work takes long (a Job, a canary analysis elsewhere) returns a `Measurement` of phase Running with the
time to ask again, and implements `Resumable`; such a measurement, once finished, is taken as it is. A provider that
leaves something behind at each measurement (a Job) implements `Collecting` and is told how much of it may stay; if it
may go on after a crash without anybody knowing of it, `Sweeping`.

Accounts come from Secrets through the context, which knows where this run may read them. What is read that way is
hidden from everything kept of the measurement, but for the keys a provider says are no secret (an address).

Errors are for the people who read them in the status of a run:

    ProviderError
    ├─ Misconfigured    the configuration cannot work: no address, two ways of authentication
    │  └─ Missing       a Secret, or a key of one, is not there
    ├─ Unsupported      this provider, or this part of its configuration, is not available
    ├─ Unreachable      no answer: refused, no such host, TLS
    ├─ TimedOut         no answer in time
    ├─ Unavailable      an answer that says: not now (429, 5xx)
    └─ Refused          an answer that says: not like this (other 4xx; a query that can't be read)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from analysis.spec import Measurement, Metric, parse_duration


class ProviderError(Exception):
    """Something could not be measured; the message says what, why, and what to do."""


class Misconfigured(ProviderError):  # noqa: N818  # reads as a sentence: raise Misconfigured(...)
    """The metric's configuration of the provider cannot work."""


class Missing(Misconfigured):
    """A Secret the provider needs does not exist, or lacks a key."""


class Unsupported(ProviderError):  # noqa: N818
    """The provider, or a part of its configuration, is not available here."""


class Unreachable(ProviderError):  # noqa: N818
    """No answer came."""


class TimedOut(ProviderError):  # noqa: N818
    """No answer came in time."""


class Refused(ProviderError):  # noqa: N818
    """The answer was that the request is wrong. Asking again will not help."""


@dataclass(init=False)
class Unavailable(ProviderError):  # noqa: N818
    """The answer was that the request cannot be served now. `retry_after`: seconds the server asked to wait."""

    retry_after: float | None

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider found.

    `result` is JSON-like and is what conditions see; `value` is its text for the status. `metadata` are notes for
    the measurement. `labels`: of each number of a list, in its order, where the provider knows some.
    """

    result: Any
    value: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[Mapping[str, str], ...] = ()


ReadAccount = Callable[[str, bool], Awaitable[Mapping[str, str]]]
"""The values of a Secret by key: of the run's namespace if the flag is set, else of the controller's.

Raises Missing when there is none, and another exception with a message for people when it cannot be read.
"""


async def no_accounts(name: str, namespaced: bool) -> Mapping[str, str]:
    """Where there are no Secrets at all, such as in a Python prompt."""
    raise Missing(f"secret {name} cannot be read here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Circumstances of a measurement: the time, the run it belongs to, and its number (from 1) within the metric.

    `started`: when the run began, `weight`: the share of requests its canary should get now, from 0 to 1; None where
    nobody says. `by_pods`: no router was told it, it is the canary's share of the ready pods.
    `read_account` reads Secrets. `hide` takes a text that must appear in nothing that is kept.
    """

    now: datetime
    run_name: str = ""
    run_namespace: str = ""
    run_uid: str = ""
    number: int = 1
    started: datetime | None = None
    weight: float | None = None
    by_pods: bool = False
    read_account: ReadAccount = no_accounts
    hide: Callable[[str], None] = lambda text: None

    async def account(
        self,
        name: str,
        *,
        namespaced: bool = False,
        keys: Collection[str] | None = None,
        shown: Collection[str] = (),
    ) -> Mapping[str, str]:
        """The values of a Secret at `keys` (None: at all), as far as it has them, whitespace around them removed.

        They are hidden but for those `shown`. Raises Missing when there is no such Secret.
        """
        found = await self.read_account(name, namespaced)
        values = {key: value for key, value in found.items() if keys is None or key in keys}
        for key, value in values.items():
            if key not in shown:
                self.hide(value)
        return {key: value.strip() for key, value in values.items()}


class Provider(Protocol):
    """A metric provider. It gets metrics with all arguments filled in, and keeps nothing about them."""

    async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
        """Begin a measurement. Raises ProviderError."""

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Notes about the metric for the status, such as the query with arguments filled in."""

    async def close(self) -> None:
        """Let go of connections and threads."""


@runtime_checkable
class Resumable(Protocol):
    """A provider whose measurements may take long."""

    async def resume(self, metric: Metric, measurement: Measurement, *, context: Context) -> Answer | Measurement:
        """Look again at a running measurement. Raises ProviderError."""

    async def terminate(self, metric: Metric, measurement: Measurement, *, context: Context) -> Measurement:
        """End a running measurement early. Raises ProviderError."""


@runtime_checkable
class Collecting(Protocol):
    """A provider whose measurements leave something behind that is to be cleared away."""

    async def collect(self, metric: Metric, *, keep: int, context: Context) -> None:
        """Clear away what older measurements of this metric left, but for the newest `keep`. Raises ProviderError."""


@runtime_checkable
class Sweeping(Protocol):
    """A provider that may have begun what nobody knows of: the driver was killed before it could write it down."""

    async def sweep(self, metric: Metric, *, context: Context) -> None:
        """The run is over: end what goes on for this metric. Arguments are not filled in. Raises ProviderError."""


def seconds_allowed(metric: Metric) -> float:
    """Seconds a request of this metric may take: its provider's own setting, or the peer's default for its kind.

    Raises Misconfigured where the setting is a duration that can't be read.
    """
    name = next(iter(metric.provider.kinds), "")
    default = _DEFAULT_TIMEOUTS.get(name, 30.0)
    config = metric.provider.configuration
    given = getattr(config, "timeout", None) or getattr(config, "timeout_seconds", None)
    if text := getattr(config, "request_timeout", None):
        given = _seconds(name, text)
    return float(given) if given and given > 0 else default


def _seconds(name: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Misconfigured(f"{name} requestTimeout: {error}") from error


_DEFAULT_TIMEOUTS = {"web": 10.0, "newRelic": 5.0, "datadog": 10.0, "graphite": 10.0, "kayenta": 15.0}
