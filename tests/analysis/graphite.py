"""A real Graphite: graphite-web and whisper, serving a series that is written here.

graphite-web 1.1.10 needs a Django that runs on Python 3.11 at most.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.analysis.foreign import Foreign

SUPPORTED = sys.version_info < (3, 12)
START_SECONDS = 30.0
VALUES = [0.5, 0.25, 1.5]
"""The last three minutes of the series app.errors."""

SERVER = f"""
import os, sys, time
home = os.getcwd()
import whisper
os.makedirs(home + "/whisper/app")
path = home + "/whisper/app/errors.wsp"
whisper.create(path, [(60, 1440)])
now = int(time.time())
whisper.update_many(path, [(now - 60 * (3 - at), value) for at, value in enumerate({VALUES})])
sys.path.insert(0, home)
os.environ["DJANGO_SETTINGS_MODULE"] = "settings_of_test"
from django.core.wsgi import get_wsgi_application
from waitress import create_server
server = create_server(get_wsgi_application(), host="127.0.0.1", port=0, threads=2)
print("port", server.effective_port, flush=True)
server.run()
"""
SETTINGS = """
import os
from graphite.settings import *
home = os.getcwd()
SECRET_KEY = "only for tests, on loopback"
WHISPER_DIR, LOG_DIR, STANDARD_DIRS = home + "/whisper", home, [home + "/whisper"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": home + "/db"}}
ALLOWED_HOSTS = ["*"]
"""
GRAPHITE = Foreign(
    key="graphite-web-1.1.10",
    packages=["graphite-web==1.1.10", "whisper==1.1.10", "waitress==3.0.2", "setuptools<70"],
    program=SERVER,
    install_environment={"GRAPHITE_NO_PREFIX": "True"},  # or its files go to /opt/graphite
)


@contextlib.contextmanager
def graphite(home: Path) -> Iterator[str]:
    """Its address, once it gives the series."""
    (home / "settings_of_test.py").write_text(SETTINGS)
    with GRAPHITE.serving(home, GRAPHITE_CONF_DIR=str(home)) as url:
        _await_series(url)
        yield url


def _await_series(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    pause = threading.Event()
    while not requests.get(f"{url}/render?target=app.errors&format=json", timeout=START_SECONDS).json():
        assert time.monotonic() < deadline, "Graphite does not give the series"
        pause.wait(0.1)
