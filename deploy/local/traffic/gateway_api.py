"""The Gateway API's CRDs (standard channel), out of its published Go module; fetched once, then cached."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from deploy.local.build import find_go
from deploy.local.cache import ensure_folder
from deploy.local.errors import LocalError
from deploy.local.tools import say

MODULE, VERSION = "sigs.k8s.io/gateway-api", "v1.5.1"
GO = (1, 21)


def ensure_crds(*, say: Callable[[str], None] = say) -> Path:
    """The folder that holds them, one file each."""

    def make(target: Path) -> None:
        say(f"Gateway API {VERSION}: fetching its CRDs")
        for source in _standard(_fetch(say=say)):
            shutil.copy(source, target / source.name)

    waiting = f"Gateway API {VERSION}: another process is fetching it, waiting"
    return ensure_folder(f"gateway-api-{VERSION}", make=make, waiting=lambda: say(waiting))


def _fetch(*, say: Callable[[str], None]) -> Path:
    argv = [str(find_go(at_least=GO, say=say)), "mod", "download", "-json", f"{MODULE}@{VERSION}"]
    ran = subprocess.run(argv, capture_output=True, text=True, cwd="/")
    answer = json.loads(ran.stdout or "{}")
    if "Dir" not in answer:
        raise LocalError(f"{' '.join(argv)} failed: {answer.get('Error') or ran.stderr.strip()}")
    return Path(answer["Dir"])


def _standard(module: Path) -> list[Path]:
    """Without the admission policy that guards upgrades, which isn't a CRD."""
    folder = module / "config" / "crd" / "standard"
    found = [file for file in sorted(folder.glob("gateway.networking.k8s.io_*.yaml")) if "_vap_" not in file.name]
    if not found:
        raise LocalError(f"{folder} holds no CRDs: is {MODULE} {VERSION} another shape now?")
    return found
