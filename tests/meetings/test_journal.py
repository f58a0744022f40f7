"""The journal: who was sent what, and why it came to its status."""

from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest
from office import Office

from calserver import meetings
from calserver.config import Scheduling
from calserver.store import Transaction

Told = tuple[str, str, str, str, str, str]


def told(office: Office, uid: str) -> list[Told]:
    """Method, originator, recipient, status, reason and outcome of each entry."""
    found = office.store.read_now(lambda txn: txn.journal.about(uid))
    return [
        (each.method, each.originator[7:10], who[7:].partition("@")[0], each.status, each.reason, each.outcome)
        for each in found
        for who in each.recipients
    ]


def test_invitations_and_answers_are_written_down(office: Office) -> None:
    office.invite("m", "ann", "bob", "hall", "nobody")
    assert sorted(told(office, "m")) == [
        ("REPLY", "hal", "ann", "1.2", "answered", "changed the copy"),
        ("REQUEST", "ann", "bob", "1.2", "invited", "made a copy"),
        ("REQUEST", "ann", "bob", "1.2", "others answered", "changed the copy"),
        ("REQUEST", "ann", "hall", "1.2", "invited", "made a copy, answered by itself"),
        ("REQUEST", "ann", "hall", "1.2", "others answered", "nothing new"),
        ("REQUEST", "ann", "nobody", "3.7", "invited", "nobody has this address"),
    ]


def test_somebody_elsewhere_without_a_way(office: Office) -> None:
    office.invite("m", "ann", "mailto:far@example.net")
    assert told(office, "m") == [("REQUEST", "ann", "far", "5.2", "invited", "there is no way to another server")]


def test_why_somebody_gets_nothing(office: Office) -> None:
    def prepare(txn: Transaction) -> None:
        txn.principals.update(attrs.evolve(office.principal(txn, "bob"), scheduling=False))

    office.write(prepare)
    office.invite("m", "ann", "bob", "team")
    assert told(office, "m") == [
        ("REQUEST", "ann", "bob", "5.3", "invited", "does not take part in scheduling"),
        ("REQUEST", "ann", "team", "2.7", "invited", "a group, its members get it"),
    ]


def test_what_tells_others_says_so(office: Office) -> None:
    office.invite("m", "ann", "bob", "cyd")
    office.replies("bob", "m", "ACCEPTED")
    office.work()
    assert told(office, "m")[2:] == [
        ("REPLY", "bob", "ann", "1.2", "answered", "changed the copy"),
        ("REQUEST", "ann", "bob", "1.2", "others answered", "nothing new"),
        ("REQUEST", "ann", "cyd", "1.2", "others answered", "changed the copy"),
    ]


def test_what_is_refused_was_not_sent(office: Office) -> None:
    office.invite("m", "ann", "bob")
    before = told(office, "m")
    assert office.by("bob")("PUT", office.path("bob", "m"), b"nonsense", content_type="text/calendar").status == 403
    assert told(office, "m") == before


def test_a_site_may_want_no_journal(office_with: Callable[..., Office]) -> None:
    office = office_with(journal_days=0.0)
    office.invite("m", "ann", "bob")
    assert told(office, "m") == []


def test_those_with_whom_it_goes_alike_share_an_entry(office: Office) -> None:
    office.invite("m", "ann", "bob", "cyd", "dan", "nobody")
    found = office.store.read_now(lambda txn: txn.journal.about("m"))
    assert sorted((each.status, len(each.recipients)) for each in found) == [("1.2", 3), ("3.7", 1)]


@pytest.mark.parametrize(("days", "left"), [(1.0, 0), (3.0, 1), (0.0, 0)])
def test_the_journal_forgets(office: Office, days: float, left: int) -> None:
    def later(txn: Transaction) -> None:
        entry = txn.journal.about("m")[0]
        txn.journal.purge(txn.now + timedelta(days=1), 100)
        txn.journal.add([attrs.evolve(entry, at=txn.now - timedelta(days=2))])
        meetings.forget(txn, Scheduling(journal_days=days))

    office.invite("m", "ann", "bob")
    office.write(later)
    assert len(told(office, "m")) == left


@pytest.mark.parametrize(("days", "left"), [(0.0, 1), (1.0, 1), (-1.0, 0)])
def test_messages_do_not_lie_in_inboxes_for_ever(office: Office, days: float, left: int) -> None:
    """They were processed when they came; many clients never remove them."""
    office.invite("m", "ann", "bob")
    settings = attrs.evolve(Scheduling(), inbox_days=abs(days))
    now = timedelta(days=2 if days < 0 else 0)

    def later(txn: Transaction) -> int:
        txn.now += now
        return meetings.empty_inboxes(txn, settings)

    assert office.write(later) == 1 - left
    assert len(office.inbox("bob", "m")) == left
    assert office.answer("bob", "m", "bob") == "NEEDS-ACTION", "the meeting stays"
