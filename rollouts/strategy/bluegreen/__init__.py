"""The blue/green strategy: the new version runs beside the old one, then a Service is switched over (§2.7).

    preview pods ready ─► pre-promotion analysis ─► pause ─► all pods ready ─► switch ─► post-promotion analysis
    ─► stable

| question | file |
|---|---|
| how far is it, and what holds it? | `course.py` |
| pods and Services wanted now | `target.py` |
"""

from rollouts.strategy.bluegreen.course import course, promotion
from rollouts.strategy.bluegreen.target import target

__all__ = ["course", "promotion", "target"]
