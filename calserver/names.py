"""XML namespaces and Clark names, stated once.

A name is a Clark string, ``{namespace}local``: ``C("calendar-data")``. ``PREFIXES`` are the prefixes that every
document this server writes declares at its root.
"""

from typing import Final

DAV: Final = "DAV:"
CALDAV: Final = "urn:ietf:params:xml:ns:caldav"
CARDDAV: Final = "urn:ietf:params:xml:ns:carddav"
CALENDARSERVER: Final = "http://calendarserver.org/ns/"
APPLE_ICAL: Final = "http://apple.com/ns/ical/"
CYRUS: Final = "http://cyrusimap.org/ns/"
MOBILEME: Final = "http://me.com/_namespace/"
CALSERVER: Final = "urn:calserver:xml"

PREFIXES: Final = {
    DAV: "D",
    CALDAV: "C",
    CARDDAV: "A",
    CALENDARSERVER: "CS",
    APPLE_ICAL: "I",
    CYRUS: "CY",
}


def D(local: str) -> str:  # noqa: N802 - as RFC 4918 writes its prefix
    """Name in the ``DAV:`` namespace (RFC 4918)."""
    return f"{{{DAV}}}{local}"


def C(local: str) -> str:  # noqa: N802 - as RFC 4791 writes its prefix
    """Name in the CalDAV namespace (RFC 4791)."""
    return f"{{{CALDAV}}}{local}"


def CARD(local: str) -> str:  # noqa: N802 - as RFC 6352 writes its prefix
    """Name in the CardDAV namespace (RFC 6352)."""
    return f"{{{CARDDAV}}}{local}"


def CS(local: str) -> str:  # noqa: N802 - the customary prefix
    """Name in the namespace of Apple's extensions (caldav-ctag, caldav-proxy, caldav-sharing)."""
    return f"{{{CALENDARSERVER}}}{local}"


def ICAL(local: str) -> str:  # noqa: N802 - the customary prefix
    """Name in the namespace of Apple's calendar properties (calendar-color, calendar-order)."""
    return f"{{{APPLE_ICAL}}}{local}"


def CY(local: str) -> str:  # noqa: N802 - the customary prefix
    """Name in the namespace of Cyrus: privileges that are finer than those of RFC 3744."""
    return f"{{{CYRUS}}}{local}"


def split(name: str) -> tuple[str, str]:
    """Namespace and local part of a Clark name; the namespace is empty where there is none."""
    if name.startswith("{"):
        namespace, _, local = name[1:].partition("}")
        return namespace, local
    return "", name
