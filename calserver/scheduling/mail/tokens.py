"""Reply addresses that prove who answers: one for each principal, invitee and UID, without a table of them.

    calendar+17-gq3dmnrugmztsmrxhezdgnbr@example.org

That is the id of the principal and a message authentication code over it, the invitee and the UID, with a key that
only this site has. Who knows the address has got the invitation, and can answer for the invitee of it alone.
"""

import hmac
import re
from base64 import b32encode
from hashlib import sha256
from typing import Final

import attrs

_BYTES: Final = 15
"""Of the code: 120 bits, which are 24 letters; a local part has at most 64 (RFC 5321 section 4.5.3.1.1)."""
_DETAIL: Final = re.compile(r"([1-9][0-9]{0,17})-([a-z2-7]{24})")


@attrs.frozen
class Token:
    """What a reply address says: whose meeting it is about, and a code that has to be checked."""

    principal: int
    code: str = attrs.field(repr=False)


@attrs.frozen
class Tokens:
    """Makes reply addresses and checks them.

    Args:
        address: what stands before the plus sign and after the at sign.
        key: a secret of the site.
    """

    address: str
    key: bytes = attrs.field(repr=False)

    def address_for(self, principal: int, invitee: str, uid: str) -> str:
        """The reply address for what a principal has sent to an invitee about a UID."""
        local, _, domain = self.address.rpartition("@")
        return f"{local}+{principal}-{self._code(principal, invitee, uid)}@{domain}"

    def read(self, address: str) -> Token | None:
        """What a mail address says; None where it is not one of these. Mail servers may have changed the case."""
        local, _, domain = self.address.lower().rpartition("@")
        given, _, at = address.lower().rpartition("@")
        if at != domain or not given.startswith(f"{local}+"):
            return None
        found = _DETAIL.fullmatch(given.removeprefix(f"{local}+"))
        return None if found is None else Token(int(found[1]), found[2])

    def proves(self, token: Token, invitee: str, uid: str) -> bool:
        """Whether a token was made for an invitee (a normalized calendar user address) and a UID."""
        return hmac.compare_digest(token.code, self._code(token.principal, invitee, uid))

    def _code(self, principal: int, invitee: str, uid: str) -> str:
        parts = (b"calserver mail", str(principal).encode(), invitee.encode(), uid.encode())
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return b32encode(hmac.digest(self.key, framed, sha256)[:_BYTES]).decode("ascii").lower()
