"""The XML documents of iSchedule: answers to deliveries and refusals; reading strangers' XML without risk.

Documents of peers are read liberally - the order of elements, unknown elements, namespaces and white space do not
matter - but safely: no document types and therefore no entities, bounded in size and depth. `capabilities` has the
third document in its module.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from lxml import etree

from ischedule.errors import RequestRefused, Status
from ischedule.message import CALENDAR, Response, address_key

NAMESPACE: Final = "urn:ietf:params:xml:ns:ischedule"
CONTENT_TYPE: Final = ("Content-Type", "application/xml; charset=utf-8")
MOST_BYTES: Final = 4 * 1024 * 1024

Element = etree._Element

_PARSER: Final = etree.XMLParser(
    resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
)
_DECLARATION: Final = re.compile(r"<\?xml\s[^>]*?\?>")
_ENCODING: Final = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_DOCTYPE: Final = re.compile(r"(?>\s+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Malformed(Exception):
    """A peer's document is not what it should be; the text says why."""


def name(local: str) -> str:
    """The Clark name of an element of iSchedule."""
    return f"{{{NAMESPACE}}}{local}"


# -- reading ---------------------------------------------------------------------------------------------------------


def parse(document: bytes) -> Element:
    """The root element of a document.

    Raises:
        Malformed: it is not well-formed, has a document type, is too large or too deep, or is not in UTF-8 or Latin-1.
    """
    if len(document) > MOST_BYTES:
        raise Malformed("the XML is too large")
    declared = _ENCODING.match(document[:200].removeprefix(b"\xef\xbb\xbf"))
    encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
    if encoding not in ("utf-8", "us-ascii", "iso-8859-1"):
        raise Malformed(f"the XML is in {encoding}, which is not read here")
    try:
        text = document.decode(encoding).removeprefix("\ufeff").lstrip()
    except UnicodeDecodeError:
        raise Malformed(f"the XML is not in {encoding}") from None
    if _DOCTYPE.match(text):
        raise Malformed("the XML has a document type")
    declaration = _DECLARATION.match(text)
    try:
        return etree.fromstring(text[declaration.end() if declaration else 0 :].lstrip().encode(), _PARSER)
    except etree.XMLSyntaxError as error:
        raise Malformed(f"the XML is not well-formed: {error.msg}") from None


def local(element: Element) -> str:
    """The name of an element without its namespace; peers use that of WebDAV for some."""
    return etree.QName(element).localname


def below(element: Element, *names: str) -> Iterator[Element]:
    """The children of some names, in any namespace."""
    return (each for each in element if isinstance(each.tag, str) and local(each) in names)


def first(element: Element, *names: str) -> Element | None:
    """The first child of some names."""
    return next(below(element, *names), None)


def text_of(element: Element | None) -> str:
    """All the text in an element - in a ``href`` inside of it, too - without white space around it."""
    return "".join(map(str, element.itertext())).strip() if element is not None else ""


def read_schedule_response(document: bytes) -> tuple[Response, ...]:
    """The answer to a delivery: for each recipient the first that is said about it.

    Raises:
        Malformed: it is no ``schedule-response``.
    """
    root = parse(document)
    if local(root) != "schedule-response":
        raise Malformed(f"the XML is a {local(root)}, not a schedule-response")
    found: dict[str, Response] = {}
    for each in below(root, "response"):
        recipient = text_of(first(each, "recipient"))
        response = Response(
            recipient=recipient,
            status=Status.read(text_of(first(each, "request-status"))),
            calendar_data=_calendar_data(first(each, "calendar-data")),
            description=text_of(first(each, "response-description", "responsedescription")),
        )
        found.setdefault(address_key(recipient), response)
    return tuple(found.values())


def _calendar_data(element: Element | None) -> bytes | None:
    """XML makes LF of all line ends; iCalendar needs CRLF."""
    text = text_of(element)
    if not text or element is None:
        return None
    if (element.get("content-type") or CALENDAR).partition(";")[0].strip().lower() != CALENDAR:
        return None
    return (text.replace("\r\n", "\n").replace("\n", "\r\n") + "\r\n").encode()


def read_error(document: bytes) -> tuple[str, str] | None:
    """The element's name and the description of an ``error`` document, of whatever namespace; None if it is none."""
    try:
        root = parse(document)
    except Malformed:
        return None
    if local(root) != "error":
        return None
    codes = (local(each) for each in root if isinstance(each.tag, str))
    code = next((each for each in codes if each != "response-description"), "")
    return code, text_of(first(root, "response-description", "responsedescription"))


# -- writing ---------------------------------------------------------------------------------------------------------


def root(local_name: str) -> Element:
    """The root of a document."""
    return etree.Element(name(local_name), nsmap={None: NAMESPACE})  # type: ignore[dict-item] # None is the default namespace


def add(parent: Element, local_name: str, text: str = "", **attributes: str) -> Element:
    """Add an element with text; what XML cannot hold becomes U+FFFD."""
    element = etree.SubElement(
        parent, name(local_name), {key.replace("_", "-"): each for key, each in attributes.items()}
    )
    if text:
        element.text = _UNWRITABLE.sub("\ufffd", text)
    return element


def document(element: Element) -> bytes:
    """A whole document."""
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + etree.tostring(element, encoding="utf-8") + b"\n"


def schedule_response(responses: Iterable[Response]) -> bytes:
    """The answer to a delivery."""
    top = root("schedule-response")
    for each in responses:
        response = add(top, "response")
        add(response, "recipient", each.recipient)
        add(response, "request-status", str(each.status))
        if each.calendar_data is not None:
            text = each.calendar_data.decode("utf-8", "replace").replace("\r\n", "\n")
            add(response, "calendar-data", text, content_type=CALENDAR, version="2.0")
        if each.description:
            add(response, "response-description", each.description)
    return document(top)


def error(refused: RequestRefused) -> bytes:
    """The answer to a request that is refused."""
    top = root("error")
    if refused.element:
        add(top, refused.element)
    if refused.reason:
        add(top, "response-description", refused.reason)
    return document(top)
