"""What a process node is told when it starts."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: 10.244.128.0/17 is kwok's, 10.244.0.0/24 the plane's own.
POD_CIDR = "10.244.64.0/18"
NODE_ADDRESS = "10.244.1.1"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One node.

    `directory` holds a folder of logs for each pod, and is the scratch space of their processes.
    `back_off` and `back_off_limit` are seconds before a crashed container is started a second and a last time (a
    kubelet has 10 and 300). `api_timeout` is how many seconds without an API server end the node.
    """

    name: str
    kubeconfig: Path
    directory: Path
    pod_cidr: ipaddress.IPv4Network = field(default_factory=lambda: ipaddress.IPv4Network(POD_CIDR))
    address: str = NODE_ADDRESS
    labels: Mapping[str, str] = field(default_factory=dict)
    back_off: float = 1.0
    back_off_limit: float = 30.0
    api_timeout: float = 300.0
