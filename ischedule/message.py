"""Scheduling messages: header fields, calendar user addresses, the media type; what comes in, what goes out.

    message = Message.compose(originator="mailto:anna@sender.example", recipients=("mailto:bo@receiver.example",),
                              component="VEVENT", method="REQUEST", body=calendar, message_id=str(uuid4()))
    message.fields                                      # what is signed, then sent
    Envelope.read(fields)                               # what a receiver makes of the fields, before it reads the body

Header fields are pairs of name and value in the order of the request, as HTTP delivered them, text in Latin-1. They
are kept raw beside what was read from them: the signature covers the octets, not the meaning.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import attrs

from ischedule.domains import a_labels, domain_of
from ischedule.errors import (
    InvalidCalendarDataType,
    OriginatorInvalid,
    OriginatorMissing,
    RecipientInvalid,
    RecipientMissing,
    Status,
    TooManyOriginators,
    VersionNotSupported,
)

Fields = tuple[tuple[str, str], ...]
"""Header fields: names and values."""

VERSION: Final = "1.0"
CALENDAR: Final = "text/calendar"
NO_CACHE: Final = ("Cache-Control", "no-cache, no-transform")

_VERSIONS: Final = re.compile(r"[0-9]+\.[0-9]+(?:[ \t]*,[ \t]*[0-9]+\.[0-9]+)*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_MESSAGE_ID: Final = re.compile(r"[\x21-\x7e]{1,255}")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x2b\x2d-\x7e]+")
_MEDIA_TYPE: Final = re.compile(r"\s*([\w!#$&^.+-]+/[\w!#$&^.+-]+)\s*", re.ASCII)
_PARAMETER: Final = re.compile(r';\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+)\s*', re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


def values_of(fields: Fields, name: str) -> tuple[str, ...]:
    """The values of all fields of a name, in their order."""
    name = name.lower()
    return tuple(value for each, value in fields if each.lower() == name)


# -- calendar user addresses -----------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """The form in which two calendar user addresses are the same if it is the same.

    A ``mailto`` URI is compared without its header fields (RFC 6068), percent-decoded, its domain as A-labels, its
    local part without regard to case, as all mail systems do. Other URIs differ in their scheme's case at most.
    """
    scheme, colon, rest = address.strip().partition(":")
    scheme = scheme.lower()
    if scheme != "mailto" or not colon:
        return f"{scheme}{colon}{rest}"
    local, at, domain = unquote(rest.partition("?")[0]).rpartition("@")
    try:
        domain = a_labels(domain)
    except ValueError:
        domain = domain.lower()
    return f"mailto:{local.lower()}{at}{domain}"


def split_addresses(values: Iterable[str]) -> tuple[str, ...]:
    """The addresses in all fields of a name, which are one list; each once, in its first spelling.

    A comma always divides: one inside of a ``mailto`` URI is to be written ``%2C``.
    """
    found: dict[str, str] = {}
    for value in values:
        for each in value.split(","):
            if address := each.strip():
                found.setdefault(address_key(address), address)
    return tuple(found.values())


# -- the media type --------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ContentType:
    """The media type of a body: ``component`` and ``method`` in upper case, empty where they are not given."""

    media_type: str = CALENDAR
    charset: str = "utf-8"
    component: str = ""
    method: str = ""

    @classmethod
    def read(cls, value: str) -> "ContentType":
        """Read a field, with parameters in any order, quoted or not; other parameters are ignored.

        Raises:
            InvalidCalendarDataType: it is no media type, or one with contradictory parameters.
        """
        if not (found := _MEDIA_TYPE.match(value)):
            raise InvalidCalendarDataType("The Content-Type is not a media type.")
        parameters: dict[str, str] = {}
        at = found.end()
        while parameter := _PARAMETER.match(value, at):
            name, text = parameter[1].lower(), parameter[2]
            if text.startswith('"'):
                text = re.sub(r"\\(.)", r"\1", text[1:-1])
            if parameters.setdefault(name, text) != text:
                raise InvalidCalendarDataType("The Content-Type has a parameter twice.")
            at = parameter.end()
        if value[at:].strip(" \t;"):
            raise InvalidCalendarDataType("The Content-Type has parameters that cannot be read.")
        return cls(
            media_type=found[1].lower(),
            charset=parameters.get("charset", "utf-8").lower(),
            component=parameters.get("component", "").upper(),
            method=parameters.get("method", "").upper(),
        )

    def __str__(self) -> str:
        """As it is sent."""
        named = (("charset", self.charset), ("component", self.component), ("method", self.method))
        return "".join([self.media_type, *(f"; {name}={value}" for name, value in named if value)])


# -- requests --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Envelope:
    """What the header fields of a scheduling request say: who wants to deliver what to whom."""

    originator: str
    originator_domain: str
    """Empty for an originator that is no mail address."""
    recipients: tuple[str, ...]
    content_type: ContentType
    message_id: str = ""
    fields: Fields = attrs.field(repr=False)

    @classmethod
    def read(cls, fields: Fields, *, any_originator: bool = False) -> "Envelope":
        """Read the fields of a request; the first that is wrong is told.

        Args:
            fields: all of them.
            any_originator: whether the originator may be called by another URI than a mail address.

        Raises:
            RequestRefused: one of `VersionNotSupported`, `InvalidCalendarDataType`, `OriginatorMissing`,
                `TooManyOriginators`, `OriginatorInvalid`, `RecipientMissing`, `RecipientInvalid`.
        """
        _check_version(values_of(fields, "iSchedule-Version"))
        content_type = _content_type(values_of(fields, "Content-Type"))
        originator, domain = _originator(values_of(fields, "Originator"), any_originator)
        recipients = values_of(fields, "Recipient")
        if any(_CONTROL.search(each.replace("\t", " ")) for each in recipients):
            raise RecipientInvalid("A Recipient has control characters in it.")
        addresses = split_addresses(recipients)
        if not addresses:
            raise RecipientMissing("There is no Recipient.")
        message_ids = values_of(fields, "iSchedule-Message-ID")
        usable = len(message_ids) == 1 and _MESSAGE_ID.fullmatch(message_ids[0].strip())
        return cls(
            originator=originator,
            originator_domain=domain,
            recipients=addresses,
            content_type=content_type,
            message_id=message_ids[0].strip() if usable else "",
            fields=fields,
        )


def _check_version(values: tuple[str, ...]) -> None:
    if len(values) != 1 or not _VERSIONS.fullmatch(values[0].strip()):
        raise VersionNotSupported("There must be one iSchedule-Version.")
    if VERSION not in (each.strip() for each in values[0].split(",")):
        raise VersionNotSupported(f"The version that is spoken here is {VERSION}.")


def _content_type(values: tuple[str, ...]) -> ContentType:
    if len(values) != 1:
        raise InvalidCalendarDataType("There must be one Content-Type.")
    found = ContentType.read(values[0])
    if found.charset not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise InvalidCalendarDataType("The charset must be utf-8.")
    return found


def _originator(values: tuple[str, ...], any_uri: bool) -> tuple[str, str]:
    given = [value.strip() for value in values if value.strip()]
    if not given:
        raise OriginatorMissing("There is no Originator.")
    if len(values) > 1 or "," in given[0]:
        raise TooManyOriginators("There must be one Originator.")
    try:
        if not _URI.fullmatch(given[0]):
            raise ValueError
        return given[0], domain_of(given[0])
    except ValueError:
        if any_uri and _URI.fullmatch(given[0]) and not given[0].lower().startswith("mailto:"):
            return given[0], ""
        raise OriginatorInvalid("The Originator must be a mailto URI with a domain.") from None


@attrs.frozen(kw_only=True)
class Message:
    """A scheduling request: the fields that its signature covers, and its body."""

    fields: Fields
    body: bytes = attrs.field(repr=False)

    @classmethod
    def compose(
        cls,
        *,
        originator: str,
        recipients: Sequence[str],
        component: str,
        method: str,
        body: bytes,
        message_id: str,
        user_agent: str = "",
    ) -> "Message":
        """A request to be signed and sent. All recipients stand in one field, which every peer canonicalizes alike.

        Raises:
            ValueError: an address is no URI of ASCII without blanks and commas, or another value is malformed.
        """
        for address in (originator, *recipients):
            if not _URI.fullmatch(address):
                raise ValueError(f"{address!r} cannot stand in a header field")
        if not recipients or not _MESSAGE_ID.fullmatch(message_id) or _CONTROL.search(user_agent):
            raise ValueError("a message needs recipients, and a Message-ID and a User-Agent without control characters")
        if not _WORD.fullmatch(component) or not _WORD.fullmatch(method):
            raise ValueError(f"{component!r} and {method!r} must be names")
        fields = [
            ("iSchedule-Version", VERSION),
            ("iSchedule-Message-ID", message_id),
            ("Originator", originator),
            ("Recipient", ",".join(recipients)),
            NO_CACHE,
            ("Content-Type", str(ContentType(component=component, method=method))),
        ]
        if user_agent:
            fields.append(("User-Agent", user_agent))
        return cls(fields=tuple(fields), body=body)

    def with_field(self, name: str, value: str) -> "Message":
        """The message with one field more."""
        return attrs.evolve(self, fields=(*self.fields, (name, value)))

    @property
    def recipients(self) -> tuple[str, ...]:
        """To whom it goes."""
        return split_addresses(values_of(self.fields, "Recipient"))


# -- responses -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Response:
    """What became of the message for one recipient, who is written as in the request."""

    recipient: str
    status: Status
    calendar_data: bytes | None = attrs.field(default=None, repr=False)
    """The answer to a question for free-busy time, with line ends CRLF."""
    description: str = ""
    """For the administrators at the other end."""
