"""One file per verb, all of one shape: `run(ctx, …)` with typer's annotations, a `Session`, one message at the end."""
