"""DKIM signatures of our mail (RFC 6376), made by dkimpy with RSA keys: those that every receiver understands."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import dkim
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from calserver.config import Config, ConfigError
from calserver.scheduling.mail.fields import domain_of
from ischedule.dkim import PrivateKey, load_private_key, private_text
from ischedule.keyring import KeyRefused, KeyRing

SIGNED: Final = (
    b"from",
    b"sender",
    b"reply-to",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"references",
    b"auto-submitted",
    b"x-calendar-uid",
    b"mime-version",
    b"content-type",
)
"""Also where there is no such field, so that nobody adds one."""

Sign = Callable[[bytes], bytes]
"""Makes a signed mail of one."""


@attrs.frozen
class Signature:
    """With what is signed."""

    domain: str
    selector: str
    private: PrivateKey = attrs.field(repr=False)

    def __call__(self, mail: bytes) -> bytes:
        """A mail with its signature in front."""
        fields = dkim.sign(
            mail,
            self.selector.encode("ascii"),
            self.domain.encode("ascii"),
            private_text(self.private),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[*SIGNED, b"from"],  # once more than it is there: nobody adds a second one
        )
        return bytes(fields) + mail


def unsigned(mail: bytes) -> bytes:
    """A mail as it is: the mail server signs."""
    return mail


def signer(config: Config, keys: Path) -> Sign:
    """What signs, as the configuration says.

    Args:
        config: all of it.
        keys: the folder of the keys that sign messages to other servers.

    Raises:
        ConfigError: there is no key that can be used.
    """
    mail = config.mail
    domain = domain_of(mail.address)
    if mail.dkim == "keys":
        ring = KeyRing(keys)
        _from_ring(ring, domain)
        return lambda content: _from_ring(ring, domain)(content)  # anew each time: keys are rotated
    if mail.dkim == "file":
        if not mail.dkim_selector or not mail.dkim_key_file:
            raise ConfigError('mail.dkim: "file" needs dkim_selector and dkim_key_file')
        return Signature(domain, mail.dkim_selector, _read(config.path(mail.dkim_key_file)))
    return unsigned


def _from_ring(ring: KeyRing, domain: str) -> Signature:
    try:
        key = ring.signing_key("rsa")
        return Signature(domain, key.selector, ring.private_key(key.selector))
    except KeyRefused as error:
        raise ConfigError(f"mail.dkim: {error}") from None


def _read(path: Path) -> PrivateKey:
    try:
        private = load_private_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"mail.dkim_key_file: {error}") from None
    if not isinstance(private, RSAPrivateKey):
        raise ConfigError("mail.dkim_key_file: it is no RSA key, and not everybody could verify with another one")
    return private
