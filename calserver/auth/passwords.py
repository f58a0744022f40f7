"""Passwords: argon2id with 19 MiB and two passes, always computed in a thread of its own (RFC 9106)."""

import unicodedata
from typing import Any, Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from calserver.auth.refusals import Overloaded

LONGEST: Final = 1024
"""Characters of a password; longer ones are wrong without being looked at."""
MOST_WAITING: Final = 100
"""Checks that wait for a thread; beyond that clients are told to come again."""

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)


def hash_password(password: str) -> str:
    """The string to store for a password (takes some 20 ms: not for the reactor thread).

    Raises:
        ValueError: it is empty or too long.
    """
    if not password or len(password) > LONGEST:
        raise ValueError(f"a password has 1 to {LONGEST} characters")
    return _hasher.hash(_normalized(password))


def verify_password(stored: str, password: str) -> bool:
    """Whether a password is the stored one (takes as long: not for the reactor thread)."""
    try:
        return len(password) <= LONGEST and _hasher.verify(stored, _normalized(password))
    except (VerificationError, InvalidHashError):
        return False


def _normalized(password: str) -> str:
    """One spelling for what looks the same (RFC 8265 section 4.2)."""
    return unicodedata.normalize("NFC", password)


NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$47iYxzH4zQ3oLsPmiZ2pRpJ2m1j6nO8f6qJt3m1s0Ao"
"""A hash that no password is known for: what the passwords of unknown users are compared with."""


class Hashing:
    """The threads that compute hashes."""

    def __init__(self, reactor: Any, threads: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, threads, "passwords")
        self._waiting = 0

    def start(self) -> None:
        """Begin; threads are made when they are needed."""
        self._pool.start()

    def stop(self) -> None:
        """Wait for what runs, and end."""
        self._pool.stop()

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether a password is the stored one; without one it takes as long to say no.

        Raises:
            Overloaded: too many checks are waiting.
        """
        if self._waiting >= MOST_WAITING:
            raise Overloaded
        self._waiting += 1
        try:
            right: bool = await deferToThreadPool(
                self._reactor, self._pool, verify_password, stored or NOBODY, password
            )
        finally:
            self._waiting -= 1
        return right and stored is not None
