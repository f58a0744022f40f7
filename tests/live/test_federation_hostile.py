"""What other servers should not send, to a real one: the right refusal, and nothing changed in the store (threats)."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import attrs
import pytest
from certificates import Authority
from diaries import status
from hostile import DEADLINE_SECONDS
from hostile_calendars import BOMBS, TEXTS, Poison
from hostile_letters import HOSTILE, RECORDS, Case, Forger
from letters import ANNA, BO, CY, event, letter, question, record, signed
from nameservers import zone
from organizations import Internet, Organization, until

from ischedule import xml
from ischedule.message import Message

EVE = "mailto:eve@other.example"
LIMITS = Forger(body_bytes=1024 * 1024, recipients=100)
BOOKKEEPING = frozenset({"peer", "journal"})
"""Tables that tell what was asked; what people have is in the others."""


def strings(text: str) -> str:
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


def published(origin: str, **records: str) -> str:
    """A zone with keys; one of them leads to where nobody answers."""
    lines = [f"{selector}._domainkey TXT {strings(text)}" for selector, text in records.items()]
    return zone(origin, *lines, "lost._domainkey CNAME lost.nowhere.test.")


@pytest.fixture(scope="module")
def here(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organization]:
    """``receiver.example``; Anna has invited Bo and Cy, and Cy has invited Bo and Anna."""
    folder = tmp_path_factory.mktemp("internet")
    made = Organization(folder, "receiver.example", Authority(), ("bo", "cy", "dee"))
    zones = {
        "sender.example": published("sender.example", **RECORDS),
        "other.example": published("other.example", cal1=record()),
    }
    with Internet(program("nsd"), folder, [made], zones):
        assert statuses(post(made, letter(event(uid="theirs")))) == ["2.0", "2.0"]
        assert made.invite("ours", "cy", [BO, ANNA]).status == 201
        until(lambda: status(made.text("cy", "ours"), ANNA)["SCHEDULE-STATUS"] == "5.2", "nobody answers for Anna")
        yield made
        assert "Traceback" not in made.log.read_text(encoding="utf-8")


def post(here: Organization, message: Message, *, domain: str = "sender.example") -> bytes:
    """Sign a message and have it taken; returns the answer."""
    message = signed(message, domain=domain, now=time.time())
    answer = here.post(message.fields, message.body)
    assert answer.status == 200, answer
    return answer.body


def statuses(answer: bytes) -> list[str]:
    return [each.status.code for each in xml.read_schedule_response(answer)]


def stored(here: Organization, without: frozenset[str] = frozenset()) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the store, by table."""
    with closing(sqlite3.connect(f"file:{here.folder}/calserver.sqlite?mode=ro", uri=True)) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {each: database.execute(f'SELECT * FROM "{each}"').fetchall() for each in {*names} - without}


@pytest.mark.parametrize("case", HOSTILE, ids=[each.what for each in HOSTILE])
def test_what_is_refused_leaves_no_trace(here: Organization, case: Case) -> None:
    before = stored(here)
    message = case.message(attrs.evolve(LIMITS, now=time.time()))
    answer = here.post(message.fields, message.body)
    found = xml.read_error(answer.body)
    assert (answer.status, found and found[0]) == (case.status, case.element)
    assert ("retry-after" in answer.headers) == (case.status == 503)
    assert stored(here) == before


# -- rightly signed, and a lie -------------------------------------------------------------------------------------


class Lie(NamedTuple):
    """What a server says that signs for its own domain only, and what it is told: an element, or a status for each."""

    what: str
    message: Message
    told: str | list[str]
    domain: str = "other.example"


def by_eve(method: str = "REQUEST", *lines: str, to: tuple[str, ...] = (BO,), **how: Any) -> Message:
    """Eve is the organizer, and the originator."""
    body = event(*lines, method=method, organizer=EVE, **{"attendees": to, **how})
    return letter(body, originator=EVE, recipients=to, method=method)


def by_anna(method: str = "REQUEST", *lines: str, to: tuple[str, ...] = (BO,), **how: Any) -> Message:
    """Anna is the originator; the organizer, too, unless given."""
    body = event(*lines, method=method, **{"attendees": to, **how})
    return letter(body, recipients=to, method=method)


def answer(by: str, *attendees: str, uid: str = "ours", organizer: str = CY, method: str = "REPLY") -> Message:
    """A reply of somebody, about attendees."""
    body = event("SEQUENCE:0", method=method, organizer=organizer, attendees=attendees, uid=uid)
    body = body.replace(b"NEEDS-ACTION", b"ACCEPTED")
    return letter(body, originator=by, recipients=(organizer,), method=method)


def asked(by: str, organizer: str, *attendees: str) -> Message:
    """A question for free-busy time."""
    body = question(attendees=attendees).replace(ANNA.encode(), organizer.encode())
    return letter(body, originator=by, recipients=attendees, component="VFREEBUSY")


def asked_from(start: str) -> Message:
    """A question of Eve with another start."""
    body = question().replace(ANNA.encode(), EVE.encode()).replace(b"DTSTART:20260201T000000Z", start.encode())
    return letter(body, originator=EVE, recipients=(BO,), component="VFREEBUSY")


RULES, DENIED, DATA = "invalid-scheduling-message", "originator-denied", "invalid-calendar-data"
LATER = ("SEQUENCE:9",)
SENDER = "sender.example"
LIES = [
    # a meeting whose organizer is elsewhere
    Lie("cancelled by another organizer", by_eve("CANCEL", *LATER, uid="theirs"), ["3.8"]),
    Lie("taken over", by_eve("REQUEST", *LATER, uid="theirs"), ["3.8"]),
    Lie("added to by another organizer", by_eve("ADD", *LATER, uid="theirs", start="20260301T100000Z"), ["3.8"]),
    Lie(
        "cancelled in the name of its organizer, by somebody else",
        letter(event(*LATER, method="CANCEL", uid="theirs"), originator=EVE, method="CANCEL"),
        RULES,
    ),
    Lie("signed for its organizer by another domain", by_anna("CANCEL", *LATER, uid="theirs"), DENIED),
    Lie(
        "an organizer for each component",
        by_eve(
            "REQUEST",
            "END:VEVENT",
            "BEGIN:VEVENT",
            "UID:theirs",
            "DTSTAMP:20260102T000000Z",
            "RECURRENCE-ID:20260201T100000Z",
            "DTSTART:20260201T120000Z",
            f"ORGANIZER:{ANNA}",
            f"ATTENDEE:{BO}",
            uid="theirs",
        ),
        RULES,
    ),
    Lie("two organizers in one component", by_eve("REQUEST", f"ORGANIZER:{ANNA}", uid="new"), RULES),
    # a meeting whose organizer is here
    Lie("our meeting taken over", by_anna("REQUEST", *LATER, uid="ours"), ["3.8"], SENDER),
    Lie("our meeting cancelled", by_anna("CANCEL", *LATER, uid="ours"), ["3.8"], SENDER),
    Lie("our organizer is told of a new one", by_anna("REQUEST", *LATER, uid="ours", to=(CY,)), ["3.8"], SENDER),
    Lie(
        "an organizer of ours",
        by_anna("REQUEST", *LATER, uid="ours", organizer=CY),
        RULES,
        SENDER,
    ),
    Lie("an organizer of ours, cancelling", by_anna("CANCEL", *LATER, uid="ours", organizer=CY), RULES, SENDER),
    Lie("one of ours for an originator", letter(event(organizer=CY), originator=CY), DENIED),
    Lie(
        "one of ours, spelled otherwise",
        letter(event(organizer="MAILTO:c%79@Receiver.Example"), originator="MAILTO:c%79@Receiver.Example"),
        DENIED,
    ),
    # answers
    Lie("an answer of somebody who is not invited", answer(EVE, EVE), ["2.0"]),
    Lie("an answer for somebody else, elsewhere", answer(EVE, ANNA), RULES),
    Lie("an answer for somebody else, here", answer(EVE, BO), RULES),
    Lie("an answer of one of ours", answer(BO, BO), DENIED),
    Lie("an answer for two", answer(ANNA, ANNA, BO), RULES, SENDER),
    Lie("an answer that another domain has signed", answer(ANNA, ANNA), DENIED),
    Lie("an answer to what is not here", answer(ANNA, ANNA, uid="unknown"), ["3.7"], SENDER),
    Lie("an answer to who is not the organizer", answer(ANNA, ANNA, uid="theirs", organizer=BO), ["3.8"], SENDER),
    Lie("an answer to another organizer of ours", answer(ANNA, ANNA, organizer=BO), ["3.8"], SENDER),
    Lie("a wish to be told, of somebody who is not invited", answer(EVE, EVE, method="REFRESH"), ["3.7"]),
    Lie("a wish to be told for somebody else", answer(EVE, ANNA, method="REFRESH"), RULES),
    Lie("a proposal of somebody who is not invited", answer(EVE, EVE, method="COUNTER"), ["3.8"]),
    Lie("a proposal in the name of somebody else", answer(EVE, ANNA, method="COUNTER"), RULES),
    # invitations
    Lie("an invitation of somebody who is not listed", by_eve(to=(CY,), attendees=(BO,)), RULES),
    Lie("an invitation of nobody", by_eve(to=("mailto:nobody@receiver.example",)), ["3.7"]),
    Lie("an invitation of somebody elsewhere", by_eve(to=("mailto:x@west.example",)), ["3.7"]),
    Lie("without end", by_eve("REQUEST", "RRULE:FREQ=SECONDLY", uid="seconds"), "max-instances"),
    Lie("with a broken rule", by_eve("REQUEST", "RRULE:FREQ=SOMETIMES", uid="rule"), DATA),
    Lie("ends before it begins", by_eve("REQUEST", "DTEND:20250101T000000Z", uid="end"), DATA),
    Lie("a zone that is not there", by_eve("REQUEST", "EXDATE;TZID=Nowhere:20260201T100000", uid="zone"), RULES),
    # free-busy time
    Lie("a question in the name of somebody else", asked(EVE, ANNA, BO), RULES),
    Lie("a question in the name of one of ours", asked(CY, CY, BO), DENIED),
    Lie("a question from a day", asked_from("DTSTART;VALUE=DATE:20260201T000000Z"), DATA),
    Lie("a question from a second that there is not", asked_from("DTSTART:20260201T000061Z"), DATA),
    Lie("a question about nobody", asked(EVE, EVE, "mailto:nobody@receiver.example"), ["3.7"]),
]


@pytest.mark.parametrize("lie", LIES, ids=[each.what for each in LIES])
def test_what_is_rightly_signed_and_a_lie_changes_nothing(here: Organization, lie: Lie) -> None:
    before = stored(here, BOOKKEEPING)
    message = signed(lie.message, domain=lie.domain, now=time.time())
    found = here.post(message.fields, message.body)
    error = xml.read_error(found.body)
    assert (error[0] if error else statuses(found.body)) == lie.told
    assert stored(here, BOOKKEEPING) == before


@pytest.mark.parametrize(
    ("recipient", "attendee"), [(BO, "mailto:b%6F@Receiver.example"), ("MAILTO:b%6F@receiver.example", BO)]
)
def test_who_is_asked_about_may_be_spelled_in_two_ways(here: Organization, recipient: str, attendee: str) -> None:
    message = letter(question(attendees=(attendee,)), recipients=(recipient,), component="VFREEBUSY")
    (found,) = xml.read_schedule_response(post(here, message))
    assert (found.recipient, found.status.code) == (recipient, "2.0")
    assert attendee.encode() in (found.calendar_data or b"")


def test_who_is_invited_may_be_spelled_in_two_ways(here: Organization) -> None:
    body = event(uid="spelled", attendees=("mailto:b%6F@Receiver.example",))
    assert statuses(post(here, letter(body, recipients=(BO,)))) == ["2.0"]
    assert here.text("bo", "spelled")
    assert statuses(
        post(here, letter(event(uid="spelled2", attendees=(BO,)), recipients=("mailto:%62o@receiver.example",)))
    ) == ["2.0"]
    assert here.text("bo", "spelled2")


def test_an_answer_says_nothing_but_who_comes(here: Organization) -> None:
    """What else stands in it - another time or place, a number - is not the attendee's business."""
    body = event(
        "LOCATION:Elsewhere",
        "SEQUENCE:9",
        method="REPLY",
        organizer=CY,
        attendees=(ANNA,),
        uid="ours",
        start="20990105T120000Z",
    ).replace(b"NEEDS-ACTION", b"DECLINED")
    before = here.text("cy", "ours")
    assert statuses(post(here, letter(body, recipients=(CY,), method="REPLY"))) == ["2.0"]
    after = here.text("cy", "ours")
    assert status(after, ANNA)["PARTSTAT"] == "DECLINED"

    def others(text: str) -> list[str]:
        return [each for each in text.splitlines() if ANNA not in each and not each.startswith("DTSTAMP")]

    assert others(after) == others(before)
    until(lambda: not stored(here)["task"], "the others are told")


# -- again ---------------------------------------------------------------------------------------------------------


def test_a_replay_undoes_nothing(here: Organization) -> None:
    """It has the answer that was given; and if nobody remembers that, it is an old message that changes nothing."""
    sent = [
        signed(letter(event(f"SEQUENCE:{number}", method=method, uid="again", attendees=(BO,)), **how), now=time.time())
        for number, method in enumerate(("REQUEST", "CANCEL", "REQUEST"))
        for how in [{"method": method, "recipients": (BO,), "message_id": f"again-{number}"}]
    ]
    answers = [here.post(each.fields, each.body) for each in sent]
    assert [statuses(each.body) for each in answers] == [["2.0"]] * 3
    text = here.text("bo", "again")
    assert "STATUS:CANCELLED" not in text
    before = stored(here)
    for message, answer in zip(sent, answers, strict=True):
        assert here.post(message.fields, message.body).body == answer.body
    assert stored(here) == before
    here.stop()
    here.start()
    before = stored(here, BOOKKEEPING)
    for message in sent:
        assert statuses(here.post(message.fields, message.body).body) == ["2.0"]
        now = stored(here, BOOKKEEPING)
        assert {name: {*rows} ^ {*before[name]} for name, rows in now.items() if rows != before[name]} == {}
    assert here.text("bo", "again") == text


# -- too much ------------------------------------------------------------------------------------------------------


def test_more_than_is_read(here: Organization) -> None:
    before = stored(here)
    message = signed(now=time.time())
    large = here.post((*message.fields, ("Content-Length", str(10**9))), b"")
    assert large.status == 413
    many = [("Recipient", f"mailto:u{number}@receiver.example") for number in range(1000)]
    assert here.post((*message.fields, *many), message.body).status in (400, 431)
    assert stored(here) == before
    assert statuses(post(here, letter(event(uid="after that")))) == ["2.0", "2.0"]


def invitation(poison: Poison) -> Message:
    """What a client cannot store, or only just, as another server's invitation."""
    people = b"".join(b"%s:%s\r\n" % pair for pair in ((b"ORGANIZER", ANNA.encode()), (b"ATTENDEE", BO.encode())))
    body = poison.body.replace(b"BEGIN:VEVENT\r\n", b"BEGIN:VEVENT\r\n" + people)
    body = body.replace(b"UID:new\r\n", b"UID:%s\r\n" % poison.name.encode())
    return letter(body.replace(b"VERSION:2.0", b"METHOD:REQUEST\r\nVERSION:2.0", 1), recipients=(BO,))


POISONS = [each for each in (*BOMBS, *TEXTS) if each.media_type.startswith("text/calendar")]


@pytest.mark.parametrize("poison", POISONS, ids=[each.name for each in POISONS])
def test_what_costs_much_is_refused_like_that_of_clients(here: Organization, poison: Poison) -> None:
    before = stored(here)
    message = signed(invitation(poison), now=time.time())
    began = time.monotonic()
    answer = here.post(message.fields, message.body)
    assert time.monotonic() - began < DEADLINE_SECONDS
    error = xml.read_error(answer.body)
    if poison.condition or error:
        assert error is not None
        assert answer.status in (400, 403)
        assert stored(here) == before
    else:
        assert statuses(answer.body) == ["2.0"]
        assert stored(here) != before


@pytest.mark.parametrize("limit", ["address_rate", "domain_rate"])
def test_more_often_than_is_taken(here: Organization, limit: str) -> None:
    """By an address, and by a domain: what is forged in its name costs it nothing."""
    here.stop()
    here.set(**{f"ischedule__{limit}": 0.01})
    here.start()
    try:
        forged = letter(event(uid="often"))
        if limit == "domain_rate":
            assert [here.post(forged.fields, forged.body).status for _ in range(3)] == [403] * 3
        sent = [signed(letter(message_id=f"often-{number}"), now=time.time()) for number in range(2)]
        first, second = (here.post(each.fields, each.body) for each in sent)
        assert (first.status, second.status) == (200, 429)
        assert int(second.headers["retry-after"]) > 60
    finally:
        here.stop()
        here.set(**{f"ischedule__{limit}": 1000.0})
        here.start()
