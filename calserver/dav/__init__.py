"""WebDAV on values (RFC 4918 and its extensions): no sockets, no SQL, no reactor.

How a request is answered. The web adapter makes a `Request`, runs `handle` over one transaction of the store, and
writes the `Response`. What the server speaks is a list of `Extension` values, one per RFC; what is served are
`Resource` classes of the rooms above, which a `Tree` finds by `Href`.
"""

from calserver.dav.errors import (
    BadRequest,
    Conflict,
    ContentTooLarge,
    Forbidden,
    InsufficientStorage,
    Locked,
    MethodNotAllowed,
    NeedPrivileges,
    NotFound,
    NotImplementedHere,
    PreconditionFailed,
    RangeNotSatisfiable,
    Refusal,
    Unauthorized,
    UnsupportedMediaType,
)
from calserver.dav.extension import Extension, Extensions
from calserver.dav.href import Href, quote_segment
from calserver.dav.locks import Lock
from calserver.dav.message import Actor, Headers, Request, Response, RolledBack
from calserver.dav.resource import Change, Changes, Collection, Resource, Tree, Unmapped, View, Written

__all__ = [
    "Actor",
    "BadRequest",
    "Change",
    "Changes",
    "Collection",
    "Conflict",
    "ContentTooLarge",
    "Extension",
    "Extensions",
    "Forbidden",
    "Headers",
    "Href",
    "InsufficientStorage",
    "Lock",
    "Locked",
    "MethodNotAllowed",
    "NeedPrivileges",
    "NotFound",
    "NotImplementedHere",
    "PreconditionFailed",
    "RangeNotSatisfiable",
    "Refusal",
    "Request",
    "Resource",
    "Response",
    "RolledBack",
    "Tree",
    "Unauthorized",
    "Unmapped",
    "UnsupportedMediaType",
    "View",
    "Written",
    "quote_segment",
]
