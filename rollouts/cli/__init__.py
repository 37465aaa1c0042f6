"""The command line: `rollouts` for those who run the controller, `kubectl rollouts` for those who release with it.

`main.py` holds the two programs, `registry.py` the table of verbs, `verbs/` one file per verb. What is shown is built
by pure functions (`tree.py`, `facts.py`, `why.py`) from raw objects, so that tests read it from files. Nothing here is
imported before it is needed: a person waits for every millisecond of `get`.
"""
