"""GitOps: Git says what should run, this package makes it so, continuously and carefully.

One pass of the sync is a pipeline; every step either completes or ends the pass with an error for people, and **a step
that did not complete can never cause a deletion**:

    resolve ─► fetch ─► materialise ─► render ─► normalise ─► diff ─► plan ─► apply ─► prune ─► observe, record
    source.py          materialise.py  render/   normalise.py diff.py plan.py  apply.py          health.py, inventory.py

`sync.py` strings them together. `plan.py`, `normalise.py`, `adopt.py` and `health.py` are pure: values in, values out.
"""
