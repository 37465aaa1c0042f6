"""`python -m deploy.local.demo`: play the story on a fresh stage; exit 0 only if all of it happened."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from deploy.local.demo.stage import PLUGIN, LiveStage
from deploy.local.demo.story import CHAPTERS, Chapter, OutcomeError
from deploy.local.errors import LocalError

CONSOLE = Console(highlight=False)


def main() -> int:
    """Set the stage, play every chapter, tell what happened."""
    signal.signal(signal.SIGTERM, _stop)
    began = time.monotonic()
    CONSOLE.print(Panel("[bold]rollouts[/bold]: releases from Git, measured, and rolled back when they must be"))
    outcomes: list[tuple[Chapter, str]] = []
    try:
        with LiveStage(say=_say) as stage:
            _say(f"ready after {time.monotonic() - began:.0f} s; the story begins")
            for number, chapter in enumerate(CHAPTERS, start=1):
                CONSOLE.rule(f"[bold]{number}. {chapter.title}")
                with _tree(stage):
                    outcome = chapter.play(stage)
                CONSOLE.print(f"[green]✔[/green] {outcome}\n")
                outcomes.append((chapter, outcome))
            _summary(outcomes, stage.served(), time.monotonic() - began)
    except (OutcomeError, LocalError) as error:
        CONSOLE.print(f"[red]✖ {error}[/red]")
        return 1
    except KeyboardInterrupt:
        CONSOLE.print("stopped; everything that was started is gone")
        return 130
    return 0


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    CONSOLE.print(f"[dim]· {text}[/dim]")


@contextlib.contextmanager
def _tree(stage: LiveStage) -> Iterator[None]:
    """The live tree of `kubectl rollouts get`, for as long as a chapter lasts."""
    watching = (
        subprocess.Popen(
            [*PLUGIN, "get", "rollout", "web", "--watch"],
            env={**os.environ, "KUBECONFIG": str(stage.kubeconfig)},
            stderr=subprocess.DEVNULL,
        )
        if stage.rollout()
        else None
    )
    try:
        yield
    finally:
        if watching is not None:
            time.sleep(0.3)
            watching.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                watching.wait(5)
            watching.kill()
            watching.wait()


def _summary(outcomes: list[tuple[Chapter, str]], served: dict[str, int], seconds: float) -> None:
    CONSOLE.rule("[bold]What happened, and why")
    table = Table(show_header=False, box=None, padding=(0, 1))
    for number, (chapter, outcome) in enumerate(outcomes, start=1):
        table.add_row(f"{number}.", f"[bold]{chapter.title}[/bold]\n{outcome}")
    CONSOLE.print(table)
    total = sum(served.values())
    shares = ", ".join(f"{name}: {count}" for name, count in sorted(served.items()))
    CONSOLE.print(f"\n{total} requests through Traefik in {seconds:.0f} s (version and status: {shares})")


if __name__ == "__main__":
    sys.exit(main())
