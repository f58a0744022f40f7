"""A throw-away certificate authority, for servers with real TLS."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, PrivateCertificate


class Authority:
    """Issues certificates, which nobody believes but those who are given `certificate`."""

    def __init__(self, name: str = "Test Authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = self._builder(self._name, self._key, days=30)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        self.certificate = Certificate.loadPEM(self.pem)

    def issue(self, *names: str, days: float = 30) -> PrivateCertificate:
        """A certificate for these host names and addresses; with negative `days` one that has expired."""
        secret, public = self.pems(*names, days=days)
        return PrivateCertificate.fromCertificateAndKeyPair(Certificate.loadPEM(public), KeyPair.load(secret, 1))

    def pems(self, *names: str, days: float = 30) -> tuple[bytes, bytes]:
        """The same as text: the key, and the certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        built = self._builder(subject, key, days=days)
        built = built.add_extension(x509.SubjectAlternativeName([_named(each) for each in names]), critical=False)
        certificate = built.sign(self._key, hashes.SHA256())
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return secret, certificate.public_bytes(serialization.Encoding.PEM)

    def options(self, *names: str, days: float = 30) -> CertificateOptions:
        """What a TLS server with such a certificate needs."""
        return self.issue(*names, days=days).options()

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(days=60),
            not_valid_after=now + timedelta(days=days),
        )


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
