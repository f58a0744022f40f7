"""The authentication schemes there are: the one place where a further one is added (RFC 9110 section 11)."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials

from calserver.auth.basic import BasicScheme
from calserver.auth.passwords import Hashing
from calserver.config import Auth
from calserver.store import Store


class Scheme(Protocol):
    """One scheme."""

    @property
    def name(self) -> str:
        """Its name in lower case, as in the configuration."""

    @property
    def readable(self) -> bool:
        """Whether who reads the connection learns the secret."""

    @property
    def checker(self) -> ICredentialsChecker:
        """Checks its credentials; an avatar id is a pair of a principal's id and its revision."""

    def challenge(self) -> str:
        """What ``WWW-Authenticate`` says."""

    def credentials(self, parameters: str, known_wrong: int | None) -> tuple[str, ICredentials]:
        """The account and the credentials in an ``Authorization`` field behind the scheme's name.

        Args:
            parameters: what stands behind the name.
            known_wrong: the revision of the principal for which the same field was wrong before.

        Raises:
            ValueError: the field is malformed.
        """


SCHEMES: Final[Mapping[str, Callable[[Auth, Store, Hashing], Scheme]]] = {
    "basic": BasicScheme,
}
