"""Kayenta: Spinnaker's judge compares a control and an experiment, and gives a score from 0 to 100.

    score >= pass        Successful
    score >= marginal    Inconclusive
    less                 Failed

A measurement begins an analysis (`canaryExecutionId` in its metadata) and asks every 15 s whether it is complete. The
thresholds decide; conditions of the metric are not used.

Which time is judged, where a scope does not say (`start` and `end` are given on both sides or on neither):

    start, with lookback     the beginning of the run: windows grow
    start, without           one interval before the measurement: windows slide
    end                      the time of the measurement

Kayenta has no way to stop an analysis that runs, so ending a
measurement early leaves it to itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from analysis.providers.base import Context, Misconfigured, Refused, seconds_allowed
from analysis.providers.client import Ask, Client, address_of, number, said, understood
from analysis.spec import FAILED, INCONCLUSIVE, RUNNING, SUCCESSFUL, Measurement, Metric, Phase
from analysis.spec.base import write_time
from analysis.spec.durations import as_timedelta
from analysis.spec.providers import Kayenta as Config
from analysis.spec.providers.kayenta import Scope, ScopeDetail, Threshold

EXECUTION = "canaryExecutionId"
ASK_AGAIN = timedelta(seconds=15)
_WHO = "Kayenta"


@dataclass(slots=True)
class KayentaProvider:
    """Begins analyses and asks for their scores."""

    _client: Client = field(default_factory=Client)

    async def run(self, metric: Metric, *, context: Context) -> Measurement:
        """Begin an analysis. Raises ProviderError."""
        config = _config(metric)
        seconds = seconds_allowed(metric)
        identity = await self._configuration(config, seconds)
        ask = Ask(
            who=_WHO,
            url=f"{_address(config)}/canary/{quote(identity, safe='')}",
            method="POST",
            params={
                "application": config.application,
                "metricsAccountName": config.metrics_account_name,
                "configurationAccountName": config.configuration_account_name,
                "storageAccountName": config.storage_account_name,
            },
            body={"scopes": _scopes(metric, config, context), "thresholds": config.threshold.to_api()},
            timeout=seconds,
            repeat=False,
        )
        execution = understood(ask, await self._client.document(ask), lambda body: _text(body[EXECUTION]))
        return Measurement(
            phase=RUNNING,
            started_at=context.now,
            resume_at=context.now + ASK_AGAIN,
            metadata={EXECUTION: execution},
        )

    async def resume(self, metric: Metric, measurement: Measurement, *, context: Context) -> Measurement:
        """Ask whether it is complete, and for the score. Raises ProviderError."""
        config = _config(metric)
        execution = (measurement.metadata or {}).get(EXECUTION, "")
        if not execution:
            raise Misconfigured(f"the measurement has no {EXECUTION} in its metadata")
        url = f"{_address(config)}/canary/{quote(execution, safe='')}"
        ask = Ask(who=_WHO, url=url, timeout=seconds_allowed(metric))
        document = await self._client.document(ask)
        if not understood(ask, document, _is_complete):
            return measurement.model_copy(update={"resume_at": context.now + ASK_AGAIN})
        score = _score(ask, document)
        phase = judged(score, config.threshold)
        return measurement.model_copy(
            update={"phase": phase, "value": str(score), "finished_at": context.now, "resume_at": None}
        )

    async def terminate(self, metric: Metric, measurement: Measurement, *, context: Context) -> Measurement:
        """Ask no more."""
        return measurement.model_copy(update={"finished_at": context.now, "resume_at": None})

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _configuration(self, config: Config, seconds: float) -> str:
        """The id of the canary configuration of that name."""
        params = {"application": config.application, "configurationAccountName": config.configuration_account_name}
        ask = Ask(who=_WHO, url=f"{_address(config)}/canaryConfig", params=params, timeout=seconds)
        known = understood(ask, await self._client.document(ask), lambda body: {one["name"]: one["id"] for one in body})
        if config.canary_config_name not in known:
            raise Refused(
                f'{_WHO} at {ask.place} has no configuration "{config.canary_config_name}" for application '
                f'"{config.application}" in account "{config.configuration_account_name}"'
            )
        return understood(ask, known[config.canary_config_name], _text)


def _config(metric: Metric) -> Config:
    config = metric.provider.kayenta
    if config is None:
        raise Misconfigured(f'metric "{metric.name}" has no kayenta provider')
    if not config.scopes:
        raise Misconfigured("kayenta: scopes is empty")
    return config


def _address(config: Config) -> str:
    return address_of(config.address, where="kayenta address")


def _scopes(metric: Metric, config: Config, context: Context) -> dict[str, Any]:
    """The pairs of scopes by name, every one with a beginning and an end."""
    return {scope.name: _pair(scope, metric, config, context) for scope in config.scopes}


def _pair(scope: Scope, metric: Metric, config: Config, context: Context) -> dict[str, Any]:
    sides = {"controlScope": scope.control_scope, "experimentScope": scope.experiment_scope}
    times: dict[str, str] = {}
    for name in ("start", "end"):
        given = [bool(getattr(side, name)) for side in sides.values()]
        if any(given) and not all(given):
            raise Misconfigured(f"kayenta scope {scope.name}: set {name} of both sides, or of neither")
        if not any(given):
            times[name] = write_time(context.now if name == "end" else _beginning(metric, config, context))
    return {name: {**_side(side), **times} for name, side in sides.items()}


def _beginning(metric: Metric, config: Config, context: Context) -> datetime:
    if config.lookback:
        return context.started or context.now
    try:
        return context.now - as_timedelta(metric.interval or "")
    except ValueError as error:
        raise Misconfigured(
            "kayenta: a scope without start needs lookback: true, or the metric an interval to look back"
        ) from error


def _side(scope: ScopeDetail) -> dict[str, Any]:
    """`region` is what the peer sends; Kayenta's own name for it is `location`."""
    return {**scope.to_api(), "location": scope.region}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("not a text")
    return value


def _is_complete(document: Any) -> bool:
    if not isinstance(document["complete"], bool):
        raise TypeError("complete is neither true nor false")
    return bool(document["complete"])


def _score(ask: Ask, document: Mapping[str, Any]) -> int:
    if "judgeResult" not in (document.get("result") or {}):
        reason = document.get("exception") or document.get("status") or "no reason given"
        raise Refused(f"{_WHO} at {ask.place} ended the analysis without a score: {said(str(reason))}")
    return understood(ask, document, lambda body: int(number(body["result"]["judgeResult"]["score"]["score"])))


def judged(score: int, threshold: Threshold) -> Phase:
    """The phase a score means."""
    if score >= threshold.pass_:
        return SUCCESSFUL
    return INCONCLUSIVE if score >= threshold.marginal else FAILED
