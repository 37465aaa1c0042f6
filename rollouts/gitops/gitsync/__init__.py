"""The controller of the kind GitSync: decides when a pass runs and what it may do, and tells what came of it.

    GitSync, Rollouts ──► decide() ──► Plan (status, events) ─► writer          pure: decide.py and what it calls
         in the store        │
                             └──► start a pass ──► work.py ──► Finding ──► wakes decide() again

A pass is slow (git, rendering, hundreds of requests), so it runs as a task beside the decisions, a few at a time. It is
given a `Mandate` and brings back a `Finding`; both are data. What a pass may do with the plan it made is asked of
`verdict.py`, another pure function. All that must outlive the process is in the GitSync's status.
"""
