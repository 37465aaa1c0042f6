"""`python -m rollouts`: the controller's program, for places without its executable."""

from __future__ import annotations

from rollouts.cli.main import controller_app

if __name__ == "__main__":
    controller_app(prog_name="rollouts")
