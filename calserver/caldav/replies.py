"""Answers to invitations as they go to the node of the sharer, in whichever words a client has written them."""

from collections.abc import Sequence
from http import HTTPStatus

import attrs
from lxml import etree

from calserver import calendars
from calserver.caldav import davsharing, sharing
from calserver.dav import Href, Request, local, xml
from calserver.names import CS, D
from calserver.tree import HOME_SEGMENTS

Fields = Sequence[tuple[str, str]]


@attrs.frozen(slots=True, kw_only=True)
class InviteReply:
    """What a sharee answers."""

    uid: str
    """Of the invitation; as far as a client says it."""
    accepted: bool
    hosturl: str = ""
    """The calendar that is shared, as the client spells it."""
    address: str = ""
    summary: str = ""
    slug: str = ""
    """How it shall be called in the home."""
    of_draft: bool = False
    """Whether it was POSTed to the notification (draft-pot-webdav-resource-sharing section 5.5)."""

    def body(self) -> bytes:
        """As it is POSTed to a home (caldav-sharing section 5.4.1)."""
        root = etree.Element(CS("invite-reply"), nsmap={"CS": CS("")[1:-1], "D": "DAV:"})
        for name, text in ((D("href"), self.address), (CS("in-reply-to"), self.uid), (CS("summary"), self.summary)):
            if text:
                etree.SubElement(root, name).text = text
        etree.SubElement(root, CS("invite-accepted" if self.accepted else "invite-declined"))
        return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def invite_reply(request: Request) -> InviteReply | None:
    """The answer in a POST to a home, or to a notification in it; None for anything else.

    Raises:
        Refusal: it is malformed.
    """
    names = request.href.segments[HOME_SEGMENTS:]
    if not names:
        return _of_home(request)
    return _of_notification(request, names[1]) if len(names) == 2 and names[0] == calendars.NOTIFICATIONS else None


def _of_home(request: Request) -> InviteReply:
    answer = sharing.reply(request)
    root = xml.required_body(request, CS("invite-reply"))
    host = root.find(CS("hosturl"))
    return InviteReply(
        uid=answer.uid,
        accepted=answer.accepted,
        hosturl="" if host is None else sharing.text(host, D("href")),
        address=answer.address,
        summary=answer.summary,
    )


def _of_notification(request: Request, name: str) -> InviteReply | None:
    answer = davsharing.reply(request)
    home = Href(request.href.segments[:HOME_SEGMENTS], collection=True)
    if answer.create_in and local(request, answer.create_in) != home:
        return None
    return InviteReply(
        uid=name.removesuffix(".xml"), accepted=answer.accepted, summary=answer.comment, slug=answer.slug, of_draft=True
    )


def shared_as(request: Request, status: int, body: bytes) -> str:
    """The path of the shared calendar, as the node of the sharer has answered; empty where there is none."""
    if status != HTTPStatus.OK:
        return ""
    return xml.content(xml.parse(body, limits=request.limits).find(D("href"))).rstrip("/") + "/"


def reply_answer(reply: InviteReply, where: str, status: int, fields: Fields, body: bytes) -> tuple[int, Fields, bytes]:
    """What a client hears, in the words that it has chosen.

    Args:
        reply: of the client.
        where: the shared calendar is now; empty where it is nowhere.
        status: what the node of the sharer says.
        fields: the same.
        body: the same.
    """
    if not where or not reply.of_draft:
        return status, fields, body
    return HTTPStatus.CREATED, (("Location", where),), b""
