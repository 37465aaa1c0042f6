"""The engine: store, queue, writer and reconcile loop. It alone talks to the API server; it decides nothing."""
