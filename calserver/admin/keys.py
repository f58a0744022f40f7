"""The keys with which messages to other servers are signed: make them, publish them, change them.

They lie in the folder ``keys`` beside the configuration. How they change hands without anything getting lost - first
published, then signing, then only published, then revoked - is the business of `ischedule.keyring`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from calserver.admin.finding import Finding, fine, wrong
from calserver.admin.refused import Refused
from calserver.config import Config
from ischedule.dkim import SigningKey, public_key_text
from ischedule.keyring import Algorithm, Key, KeyRefused, KeyRing

FOLDER: Final = "keys"


def ring(config: Config) -> KeyRing:
    """The keys of a server."""
    return KeyRing(config.path(FOLDER))


def listed(config: Config) -> tuple[Key, ...]:
    """All keys, oldest first.

    Raises:
        Refused: the list of keys cannot be read; the same for the functions below.
    """
    with _refusing():
        return ring(config).keys


def generate(config: Config, algorithm: Algorithm = "rsa", selector: str | None = None) -> Key:
    """Make a key; the first one signs at once, since there is no other.

    Raises:
        Refused: there is one of that selector, or it is none.
    """
    with _refusing():
        return ring(config).generate(_now(), algorithm, selector)


def key_records(config: Config, *, service: str = "ischedule") -> dict[str, str]:
    """What belongs into the DNS: selector to tag-list."""
    with _refusing():
        return {key.selector: key.record(service) for key in ring(config).to_publish(_now())}


def signing_key(config: Config, domain: str) -> SigningKey | None:
    """What signs for a domain of ours; None where there is no such key, which `check` tells about."""
    held = ring(config)
    try:
        selector = held.signing_key().selector
        return SigningKey(domain=domain, selector=selector, private=held.private_key(selector))
    except KeyRefused:
        return None


def check(config: Config) -> list[Finding]:
    """Whether the private keys are there, readable for us alone, and those of the records."""
    findings = []
    with _refusing():
        held = ring(config)
        for key in held.keys:
            if key.retired is None:
                findings.append(_checked(held, key))
    return findings


def _checked(held: KeyRing, key: Key) -> Finding:
    subject = f"key {key.selector}"
    try:
        private = held.private_key(key.selector)
    except KeyRefused as error:
        return wrong(subject, str(error))
    if public_key_text(private) != key.public:
        return wrong(subject, f"the private key in {held.folder} is another one than that of the record")
    return fine(subject, f"the private key is there; it is {key.state}")


def publish(config: Config) -> tuple[Key, ...]:
    """Note that the records stand in the DNS from now on; returns the keys for which that was not noted before."""
    with _refusing():
        return ring(config).published(_now())


def rotate(config: Config, algorithm: Algorithm = "rsa", *, force: bool = False) -> Key:
    """Take the next step to another key: make it, or sign with it.

    Raises:
        Refused: its record is not published, or not for long enough.
    """
    with _refusing():
        return ring(config).rotate(_now(), algorithm, force=force)


def retire(config: Config, selector: str, *, force: bool = False) -> Key:
    """Revoke a key and delete the private one.

    Raises:
        Refused: it signs, or something that it has signed may still be under way.
    """
    with _refusing():
        return ring(config).retire(selector, _now(), force=force)


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except KeyRefused as error:
        raise Refused(str(error)) from None
