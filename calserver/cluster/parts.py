"""Answers of which several nodes have a part: as XML that is taken apart, and put together."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from http import HTTPStatus
from typing import Final

import attrs
from lxml import etree

from calserver.dav import Element, Href, Limits, Multistatus, Refusal, Response, status_response, xml
from calserver.names import D
from calserver.tree import HOME_SEGMENTS, Row

_LIMITS: Final = Limits(size_bytes=64 * 1024 * 1024, elements=4_000_000, depth=200)
NOT_THERE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN})
"""What a node says of homes that are elsewhere."""


def read(body: bytes) -> Element:
    """The root of what a node has written."""
    return xml.parse(body, limits=_LIMITS)


def path_of(response: Element, prefix: str) -> Href | None:
    """What a ``DAV:response`` is about; None where that is not below the DAV root."""
    path = xml.content(response.find(D("href")))
    try:
        return Href.parse(path[len(prefix) :]) if path.startswith(prefix) else None
    except Refusal:
        return None


def written(root: Element) -> bytes:
    """The other way round."""
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


# -- listings ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Listing:
    """A multistatus about collections above homes, and what is in these."""

    prefix: str
    """The path of the DAV root."""
    mounts: Collection[tuple[str, ...]]
    """The paths of what holds homes."""
    responses: dict[tuple[str, ...], str] = attrs.field(factory=dict)
    """By the segments of their paths."""

    def take(self, root: Element, homes: Iterable[Href], *, above: bool = False) -> None:
        """Take what a node says of homes and what is in them, and of what is above all homes, if that is wanted."""
        places = {each.segments for each in homes}
        for response in root.iterchildren(D("response")):
            href = path_of(response, self.prefix)
            if href is None:
                continue
            inside = href.segments[:1] in self.mounts and len(href.segments) > 2
            if href.segments[:HOME_SEGMENTS] in places if inside else above:
                self.responses[href.segments] = etree.tostring(response, encoding="unicode", with_tail=False)

    def miss(self, homes: Iterable[Href]) -> None:
        """Say that homes are away."""
        for each in homes:
            path = self.prefix + str(each)
            self.responses[each.segments] = status_response(path, HTTPStatus.SERVICE_UNAVAILABLE)

    def answer(self, *fields: tuple[str, str]) -> Response:
        """All of it: what is above before what is in it."""
        return Multistatus(self.responses[each] for each in sorted(self.responses)).answer(*fields)


def names(root: Element, prefix: str) -> Mapping[tuple[str, ...], str]:
    """What the resources in a multistatus are called, by the segments of their paths."""
    found = ((path_of(each, prefix), each) for each in root.iterchildren(D("response")))
    named = f"{D('propstat')}/{D('prop')}/{D('displayname')}"
    return {href.segments: each.findtext(named, "") for href, each in found if href is not None}


# -- DAV:expand-property -----------------------------------------------------------------------------------------------


@attrs.frozen
class Hole:
    """A response inside of an answer to expand-property that another node may know more of."""

    response: Element
    href: Href
    asked: Element
    """What is asked of it: a ``DAV:property`` with others in it."""

    def request(self) -> bytes:
        """The body of a request that asks just that."""
        root = etree.Element(D("expand-property"), nsmap={"D": "DAV:"})
        root.extend([deepcopy(each) for each in self.asked.iterchildren(D("property"))])
        return etree.tostring(root, encoding="utf-8", xml_declaration=True)

    def fill(self, root: Element) -> Element | None:
        """Put what a node has answered in its place; returns that."""
        found = root.find(D("response"))
        parent = self.response.getparent()
        if found is None or parent is None:
            return None
        found.tail = self.response.tail
        parent.replace(self.response, found)
        return found

    @property
    def is_missing(self) -> bool:
        """Whether the node that has answered says that there is nothing."""
        return _status(self.response) in NOT_THERE

    def miss(self, status: HTTPStatus) -> None:
        """Say that it is away, or not there."""
        href = self.response.find(D("href"))
        for each in list(self.response):
            if each is not href:
                self.response.remove(each)
        etree.SubElement(self.response, D("status")).text = f"HTTP/1.1 {status.value} {status.phrase}"


def holes(response: Element, asked: Element, prefix: str) -> Iterator[Hole]:
    """What another node may know more of in a response to expand-property: the responses in it, not those in these.

    Args:
        response: a ``DAV:response``.
        asked: the element with what is asked of the resource, as ``DAV:property``.
        prefix: the path of the DAV root.
    """
    wanted = {_name(each): each for each in asked.iterchildren(D("property")) if len(each)}
    for element in response.iterfind(f"{D('propstat')}/{D('prop')}/*"):
        inner = wanted.get(element.tag)
        if inner is None:
            continue
        for each in _responses(element):
            href = path_of(each, prefix)
            if href is not None:
                yield Hole(each, href, inner)


def _responses(element: Element) -> Iterator[Element]:
    """The responses in a property, not those in them."""
    for each in element:
        if each.tag == D("response"):
            yield each
        else:
            yield from _responses(each)


def _status(response: Element) -> int | None:
    words = xml.content(response.find(D("status"))).split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def _name(element: Element) -> str:
    namespace = element.get("namespace", "DAV:")
    return f"{{{namespace}}}{element.get('name', '')}" if namespace else element.get("name", "")


def homes_of(mounts: Mapping[str, Iterable[str]], place: Href, kind: str, uid: str) -> Iterator[Href]:
    """The homes of a principal at or below a collection above homes."""
    for mount, kinds in mounts.items():
        home = Href((mount, kind, uid), collection=True)
        if kind in kinds and home.within(place):
            yield home


# -- homes with branches -----------------------------------------------------------------------------------------------


def by_home(root: Element, prefix: str) -> Mapping[Href, list[Element]]:
    """The responses about homes and what is in them, by the home."""
    found: dict[Href, list[Element]] = {}
    for each in root.iterchildren(D("response")):
        href = path_of(each, prefix)
        if href is not None and len(href.segments) >= HOME_SEGMENTS:
            found.setdefault(Href(href.segments[:HOME_SEGMENTS], collection=True), []).append(each)
    return found


def by_name(responses: Iterable[Element], home: Href, prefix: str, *, deep: bool = False) -> dict[str, list[Element]]:
    """Those about direct members of a home, or if `deep` about what is in these, by the members' names."""
    found: dict[str, list[Element]] = {}
    level = len(home.segments)
    for each in responses:
        href = path_of(each, prefix)
        if href is not None and len(href.segments) - deep > level and href.within(home):
            found.setdefault(href.segments[level], []).append(each)
    return found


def rows(root: Element, home: Href, prefix: str) -> Iterator[Row]:
    """The direct members of a home as lines of its page, of what a multistatus says of them."""
    for name, (response, *_) in by_name(root.iterchildren(D("response")), home, prefix).items():
        href = path_of(response, prefix)
        prop = f"{D('propstat')}/{D('prop')}/"
        length = response.findtext(prop + D("getcontentlength"), "")
        about = f"{length} bytes" if length else response.findtext(prop + D("displayname"), "")
        is_away = _status(response) is not None
        yield Row(name, href is not None and href.collection, "away" if is_away else about)


def put_in_place(root: Element, known: Sequence[Element], found: Iterable[Element]) -> None:
    """Put responses in the place of others in a multistatus, which are the only ones about something; or at the end."""
    places = [root.index(each) for each in known]
    for each in known:
        root.remove(each)
    for number, each in enumerate(found, start=min(places, default=len(root.findall(D("response"))))):
        root.insert(number, each)


def multiget(asked: Element, responses: Iterable[Element]) -> bytes:
    """The body of a multiget for those resources only that some responses are about."""
    root = deepcopy(asked)
    for each in root.findall(D("href")):
        root.remove(each)
    for each in responses:
        etree.SubElement(root, D("href")).text = xml.content(each.find(D("href")))
    return written(root)


def away(path: str) -> Element:
    """A response that says that something is at a node that is away."""
    return etree.fromstring(f'<a xmlns:D="DAV:">{status_response(path, HTTPStatus.SERVICE_UNAVAILABLE)}</a>')[0]


@attrs.frozen(kw_only=True)
class SyncQuestion:
    """What a sync report on a home (RFC 6578 section 3.2) asks of a shared calendar in it."""

    token: str
    """Empty for a first report."""
    deep: bool
    prop: Element

    @classmethod
    def of(cls, root: Element, depth: str) -> "SyncQuestion":
        """That of the body of a request, and of its Depth, which counts where there is no ``DAV:sync-level``."""
        level = xml.content(root.find(D("sync-level"))) or depth
        prop = root.find(D("prop"))
        return cls(
            token=xml.content(root.find(D("sync-token"))),
            deep=level.strip().lower() in ("infinite", "infinity"),
            prop=etree.Element(D("prop")) if prop is None else prop,
        )

    def propfind(self) -> bytes:
        """The body of a PROPFIND for the same properties."""
        return self._body(etree.Element(D("propfind"), nsmap={"D": "DAV:"}))

    def report(self, token: str) -> bytes:
        """The body of a report on what has changed in a calendar since a token."""
        root = etree.Element(D("sync-collection"), nsmap={"D": "DAV:"})
        etree.SubElement(root, D("sync-token")).text = token
        etree.SubElement(root, D("sync-level")).text = "1"
        return self._body(root)

    def _body(self, root: Element) -> bytes:
        root.append(deepcopy(self.prop))
        return written(root)
