"""XML in and out: reading what clients send without risk, writing markup as escaped text, keeping properties verbatim.

Reading (RFC 4918 sections 8.2 and 20.6, RFC 7303): a body becomes one lxml element, or a refusal. Document types are
refused before any parser sees them, so there are no entities to expand and nothing to fetch; what is left is bounded
in bytes, elements, depth and length of names. Comments and processing instructions are dropped.

Writing: `Markup` is text that is XML already, everything else is escaped. Documents declare the prefixes of
`names.PREFIXES` at their root and have no default namespace, so any fragment fits anywhere.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import quoteattr

import attrs
from lxml import etree

from calserver.dav.errors import BadRequest, ContentTooLarge
from calserver.names import PREFIXES, D, split

if TYPE_CHECKING:
    from calserver.dav.message import Request

Element = etree._Element

LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
CONTENT_TYPE: Final = ("Content-Type", "application/xml; charset=utf-8")


# -- reading ---------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class Limits:
    """How much XML one request may bring."""

    size_bytes: int = 4 * 1024 * 1024
    elements: int = 50_000
    depth: int = 40
    name_characters: int = 512


ENCODINGS: Final = frozenset({"utf-8", "utf-16", "ascii", "iso8859-1", "iso8859-15", "cp1252"})
"""Python names of the encodings that are read; RFC 4918 section 8.2 asks for the first two."""

_SIGNS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARED: Final = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_PROLOG: Final = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_PARSER: Final = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    remove_comments=True,
    remove_pis=True,
    huge_tree=False,
)


def parse(body: bytes, *, charset: str | None = None, limits: Limits | None = None) -> Element:
    """The root element of a document.

    Args:
        body: the document.
        charset: what the media type says of its encoding; a byte order mark says more (RFC 7303 section 3).
        limits: what to refuse.

    Raises:
        BadRequest: it is not well-formed, has a document type, or is too deep.
        ContentTooLarge: it has too many bytes or elements.
    """
    limits = limits or Limits()
    if len(body) > limits.size_bytes:
        raise ContentTooLarge("the XML is larger than this server takes")
    text = _decode(body, charset)
    pieces = text.split("<")
    if len(pieces) > 3 * limits.elements:
        raise ContentTooLarge("the XML has more elements than this server takes")
    _refuse_document_type(text)
    try:
        root = etree.fromstring(text.encode("utf-8"), _PARSER)
    except (etree.XMLSyntaxError, UnicodeEncodeError):
        raise BadRequest("the body is not well-formed XML") from None
    if len(pieces) > limits.depth and _deeper(limits.depth)(root):
        raise BadRequest("the XML is nested too deeply")
    if len(pieces) > limits.elements and _more(limits.elements)(root):
        raise ContentTooLarge("the XML has more elements than this server takes")
    if max(map(len, pieces)) > limits.name_characters and _LONGEST(root, most=limits.name_characters):
        raise BadRequest("the XML has names that are too long")
    return root


def _decode(body: bytes, charset: str | None) -> str:
    encoding = next((name for start, name in _SIGNS if body.startswith(start)), "") or _named(body, charset)
    try:
        text = body.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise BadRequest("the XML is not in the encoding that it claims") from None
    if text.startswith("\ufeff"):  # the parser would read on behind it, and not see what we saw
        raise BadRequest("the body is not well-formed XML")
    return text


def _named(body: bytes, charset: str | None) -> str:
    declared = _DECLARED.match(body[:200])
    name = charset or (declared[1].decode("ascii") if declared else "utf-8")
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        encoding = ""
    if encoding not in ENCODINGS:
        raise BadRequest("the XML is in an encoding that is not read here; send UTF-8")
    # A declaration in ASCII bytes cannot be UTF-16: it is a lie, or something that was converted on the way.
    return "utf-8" if encoding == "utf-16" and not charset else encoding


def _refuse_document_type(text: str) -> None:
    """Refuse ``<!DOCTYPE`` before the root element; in text and CDATA the word is harmless."""
    if "<!DOCTYPE" not in text:
        return
    at = 0
    while skipped := _PROLOG.match(text, at):
        at = skipped.end()
    if text.startswith("<!DOCTYPE", at):
        raise BadRequest("XML with a document type is not read here")


@lru_cache(maxsize=16)
def _deeper(depth: int) -> etree.XPath:
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")


@lru_cache(maxsize=16)
def _more(elements: int) -> etree.XPath:
    return etree.XPath(f"count(//*) > {elements}")


_LONGEST: Final = etree.XPath(
    "boolean(//*[string-length(name()) > $most or string-length(namespace-uri()) > $most]"
    " | //@*[string-length(name()) > $most])"
)


def body(request: "Request") -> Element | None:
    """The root element of a request's body, None where it is empty. For `Request.parsed`."""
    if not request.body.strip():
        return None
    return parse(request.body, charset=request.charset, limits=request.limits)


def required_body(request: "Request", *roots: str) -> Element:
    """The root element of a request's body, which must be there and be one of `roots` where any are given."""
    root = request.parsed(body)
    if root is None or (roots and root.tag not in roots):
        raise BadRequest("the body is not the XML that this method takes")
    return root


def content(element: Element | None) -> str:
    """The text directly inside an element without white space around it; empty where there is no element."""
    return "" if element is None else (element.text or "").strip()


# -- writing ---------------------------------------------------------------------------------------------------------


class Markup(str):
    """Text that is XML content already and is not escaped again."""

    __slots__ = ()


class Whole(Markup):
    """A property with its own tags, where these need attributes."""

    __slots__ = ()


_SPECIAL: Final = re.compile("[&<>\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_HARMLESS: Final = bytes(
    each for each in range(256) if (each >= ord(" ") or each in b"\t\n\r") and each not in b"&<>\xed\xef"
)
"""Bytes of UTF-8 that stand for nothing special; with 0xed begin surrogates, with 0xef what is no character."""
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _replacement(match: re.Match[str]) -> str:
    return _ENTITIES.get(match[0], "\ufffd")


def escape(text: str) -> Markup:
    """Text as element content; characters that XML cannot hold become U+FFFD."""
    if type(text) is Markup:
        return text
    if not text.encode("utf-8", "surrogatepass").translate(None, _HARMLESS):  # a tenth of the time of the expression
        return Markup(text)
    return Markup(_SPECIAL.sub(_replacement, text))


def escaped(octets: bytes) -> str:
    """What `escape` makes of UTF-8."""
    return octets.decode() if not octets.translate(None, _HARMLESS) else escape(octets.decode())


def attribute(text: str) -> str:
    """Text as an attribute value with its quotes."""
    return quoteattr(
        _SPECIAL.sub(lambda match: match[0] if match[0] in _ENTITIES else "\ufffd", text),
        {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"},
    )


ROOT_NAMESPACES: Final = "".join(f' xmlns:{prefix}="{namespace}"' for namespace, prefix in PREFIXES.items())


@lru_cache(maxsize=4096)
def tags(name: str) -> tuple[str, str]:
    """What follows ``<`` and ``</`` in the tags of a Clark name in our documents."""
    namespace, local = split(name)
    if not namespace:
        return local, local
    if namespace in PREFIXES:
        qualified = f"{PREFIXES[namespace]}:{local}"
        return qualified, qualified
    return f"X:{local} xmlns:X={attribute(namespace)}", f"X:{local}"


def element(name: str, /, *content: str, **attributes: str) -> Markup:
    """An element with a Clark name; content that is not `Markup` is escaped, attributes always are."""
    start, end = tags(name)
    if attributes:
        start += "".join(f" {key}={attribute(value)}" for key, value in attributes.items())
    inside = "".join(map(escape, content))
    return Markup(f"<{start}>{inside}</{end}>" if inside else f"<{start}/>")


def href(uri: str) -> Markup:
    """A ``DAV:href`` (RFC 4918 section 14.7)."""
    return Markup(f"<D:href>{escape(uri)}</D:href>")


def join(parts: "Iterator[str] | list[str] | tuple[str, ...]") -> Markup:
    """Markup, one after the other."""
    return Markup("".join(map(escape, parts)))


def document(name: str, *content: str, attributes: Mapping[str, str] | None = None) -> bytes:
    """A whole document with its declaration, in UTF-8."""
    start, end = tags(name)
    start += ROOT_NAMESPACES + "".join(f" {key}={attribute(value)}" for key, value in (attributes or {}).items())
    return f'<?xml version="1.0" encoding="utf-8"?>\n<{start}>{join(content)}</{end}>\n'.encode()


# -- properties kept as they came ------------------------------------------------------------------------------------


def stored(element: Element) -> str:
    """An element as XML text that stands alone, with namespaces and the language in scope (RFC 4918 section 4.3)."""
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    language = _language(element)
    if language and element.get(LANG) is None:
        copy = etree.fromstring(text)
        copy.set(LANG, language)
        text = etree.tostring(copy, encoding="unicode")
    return text


def _language(element: Element) -> str | None:
    """The nearest ``xml:lang`` at or above an element."""
    at: Any = element
    while at is not None:
        if (language := at.get(LANG)) is not None:
            return str(language)
        at = at.getparent()
    return None


def restored(text: str) -> Element:
    """The element that `stored` wrote."""
    return etree.fromstring(text.encode("utf-8"), _PARSER)


def stored_text(text: str) -> str:
    """The character data inside an element that `stored` wrote, without that of its children."""
    return restored(text).text or ""


def error(*content: str) -> bytes:
    """A ``DAV:error`` document (RFC 4918 section 14.5)."""
    return document(D("error"), *content)
