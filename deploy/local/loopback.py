"""Addresses on `lo`, without the `ip` command, which a fresh machine may lack.

In a new network namespace `lo` is down and empty. Bringing it up gives 127.0.0.1/8. A second address with a /16 mask
makes the *whole* /16 local, as 127.0.0.0/8 is: on a loopback device the kernel routes the prefix of an address to
itself. So one address serves each pod of 10.244.0.0/16: a process may bind any of them, at once.
"""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct

SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
IFF_UP = 0x1


def configure_loopback(*, address: str) -> None:
    """Bring `lo` up in this network namespace and add an IPv4 address with its prefix, such as `10.244.0.1/16`."""
    interface = ipaddress.IPv4Interface(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        fcntl.ioctl(control, SIOCSIFADDR, _request(b"lo:0", interface.ip.packed))
        fcntl.ioctl(control, SIOCSIFNETMASK, _request(b"lo:0", interface.netmask.packed))


def _request(name: bytes, ipv4: bytes) -> bytes:
    """A `struct ifreq`: 16 bytes of name, then a sockaddr_in (family, port, address), padded."""
    return struct.pack("16sHH4s16x", name, socket.AF_INET, 0, ipv4)
