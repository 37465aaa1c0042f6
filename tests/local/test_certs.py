"""What the plane's authority signs: users and groups as RBAC knows them, hosts as clients dial them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.local.certs import CLIENTS, SERVER, Authority, Subject


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(directory=tmp_path / "pki")


def _load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _values(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]


@pytest.mark.parametrize(
    ("name", "user", "groups"),
    [
        ("admin", "kubernetes-admin", ["system:masters"]),
        ("kube-controller-manager", "system:kube-controller-manager", []),
        ("kube-scheduler", "system:kube-scheduler", []),
        ("kwok", "kwok", ["system:masters"]),
    ],
)
def test_a_client_is_who_rbac_expects(authority: Authority, name: str, user: str, groups: list[str]) -> None:
    certificate = _load(authority.issue(name, CLIENTS[name])[0])
    assert _values(certificate, NameOID.COMMON_NAME) == [user]
    assert _values(certificate, NameOID.ORGANIZATION_NAME) == groups
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.mark.parametrize("host", ["localhost", "kubernetes.default.svc"])
def test_the_server_is_trusted_for_its_hosts_and_no_other(authority: Authority, host: str) -> None:
    certificate = _load(authority.issue("server", SERVER)[0])
    store = verification.Store([_load(authority.bundle)])
    builder = verification.PolicyBuilder().store(store)
    chain = builder.build_server_verifier(x509.DNSName(host)).verify(certificate, [])
    assert len(chain) == 2
    with pytest.raises(verification.VerificationError):
        builder.build_server_verifier(x509.DNSName("example.com")).verify(certificate, [])


def test_another_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    other = Authority(directory=tmp_path / "other")
    certificate = _load(other.issue("server", SERVER)[0])
    verifier = verification.PolicyBuilder().store(verification.Store([_load(authority.bundle)]))
    with pytest.raises(verification.VerificationError):
        verifier.build_server_verifier(x509.DNSName("localhost")).verify(certificate, [])


def test_keys_are_for_the_owner_only(authority: Authority) -> None:
    _, key = authority.issue("somebody", Subject(user="somebody"))
    _, tokens = authority.issue_key_pair("service-accounts")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (key, tokens)} == {0o600}
