"""What could not be delivered: delivery status notifications about our mail (RFC 3464)."""

import re
from typing import Final
from urllib.parse import unquote

import attrs

from calserver.scheduling.mail.compose import UID_FIELD
from calserver.scheduling.mail.incoming import Incoming, Part, Unreadable

_RETURNED: Final = frozenset({"text/rfc822-headers", "message/rfc822", "message/global-headers"})
_STATUS: Final = "message/delivery-status"
_ADDRESS: Final = re.compile(r"[^<>\s,@]+@[^<>\s,@]+")
_LONGEST: Final = 64 * 1024


@attrs.frozen(kw_only=True)
class Bounce:
    """A mail of ours that did not arrive.

    Attributes:
        uid: of what it was about.
        recipient: whom it was for: a mail address in lower case.
        detail: what the last server said.
    """

    uid: str
    recipient: str
    detail: str


def read_bounce(mail: Incoming) -> Bounce | None:
    """What a notification says; None where it is none, says that something is only late, or does not say of what.

    Raises:
        Unreadable: it is malformed.
    """
    report = next((each for each in mail.parts if each.media_type == _STATUS), None)
    returned = next((each for each in mail.parts if each.media_type in _RETURNED), None)
    if mail.media_type != "multipart/report" or report is None or returned is None:
        return None
    failed = [each for each in _recipients(report) if each.get("action", "").lower() == "failed"]
    if not failed:
        return None
    fields = _fields(returned)
    uid = unquote(re.sub(r"\s", "", fields.get(UID_FIELD.lower(), "")))
    recipient = _ADDRESS.search(fields.get("to", "").rpartition("<")[2])
    if not uid or recipient is None:
        return None
    detail = failed[0].get("diagnostic-code") or failed[0].get("status") or "not delivered"
    return Bounce(uid=uid, recipient=recipient[0].lower(), detail=detail)


def _recipients(report: Part) -> list[dict[str, str]]:
    """The fields about each recipient; the first group of fields is about the whole mail."""
    groups = re.split(r"\r?\n[ \t]*\r?\n", _text(report).strip())
    return [_named(each) for each in groups[1:]]


def _fields(returned: Part) -> dict[str, str]:
    return _named(re.split(r"\r?\n\r?\n", _text(returned).lstrip(), maxsplit=1)[0])


def _named(text: str) -> dict[str, str]:
    """Fields by name in lower case, the first of each."""
    found: dict[str, str] = {}
    for line in re.split(r"\r?\n(?![ \t])", text):
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), " ".join(value.split()))
    return found


def _text(part: Part) -> str:
    content = part.content()
    if len(content) > _LONGEST and part.media_type == _STATUS:
        raise Unreadable("a delivery report is too large")
    return content.decode("utf-8", "replace")
