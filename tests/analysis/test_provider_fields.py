"""No field of a provider's configuration is ignored: with another value, another thing is asked, or comes of it.

What is compared is all a service can see of a measurement (requests, without what changes by itself), which Secrets
were read, and the measurement. The same configuration twice must look the same, or a difference would prove nothing.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.providers import Context, default_providers
from analysis.providers.datadog import DatadogProvider
from analysis.spec import RunStatus
from deploy.local.certs import Authority, Subject
from rollouts.engine.jobobjects import job_of
from tests.analysis.asking import HOME, NOW, Secrets, taken
from tests.analysis.fields import KAYENTA_OPEN, ROWS, URL, Config, changed, fields, metric_of
from tests.analysis.runs import START
from tests.analysis.services import SERVICES
from tests.analysis.wire import Reply, Request, Wire, wire

OF_ITSELF = {"Host", "Content-Length", "User-Agent", "Accept", "Accept-Encoding", "Connection", "X-Amz-Date", "Date"}
HELD = {"web.timeoutSeconds", "datadog.requestTimeout"}
"""Fields that are seen only when the answer never comes."""
ROLE = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>k</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
PROFILES = """[one]
aws_access_key_id = AKIDONE
aws_secret_access_key = one
[two]
aws_access_key_id = AKIDTWO
aws_secret_access_key = two
"""


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody at AWS, with two profiles."""
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials").write_text(PROFILES)
    given = {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "k",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "",
    }
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_CONFIG_FILE": str(tmp_path / "config")}
    for name, text in {**given, **files}.items():
        monkeypatch.setenv(name, text)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """With a certificate nobody vouches for."""
    subject = Subject(user="metrics", hosts=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(directory=tmp_path / "ca").issue("metrics", subject))
    return context


def test_every_field_is_here() -> None:
    assert {path for path, _, _ in ROWS} == fields()
    assert {path.partition(".")[0] for path in fields()} | {"plugin"} == {*default_providers(), "job"}


@pytest.mark.parametrize(("path", "config", "value"), ROWS, ids=[path for path, _, _ in ROWS])
async def test_a_field_makes_a_difference(path: str, config: Config, value: Any, tls: ssl.SSLContext) -> None:
    other = changed(config, path.partition(".")[2], value)
    before = await seen(path, config, tls)
    assert before != await seen(path, other, tls)
    if path not in HELD:
        assert '"Error"' not in before
        assert before == await seen(path, config, tls)


async def seen(path: str, config: Config, tls: ssl.SSLContext) -> str:
    """All that can be seen of a measurement."""
    if path.startswith("job."):
        context = Context(now=NOW, run_name="run", run_uid="uid")
        return json.dumps(job_of(metric_of(path, config), context, namespace="ns", owned=True))
    hold = path in HELD
    with wire(lambda request: _answer(path, request, hold=hold), tls=tls if "insecure" in path else None) as server:
        return await _asked(path, config, server)


async def _asked(path: str, config: Config, server: Wire) -> str:
    name = path.partition(".")[0]
    os.environ["AWS_ENDPOINT_URL"] = server.url
    environment = {**os.environ, "AWS_REGION": "eu-west-1"}
    service = SERVICES[name]
    provider = DatadogProvider(environment={}) if name == "datadog" else service.make(environment)
    secrets = _secrets(name, server.url)
    given = json.loads(json.dumps({name: config}).replace(URL, server.url))
    more: dict[str, Any] = {"status": RunStatus(started_at=START), "interval": "2m"}
    try:
        found = (await taken(provider, given, secrets=secrets, **more)).measurement
    finally:
        await provider.close()
    requests = [_visible(request) for request in server.seen]
    text = json.dumps([requests, secrets.asked, found.phase, found.value, found.message], default=str)
    return text.replace(server.url, URL).replace(server.url.partition("://")[2], "URL")


def _answer(path: str, request: Request, *, hold: bool) -> Reply:
    """What the service would say to this request."""
    if request.path.endswith("/token"):
        return Reply(body='{"access_token":"t","token_type":"Bearer","expires_in":3600}')
    if "Action=AssumeRole" in request.body:
        return Reply(body=ROLE)
    if path.startswith("kayenta."):
        known = '[{"name":"one","id":"1"},{"name":"two","id":"2"}]'
        return Reply(body=known if request.path.endswith("/canaryConfig") else '{"canaryExecutionId":"01"}')
    if path.startswith("web."):
        return Reply(body='{"ok": true, "text": "fine"}', hold=hold)
    name = "datadog v2" if request.path == "/api/v2/query/scalar" else path.partition(".")[0]
    return Reply(body=SERVICES[name].good, hold=hold)


def _secrets(name: str, url: str) -> Secrets:
    """Accounts of any name the tables use; those of the run's namespace and of the controller's."""
    if name not in _ACCOUNTS:
        return SERVICES[name].known(url)
    values = SERVICES[name].secrets(url)
    return Secrets({f"{place}/{one}": values for place in (HOME, "ns") for one in _ACCOUNTS[name]})


_ACCOUNTS = {
    "datadog": ("datadog", "dd-one", "dd-two"),
    "newRelic": ("newrelic", "nr-one", "nr-two"),
    "influxdb": ("in-one", "in-two"),
}


def _visible(request: Request) -> Mapping[str, Any]:
    headers = {name: text for name, text in request.headers.items() if name not in OF_ITSELF}
    signature = headers.get("Authorization", "")
    if signature.startswith("AWS4"):
        who, _, scope = signature.partition(",")[0].partition("/")
        headers["Authorization"] = f"{who} {scope.partition('/')[2]}"
    return {"method": request.method, "target": request.target, "headers": headers, "body": request.body}


def test_what_is_compared_is_not_nothing() -> None:
    """A configuration changed at a path differs there and nowhere else."""
    other = changed(KAYENTA_OPEN, "scopes.controlScope.step", 5)
    assert other["scopes"][0]["controlScope"]["step"] == 5
    assert changed(other, "scopes.controlScope.step", 60) == KAYENTA_OPEN
