"""The fleet's own CA and its servers' certificates, as PEM text. The only user of cryptography.

ECDSA on P-256: Docker (Go), OpenSSL and every Python take it. A server certificate lives 397 days,
the longest that clients accept anywhere, and is due for renewal in its last 30.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3653
SERVER_DAYS = 397
RENEW_DAYS = 30
BACKDATED = dt.timedelta(days=1)  # for nodes whose clocks are behind


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM; the key is kept out of `repr`."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        return "Pair(…)"


def authority(name: str, now: dt.datetime, key: str = "") -> Pair:
    """A CA called `name`, valid for ten years from `now`; with `key` given, its renewal."""
    signing = _key(key) if key else ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _draft(subject, subject, signing.public_key(), now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Pair(_pem(builder.sign(signing, hashes.SHA256())), _key_pem(signing))


def server(issuer: Pair, hosts: Collection[str], now: dt.datetime) -> Pair:
    """A server certificate for `hosts` (names and IP addresses) signed by `issuer`."""
    ca, key = _certificate(issuer.certificate), ec.generate_private_key(ec.SECP256R1())
    builder = _draft(_name("EVC registry"), ca.subject, key.public_key(), now, SERVER_DAYS)
    names = x509.SubjectAlternativeName([_alternative(host) for host in sorted(hosts)])
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = builder.add_extension(names, critical=False).add_extension(purpose, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(issued_by, critical=False)
    return Pair(_pem(builder.sign(_key(issuer.key), hashes.SHA256())), _key_pem(key))


def authority_is_good(pair: Pair, now: dt.datetime) -> bool:
    """Whether the CA and its key belong together and outlive a server certificate from `now`.

    Raises ValueError for text that is no certificate or no key.
    """
    certificate = _certificate(pair.certificate)
    matches = certificate.public_key() == _key(pair.key).public_key()
    return matches and days_left(pair.certificate, now) > SERVER_DAYS


def server_is_good(pair: Pair, issuer: Pair, hosts: Collection[str], now: dt.datetime) -> bool:
    """Whether the certificate names all `hosts`, is `issuer`'s, and has 30 days left at `now`."""
    try:
        certificate, key = _certificate(pair.certificate), _key(pair.key)
        certificate.verify_directly_issued_by(_certificate(issuer.certificate))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return (
        certificate.public_key() == key.public_key()
        and set(hosts) <= names(pair.certificate)
        and certificate.not_valid_before_utc <= now
        and days_left(pair.certificate, now) >= RENEW_DAYS
    )


def days_left(certificate: str, now: dt.datetime) -> float:
    """Days from `now` until `certificate` (PEM) ends; negative when it has ended."""
    return (_certificate(certificate).not_valid_after_utc - now) / dt.timedelta(days=1)


def names(certificate: str) -> set[str]:
    """The host names and IP addresses that `certificate` (PEM) is for."""
    extensions = _certificate(certificate).extensions
    found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in found.get_values_for_type(x509.IPAddress)}
    return addresses | set(found.get_values_for_type(x509.DNSName))


def _draft(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    days: int,
) -> x509.CertificateBuilder:
    start = now - BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def _key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an ECDSA key")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()
