"""Where built tools are kept: `$XDG_CACHE_HOME/rollouts-local` (else `~/.cache`), keyed by version.

A result appears in one step (made beside its place, then renamed), so a build that was interrupted leaves nothing that
looks finished. A file lock keeps two processes from making the same thing; the system drops it if its holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path


def cache_home() -> Path:
    """The cache's folder; made if it is missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = Path(base) / "rollouts-local"
    home.mkdir(parents=True, exist_ok=True)
    return home


def cached_folder(key: str) -> Path:
    """Where the result named `key`, such as `etcd-v3.6.15`, is or will be."""
    return cache_home() / "bin" / key


def ensure_folder(key: str, *, make: Callable[[Path], None], waiting: Callable[[], None]) -> Path:
    """The folder named `key`, filled by `make` if it isn't there yet.

    `make` gets an empty folder to fill. `waiting` is called once if another process is making the same.
    """
    final = cached_folder(key)
    if final.exists():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with _locked(final.with_name(f".{key}.lock"), waiting=waiting):
        if not final.exists():
            _make(final, make=make)
    return final


def _make(final: Path, *, make: Callable[[Path], None]) -> None:
    unfinished = final.with_name(f".{final.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        make(unfinished)
        unfinished.rename(final)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
