"""From files to objects, in a child process that can do no harm.

`renderer.py` is the door: it chooses the renderer and keeps a cache. `place.py` says where: here, or behind a socket
(`sidecar.py`, answered by `service.py` in another container, in the frames of `wire.py`; `installed.py`: which programs
are there). `sandbox.py` starts a child; `launch.py` is its
first line, `confinement.py` (with `landlock.py` and `seccomp.py`) its walls, `worker.py` its table of renderers:
`directory.py` (with `jsonnet.py`), `kustomize.py` and `helm.py` (with `programs.py`). `task.py` is what passes between
the two, `documents.py` and `scalars.py` read YAML, `collect.py` tells objects from mistakes.

Nothing is imported here: a child loads this package before it works, and should load no more than it needs.
"""
