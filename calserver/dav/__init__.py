"""WebDAV on values (RFC 4918 and its extensions): no sockets, no SQL, no reactor.

How a request is answered. The web adapter makes a `Request` and calls `Extensions.prepare`, which runs the declared
parsers outside of any transaction; `Extensions.writes` says which kind of transaction it needs. In it, `handle` makes
the `View`, finds the `Resource` by `Href` in the `Tree`, and finds the method that the resource's class has. Then, in
this order: privileges (``allow``), the If header, the conditional headers, locks (``guard``), the handler. What goes
wrong is raised as a `Refusal` (a status) or a `ConditionFailed` (an element in ``DAV:error``) and becomes a response
in one place; of a method that writes it leaves `handle` as `RolledBack`, so that the transaction undoes what was
written.

What the server speaks is a list of `Extension` values, one per RFC. Each declares properties, methods and reports on
classes of resources; the most derived class wins, then the later extension. ``Allow``, the ``DAV`` header,
``supported-report-set`` and the like follow from it. What is served are the resource classes of the rooms above: they
override the functions of `Resource` and `Collection` that do the work, and by that have the methods that need them.

XML. `xml` reads what clients send as lxml elements and writes text: values are escaped once, `Markup` is not touched
again. `Multistatus` joins the ``DAV:response`` elements; `Properties` renders them for PROPFIND and for every report,
with a plan per class that is made once. Properties that clients set are kept verbatim (`xml.stored`).
"""

from calserver.dav import access, acl, xml
from calserver.dav.acl import Ace, Acl, Entry, Restrictions
from calserver.dav.acl import packed as packed_acl
from calserver.dav.acl import unpacked as unpacked_acl
from calserver.dav.allowance import NumberOfMatchesWithinLimits
from calserver.dav.conditional import http_date, not_modified, validators
from calserver.dav.content import without_content
from calserver.dav.errors import (
    BadGateway,
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
from calserver.dav.extension import Extension, Extensions, Privilege
from calserver.dav.handle import handle
from calserver.dav.headers import (
    Condition,
    ConditionList,
    Depth,
    accepts,
    depth,
    destination,
    if_lists,
    local,
    overwrite,
)
from calserver.dav.href import Href, quote_segment
from calserver.dav.locks import Lock, LockTokenSubmitted, guard_binding, guard_content, locked_members, unguarded
from calserver.dav.message import Actor, AskFirst, Headers, Request, Response, RolledBack, TakesLong, parameters
from calserver.dav.multistatus import (
    MEMBER_END,
    MEMBER_MIDDLE,
    MEMBER_START,
    Multistatus,
    condition,
    propstat,
    response,
    status_response,
)
from calserver.dav.namespace import blocked, container, landed
from calserver.dav.privileges import Privileges
from calserver.dav.properties import (
    CannotModifyProtectedProperty,
    Instruction,
    Patched,
    Properties,
    Wanted,
    instructions,
    named,
    patch,
    wanted,
)
from calserver.dav.resource import Change, Changes, Collection, Resource, Tree, Unmapped, View, Written
from calserver.dav.rfc3253 import SupportedReport, rfc3253
from calserver.dav.rfc3744 import rfc3744
from calserver.dav.rfc4331 import QuotaNotExceeded, SufficientDiskSpace, rfc4331
from calserver.dav.rfc4918 import rfc4918
from calserver.dav.rfc5397 import rfc5397
from calserver.dav.rfc5689 import ValidResourcetype, make, rfc5689
from calserver.dav.rfc5842 import rfc5842
from calserver.dav.rfc5995 import rfc5995
from calserver.dav.rfc6578 import ValidSyncToken, rfc6578
from calserver.dav.rfc7240 import Preferences, applied, preferences, representation, represented, rfc7240, stored
from calserver.dav.settings import Settings
from calserver.dav.xml import Element, Limits, Markup

__all__ = [
    "MEMBER_END",
    "MEMBER_MIDDLE",
    "MEMBER_START",
    "Ace",
    "Acl",
    "Actor",
    "AskFirst",
    "BadGateway",
    "BadRequest",
    "CannotModifyProtectedProperty",
    "Change",
    "Changes",
    "Collection",
    "Condition",
    "ConditionList",
    "Conflict",
    "ContentTooLarge",
    "Depth",
    "Element",
    "Entry",
    "Extension",
    "Extensions",
    "Forbidden",
    "Headers",
    "Href",
    "Instruction",
    "InsufficientStorage",
    "Limits",
    "Lock",
    "LockTokenSubmitted",
    "Locked",
    "Markup",
    "MethodNotAllowed",
    "Multistatus",
    "NeedPrivileges",
    "NotFound",
    "NotImplementedHere",
    "NumberOfMatchesWithinLimits",
    "Patched",
    "PreconditionFailed",
    "Preferences",
    "Privilege",
    "Privileges",
    "Properties",
    "QuotaNotExceeded",
    "RangeNotSatisfiable",
    "Refusal",
    "Request",
    "Resource",
    "Response",
    "Restrictions",
    "RolledBack",
    "Settings",
    "SufficientDiskSpace",
    "SupportedReport",
    "TakesLong",
    "Tree",
    "Unauthorized",
    "Unmapped",
    "UnsupportedMediaType",
    "ValidResourcetype",
    "ValidSyncToken",
    "View",
    "Wanted",
    "Written",
    "accepts",
    "access",
    "acl",
    "applied",
    "blocked",
    "condition",
    "container",
    "depth",
    "destination",
    "guard_binding",
    "guard_content",
    "handle",
    "http_date",
    "if_lists",
    "instructions",
    "landed",
    "local",
    "locked_members",
    "make",
    "named",
    "not_modified",
    "overwrite",
    "packed_acl",
    "parameters",
    "patch",
    "preferences",
    "propstat",
    "quote_segment",
    "representation",
    "represented",
    "response",
    "rfc3253",
    "rfc3744",
    "rfc4331",
    "rfc4918",
    "rfc5397",
    "rfc5689",
    "rfc5842",
    "rfc5995",
    "rfc6578",
    "rfc7240",
    "status_response",
    "stored",
    "unguarded",
    "unpacked_acl",
    "validators",
    "wanted",
    "without_content",
    "xml",
]
