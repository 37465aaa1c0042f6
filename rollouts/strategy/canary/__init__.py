"""The canary strategy: the new version gets a growing share, by pods alone or by a traffic router.

| question | file |
|---|---|
| where in the steps are we, what holds us, when is it over? | `course.py` |
| how many pods does a step want? | `counts.py` |
| pods, Services and traffic wanted now | `target.py`; with a router `routed.py` (pods), `weights.py` (traffic) |
| which Service is whose, and whom should it select? | `pointing.py` |

Without a router the share is the number of pods, and `moves` paces it by surge and availability. With one, pods come
first and traffic after them, the stable keeps its size (unless dynamicStableScale), and what is left behind stays for a
while (`delays`).
"""

from rollouts.strategy.canary.course import course, promotion
from rollouts.strategy.canary.target import target

__all__ = ["course", "promotion", "target"]
