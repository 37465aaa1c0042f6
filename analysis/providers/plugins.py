"""Providers that others write in Python, found by entry point.

    [project.entry-points."rollouts.metric_providers"]
    acme = "acme_metrics:AcmeProvider"

serves `provider: {plugin: {acme: {…}}}`. The entry point is a class, or a function, that called without arguments gives
a `Provider` (see `base`): `run` and `metadata` get the metric, with their configuration in
`metric.provider.plugin["acme"]`, arguments filled in. `resume` and `terminate`, `collect`, and `sweep` are used if it
has them.

A plugin is loaded when first asked for, once. One that can't be loaded is an error of the measurements that ask for
it and of nothing else.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from analysis.providers.base import (
    Answer,
    Collecting,
    Context,
    Misconfigured,
    Provider,
    ProviderError,
    Resumable,
    Sweeping,
    Unsupported,
)
from analysis.spec import Measurement, Metric

GROUP = "rollouts.metric_providers"


def installed() -> Mapping[str, EntryPoint]:
    """The plugins of this Python environment, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


@dataclass(slots=True)
class PluginProvider:
    """Hands metrics on to the plugin they name. `find` tells which there are."""

    find: Callable[[], Mapping[str, EntryPoint]] = installed
    _loaded: dict[str, Provider] = field(default_factory=dict)

    async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
        """Ask the plugin. Raises ProviderError."""
        return await self._plugin(metric).run(metric, context=context)

    async def resume(self, metric: Metric, measurement: Measurement, *, context: Context) -> Answer | Measurement:
        """Ask the plugin again. Raises ProviderError."""
        return await _resumable(metric, self._plugin(metric)).resume(metric, measurement, context=context)

    async def terminate(self, metric: Metric, measurement: Measurement, *, context: Context) -> Measurement:
        """Tell the plugin to end a measurement. Raises ProviderError."""
        return await _resumable(metric, self._plugin(metric)).terminate(metric, measurement, context=context)

    async def collect(self, metric: Metric, *, keep: int, context: Context) -> None:
        """Tell the plugin how much of older measurements may stay, if it wants to know. Raises ProviderError."""
        plugin = self._plugin(metric)
        if isinstance(plugin, Collecting):
            await plugin.collect(metric, keep=keep, context=context)

    async def sweep(self, metric: Metric, *, context: Context) -> None:
        """Tell the plugin that the run is over, if it wants to know. Raises ProviderError."""
        plugin = self._plugin(metric)
        if isinstance(plugin, Sweeping):
            await plugin.sweep(metric, context=context)

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """The plugin's notes. Raises ProviderError."""
        return self._plugin(metric).metadata(metric)

    async def close(self) -> None:
        """Close the plugins in use. A failure of one keeps none of the others open."""
        loaded, self._loaded = self._loaded, {}
        await asyncio.gather(*(plugin.close() for plugin in loaded.values()), return_exceptions=True)

    def _plugin(self, metric: Metric) -> Provider:
        name = _name(metric)
        if name not in self._loaded:
            self._loaded[name] = _load(name, self.find())
        return self._loaded[name]


def _name(metric: Metric) -> str:
    names = list(metric.provider.plugin or {})
    if len(names) != 1:
        raise Misconfigured(f"plugin: name exactly one plugin, not {len(names)} ({', '.join(sorted(names))})")
    return names[0]


def _load(name: str, known: Mapping[str, EntryPoint]) -> Provider:
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise Unsupported(
            f'metric plugin "{name}" is not installed: no such entry point in group {GROUP} (there are: {there}). '
            "Plugins written for Argo Rollouts are Go programs and can't be used; the docs tell how to write one"
        )
    try:
        found = known[name].load()()
    except Exception as error:  # whatever a foreign package raises when it is imported or begun
        raise ProviderError(f'metric plugin "{name}" cannot be loaded: {type(error).__name__}: {error}') from error
    missing = [method for method in ("run", "metadata", "close") if not callable(getattr(found, method, None))]
    if missing or not inspect.iscoroutinefunction(found.run):
        raise ProviderError(
            f'metric plugin "{name}" is not a provider: it needs async run, metadata and async close'
            + (f" (missing: {', '.join(missing)})" if missing else "")
        )
    provider: Provider = found
    return provider


def _resumable(metric: Metric, plugin: Provider) -> Resumable:
    if not isinstance(plugin, Resumable):
        raise ProviderError(f'metric plugin "{_name(metric)}" cannot go on with a running measurement')
    return plugin
