"""Who is asking: from the ``Authorization`` field to an actor (RFC 9110 section 11).

Theory of operation. `Logins` is the room's one service. A field that was right lately is known by a keyed digest, so
that the next requests of a client cost neither a hash nor a transaction. Otherwise the scheme that the field names
makes credentials of it, and twisted.cred's portal finds the checker for them and the realm that turns a principal into
a `Login`. Guesses are slowed down (`throttle`); passwords are hashed in threads (`passwords`).

A further scheme is a module with a class like `basic.BasicScheme` and a line in `schemes.SCHEMES`.
"""

from calserver.auth.connection import Address, Connection
from calserver.auth.logins import Login, Logins, Outdated
from calserver.auth.passwords import hash_password, verify_password
from calserver.auth.refusals import NotYetKnown, Overloaded, TooManyAttempts
from calserver.auth.schemes import SCHEMES

__all__ = [
    "SCHEMES",
    "Address",
    "Connection",
    "Login",
    "Logins",
    "NotYetKnown",
    "Outdated",
    "Overloaded",
    "TooManyAttempts",
    "hash_password",
    "verify_password",
]
