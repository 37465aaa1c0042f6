"""Makes the recordings of `tests/data/recordings`, and tries taking over from the very controller that was recorded."""
