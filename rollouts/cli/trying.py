"""What trying a template from the command line needs: a spec of our own making, Secrets read with the user's rights.

Everything here works in this process; the cluster is asked for Secrets only, and nothing is written to it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from analysis.measure import ReadSecret
from analysis.providers import Context
from analysis.providers.base import Missing, Refused
from analysis.spec import Metric, RunSpec, SecretKeyRef
from analysis.spec.arguments import MeasurementRetention
from rollouts.api.kinds import SECRET
from rollouts.cli.errors import ApiError, CliError
from rollouts.cli.runspecs import Choice, Chosen

KEPT = 10_000
"""Measurements kept of each metric: all, since nothing has to fit into an object."""


def spec_of(chosen: Chosen, *, prometheus: str = "") -> RunSpec:
    """The spec as a model; all measurements are kept. `prometheus` replaces every address. Raises CliError."""
    try:
        spec = RunSpec.model_validate(chosen.spec)
    except ValidationError as error:
        found = [
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise CliError(f"{chosen.name} can't be read:\n" + "\n".join(f"  {line}" for line in found)) from None
    retention = [MeasurementRetention(metric_name=".*", limit=KEPT)]
    metrics = [_at(metric, prometheus) if prometheus else metric for metric in spec.metrics]
    return spec.model_copy(update={"metrics": metrics, "measurement_retention": retention, "terminate": None})


def _at(metric: Metric, address: str) -> Metric:
    config = metric.provider.prometheus
    if config is None:
        return metric
    moved = metric.provider.model_copy(update={"prometheus": config.model_copy(update={"address": address})})
    return metric.model_copy(update={"provider": moved})


def once(spec: RunSpec) -> RunSpec:
    """Each metric measured once, now; the first measurement decides."""
    single: dict[str, Any] = {
        "count": 1,
        "initial_delay": None,
        "failure_limit": None,
        "inconclusive_limit": None,
        "consecutive_error_limit": 0,
        "consecutive_success_limit": None,
    }
    return spec.model_copy(update={"metrics": [metric.model_copy(update=single) for metric in spec.metrics]})


def secrets_of(choice: Choice) -> ReadSecret:
    """Reads the Secrets of arguments in the namespace."""

    async def read(ref: SecretKeyRef) -> str:
        values = _secret(choice, ref.name)
        if ref.key not in values:
            raise Missing(f"secret {ref.name} has no key {ref.key}")
        return values[ref.key]

    return read


def context_of(choice: Choice, name: str) -> Context:
    """Circumstances of a run that is tried: accounts of providers are read in the namespace, too."""

    async def account(secret: str, namespaced: bool) -> Mapping[str, str]:
        return _secret(choice, secret)

    namespace = choice.namespace
    return Context(now=datetime.now(UTC), run_name=name, run_namespace=namespace, read_account=account)


def _secret(choice: Choice, name: str) -> dict[str, str]:
    session = choice.session
    try:
        found = session.client.get(SECRET, session.namespace, name)
    except ApiError as error:
        if error.missing_object:
            raise Missing(f"secret {name} does not exist in namespace {session.namespace}") from None
        raise Refused(f"secret {name} in namespace {session.namespace} cannot be read: {error.message}") from None
    return {key: base64.b64decode(text).decode(errors="replace") for key, text in (found.get("data") or {}).items()}
