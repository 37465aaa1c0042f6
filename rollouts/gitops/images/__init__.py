"""Image updates: when a registry has a newer image, write its tag into Git, and let the sync do the rest.

    markers in Git ─┐
    registry ───────┼─► plan (pure) ─► edits ─► commit ─► push
    memory ─────────┘

`markers.py` finds and edits marked values byte for byte; `policy.py` says which tag wins; `registry.py` (with
`credentials.py`, `reference.py`) asks registries; `plan.py` decides what may be written, and what is left to a person;
`message.py`, `commit.py` and `signing.py` make the commit and push it; `update.py` is one pass. Ranges of versions are
read by `rollouts/gitops/semver.py`.
"""
