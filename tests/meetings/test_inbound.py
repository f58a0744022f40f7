"""Messages from elsewhere: what is taken in which manner, and that a repetition does nothing."""

from typing import Any

import pytest
from office import Office, meeting

from calserver import meetings
from calserver.config import Ischedule, Peer
from calserver.itip import Message
from calserver.meetings import Policy
from calserver.scheduling.manners import Manners, trust
from calserver.store import Transaction

ZOE = "mailto:zoe@there.example"
BOB = "mailto:bob@example.com"


def message(method: str = "REQUEST", uid: str = "m", lines: tuple[str, ...] = ()) -> Message:
    content = meeting(uid, ZOE, BOB, lines=lines)
    content = content.replace(b"VERSION:2.0\r\n", f"VERSION:2.0\r\nMETHOD:{method}\r\n".encode())
    return Message.received(content, ZOE, (BOB,))


def arrives(office: Office, found: Message, **rules: Any) -> str:
    """The status that a message gets."""
    settings = office.server.settings
    policy = Policy(calendars=settings.calendars, scheduling=settings.scheduling, prefix="/dav/")
    manners = Manners(Ischedule(**rules))

    def receive(txn: Transaction) -> str:
        manner = manners.invitations(txn, "there.example", ZOE)
        return meetings.receive(txn, policy, found, manner=manner)[BOB]

    status: str = office.write(receive)
    return status


def knows(office: Office) -> None:
    office.write(lambda txn: txn.peers.meet(office.principal(txn, "bob").id, ZOE))


def test_usually_an_invitation_is_delivered(office: Office) -> None:
    assert arrives(office, message()) == "1.2"
    assert office.copy("bob", "m") is not None
    assert office.inbox("bob", "m") == ["REQUEST"]


@pytest.mark.parametrize(("rule", "status", "inbox"), [("inbox", "1.2", ["REQUEST"]), ("refuse", "3.8", [])])
def test_strangers_may_be_kept_out_of_calendars(office: Office, rule: str, status: str, inbox: list[str]) -> None:
    assert arrives(office, message(), strangers=rule) == status
    assert office.copy("bob", "m") is None
    assert office.inbox("bob", "m") == inbox


def test_whom_one_has_written_to_is_no_stranger(office: Office) -> None:
    knows(office)
    assert arrives(office, message(), strangers="refuse") == "1.2"
    assert office.copy("bob", "m") is not None


def test_a_domain_may_have_rules_of_its_own(office: Office) -> None:
    peers = {"there.example": Peer(invitations="refuse")}
    knows(office)
    assert arrives(office, message(), peers=peers) == "3.8"
    assert arrives(office, message(), strangers="refuse", peers={"example": Peer(invitations="deliver")}) == "1.2"


def test_what_one_has_is_changed_and_cancelled_by_its_organizer_whatever_the_rule(office: Office) -> None:
    assert arrives(office, message()) == "1.2"
    changed = message(lines=("SUMMARY:Other", "SEQUENCE:1"))
    assert arrives(office, changed, strangers="refuse") == "1.2"
    copy = office.copy("bob", "m")
    assert copy is not None
    assert b"SUMMARY:Other" in copy.text
    assert arrives(office, message("CANCEL", lines=("SEQUENCE:2", "STATUS:CANCELLED")), strangers="refuse") == "1.2"


def test_a_repetition_does_nothing(office: Office) -> None:
    for _ in range(3):
        assert arrives(office, message()) == "1.2"
    assert office.inbox("bob", "m") == ["REQUEST"]
    tag = office.tag("bob", "m")
    assert arrives(office, message()) == "1.2"
    assert office.tag("bob", "m") == tag


def test_what_the_nearest_domain_above_says_counts() -> None:
    manners = Manners(Ischedule(peers={"example": Peer(free_busy="none"), "a.example": Peer(free_busy="types")}))
    assert manners.told("b.a.example") == "types"
    assert manners.told("c.example") == "none"
    assert manners.told("elsewhere.test") == "busy"
    assert manners.told("xa.example") == "none"


def test_trust_is_what_the_configuration_says() -> None:
    found = trust(Ischedule(allow=("a.example",), deny=("x.a.example",), peers={"a.example": Peer(pinned=True)}))
    assert found.welcomes("b.a.example")
    assert not found.welcomes("x.a.example")
    assert not found.welcomes("b.example")
    assert found.peer("a.example").pinned
    assert trust(Ischedule()).welcomes("anybody.example")


@pytest.mark.parametrize(
    ("who", "status", "inbox"), [(ZOE, "1.2", ["COUNTER"]), ("mailto:eve@there.example", "3.8", [])]
)
def test_a_proposal_to_meet_otherwise_goes_into_the_organizers_inbox(
    office: Office, who: str, status: str, inbox: list[str]
) -> None:
    """The meeting stays, and the journal knows what became of it (RFC 5546 section 3.2.7)."""
    office.put("bob", meeting("m", "bob", ZOE))
    before = office.copy("bob", "m"), office.tag("bob", "m")
    content = meeting("m", "bob", who, lines=("COMMENT:later?",)).replace(b"T090000Z", b"T150000Z")
    proposal = Message.received(content.replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:COUNTER\r\n"), who, (BOB,))
    for _ in range(2):
        assert arrives(office, proposal) == status
    assert office.inbox("bob", "m") == inbox
    assert (office.copy("bob", "m"), office.tag("bob", "m")) == before
    first, again = office.store.read_now(lambda txn: txn.journal.about("m"))[-2:]
    assert (first.method, first.status) == ("COUNTER", status)
    assert (first.outcome, again.outcome) == (
        ("put into the Inbox, for its owner to decide", "nothing new") if inbox else ("does not fit the copy",) * 2
    )
