"""`setHeaderRoute`: the route is in force from here on, `strategy.traffic` hands it to the routers; done at once."""

from __future__ import annotations

from rollouts.strategy.steps.base import Step, Verdict

STEP = Step(
    key="setHeaderRoute",
    progress=lambda _: Verdict(done=True),
    describe=lambda value: f"setHeaderRoute: {(value or {}).get('name', '')}",
)
