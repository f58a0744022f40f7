"""How people share calendars in tests: invitations and answers as Apple's clients send them."""

from typing import Any

from dialogue import Answer, Dialogue

from calserver import calendars
from calserver.config import Calendars
from calserver.names import CS, D
from calserver.store import Principal, Transaction

NAMESPACES = 'xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"'
ANN = "calendars/user/ann/"
BOB = "calendars/user/bob/"
WORK = ANN + "Work/"


def provide(txn: Transaction, principal: Principal) -> None:
    calendars.provision(txn, principal, Calendars())


def invitation(*who: str, access: str = "read-write", summary: str = "Ann's work") -> str:
    """A ``CS:share`` that invites people by their addresses."""
    sets = "".join(
        f"<CS:set><D:href>{each}</D:href><CS:summary>{summary}</CS:summary><CS:{access}/></CS:set>" for each in who
    )
    return f"<CS:share {NAMESPACES}>{sets}</CS:share>"


def removal(*who: str) -> str:
    """A ``CS:share`` that takes invitations back."""
    removes = "".join(f"<CS:remove><D:href>{each}</D:href></CS:remove>" for each in who)
    return f"<CS:share {NAMESPACES}>{removes}</CS:share>"


def mail(uid: str) -> str:
    return f"mailto:{uid}@example.com"


def post(who: Dialogue, path: str, body: str, content_type: str = "application/xml; charset=utf-8") -> Answer:
    return who("POST", path, body, content_type=content_type)


def share(owner: Dialogue, *who: str, access: str = "read-write", path: str = WORK) -> None:
    """Invite people by their uids."""
    answer = post(owner, path, invitation(*map(mail, who), access=access))
    assert (answer.status, answer.body) == (200, b"")


def unshare(owner: Dialogue, *who: str, path: str = WORK) -> None:
    assert post(owner, path, removal(*map(mail, who))).status == 200


def notices(who: Dialogue) -> list[Any]:
    """The notifications of somebody, by the names of their resources."""
    listed = who.propfind(f"calendars/user/{who.actor.uid}/Notifications/", D("getetag"), depth="1")
    assert listed.status == 207
    found = []
    for href in sorted(listed.hrefs):
        if not href.endswith("/"):
            answer = who("GET", href.removeprefix("/dav/"))
            assert answer.status == 200
            found.append(answer.xml)
    return found


def notice(who: Dialogue, type: str = "invite-notification") -> Any:
    """The one notification of a type that somebody has."""
    (found,) = [each for each in notices(who) if each.find(CS(type)) is not None]
    return found.find(CS(type))


def answer_to(invite: Any, yes: bool = True, summary: str = "From Ann") -> str:
    """An ``CS:invite-reply`` to a notification."""
    return (
        f"<CS:invite-reply {NAMESPACES}><D:href>mailto:who@example.com</D:href>"
        f"<CS:invite-{'accepted' if yes else 'declined'}/>"
        f"<CS:hosturl><D:href>{invite.find(CS('hosturl')).findtext(D('href'))}</D:href></CS:hosturl>"
        f"<CS:in-reply-to>{invite.findtext(CS('uid'))}</CS:in-reply-to><CS:summary>{summary}</CS:summary>"
        "</CS:invite-reply>"
    )


def accept(who: Dialogue, summary: str = "From Ann") -> str:
    """Accept the one invitation that there is; returns the path of the shared calendar below the DAV root."""
    answer = post(who, f"calendars/user/{who.actor.uid}/", answer_to(notice(who), summary=summary))
    assert answer.status == 200
    assert answer.xml.tag == CS("shared-as")
    return str(answer.xml.findtext(D("href"))).removeprefix("/dav/") + "/"


def decline(who: Dialogue) -> None:
    assert post(who, f"calendars/user/{who.actor.uid}/", answer_to(notice(who), yes=False)).status == 204


def property_of(who: Dialogue, path: str, name: str) -> Any:
    """One property; None where it is not there."""
    answer = who.propfind(path, name)
    assert answer.status == 207, answer.body
    return answer.properties(f"/dav/{path}").get(name)


def types(who: Dialogue, path: str) -> list[str]:
    return [each.tag for each in property_of(who, path, D("resourcetype"))]


def sync(who: Dialogue, path: str, token: str = "", level: str = "1") -> Answer:
    """A sync-collection report."""
    body = (
        f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>'
        f"<D:sync-level>{level}</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    return who("REPORT", path, body, depth="0")


def token(answer: Answer) -> str:
    return str(answer.xml.findtext(D("sync-token")))
