"""Pod addresses: each in use by one pod, and not given again soon after.

The next free one after the last given is taken, so that a proxy's old connection or a stale endpoint doesn't reach
a stranger that got the address of a pod just gone.
"""

from __future__ import annotations

import ipaddress


class Addresses:
    """The addresses of one network, without its first and last."""

    def __init__(self, *, network: ipaddress.IPv4Network) -> None:
        self._network = network
        self._taken: set[str] = set()
        self._cursor = 0

    def take(self, *, wanted: str = "") -> str:
        """`wanted` if it is ours and free, else the next free one; RuntimeError if there is none."""
        address = wanted if self._is_free(wanted) else self._next()
        self._taken.add(address)
        return address

    def give_back(self, address: str) -> None:
        """It may be given again, once the others were."""
        self._taken.discard(address)

    def _is_free(self, address: str) -> bool:
        return bool(address) and ipaddress.IPv4Address(address) in self._network and address not in self._taken

    def _next(self) -> str:
        count = self._network.num_addresses - 2
        for offset in range(count):
            address = str(self._network[1 + (self._cursor + offset) % count])
            if address not in self._taken:
                self._cursor = (self._cursor + offset + 1) % count
                return address
        raise RuntimeError(f"all {count} addresses of {self._network} are taken: give the node a larger --pod-cidr")
