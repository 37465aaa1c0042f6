"""What a field left out means. Stored objects are never defaulted; whoever reads them takes the value from here."""

from __future__ import annotations

from typing import Final

REPLICAS: Final = 1
REVISION_HISTORY_LIMIT: Final = 10
PROGRESS_DEADLINE_SECONDS: Final = 600
RUN_HISTORY_LIMIT: Final = 5
"""Finished AnalysisRuns and Experiments kept, of successful and of unsuccessful ones."""
MAX_SURGE: Final = "25%"
MAX_UNAVAILABLE: Final = "25%"
SCALE_DOWN_DELAY_SECONDS: Final = 30
EXPERIMENT_SCALE_DOWN_DELAY_SECONDS: Final = 30
ABORT_SCALE_DOWN_DELAY_SECONDS: Final = 30
MIN_PODS_PER_REPLICA_SET: Final = 1
MAX_TRAFFIC_WEIGHT: Final = 100
"""The weight that means all traffic."""
