"""First lines of a render child: `python -I -S launch.py SETTINGS`, before any library is there.

`SETTINGS` is JSON: where modules are found, the budget, the folder, the programs that may be run. The walls go up
first; only then the worker is imported and reads its task from standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Confine this process, then work."""
    settings = json.loads(sys.argv[1])
    sys.path[:] = settings["modules"]

    from rollouts.gitops.render.confinement import Budget, confine

    confine(
        budget=Budget(**settings["budget"]),
        folder=Path(settings["folder"]),
        programs=[Path(program) for program in settings["programs"]],
        walls=settings["walls"],
        parent=settings["parent"],
    )

    from rollouts.gitops.render.worker import main as work

    work()


if __name__ == "__main__":
    main()
