"""The certificate authority of one plane and what it signs: a table of who needs to prove what to whom.

Everything is made anew for each plane and kept in `DIRECTORY/pki` as `NAME.crt` and `NAME.key`, keys readable by the
owner only. Elliptic curve keys: ten of them take a few milliseconds, where RSA would take seconds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One certificate: its user (CN), its groups (O), and for a server the names and addresses it answers to."""

    user: str
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


#: What RBAC's default roles expect each component to be called.
CLIENTS = {
    "admin": Subject(user="kubernetes-admin", groups=("system:masters",)),
    "kube-controller-manager": Subject(user="system:kube-controller-manager"),
    "kube-scheduler": Subject(user="system:kube-scheduler"),
    "kwok": Subject(user="kwok", groups=("system:masters",)),
}

SERVER = Subject(
    user="kube-apiserver",
    hosts=(
        "localhost", "127.0.0.1", "10.244.0.1", "10.96.0.1",
        "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
    ),
)  # fmt: skip


class Authority:
    """A plane's own CA; writes what it signs into `directory`."""

    def __init__(self, *, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(Subject(user="rollouts-local-ca"))
        self._certificate = _sign(
            subject=self._name, issuer=self._name, public=self._key.public_key(), key=self._key,
            extensions=[(x509.BasicConstraints(ca=True, path_length=0), True), (_usage(ca=True), True)],
        )  # fmt: skip
        self._write("ca", self._key, self._certificate)

    @property
    def bundle(self) -> Path:
        """The CA's certificate, for clients."""
        return self.directory / "ca.crt"

    def issue(self, name: str, subject: Subject) -> tuple[Path, Path]:
        """Sign a certificate for servers (if it has hosts) or clients; returns its files, certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(
            subject=_name(subject), issuer=self._name, public=key.public_key(), key=self._key,
            extensions=[(x509.BasicConstraints(ca=False, path_length=None), True), *_leaf_extensions(subject)],
        )  # fmt: skip
        return self._write(name, key, certificate)

    def issue_key_pair(self, name: str) -> tuple[Path, Path]:
        """A bare key pair, as service account tokens are signed with; returns its files, public and private."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return self._file(f"{name}.pub", public), self._file(f"{name}.key", _private(key))

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> tuple[Path, Path]:
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return self._file(f"{name}.crt", pem), self._file(f"{name}.key", _private(key))

    def _file(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _name(subject: Subject) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, subject.user)])


def _leaf_extensions(subject: Subject) -> Iterable[tuple[x509.ExtensionType, bool]]:
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if subject.hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    yield _usage(ca=False), True
    yield x509.ExtendedKeyUsage([purpose]), False
    if subject.hosts:
        yield x509.SubjectAlternativeName([_general_name(host) for host in subject.hosts]), False


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=ca, crl_sign=ca, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _sign(
    *, subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, key: ec.EllipticCurvePrivateKey,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:  # fmt: skip
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        # both key identifiers: OpenSSL's strict checks, Python's default since 3.13, want them
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256())
