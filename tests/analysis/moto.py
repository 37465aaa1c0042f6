"""moto: AWS's services in memory, by AWS's own models of their protocols."""

from __future__ import annotations

from tests.analysis.foreign import Foreign

MOTO = Foreign(
    key="moto-5.2.5",
    packages=["moto==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"],
    program="""
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print("port", server.port, flush=True)
server.serve_forever()
""",
)
