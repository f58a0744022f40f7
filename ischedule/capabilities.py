"""What a receiver accepts: the document in which it says so, and how long a sender remembers it (draft section 9).

Reading is liberal, since a message is not to fail because this document is odd: unknown elements, another order,
missing and empty elements, numbers that are none - what is not known does not limit anything. Servers of Apple write
the serial number as ``version``, those of Cyrus leave ``max-recipients`` empty, those of the first drafts have other
names for everything.
"""

import re
from collections.abc import Iterable
from typing import Final
from zlib import crc32

import attrs

from ischedule.message import VERSION
from ischedule.xml import Element, Malformed, add, below, document, first, local, parse, root, text_of

USUAL_SECONDS: Final = 3600.0
LONGEST_SECONDS: Final = 86400.0
_UTC: Final = re.compile(r"\d{8}T\d{6}Z")
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)

Messages = tuple[tuple[str, tuple[str, ...]], ...]
"""Components with the methods that are accepted of them; every one where none is named."""


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a receiver accepts; None: it does not say."""

    serial: int | None = None
    """Changes with everything below; it is in the answer to every request as ``iSchedule-Capabilities``."""
    versions: tuple[str, ...] = (VERSION,)
    messages: Messages | None = None
    data_types: tuple[tuple[str, str], ...] = (("text/calendar", "2.0"),)
    inline_attachments: bool | None = None
    external_attachments: bool | None = None
    rscales: tuple[str, ...] | None = None
    max_content_length: int | None = None
    """Octets of a body."""
    min_date_time: str | None = None
    max_date_time: str | None = None
    max_instances: int | None = None
    max_recipients: int | None = None
    administrator: str = ""
    longest_question_days: int | None = 62
    """The longest range that is answered with free-busy time; the document says nothing about it."""

    def accepts(self, component: str, method: str) -> bool:
        """Whether messages of a method about components of a kind are accepted."""
        if self.messages is None:
            return True
        return any(name == component and (not methods or method in methods) for name, methods in self.messages)


UNKNOWN: Final = Capabilities()
"""Of a receiver that has no readable document."""


def write(capabilities: Capabilities) -> bytes:
    """The document, with everything that is known in the order of the draft."""
    top = root("query-result")
    into = add(top, "capabilities")
    add(into, "serial-number", str(capabilities.serial or 1))
    versions = add(into, "versions")
    for each in capabilities.versions:
        add(versions, "version", each)
    _write_formats(into, capabilities)
    for name in ("max-content-length", "min-date-time", "max-date-time", "max-instances", "max-recipients"):
        value = getattr(capabilities, name.replace("-", "_"))
        if value is not None:
            add(into, name, str(value))
    if capabilities.administrator:
        add(into, "administrator", capabilities.administrator)
    return document(top)


def numbered(capabilities: Capabilities) -> Capabilities:
    """The same with a serial number, if it has none: one that follows from everything else."""
    if capabilities.serial is not None:
        return capabilities
    return attrs.evolve(capabilities, serial=crc32(write(capabilities)) or 1)


def _write_formats(into: Element, capabilities: Capabilities) -> None:
    """What messages may be, and what may be in them."""
    messages = add(into, "scheduling-messages")
    for name, methods in capabilities.messages or ():
        component = add(messages, "component", name=name)
        for method in methods:
            add(component, "method", name=method)
    types = add(into, "calendar-data-types")
    for content_type, version in capabilities.data_types:
        add(types, "calendar-data-type", content_type=content_type, version=version)
    attachments = add(into, "attachments")
    if capabilities.inline_attachments:
        add(attachments, "inline")
    if capabilities.external_attachments:
        add(attachments, "external")
    rscales = add(into, "rscales")
    for each in capabilities.rscales or ():
        add(rscales, "rscale", each)


def read(content: bytes) -> Capabilities:
    """Read a peer's document.

    Raises:
        Malformed: it is not XML, or about something else.
    """
    top = parse(content)
    found = top if local(top) in ("capabilities", "capability-set") else first(top, "capabilities", "capability-set")
    if found is None:
        raise Malformed(f"there are no capabilities in the {local(top)}")
    if local(found) == "capability-set":
        return UNKNOWN
    attachments = first(found, "attachments")
    types = tuple(
        (each.get("content-type") or "text/calendar", each.get("version") or "2.0")
        for each in _inside(found, "calendar-data-types", "calendar-data-type")
    )
    rscales = tuple(text_of(each).upper() for each in _inside(found, "rscales", "rscale") if text_of(each))
    return Capabilities(
        serial=_number(first(found, "serial-number", "version")),
        versions=tuple(text for each in _inside(found, "versions", "version") if (text := text_of(each))) or (VERSION,),
        messages=_messages(found),
        data_types=types or UNKNOWN.data_types,
        inline_attachments=None if attachments is None else first(attachments, "inline") is not None,
        external_attachments=None if attachments is None else first(attachments, "external") is not None,
        rscales=rscales or None,
        max_content_length=_number(first(found, "max-content-length")),
        min_date_time=_instant(first(found, "min-date-time")),
        max_date_time=_instant(first(found, "max-date-time")),
        max_instances=_number(first(found, "max-instances")),
        max_recipients=_number(first(found, "max-recipients")),
        administrator=text_of(first(found, "administrator")),
    )


def _inside(element: Element, outer: str, inner: str) -> Iterable[Element]:
    container = first(element, outer)
    return () if container is None else below(container, inner)


def _messages(element: Element) -> Messages | None:
    found = []
    for component in _inside(element, "scheduling-messages", "component"):
        methods = (each.get("name", "").upper() for each in below(component, "method"))
        found.append((component.get("name", "").upper(), tuple(each for each in methods if each)))
    return tuple(found) or None


def _number(element: Element | None) -> int | None:
    text = text_of(element)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0 else None


def _instant(element: Element | None) -> str | None:
    text = text_of(element)
    return text if _UTC.fullmatch(text) else None


# -- remembering -----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Known:
    """A document that was fetched: it need not be fetched again before `until`, in seconds since 1970."""

    capabilities: Capabilities
    until: float
    etag: str = ""
    url: str
    """Where the service is, if it has moved for good."""


class CapabilitiesCache:
    """What is known of receivers, by the URL of the service. Whoever calls brings the time."""

    def __init__(self, *, size: int = 10_000) -> None:
        self._size = size
        self._known: dict[str, Known] = {}

    def known(self, url: str) -> Known | None:
        """What was fetched last, old as it may be."""
        return self._known.get(url)

    def fresh(self, url: str, now: float) -> Known | None:
        """What is known and need not be fetched again."""
        found = self._known.get(url)
        return found if found and found.until > now else None

    def keep(
        self, url: str, found: Capabilities, *, now: float, cache_control: str = "", etag: str = "", moved: str = ""
    ) -> None:
        """Remember a document for as long as its ``Cache-Control`` says, an hour if it says nothing, a day at most.

        Args:
            url: of the service, as it was discovered.
            found: what the document says.
            now: seconds since 1970.
            cache_control: of the answer.
            etag: of the answer.
            moved: where permanent redirects have led.
        """
        age = _MAX_AGE.search(cache_control)
        seconds = min(float(age[1]), LONGEST_SECONDS) if age else USUAL_SECONDS
        self._known.pop(url, None)
        self._known[url] = Known(capabilities=found, until=now + seconds, etag=etag, url=moved or url)
        while len(self._known) > self._size:
            del self._known[next(iter(self._known))]

    def notice(self, url: str, serial: str | None) -> bool:
        """A receiver has answered with a serial number: forget its document if it is of another one."""
        found = self._known.get(url)
        text = (serial or "").strip()
        if found is None or not text or text == str(found.capabilities.serial):
            return False
        del self._known[url]
        return True

    def forget(self, url: str) -> None:
        """Fetch it anew next time."""
        self._known.pop(url, None)
