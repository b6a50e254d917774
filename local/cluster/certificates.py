"""The keys and certificates of one cluster, valid for a year: it is thrown away long before."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from local.cluster import layout as layouts

LIFETIME = dt.timedelta(days=365)
"""How long certificates are valid."""

CLIENTS = {
    "admin": ("admin", "system:masters"),
    "apiserver-kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "kube-proxy": ("system:kube-proxy", None),
    "kubelet": (f"system:node:{layouts.NODE_NAME}", "system:nodes"),
}
"""Client certificates: file name to user (CN) and group (O)."""

FRONT_PROXY = "front-proxy-client"
"""The API server, as further API servers know it: its certificate's name, in a file and in itself."""

SERVERS = {
    "apiserver": (
        ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"],
        [layouts.NODE_IP, layouts.API_SERVICE_IP, "127.0.0.1"],
    ),
    "kubelet-server": ([layouts.NODE_NAME], [layouts.NODE_IP]),
}
"""Serving certificates: file name to DNS names and addresses."""


_PROXIES = "tfso-front-proxy"


def write_all(folder: Path) -> None:
    """Write the authorities, all certificates and the key of the service accounts' tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    authority_key = _write_authority(folder / "ca", "tfso-throwaway-cluster")
    subject = _name("tfso-throwaway-cluster", None)
    for name, (user, group) in CLIENTS.items():
        _write_client(folder / name, _name(user, group), subject, authority_key)
    for name, (names, addresses) in SERVERS.items():
        key = _write_key(folder / f"{name}.key")
        alternatives = x509.SubjectAlternativeName(
            [x509.DNSName(each) for each in names]
            + [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses],
        )
        usage = x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH])
        server = _builder(_name(name, None), subject, key.public_key())
        server = server.add_extension(alternatives, critical=False).add_extension(usage, critical=False)
        _write_certificate(folder / f"{name}.crt", server.sign(authority_key, hashes.SHA256()))
    _write_key(folder / "service-accounts.key")
    # Whoever has a certificate of this authority speaks for others: it is no other's
    proxy_key, proxies = _write_authority(folder / "front-proxy-ca", _PROXIES), _name(_PROXIES, None)
    _write_client(folder / FRONT_PROXY, _name(FRONT_PROXY, None), proxies, proxy_key)


def _write_authority(path: Path, name: str) -> ec.EllipticCurvePrivateKey:
    key, subject = _write_key(path.with_suffix(".key")), _name(name, None)
    builder = _builder(subject, subject, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    _write_certificate(path.with_suffix(".crt"), builder.sign(key, hashes.SHA256()))
    return key


def _write_client(
    path: Path, name: x509.Name, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey
) -> None:
    key = _write_key(path.with_suffix(".key"))
    usage = x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = _builder(name, issuer, key.public_key()).add_extension(usage, critical=False)
    _write_certificate(path.with_suffix(".crt"), builder.sign(issuer_key, hashes.SHA256()))


def _name(common_name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(oid.NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(tz=dt.UTC)  # noqa: TID251  a certificate is valid from now on
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _write_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,  # the API server reads no PKCS8 key of accounts
            serialization.NoEncryption(),
        ),
    )
    return key


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
