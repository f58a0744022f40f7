"""A request and a response as values: what the web adapter hands in, and what it writes out."""

import re
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeVar, cast, overload

import attrs

from calserver.dav.href import Href
from calserver.dav.xml import Limits

T = TypeVar("T")


class Headers(Mapping[str, str]):
    """Header fields by name in any case; fields of one name are joined with a comma (RFC 9110 section 5.3)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, str] = {}
        for name, value in fields:
            key = name.lower()
            self._fields[key] = f"{self._fields[key]}, {value}" if key in self._fields else value

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...

    def get(self, name: str, /, default: Any = None) -> Any:
        """The value of a field, or `default`; `Mapping` has it too, but takes longer."""
        return self._fields.get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Actor(Protocol):
    """Who asks: authenticated, or nobody. `directory.Actor` is the implementation."""

    @property
    def href(self) -> Href | None:
        """The principal's href; None where nobody has authenticated."""

    @property
    def principal_id(self) -> int | None:
        """The principal's key in the store, which owns locks; None where `href` is None."""

    @property
    def administrator(self) -> bool:
        """Whether every privilege on everything is held."""

    @property
    def identities(self) -> frozenset[int | str]:
        """Everything by which an access control entry may mean who asks, whatever the resource (`acl.Who`)."""


_PLAIN_PATH = re.compile(r"[A-Za-z0-9%/!$'()*+,;=:@._~-]*", re.ASCII)
_MOST_CHARACTERS = 2000
"""How much of a header value with quoted strings is looked at."""

_ITEM = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)\s*')


def items(value: str) -> list[str]:
    """The members of a comma-separated list, in which commas may stand in quoted strings (RFC 9110 section 5.6.1)."""
    return _ITEM.findall(value[:_MOST_CHARACTERS])


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """A header value like ``text/xml; charset="utf-8"``: what stands in front in lower case, and the parameters.

    What does not fit the grammar of RFC 9110 section 5.6.6 is passed over.
    """
    value = value[:_MOST_CHARACTERS]
    front, _, _ = value.partition(";")
    found = {}
    for name, text in _PARAMETER.findall(value[len(front) :]):
        found[name.lower()] = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
    return front.strip().lower(), found


@attrs.define(slots=True)
class Request:
    """One request below the DAV root, its body read and decoded (no transfer or content coding left).

    ``href`` is where it goes; ``spelled`` the same path as the client wrote it, escaped and with the public prefix;
    ``prefix`` the public path of the DAV root (``/dav/``); ``origin`` is ``scheme://host[:port]`` as the client sees
    us.
    """

    method: str
    href: Href
    headers: Headers
    body: bytes
    actor: Actor
    prefix: str = "/dav/"
    spelled: str = ""
    origin: str = ""
    query: str = ""
    limits: Limits = attrs.field(factory=Limits)
    """How much XML the body may hold."""
    told: dict[Hashable, Any] = attrs.field(factory=dict, init=False, repr=False)
    """What others have said to questions that an earlier try to answer this had (`AskFirst`)."""
    _parsed: dict[Any, Any] = attrs.field(factory=dict, init=False, repr=False)
    _respelled: tuple[str, str] | None = attrs.field(init=False, repr=False)

    @_respelled.default
    def _compare_spellings(self) -> tuple[str, str] | None:
        """Our spelling of the request's path and the client's, without final slashes, where they differ."""
        ours, theirs = (self.prefix + str(self.href)).rstrip("/"), self.spelled.rstrip("/")
        if ours == theirs or not theirs or not _PLAIN_PATH.fullmatch(theirs):
            return None
        return ours, theirs

    def parsed(self, parse: "Callable[[Request], T]") -> T:
        """What `parse` makes of this request, computed once - before the transaction where the method declares it.

        What it raised is raised again at each call.
        """
        if parse not in self._parsed:
            try:
                self._parsed[parse] = (parse(self), None)
            except Exception as refusal:  # noqa: BLE001 - kept, and raised where the handler asks for the value
                self._parsed[parse] = (None, refusal)
        value, kept = self._parsed[parse]
        if kept is not None:
            raise kept
        return cast(T, value)

    def known(self, question: Hashable) -> Any:
        """What others say to a question.

        Raises:
            AskFirst: they were not asked yet.
        """
        if question not in self.told:
            raise AskFirst(question)
        return self.told[question]

    @property
    def charset(self) -> str | None:
        """The charset parameter of the content type, quoted or not (RFC 9110 section 8.3)."""
        content_type = self.headers.get("content-type", "")
        return parameters(content_type)[1].get("charset") if ";" in content_type else None

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty where there is none."""
        return parameters(self.headers.get("content-type", ""))[0]

    def path(self, href: Href) -> str:
        """The absolute escaped path of an href as this client sees it.

        What lies at or below the path of the request begins as the client spelled that: there are clients that
        compare the text. Nothing in a path needs escaping in XML element content.
        """
        path = self.prefix + str(href)
        if self._respelled is not None:
            ours, theirs = self._respelled
            if path == ours or path.startswith(ours + "/"):
                return theirs + path[len(ours) :]
        return path


Body = bytes | Iterable[bytes]


@attrs.frozen(slots=True)
class Response:
    """What to answer. A body of chunks is built completely inside the transaction, or reads nothing from it."""

    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    body: Body = b""
    keeps: bool = False
    """Whether what was written stays, although the request is refused."""
    later: "Callable[[], Awaitable[Response]] | None" = attrs.field(default=None, eq=False)
    """Makes the answer after the transaction, where others have to be asked for that: no transaction waits for them."""
    represents: Href | None = attrs.field(default=None, eq=False)
    """The resource that this is a representation of, for who preferred one after a change (RFC 7240 section 4.2)."""

    def with_headers(self, *fields: tuple[str, str]) -> "Response":
        """The same response with header fields added."""
        return attrs.evolve(self, headers=(*self.headers, *fields))


class TakesLong(Exception):
    """A request that is answered in a hurry takes too long for that; nothing was done, and it is to be tried again."""


class AskFirst(Exception):
    """Others must be asked before a request can be answered; nothing was done, and it is to be tried again after that.

    No transaction waits for what others say: it is in `Request.told` the next time.
    """

    def __init__(self, question: Hashable) -> None:
        super().__init__(question)
        self.question = question


class RolledBack(Exception):
    """Answer `response`, and undo what the transaction wrote (a PROPPATCH that failed in part, for example)."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response
