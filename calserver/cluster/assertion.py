"""What a front end says of a request that it hands on: who has authenticated, and how the client has reached it.

An assertion is the ``Authorization`` field of a request between nodes: ``Node PAYLOAD.SIGNATURE``, both base64url. It
is signed with the node's Ed25519 key (RFC 8032) over a label, the payload, and method and target of the request, which
the receiver takes from the request itself: so it is good for this one request to this one node, and for a minute.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SCHEME: Final = "Node"
SECONDS: Final = 60
"""How far the clocks of two nodes, and the way between them, may set apart when it is made and when it is read."""
LONGEST: Final = 4096
"""Characters of a field."""
_LABEL: Final = b"calserver node assertion 1\n"
_NAMES: Final = {
    "node": str,
    "audience": str,
    "kind": str,
    "uid": str,
    "address": str,
    "secure": bool,
    "host": str,
    "request_id": str,
    "revision": int,
    "part": bool,
    "at": int,
    "nonce": str,
}


class NotBelieved(Exception):
    """The assertion proves nothing; the text says why."""


@attrs.frozen(kw_only=True)
class Assertion:
    """What is said of a request."""

    node: str
    """Who says it."""
    audience: str
    """The node that it is said to."""
    kind: str = ""
    """Kind and uid of the principal that has authenticated; empty where nobody has."""
    uid: str = ""
    address: str = ""
    """The client's IP address; empty for a unix socket."""
    secure: bool = False
    """Whether the client's connection is encrypted."""
    host: str = ""
    """The Host of the client's request."""
    request_id: str = ""
    """What logs call the request."""
    revision: int = 0
    """Of all principals, as who says it knows them: what the client has seen, it is to see at the other node, too."""
    part: bool = False
    """Whether just that part of a home is asked for which is at the node that it is said to."""
    at: int
    """When, in whole seconds since the epoch."""
    nonce: str = attrs.field(factory=lambda: secrets.token_urlsafe(9))
    """What tells it from all others."""


def signed(assertion: Assertion, key: Ed25519PrivateKey, *, method: str, target: str) -> str:
    """The ``Authorization`` field of a request.

    Args:
        assertion: what is said.
        key: of the node that says it.
        method: of the request.
        target: of the request, as it stands in the request line.
    """
    payload = _encoded(json.dumps(attrs.asdict(assertion), separators=(",", ":")).encode())
    signature = key.sign(_covered(payload, method, target))
    return f"{SCHEME} {payload}.{_encoded(signature)}"


def believed(
    field: str, keys: Mapping[str, Ed25519PublicKey], *, audience: str, method: str, target: str, now: float
) -> Assertion:
    """What an ``Authorization`` field says, if it is proven.

    Args:
        field: the value of the field.
        keys: of the nodes that are believed, by name.
        audience: the node that reads it.
        method: of the request that the field came with.
        target: of the same.
        now: seconds since the epoch.

    Raises:
        NotBelieved: it is not.
    """
    payload, signature = _parts(field)
    assertion = _read(payload)
    key = keys.get(assertion.node)
    if key is None:
        raise NotBelieved("no such node may hand requests on")
    try:
        key.verify(signature, _covered(payload, method, target))
    except InvalidSignature:
        raise NotBelieved("the signature is wrong, or that of another request") from None
    if assertion.audience != audience:
        raise NotBelieved("it is for another node")
    if abs(now - assertion.at) > SECONDS:
        raise NotBelieved("it is too old, or the clocks of the nodes disagree")
    return assertion


def _covered(payload: str, method: str, target: str) -> bytes:
    return _LABEL + f"{payload}\n{method}\n{target}".encode()


def _parts(field: str) -> tuple[str, bytes]:
    scheme, _, rest = field.partition(" ")
    payload, dot, signature = rest.partition(".")
    if scheme != SCHEME or not dot or len(field) > LONGEST:
        raise NotBelieved("it is malformed")
    return payload, _decoded(signature)


def _read(payload: str) -> Assertion:
    try:
        found: Any = json.loads(_decoded(payload))
    except (ValueError, RecursionError):
        raise NotBelieved("it is malformed") from None
    if not isinstance(found, dict) or found.keys() != _NAMES.keys():
        raise NotBelieved("it is malformed")
    if any(type(found[name]) is not kind for name, kind in _NAMES.items()):
        raise NotBelieved("it is malformed")
    return Assertion(**found)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    """The bytes of a text, of which there is exactly one spelling."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise NotBelieved("it is malformed") from None
    if _encoded(data) != text:
        raise NotBelieved("it is malformed")
    return data
