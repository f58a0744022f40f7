"""Requests to the server's DAV side without a network: a request in, a response out, over a real store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from lxml import etree

from calserver import dav
from calserver.config import Settings
from calserver.dav import AskFirst, Extension, Extensions, Headers, Href, Request, Response, RolledBack, Tree
from calserver.directory import ANONYMOUS, Actor
from calserver.names import D
from calserver.store import Store, Transaction

WEBDAV: Sequence[Extension] = tuple(
    value for name, value in sorted(vars(dav).items()) if name.startswith("rfc") and isinstance(value, Extension)
)
"""All extensions of the room `dav`."""


@attrs.frozen
class Answer:
    """A response as tests look at it."""

    response: Response

    @property
    def status(self) -> int:
        return int(self.response.status)

    @property
    def headers(self) -> Headers:
        return Headers(self.response.headers)

    @property
    def body(self) -> bytes:
        body = self.response.body
        return body if isinstance(body, bytes) else b"".join(body)

    @property
    def xml(self) -> Any:
        return etree.fromstring(self.body)

    @property
    def error(self) -> str:
        """The condition inside of ``DAV:error``."""
        root = self.xml
        assert root.tag == D("error")
        return str(root[0].tag)

    @property
    def hrefs(self) -> list[str]:
        """The href of each response, in order."""
        return [each.findtext(D("href")) for each in self.xml.iter(D("response"))]

    @property
    def statuses(self) -> dict[str, int]:
        """The status of each response that has one for the whole resource."""
        found = {each.findtext(D("href")): each.findtext(D("status")) for each in self.xml.iter(D("response"))}
        return {href: int(status.split()[1]) for href, status in found.items() if status is not None}

    def properties(self, href: str) -> dict[str, Any]:
        """The properties with status 200 of one response: Clark name to element."""
        for each in self.xml.iter(D("response")):
            if each.findtext(D("href")) == href:
                return {
                    prop.tag: prop
                    for propstat in each.iter(D("propstat"))
                    if " 200 " in propstat.findtext(D("status"))
                    for prop in propstat.find(D("prop"))
                }
        raise AssertionError(f"no response for {href} among {self.hrefs}")


def _silence(_: object) -> None:
    """Nobody is there who could be asked."""


@attrs.define
class Dialogue:
    """A server's DAV side, and who talks to it."""

    store: Store
    tree: Tree
    spoken: Extensions
    settings: Settings = attrs.field(factory=Settings)
    actor: Actor = ANONYMOUS
    prefix: str = "/dav/"
    origin: str = "http://dav.example.com"
    ask: Callable[[Any], Any] = _silence
    """Answers what has to be known of others before a transaction (`calserver.dav.AskFirst`)."""

    def by(self, uid: str, kind: str = "user") -> "Dialogue":
        """The same server, spoken to by a principal."""

        def actor(txn: Transaction) -> Actor:
            principal = txn.principals.by_uid(kind, uid)
            assert principal is not None
            return Actor.of(txn, principal)

        return attrs.evolve(self, actor=self.store.read_now(actor))

    def __call__(
        self, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None, **more: str
    ) -> Answer:
        """One request. `path` is escaped and begins below the DAV root; `more` are headers (``if_match="*"``)."""
        fields = {**(headers or {}), **{name.replace("_", "-"): value for name, value in more.items()}}
        request = Request(
            method=method,
            href=Href.parse(path),
            headers=Headers(fields.items()),
            body=body.encode() if isinstance(body, str) else body,
            actor=self.actor,
            prefix=self.prefix,
            spelled=self.prefix + path,
            origin=self.origin,
        )
        self.spoken.prepare(request)
        run = self.store.write_now if self.spoken.writes(request) else self.store.read_now
        while True:
            try:
                return Answer(run(lambda txn: dav.handle(self.spoken, self.tree, txn, request, self.settings)))
            except RolledBack as refused:
                return Answer(refused.response)
            except AskFirst as first:
                request.told[first.question] = self.ask(first.question)

    def propfind(self, path: str, *names: str, depth: str = "0") -> Answer:
        """PROPFIND of named properties."""
        props = "".join(etree.tostring(etree.Element(name), encoding="unicode") for name in names)
        return self("PROPFIND", path, f'<D:propfind xmlns:D="DAV:"><D:prop>{props}</D:prop></D:propfind>', depth=depth)

    def destination(self, path: str) -> str:
        """A Destination header."""
        return f"{self.origin}{self.prefix}{path}"
