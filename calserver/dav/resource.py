"""What the methods of WebDAV need to know of a resource: the abstract classes that the tree's resources derive from.

A resource is a snapshot made for one request inside one transaction. Reading its attributes costs no query; what
does (members, bodies, changes) is a method. Everything that changes state is a method too, and raises
`MethodNotAllowed` until a class says otherwise.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import attrs

from calserver.dav.acl import Acl, Entry, Restrictions, Who
from calserver.dav.allowance import Allowance
from calserver.dav.errors import Forbidden, MethodNotAllowed, NeedPrivileges
from calserver.dav.href import Href
from calserver.dav.message import Request, TakesLong
from calserver.dav.settings import Settings
from calserver.names import D

if TYPE_CHECKING:
    from calserver.dav.extension import Extensions


class Tree(Protocol):
    """Finds resources. The composition root puts one together from the mounts of the protocol rooms."""

    def find(self, view: "View", href: Href) -> "Resource":
        """The resource at `href`: `Unmapped` where there is none (its ``parent`` is None where that lacks too).

        Raises:
            NeedPrivileges: the actor may not know what is there, or whether there is anything.
        """

    def principal_at(self, view: "View", href: Href) -> Who | None:
        """The principal that an access control entry means by an href; None where there is none."""

    def principal_hrefs(self, view: "View", principals: Iterable[Who]) -> Mapping[Who, Href]:
        """Where principals are that entries mean by a key, or as somebody's delegates; without those that are gone."""


@attrs.define(slots=True)
class View:
    """All that is the same for every resource of one request.

    ``txn`` is the store's transaction (its type is not known here).
    """

    txn: Any
    request: Request
    tree: Tree
    spoken: "Extensions"
    settings: Settings
    hurried: bool = False
    """Whether others wait for the answer to this request."""
    memory: dict[Any, Any] = attrs.field(factory=dict, init=False)
    """What is looked up once for the whole request, by whoever does."""
    allowance: Allowance = attrs.field(init=False)
    """What the request may cost."""

    @allowance.default
    def _allow(self) -> Allowance:
        return Allowance(self.settings.request_seconds, self.settings.answer_bytes)

    def find(self, href: Href) -> "Resource":
        """The resource at another href of this server, seen by the same actor."""
        return self.tree.find(self, href)

    def path(self, href: Href) -> str:
        """The absolute escaped path of an href as the client sees it."""
        return self.request.path(href)

    def take_time(self) -> None:
        """Called before what takes more than a millisecond besides the store's work; raises `TakesLong` in a hurry."""
        if self.hurried:
            raise TakesLong


@attrs.frozen(slots=True, kw_only=True)
class Change:
    """One line of a sync report (RFC 6578 section 3): a member that is new or changed, or one that is gone.

    ``resource`` is None for what was removed; ``href`` is always set.
    """

    href: Href
    resource: "Resource | None"


@attrs.frozen(slots=True, kw_only=True)
class Changes:
    """What happened since a token: the new token, the changes, and whether a limit cut them short.

    ``rendered`` are changes that are written already, each as a ``DAV:response``.
    """

    token: str
    changes: Sequence[Change] = ()
    truncated: bool = False
    rendered: Sequence[str | bytes] = ()


@attrs.frozen(slots=True, kw_only=True)
class Written:
    """What became of the content that a request brought (PUT, POST to add a member).

    ``resource`` is the resource as it is stored now, with its new etag and schedule tag. ``verbatim`` says that its
    bytes are those that the client sent; where they are not, no ETag is answered (RFC 4791 section 5.3.4).
    """

    resource: "Resource"
    created: bool
    verbatim: bool = True


class Resource:
    """A resource at an href (RFC 4918 section 5). Attributes that a class does not have are None.

    The methods of WebDAV check the privileges of RFC 3744 appendix B with `require` before they call a method below
    that changes something, and locks and conditional headers too; a class checks only what it alone can know.
    A class has an HTTP method only where it overrides the function that does its work (`read` for GET, `delete` for
    DELETE, ...); one that inherits it and shall not have it says ``delete = Resource.delete``.
    """

    resourcetype: ClassVar[tuple[str, ...]] = ()
    """Clark names inside ``DAV:resourcetype`` (RFC 4918 section 15.9)."""

    def __init__(self, view: View, href: Href) -> None:
        self.view = view
        self.href = href

    exists = True
    is_collection = False

    etag: str | None = None
    """The entity tag with its quotes (RFC 9110 section 8.8.3)."""
    schedule_tag: str | None = None
    """The schedule tag with its quotes (RFC 6638 section 3.2.10)."""
    content_type: str | None = None
    content_language: str | None = None
    content_length: int | None = None
    created: datetime | None = None
    modified: datetime | None = None
    display_name: str | None = None
    resource_id: str | None = None
    """URI that stays with the resource when it moves (RFC 5842 section 3.1)."""
    owner: Href | None = None
    sync_token: str | None = None
    """Current token where the collection has the sync-collection report (RFC 6578 section 4)."""
    group: Href | None = None
    quota_used: int | None = None
    """Bytes (RFC 4331 section 4)."""
    quota_available: int | None = None
    """Bytes that may still be stored (RFC 4331 section 3)."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further header fields of answers to GET and HEAD."""
    lockable: ClassVar[bool] = False
    """Whether the class has LOCK and UNLOCK."""
    without: frozenset[str] = frozenset()
    """Methods of the class that this resource does not have."""

    @property
    def path(self) -> str:
        """Absolute escaped path as the client sees it."""
        return self.view.path(self.href)

    @property
    def parent(self) -> "Collection | None":
        """The collection that this is a member of; None for the root. A class that knows it saves the search."""
        found = self.view.find(self.href.parent) if self.href.segments else None
        return found if isinstance(found, Collection) else None

    @property
    def state_tokens(self) -> tuple[str, ...]:
        """URIs that name the present state in an If header, besides locks (RFC 4918 10.4, RFC 6578 section 5)."""
        return () if self.sync_token is None else (self.sync_token,)

    @property
    def privileges(self) -> frozenset[str]:
        """Clark names of all privileges that the actor holds here, aggregated ones included (RFC 3744 section 5.5)."""
        return frozenset()

    acl_restrictions: ClassVar[Restrictions] = Restrictions()
    """What a list may not have (RFC 3744 section 5.6)."""

    @property
    def access_control(self) -> Sequence[Entry]:
        """The access control list, in the order in which it is evaluated (RFC 3744 section 5.5)."""
        return ()

    @property
    def inherited_acl_set(self) -> Sequence[Href]:
        """The resources whose lists matter here too (RFC 3744 section 5.7)."""
        return ()

    def set_acl(self, acl: Acl) -> None:
        """Replace the entries that are neither inherited nor protected (RFC 3744 section 8.1)."""
        raise MethodNotAllowed("this resource has no access control list that can be set")

    def require(self, *privileges: str) -> None:
        """Raise `NeedPrivileges` with those of the privileges (Clark names) that the actor does not hold here."""
        held = self.privileges
        missing = [(self.path, each) for each in privileges if each not in held]
        if missing:
            raise NeedPrivileges(*missing)

    # -- properties that a client stores -------------------------------------------------------------------

    @property
    def stored_properties(self) -> Mapping[str, str]:
        """Dead properties and live ones kept verbatim: Clark name to the whole element as XML text."""
        return {}

    def store_properties(self, changes: Mapping[str, str | None]) -> None:
        """Set (element as XML text) or remove (None) stored properties."""
        raise MethodNotAllowed("properties of this resource cannot be set")

    # -- content ---------------------------------------------------------------------------------------------

    def read(self) -> bytes:
        """The whole content, as GET sends it (RFC 9110 section 9.3.1)."""
        raise MethodNotAllowed("this resource has no content")

    def write(self, request: Request) -> Written:
        """Replace the content by the body of a PUT (RFC 9110 section 9.3.4, RFC 4918 section 9.7)."""
        raise MethodNotAllowed("the content of this resource cannot be replaced")

    # -- namespace -------------------------------------------------------------------------------------------

    def delete(self) -> None:
        """Remove this and everything below it, and the locks there (RFC 4918 section 9.6)."""
        raise MethodNotAllowed("this resource cannot be deleted")

    def copy(self, target: "Resource", *, deep: bool = True) -> None:
        """Copy this to where `target` is - `Unmapped` or an existing resource that is replaced (section 9.8)."""
        raise MethodNotAllowed("this resource cannot be copied")

    def move(self, target: "Resource") -> None:
        """Move this to where `target` is - `Unmapped` or an existing resource that is replaced (section 9.9).

        Locks do not move: they end, and so do those of a resource that is replaced.
        """
        raise MethodNotAllowed("this resource cannot be moved")


class Collection(Resource):
    """A resource with members (RFC 4918 section 5.2)."""

    resourcetype: ClassVar[tuple[str, ...]] = (D("collection"),)
    is_collection = True

    def members(self, wanted: frozenset[str] | None = None) -> Iterator[Resource]:
        """The direct members that the actor may see, in one query; `wanted` are the Clark names to be asked of them.

        None stands for all properties. A class may leave out of the snapshot what `wanted` does not need.
        """
        return iter(())

    def rendered(self, names: frozenset[str]) -> Iterable[str | bytes] | None:
        """The ``DAV:response`` elements of all that `members` yields, where a class can write them faster than that.

        None where it cannot, or where one of the properties `names` is not there on some member. The markup is that
        of `multistatus`: ``MEMBER_START``, path, ``MEMBER_MIDDLE``, property elements, ``MEMBER_END``.
        """
        return None

    def member(self, name: str) -> Resource | None:
        """One direct member, or None."""
        return None

    def create(self, name: str, request: Request) -> Written:
        """Make a member with content from the body of a PUT or POST."""
        raise MethodNotAllowed("members with content cannot be made here")

    def new_name(self, request: Request) -> str:
        """A name that no member has yet, for what a POST adds (RFC 5995 section 3.2.1)."""
        raise MethodNotAllowed("members cannot be added here by POST")

    def create_empty(self, name: str) -> Resource:
        """Make the empty member that a LOCK of an unmapped URL leaves (RFC 4918 section 7.3)."""
        raise Forbidden("an empty resource cannot be a member here")

    def make_collection(self, name: str, resourcetype: tuple[str, ...]) -> "Collection":
        """Make a collection in this one (MKCOL, extended MKCOL, MKCALENDAR) and return it, empty."""
        raise MethodNotAllowed("collections cannot be made here")

    def changes(self, since: str | None, *, deep: bool, limit: int | None) -> Changes:
        """What changed since a token, None for everything (RFC 6578 section 3).

        Args:
            since: the client's token; a wrong one raises `ValidSyncToken`.
            deep: members of member collections too (sync-level infinite).
            limit: the most changes to answer.
        """
        raise MethodNotAllowed("this collection does not keep a record of changes")

    def rendered_changes(
        self, since: str | None, *, deep: bool, limit: int | None, names: frozenset[str]
    ) -> Changes | None:
        """The same with the properties `names` as ``Changes.rendered``; None where `rendered` would be, too."""
        return None


class Unmapped(Resource):
    """Where nothing is. ``parent`` is the collection that would hold it, None where that does not exist either.

    ``taken`` says that there is something after all, of which the asker may not know: nothing can be made there.
    """

    exists = False

    def __init__(self, view: View, href: Href, parent: Collection | None, *, taken: bool = False) -> None:
        super().__init__(view, href)
        self._parent = parent
        self.taken = taken

    @property
    def parent(self) -> Collection | None:
        """The collection that would hold it, None where that does not exist."""
        return self._parent
