"""A small WebDAV server in memory: storage for the resource classes that the tests of this room drive."""

import copy
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from lxml import etree

from calserver.dav import (
    BadRequest,
    Change,
    Changes,
    Collection,
    Extension,
    Extensions,
    Href,
    Limits,
    Lock,
    MethodNotAllowed,
    NeedPrivileges,
    Refusal,
    Request,
    Resource,
    Response,
    RolledBack,
    Unmapped,
    ValidResourcetype,
    ValidSyncToken,
    View,
    Written,
    handle,
    rfc3253,
    rfc3744,
    rfc4331,
    rfc4918,
    rfc5397,
    rfc5689,
    rfc5842,
    rfc5995,
    rfc6578,
    rfc7240,
    xml,
)
from calserver.dav.message import Headers
from calserver.names import D

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PREFIX = "/dav/"
ORIGIN = "http://dav.example.com:8008"

EVERYTHING = frozenset(
    map(
        D,
        (
            "all",
            "read",
            "read-current-user-privilege-set",
            "write",
            "write-content",
            "write-properties",
            "bind",
            "unbind",
            "unlock",
        ),
    )
)
READ_ONLY = frozenset(map(D, ("read", "read-current-user-privilege-set")))


@attrs.define
class Node:
    """What is stored at a path."""

    id: int
    members: dict[str, "Node"] | None = None
    content: bytes = b""
    content_type: str | None = None
    properties: dict[str, str] = attrs.field(factory=dict)
    modified: datetime = START
    revision: int = 0
    schedule_tag: str | None = None
    kind: tuple[str, ...] = (D("collection"),)
    gone: dict[str, int] = attrs.field(factory=dict)


@attrs.define
class Disk:
    """Everything that is stored."""

    root: Node = attrs.field(factory=lambda: Node(0, {}))
    locks: dict[str, Lock] = attrs.field(factory=dict)
    count: int = 0

    def next(self) -> int:
        self.count += 1
        return self.count


class MemoryLocks:
    """`calserver.dav.locks.Locks` on a dictionary."""

    def __init__(self, disk: Disk, now: datetime) -> None:
        self._disk = disk
        self._now = now
        self.queries = 0

    def _alive(self) -> list[Lock]:
        self.queries += 1
        return [each for each in self._disk.locks.values() if each.expires > self._now]

    def covering(self, path: str, *, parent: bool = False) -> list[Lock]:
        also = path.rpartition("/")[0] if parent else path
        return [
            each
            for each in self._alive()
            if each.path in (path, also) or (each.deep and (not each.path or path.startswith(each.path + "/")))
        ]

    def below(self, path: str) -> list[Lock]:
        return [each for each in self._alive() if each.path != path and (not path or each.path.startswith(path + "/"))]

    def get(self, token: str) -> Lock | None:
        return next((each for each in self._alive() if each.token == token), None)

    def add(self, lock: Lock) -> None:
        self._disk.locks[lock.token] = lock

    def refresh(self, token: str, expires: datetime) -> None:
        self._disk.locks[token] = attrs.evolve(self._disk.locks[token], expires=expires)

    def remove(self, token: str) -> None:
        del self._disk.locks[token]

    def remove_below(self, path: str) -> None:
        for each in [*self.covering(path), *self.below(path)]:
            if each.path == path or each.path.startswith(path + "/"):
                self._disk.locks.pop(each.token, None)

    def count(self, principal_id: int) -> int:
        return sum(each.principal_id == principal_id for each in self._alive())


@attrs.define
class Txn:
    disk: Disk
    now: datetime
    locks: MemoryLocks


@attrs.frozen
class Actor:
    href: Href | None
    principal_id: int | None
    administrator: bool = False


ACTORS = {
    "ann": Actor(Href(("principals", "ann"), collection=True), 1),
    "bob": Actor(Href(("principals", "bob"), collection=True), 2),
    "root": Actor(Href(("principals", "root"), collection=True), 3, administrator=True),
    None: Actor(None, None),
}


@attrs.frozen(kw_only=True)
class Limited:
    infinity_resources: int = 100
    query_results: int = 50
    expand_resources: int = 20
    answer_bytes: int = 10_000_000
    request_seconds: float = 60
    property_bytes: int = 2000
    properties: int = 20
    lock_seconds: int = 3600
    locks: int = 5
    aces: int = 5
    anonymous: bool = True


def name_of(href: Href) -> str:
    return str(href).rstrip("/")


class MemoryResource(Resource):
    """What files and folders share. Ann owns all; bob may read what is in ``shared``, and nobody anything."""

    lockable = True

    def __init__(self, view: View, href: Href, node: Node) -> None:
        super().__init__(view, href)
        self.node = node
        self.modified = node.modified
        self.created = START
        self.resource_id = f"urn:uuid:00000000-0000-0000-0000-{node.id:012}"
        self.owner = ACTORS["ann"].href

    @property
    def disk(self) -> Disk:
        disk: Disk = self.view.txn.disk
        return disk

    @property
    def privileges(self) -> frozenset[str]:
        actor = self.view.request.actor
        if actor.administrator or actor.principal_id == 1:
            return EVERYTHING
        if actor.principal_id == 2 and self.href.segments[:1] == ("both",):
            return EVERYTHING - {D("unlock")}
        if actor.principal_id == 2 and self.href.segments[:1] != ("private",):
            return READ_ONLY
        return frozenset()

    @property
    def stored_properties(self) -> Mapping[str, str]:
        return self.node.properties

    def store_properties(self, changes: Mapping[str, str | None]) -> None:
        for name, text in changes.items():
            if text is None:
                self.node.properties.pop(name, None)
            else:
                self.node.properties[name] = text
        self.touch(self.href)

    def touch(self, href: Href) -> None:
        revision = self.disk.next()
        node = self.disk.root
        for name in href.segments:
            node.revision = revision
            node = (node.members or {}).get(name, node)
        node.revision = revision

    def place(self) -> dict[str, Node]:
        node = self.disk.root
        for name in self.href.segments[:-1]:
            node = (node.members or {})[name]
        assert node.members is not None
        return node.members

    def delete(self) -> None:
        folder = self.parent
        del self.place()[self.href.name]
        self.touch(self.href.parent)
        assert isinstance(folder, Folder)
        folder.node.gone[self.href.name] = folder.node.revision
        self.view.txn.locks.remove_below(name_of(self.href))

    def _land(self, target: Resource, node: Node) -> None:
        folder = target.parent
        assert isinstance(folder, Folder)
        if target.exists:
            target.delete()
        assert folder.node.members is not None
        folder.node.members[target.href.name] = node
        self.touch(target.href)

    def copy(self, target: Resource, *, deep: bool = True) -> None:
        node = copy.deepcopy(self.node)
        if not deep and node.members is not None:
            node.members = {}
        self._land(target, node)

    def move(self, target: Resource) -> None:
        self.delete()
        self._land(target, self.node)


class File(MemoryResource):
    """A resource with content."""

    def __init__(self, view: View, href: Href, node: Node) -> None:
        super().__init__(view, href, node)
        self.etag = f'"{hashlib.md5(node.content).hexdigest()}"'
        self.content_type = node.content_type
        self.content_length = len(node.content)
        self.schedule_tag = node.schedule_tag

    def read(self) -> bytes:
        return self.node.content

    def write(self, request: Request) -> Written:
        self.node.content = request.body.removesuffix(b"!")
        self.node.content_type = request.headers.get("content-type")
        self.touch(self.href)
        return Written(
            resource=File(self.view, self.href, self.node),
            created=False,
            verbatim=self.node.content == request.body,
        )


class Folder(MemoryResource, Collection):
    """A collection."""

    def __init__(self, view: View, href: Href, node: Node) -> None:
        super().__init__(view, href, node)
        self.etag = f'"{node.id}-{node.revision}"'
        self.sync_token = f"data:,{node.id}/{node.revision}"
        self.quota_used = 17
        self.resourcetype = node.kind  # type: ignore[misc]  # a class of its own for each kind would say no more

    def _member(self, name: str) -> MemoryResource:
        node = (self.node.members or {})[name]
        kind = File if node.members is None else Folder
        return kind(self.view, self.href.child(name, collection=node.members is not None), node)

    def members(self, wanted: frozenset[str] | None = None) -> Iterator[Resource]:
        for name in sorted(self.node.members or {}):
            member = self._member(name)
            if member.privileges:
                yield member

    def member(self, name: str) -> Resource | None:
        return self._member(name) if name in (self.node.members or {}) else None

    def create(self, name: str, request: Request) -> Written:
        if b"\0" in request.body:
            raise BadRequest("no zeros")
        assert self.node.members is not None
        self.node.members[name] = Node(self.disk.next(), None)
        self.node.gone.pop(name, None)
        written = File(self.view, self.href.child(name), self.node.members[name]).write(request)
        return attrs.evolve(written, created=True)

    def create_empty(self, name: str) -> Resource:
        assert self.node.members is not None
        self.node.members[name] = Node(self.disk.next(), None)
        return self._member(name)

    def new_name(self, request: Request) -> str:
        return f"new-{self.disk.next()}"

    def make_collection(self, name: str, resourcetype: tuple[str, ...]) -> Collection:
        if not set(resourcetype) <= {D("collection"), "{urn:x}shelf"}:
            raise ValidResourcetype("no such collections")
        assert self.node.members is not None
        self.node.members[name] = Node(self.disk.next(), {}, kind=resourcetype)
        made = self._member(name)
        made.touch(made.href)
        assert isinstance(made, Folder)
        return made

    def changes(self, since: str | None, *, deep: bool, limit: int | None) -> Changes:
        after = 0
        if since is not None:
            start, _, number = since.partition("/")
            if start != f"data:,{self.node.id}" or not number.isdigit() or int(number) > self.node.revision:
                raise ValidSyncToken("another token")
            after = int(number)
        found = sorted(self._changed(after, deep=deep), key=lambda pair: pair[0])
        if since is not None:
            gone = ((rev, Change(href=self.href.child(n), resource=None)) for n, rev in self.node.gone.items())
            found = sorted([*found, *(pair for pair in gone if pair[0] > after)], key=lambda pair: pair[0])
        cut = found if limit is None else found[:limit]
        token = self.sync_token if len(cut) == len(found) else f"data:,{self.node.id}/{cut[-1][0]}"
        assert token is not None
        return Changes(token=token, changes=[change for _, change in cut], truncated=len(cut) < len(found))

    def _changed(self, after: int, *, deep: bool) -> Iterator[tuple[int, Change]]:
        for member in self.members():
            assert isinstance(member, MemoryResource)
            if member.node.revision > after:
                yield member.node.revision, Change(href=member.href, resource=member)
            if deep and isinstance(member, Folder):
                yield from member._changed(after, deep=True)


class ReadOnly(Resource):
    """A resource that has nothing but properties (a principal, say)."""

    display_name = "Fixed <&>"
    content_type = "text/plain"

    @property
    def privileges(self) -> frozenset[str]:
        return READ_ONLY if self.view.request.actor.href else frozenset()


class MemoryTree:
    """Finds resources: ``principals/x`` are `ReadOnly`, ``hidden`` is refused, the rest is on the disk."""

    def principal_at(self, view: View, href: Href) -> int | str | None:
        return next((each.principal_id for each in ACTORS.values() if each.href == href), None)

    def principal_hrefs(self, view: View, principals: Iterable[int | str]) -> Mapping[int | str, Href]:
        known = {each.principal_id: each.href for each in ACTORS.values() if each.href is not None}
        return {each: known[each] for each in principals if each in known}

    def find(self, view: View, href: Href) -> Resource:
        if href.segments[:1] == ("principals",) and len(href.segments) == 2:
            return ReadOnly(view, href)
        if href.segments[:1] == ("hidden",):
            raise NeedPrivileges((view.path(href), D("read")))
        node, parent = view.txn.disk.root, None
        for depth, name in enumerate(href.segments):
            if node is None or node.members is None:
                return Unmapped(view, href, None)
            parent = Folder(view, Href(href.segments[:depth], collection=True), node)
            node = node.members.get(name)
        if node is None:
            return Unmapped(view, href, parent)
        kind = File if node.members is None else Folder
        return kind(view, Href(href.segments, collection=node.members is not None), node)


extra = Extension("extra", features=("extra",))


@extra.property("{urn:x}secret", on=MemoryResource)
def secret(resource: MemoryResource) -> str:
    """Only for who holds everything."""
    resource.require(D("all"))
    return "42"


@extra.property("{urn:x}tagged", on=MemoryResource)
def tagged(resource: MemoryResource) -> str:
    """Has attributes."""
    return xml.Whole(xml.element("{urn:x}tagged", "<", kind="&"))


@extra.property("{urn:x}size", on=Folder)
def size(resource: Folder) -> str | None:
    """May be set while the folder is made."""
    return resource.node.properties.get("size")


@size.creator
def set_size(resource: Folder, element: Any) -> None:
    """A number."""
    if element is None or not (element.text or "").isdigit():
        raise BadRequest("not a number")
    resource.node.properties["size"] = element.text


@extra.property("{urn:x}color", on=Folder, stored=True)
def color(resource: Folder) -> str:
    """Checked, and kept verbatim."""
    return "black"


@color.setter
def check_color(resource: Folder, element: Any) -> None:
    """Any color but grey."""
    if element is not None and element.text == "grey":
        raise MethodNotAllowed("not grey")


SPOKEN = Extensions([rfc4918, rfc3253, rfc3744, rfc4331, rfc5397, rfc5689, rfc5842, rfc5995, rfc6578, rfc7240, extra])


class Answer:
    """A response to look at."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.status = int(response.status)
        self.headers = Headers(response.headers)
        self.body = response.body if isinstance(response.body, bytes) else b"".join(response.body)

    @property
    def xml(self) -> etree._Element:
        return etree.fromstring(self.body)

    @property
    def conditions(self) -> list[str]:
        root = self.xml
        assert root.tag == D("error")
        return [each.tag for each in root if each.tag != D("responsedescription")]

    @property
    def hrefs(self) -> list[str]:
        return [each.text or "" for each in self.xml.findall(f"{D('response')}/{D('href')}")]

    def statuses(self) -> dict[str, int]:
        """Status of each response that has one of its own."""
        return {
            each.findtext(D("href")) or "": int((each.findtext(D("status")) or "").split()[1])
            for each in self.xml.findall(D("response"))
            if each.find(D("status")) is not None
        }

    def properties(self, href: str | None = None) -> dict[str, tuple[int, etree._Element]]:
        """Properties of one response: name to status and element."""
        found = {}
        for each in self.xml.iter(D("response")):
            if href is None or each.findtext(D("href")) == href:
                for propstat in each.findall(D("propstat")):
                    status = int((propstat.findtext(D("status")) or "").split()[1])
                    found.update({one.tag: (status, one) for one in propstat.iterfind(f"{D('prop')}/*")})
                break
        return found


class Server:
    """Answers requests as the web adapter does: parsers first, then one transaction that is undone on a refusal."""

    def __init__(self, settings: Any = None) -> None:
        self.disk = Disk()
        self.settings = settings or Limited()
        self.now = START
        self.limits = Limits(size_bytes=100_000, elements=1000, depth=30, name_characters=200)
        self.txn: Txn | None = None

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def request(
        self, method: str, path: str, body: bytes | str = b"", *, user: str | None = "ann", **headers: str
    ) -> Request:
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return Request(
            method=method,
            href=Href.parse(path.removeprefix(PREFIX)),
            headers=Headers(fields),
            body=body.encode() if isinstance(body, str) else body,
            actor=ACTORS[user],
            prefix=PREFIX,
            spelled=path,
            origin=ORIGIN,
            limits=self.limits,
        )

    def ask(
        self, method: str, path: str, body: bytes | str = b"", *, user: str | None = "ann", **headers: str
    ) -> Answer:
        request = self.request(method, path, body, user=user, **headers)
        SPOKEN.prepare(request)
        before = copy.deepcopy(self.disk)
        self.txn = Txn(self.disk, self.now, MemoryLocks(self.disk, self.now))
        try:
            response = handle(SPOKEN, MemoryTree(), self.txn, request, self.settings)
        except RolledBack as undone:
            self.disk = before
            response = undone.response
        if not SPOKEN.writes(request):
            assert self.disk == before
        return Answer(response)

    def put(self, path: str, body: bytes | str = b"hello", **headers: str) -> Answer:
        answer = self.ask("PUT", path, body, **headers)
        assert answer.status in (201, 204), answer.body
        return answer

    def mkcol(self, *paths: str) -> None:
        for path in paths:
            assert self.ask("MKCOL", path).status == 201

    def propfind(self, path: str, *names: str, depth: str = "0", user: str | None = "ann", **headers: str) -> Answer:
        prop = xml.document(D("propfind"), xml.element(D("prop"), *map(xml.element, names)))
        return self.ask("PROPFIND", path, prop, depth=depth, user=user, **headers)

    def lock(self, path: str, *, scope: str = "exclusive", user: str = "ann", **headers: str) -> str:
        answer = self.ask("LOCK", path, lock_body(scope), user=user, **headers)
        assert answer.status in (200, 201), answer.body
        return answer.headers["lock-token"].strip("<>")

    def exists(self, path: str) -> bool:
        return self.ask("PROPFIND", path, depth="0").status == 207


def lock_body(scope: str = "exclusive") -> str:
    return (
        f'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{scope}/></D:lockscope><D:locktype><D:write/></D:locktype>'
        "<D:owner><D:href>http://example.com/~ann</D:href></D:owner></D:lockinfo>"
    )


def update(*changes: str, remove: str = "") -> str:
    """A propertyupdate that sets properties given as XML with the prefixes D and X."""
    removal = f"<D:remove><D:prop>{remove}</D:prop></D:remove>" if remove else ""
    setting = f"<D:set><D:prop>{''.join(changes)}</D:prop></D:set>" if changes else ""
    return f'<D:propertyupdate xmlns:D="DAV:" xmlns:X="urn:x">{setting}{removal}</D:propertyupdate>'


__all__ = ["Refusal", "Server", "lock_body", "update"]
