"""Where both programs begin: Ctrl-C ends them without a word and with exit code 130, from the first import to the last.

Python shows a traceback for an interrupt wherever nobody waits for one: while modules are imported (a fifth of a
second, the controller's a second), before typer takes over, and while the interpreter ends. Therefore this module
imports nothing that is not there already, and minds the signal first of all. `signal` and `typing` alone would leave a
twentieth of a second: hence `_signal`, which is built in and what `signal` puts names on. While a verb runs, the
interrupt is what verbs know it as, a KeyboardInterrupt: watches end by it, the rest is 130 again.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # built in, and no part of typeshed
import os

INTERRUPTED = 130
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)


def _mind(handler: Any) -> None:
    """Hand interrupts to `handler`, unless they are ignored, as those of a job in the background are."""
    if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, handler)


_mind(_leave)


def plugin() -> None:
    """`kubectl rollouts`."""
    from rollouts.cli.main import plugin_app

    _run(plugin_app)


def controller() -> None:
    """`rollouts`."""
    from rollouts.cli.main import controller_app

    _run(controller_app)


def _run(app: Any) -> None:
    try:
        _mind(_signal.default_int_handler)
        app()
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    finally:
        _mind(_leave)
