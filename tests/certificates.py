"""A throw-away certificate authority, for servers with real TLS."""

from OpenSSL import SSL
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, PrivateCertificate

from calserver.admin import authority


class Authority(authority.Authority):
    """Issues certificates, which nobody believes but those who are given `certificate`."""

    def __init__(self, name: str = "Test Authority") -> None:
        super().__init__(name)
        self.certificate = Certificate.loadPEM(self.pem)

    def options(self, *names: str, days: float = 30) -> CertificateOptions:
        """What a TLS server with such a certificate needs."""
        public, secret = self.pem_for(*names, days=days)
        pair = KeyPair.load(secret, SSL.FILETYPE_PEM)
        return PrivateCertificate.fromCertificateAndKeyPair(Certificate.loadPEM(public), pair).options()
