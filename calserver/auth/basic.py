"""HTTP Basic authentication (RFC 7617)."""

import base64
import binascii
from typing import Any

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from calserver.auth.passwords import Hashing
from calserver.config import Auth
from calserver.store import Store, Transaction

UNKNOWN = -1
"""Stands for the revision of a principal that there is not."""


class WrongPassword(UnauthorizedLogin):
    """The password is wrong, or there is no such user; `revision` is what it was compared with."""

    def __init__(self, revision: int) -> None:
        super().__init__()
        self.revision = revision


@implementer(IUsernamePassword)
@attrs.frozen
class Password:
    """A user name and a password; `known_wrong` is the revision of the principal for which they were wrong lately."""

    username: str
    password: str = attrs.field(repr=False)
    known_wrong: int | None = None

    def checkPassword(self, password: bytes) -> bool:
        """Refuse to compare with a password in the clear: there is none."""
        return False


@implementer(ICredentialsChecker)
@attrs.frozen
class PasswordChecker:
    """Compares passwords with those in the store."""

    credentialInterfaces = (IUsernamePassword,)

    store: Store
    hashing: Hashing

    def requestAvatarId(self, credentials: Password) -> "Deferred[Any]":
        """The principal's id and revision; `WrongPassword` otherwise."""
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Password) -> tuple[int, int]:
        def find(txn: Transaction) -> tuple[int, int, str | None]:
            principal = txn.principals.by_login(credentials.username)
            if principal is None:
                return UNKNOWN, UNKNOWN, None
            return principal.id, principal.revision, principal.password_hash if principal.enabled else None

        number, revision, stored = await self.store.read(find)
        if credentials.known_wrong == revision:
            raise WrongPassword(revision)
        if not await self.hashing.verify(stored, credentials.password):
            raise WrongPassword(revision)
        return number, revision


class BasicScheme:
    """User name and password with each request."""

    name = "basic"
    readable = True

    def __init__(self, config: Auth, store: Store, hashing: Hashing) -> None:
        self.checker: ICredentialsChecker = PasswordChecker(store, hashing)
        self._challenge = f'Basic realm="{config.realm}", charset="UTF-8"'

    def challenge(self) -> str:
        """What ``WWW-Authenticate`` says."""
        return self._challenge

    def credentials(self, parameters: str, known_wrong: int | None) -> tuple[str, ICredentials]:
        """The user name, and it with its password; UTF-8, or what older clients send instead."""
        try:
            raw = base64.b64decode(parameters.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("not base64") from None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        username, colon, password = text.partition(":")
        if not colon or not username or any(c < " " or c == "\x7f" for c in text):
            raise ValueError("not a user name and a password")
        credentials: Any = Password(username, password, known_wrong)
        return username, credentials
