"""Where the API server is and who we are: kubeconfig files, flags on top, the pod's own account as last resort.

Own code, because importing the official client costs 0.7 s and a person waits for `get`. It follows kubectl:
`KUBECONFIG` is a list of files of which the first to name a thing wins, relative paths are relative to their file.
Only credentials that need a program or a provider (exec plugins, OIDC) are left to `kubernetes.config`, which then is
loaded.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rollouts.cli.errors import CliError

POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """kubectl's connection flags; empty means not given."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    server: str = ""
    token: str = ""
    as_user: str = ""
    as_group: tuple[str, ...] = ()
    certificate_authority: str = ""
    client_certificate: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    request_timeout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """All that is needed to talk to one API server. Certificates and keys are PEM, as bytes."""

    server: str
    namespace: str = "default"
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    headers: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    verify: bool = True
    server_name: str = ""
    proxy: str = ""


def load(flags: Flags) -> Access:
    """The access that `flags` and the kubeconfig files give. CliError says what is missing."""
    files = _files(flags)
    config = _merged(files)
    if not any(config.values()) and not flags.server:
        return _of_pod(flags) or _nothing(files)
    name = flags.context or config.get("current-context") or ""
    context = _entry(config, "contexts", "context", name, asked=bool(flags.context))
    cluster = _entry(config, "clusters", "cluster", flags.cluster or context.get("cluster") or "", asked=True)
    user = _entry(config, "users", "user", flags.user or context.get("user") or "", asked=bool(flags.user))
    return _access(flags=flags, context=context, cluster=cluster, user=_with_program(user, flags=flags, files=files))


def _files(flags: Flags) -> list[Path]:
    if flags.kubeconfig:
        return [_existing(Path(flags.kubeconfig).expanduser())]
    listed = [Path(item).expanduser() for item in os.environ.get("KUBECONFIG", "").split(os.pathsep) if item]
    return [path for path in listed or [Path("~/.kube/config").expanduser()] if path.is_file()]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CliError(f"there is no kubeconfig file {path}", hint="Check --kubeconfig.")
    return path


def _nothing(files: list[Path]) -> Access:
    raise CliError(
        "no kubeconfig found, so there is no cluster to talk to",
        hint="Set KUBECONFIG, write ~/.kube/config, or give --kubeconfig FILE.",
    )


def _merged(files: list[Path]) -> dict[str, Any]:
    """All files as one: the first to give a value wins. Entries remember their file's folder under `.folder`."""
    result: dict[str, Any] = {}
    for path in files:
        loaded = _read(path)
        for section in ("clusters", "users", "contexts"):
            known = result.setdefault(section, {})
            for entry in loaded.get(section) or ():
                known.setdefault(entry.get("name"), {**entry, ".folder": path.parent})
        result["current-context"] = result.get("current-context") or loaded.get("current-context")
    return result


def _read(path: Path) -> dict[str, Any]:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loaded = yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        raise CliError(f"can't read the kubeconfig {path}: {error}") from None
    if loaded is not None and not isinstance(loaded, dict):
        raise CliError(
            f"the kubeconfig {path} is no mapping", hint="`kubectl config view` shows what it should look like."
        )
    return loaded or {}


def _entry(config: Mapping[str, Any], section: str, key: str, name: str, *, asked: bool) -> dict[str, Any]:
    """The entry `name` of a section, with paths made absolute; empty when there is none and nobody asked for it."""
    found = config.get(section, {}).get(name)
    if found is None:
        if asked and name:
            known = ", ".join(sorted(config.get(section, {}))) or "none"
            raise CliError(f'the kubeconfig has no {key} "{name}"', hint=f"There are: {known}.")
        return {}
    body = dict(found.get(key) or {})
    for field_name in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
        if body.get(field_name):
            body[field_name] = str(found[".folder"] / Path(body[field_name]).expanduser())
    return body


def _access(*, flags: Flags, context: Mapping[str, Any], cluster: Mapping[str, Any], user: Mapping[str, Any]) -> Access:
    server = flags.server or cluster.get("server") or ""
    if not server:
        raise CliError("the kubeconfig names no server for this context", hint="Choose one with --context or --server.")
    return Access(
        server=server.rstrip("/") if "://" in server else f"https://{server}",
        namespace=flags.namespace or context.get("namespace") or "default",
        authority=_pem(cluster, "certificate-authority", flags.certificate_authority),
        certificate=_pem(user, "client-certificate", flags.client_certificate),
        key=_pem(user, "client-key", flags.client_key),
        headers={**_authorization(flags, user), **_impersonation(flags)},
        verify=not (flags.insecure_skip_tls_verify or cluster.get("insecure-skip-tls-verify")),
        server_name=flags.tls_server_name or cluster.get("tls-server-name") or "",
        proxy=cluster.get("proxy-url") or os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or "",
    )


def _pem(entry: Mapping[str, Any], key: str, path: str) -> bytes:
    if path:
        return _bytes(Path(path))
    if data := entry.get(f"{key}-data"):
        return base64.b64decode(data)
    return _bytes(Path(entry[key])) if entry.get(key) else b""


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CliError(f"can't read {path}, which the kubeconfig names: {error.strerror}") from None


def _authorization(flags: Flags, user: Mapping[str, Any]) -> dict[str, str]:
    token = (
        flags.token
        or user.get("token")
        or (_bytes(Path(user["tokenFile"])).decode().strip() if user.get("tokenFile") else "")
    )
    if token:
        return {"Authorization": f"Bearer {token}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password') or ''}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {}


def _impersonation(flags: Flags) -> dict[str, str | tuple[str, ...]]:
    named: dict[str, str | tuple[str, ...]] = {"Impersonate-User": flags.as_user, "Impersonate-Group": flags.as_group}
    return {name: value for name, value in named.items() if value}


def _with_program(user: Mapping[str, Any], *, flags: Flags, files: list[Path]) -> Mapping[str, Any]:
    """`user` with what its exec plugin or auth provider answers; that takes the official client."""
    if flags.token or not (user.get("exec") or user.get("auth-provider")):
        return user
    from rollouts.cli.credentials import from_program

    return {**user, **from_program(files=files, context=flags.context, user=flags.user)}


def _of_pod(flags: Flags) -> Access | None:
    """The access of the pod we run in, if we run in one."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (POD_ACCOUNT / "token").is_file():
        return None
    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=flags.namespace or (POD_ACCOUNT / "namespace").read_text().strip(),
        authority=(POD_ACCOUNT / "ca.crt").read_bytes(),
        headers={"Authorization": "Bearer " + (POD_ACCOUNT / "token").read_text().strip(), **_impersonation(flags)},
    )
