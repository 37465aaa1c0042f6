"""The demo (`make demo`): a service released from Git, measured with real requests, rolled back when it must be."""
