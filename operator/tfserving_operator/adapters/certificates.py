"""A certificate authority of our own, for a server that only the API server asks."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME: Final = timedelta(days=90)
_RENEWED_WITH_LEFT: Final = 3
"""Renewed with a third of its life left: an operator that is down for weeks does not end admission."""
_BACKDATED: Final = timedelta(minutes=5)
"""Clocks of API servers may be a little behind ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What a server and those who trust it need, as PEM."""

    authority: bytes
    certificate: bytes
    key: bytes
    previous: bytes = b""
    """The authority before: servers that have not loaded this bundle yet are vouched for by it."""

    @property
    def trusted(self) -> bytes:
        """All authorities that those who ask have to trust."""
        return self.authority + self.previous


def issue(names: tuple[str, ...], now: datetime, *, lifetime: timedelta = LIFETIME) -> Bundle:
    """Make an authority and a certificate of it for DNS names or addresses; the authority's key is thrown away."""
    valid = (now - min(_BACKDATED, lifetime / 10), now + lifetime)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("tfserving-operator webhook authority")
    authority = (
        _builder(issuer, issuer, authority_key, valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _builder(_name(names[0][:64]), issuer, key, valid)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Bundle(
        authority=authority.public_bytes(serialization.Encoding.PEM),
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )


def is_good(bundle: Bundle, names: tuple[str, ...], now: datetime) -> bool:
    """Whether a bundle names the server, and has enough of its life left."""
    try:
        found = x509.load_pem_x509_certificate(bundle.certificate)
        x509.load_pem_x509_certificate(bundle.authority)
        serialization.load_pem_private_key(bundle.key, password=None)
        alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return False
    known = {str(alternative.value) for alternative in alternatives}
    life = found.not_valid_after_utc - found.not_valid_before_utc
    return set(names) <= known and found.not_valid_after_utc - now > life / _RENEWED_WITH_LEFT


def is_authority(text: bytes) -> bool:
    """Whether a text is a certificate that can be trusted at all."""
    try:
        x509.load_pem_x509_certificate(text)
    except ValueError:
        return False
    return True
