"""The receiver over real sockets: what it takes, and one table of all that it does not (RFC 5546, the draft).

Each hostile message is as good as it can be but for one thing. What is expected is the status of HTTP, the element of
the error, whether a key was asked for - before the checks of the signature nothing may be - and that nothing was
delivered.
"""

from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from typing import Any

import attrs
import pytest
import pytest_twisted
from hostile_letters import FAILED, HOSTILE, INLINE, RECORDS, Case, Forger
from houses import PLACE, UNLIMITED, House, posted, published
from letters import ANNA, BO, CY, NOW, changed, event, letter, question, record, signed
from lxml import etree
from twisted.internet.defer import Deferred, gatherResults
from wire import Answer

from ischedule import capabilities, xml
from ischedule.errors import SUCCESS, MaxInstances
from ischedule.message import Message, Response
from ischedule.rates import Rate
from ischedule.receiver import USUAL, Settings
from ischedule.trust import Peer, Trust

FORGER = Forger(body_bytes=4000, recipients=3)
SMALL = attrs.evolve(
    UNLIMITED,
    capabilities=attrs.evolve(USUAL, max_content_length=FORGER.body_bytes, max_recipients=FORGER.recipients),
)


@pytest_twisted.async_yield_fixture()
async def house() -> AsyncIterator[House]:
    made = House(SMALL)
    yield made
    await made.close()


Open = Callable[..., House]


@pytest_twisted.async_yield_fixture()
async def opened() -> AsyncIterator[Open]:
    """Houses with other settings."""
    houses: list[House] = []

    def make(settings: Settings = UNLIMITED, **more: Any) -> House:
        houses.append(House(settings, **more))
        return houses[-1]

    yield make
    for each in houses:
        await each.close()


def element(answer: Answer) -> str:
    """The element of a refusal, which must be one in all respects."""
    root = etree.fromstring(answer.body)
    assert root.tag == xml.name("error")
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    assert answer.headers["ischedule-version"] == "1.0"
    found = xml.read_error(answer.body)
    assert found is not None
    assert found[1], "there is a sentence for people"
    return found[0]


def statuses(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [each.status.code for each in xml.read_schedule_response(answer.body)]


# -- what is taken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["cal1", "rsa1"])
@pytest_twisted.ensureDeferred
async def test_a_message_is_delivered(house: House, key: str) -> None:
    answer = await house.send(signed(key=key))
    assert xml.read_schedule_response(answer.body) == (
        Response(recipient=BO, status=SUCCESS),
        Response(recipient=CY, status=SUCCESS),
    )
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["ischedule-capabilities"] == str(house.receiver.capabilities.serial)
    assert answer.headers["ischedule-version"] == "1.0"
    (delivery,) = house.office.deliveries
    assert (delivery.originator, delivery.recipients, delivery.domain) == (ANNA, (BO, CY), "sender.example")
    assert (delivery.message.uid, delivery.body, delivery.message_id) == ("meeting-1", event(), "7f1c2d30-0001")


@pytest_twisted.ensureDeferred
async def test_each_recipient_has_a_status_of_its_own(house: House) -> None:
    who = ("mailto:nobody@receiver.example", "mailto:Private@Receiver.Example", "mailto:x@elsewhere.example")
    answer = await house.send(signed(letter(event(attendees=who), recipients=who)))
    assert statuses(answer) == ["3.7", "3.8", "3.7"]
    assert [each.recipient for each in xml.read_schedule_response(answer.body)] == list(who)
    assert house.office.deliveries[0].recipients == who[:2]
    odd = ("mailto:silent@receiver.example", "urn:uuid:7f1c", BO)
    assert statuses(await house.send(signed(letter(event(attendees=odd), recipients=odd)))) == ["5.1", "3.7", "2.0"]


@pytest_twisted.ensureDeferred
async def test_nothing_is_delivered_for_others(house: House) -> None:
    who = ("mailto:x@elsewhere.example",)
    assert statuses(await house.send(signed(letter(event(attendees=who), recipients=who)))) == ["3.7"]
    assert house.office.deliveries == []


@pytest_twisted.ensureDeferred
async def test_a_question_is_answered(house: House) -> None:
    answer = await house.send(signed(letter(question(), recipients=(BO,), component="VFREEBUSY")))
    (response,) = xml.read_schedule_response(answer.body)
    assert response.calendar_data == house.office.busy


@pytest_twisted.ensureDeferred
async def test_messages_as_other_servers_and_proxies_send_them(house: House) -> None:
    message = signed(key="rsa1")
    fields = dict(message.fields)
    merged = changed(message.fields, "Recipient", None)
    for more in (
        (*merged, ("recipient", BO), ("RECIPIENT", f" {CY}  ")),
        (*reversed(message.fields), ("Via", "1.1 proxy")),
        (*message.fields, ("Expect", "100-continue")),
        changed(message.fields, "DKIM-Signature", fields["DKIM-Signature"].replace("; ", ";\r\n\t ")),
    ):
        house.wait(1000)
        house.now = NOW
        wire = await house.wire()
        wire.send(posted(tuple(more), message.body))
        if any(name == "Expect" for name, _ in more):
            assert (await wire.answer()).status == 100
        folded = any("\r\n" in value for _, value in more)
        assert statuses(await wire.answer()) == (["2.0", "2.0"]), folded


@pytest_twisted.ensureDeferred
async def test_a_body_in_chunks(house: House) -> None:
    message = signed()
    half = len(message.body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in (message.body[:half], message.body[half:], b""))
    head = posted(message.fields, b"", "Transfer-Encoding: chunked")
    assert statuses(await (await house.wire()).ask(head + chunks)) == ["2.0", "2.0"]


# -- what is not -----------------------------------------------------------------------------------------------------


LOST = published(**RECORDS, lost=RuntimeError("no answer"))


@pytest.mark.parametrize("case", HOSTILE + INLINE, ids=[each.what for each in HOSTILE + INLINE])
@pytest_twisted.ensureDeferred
async def test_hostile_messages_are_refused(opened: Open, case: Case) -> None:
    house = opened(SMALL, records=LOST)
    answer = await house.send(case.message(FORGER))
    assert (answer.status, element(answer)) == (case.status, case.element)
    assert house.office.deliveries == []
    assert bool(house.names.asked) == case.asks_for_key
    assert ("retry-after" in answer.headers) == (case.status == 503)


@pytest_twisted.ensureDeferred
async def test_none_of_that_spoils_the_good_ones(opened: Open) -> None:
    house = opened(SMALL, records=LOST)
    for case in HOSTILE + INLINE:
        await house.send(case.message(FORGER))
    assert statuses(await house.send(signed())) == ["2.0", "2.0"]


@pytest_twisted.ensureDeferred
async def test_a_refusal_does_not_say_what_is_wrong_with_the_key(opened: Open) -> None:
    house = opened(SMALL, records=LOST)
    said = {(await house.send(signed(key=key))).body for key in ("unknown", "cal2", "revoked", "mail", "kind")}
    assert len(said) == 1


@pytest_twisted.ensureDeferred
async def test_a_body_that_does_not_say_how_large_it_is(house: House) -> None:
    """It is refused as soon as it is too large, however much is still to come."""
    message = signed()
    wire = await house.wire()
    wire.send(posted(message.fields, b"", "Transfer-Encoding: chunked") + b"10000\r\n" + b"x" * 5000)
    answer = await wire.answer()
    assert (answer.status, element(answer)) == (413, "max-content-length")
    assert answer.headers["connection"] == "close"
    assert house.office.deliveries == []


@pytest_twisted.ensureDeferred
async def test_a_body_that_says_that_it_is_too_large_is_not_waited_for(house: House) -> None:
    message = signed()
    wire = await house.wire()
    wire.send(posted(message.fields, b"", "Content-Length: 1000000", "Expect: 100-continue"))
    assert (await wire.answer()).status == 413


@pytest_twisted.ensureDeferred
async def test_what_a_calendar_server_refuses(house: House) -> None:
    house.office.refusal = MaxInstances("There may be 2000 instances.")
    answer = await house.send(signed())
    assert (answer.status, element(answer)) == (403, "max-instances")


@pytest_twisted.ensureDeferred
async def test_a_bug_of_the_calendar_server_is_no_secret_to_its_log_only(house: House) -> None:
    house.office.refusal = RuntimeError("secret")
    answer = await house.send(signed())
    assert answer.status == 500
    assert b"secret" not in answer.body
    house.office.refusal = None
    assert statuses(await house.send(signed())) == ["2.0", "2.0"]


# -- replays ---------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_replay_has_the_first_answer_and_no_effect(house: House) -> None:
    message = signed()
    first = await house.send(message)
    house.wait(590)
    again = await house.send(message)
    assert again.body == first.body
    assert len(house.office.deliveries) == 1
    house.wait(20)
    assert element(await house.send(message)) == FAILED
    assert len(house.office.deliveries) == 1
    assert statuses(await house.send(signed(now=house.now))) == ["2.0", "2.0"]
    assert len(house.office.deliveries) == 2


@pytest_twisted.ensureDeferred
async def test_a_replay_with_another_spelling_is_one(house: House) -> None:
    message = signed()
    await house.send(message)
    fields = tuple((name.upper(), f" {value}  ") for name, value in message.fields)
    assert statuses(await house.send(Message(fields=(*fields, ("User-Agent", "x")), body=message.body))) == [
        "2.0",
        "2.0",
    ]
    assert len(house.office.deliveries) == 1


@pytest_twisted.ensureDeferred
async def test_a_question_is_not_answered_for_others_who_saw_it(house: House) -> None:
    message = signed(letter(question(), recipients=(BO,), component="VFREEBUSY"))
    first = await house.send(message)
    house.wait(59)
    assert (await house.send(message)).body == first.body
    house.wait(2)
    answer = await house.send(message)
    assert (answer.status, element(answer)) == (403, FAILED)
    assert len(house.office.deliveries) == 1


@pytest_twisted.ensureDeferred
async def test_messages_that_come_twice_at_once_are_delivered_once(house: House) -> None:
    message = signed()
    answers = await gatherResults([Deferred.fromCoroutine(house.send(message)) for _ in range(5)])
    assert [statuses(each) for each in answers] == [["2.0", "2.0"]] * 5
    assert len(house.office.deliveries) == 1


# -- keys ------------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_key_that_was_replaced_under_its_name(opened: Open) -> None:
    """What is remembered of a key is looked at once more, before a message is refused because of it."""
    house = opened(records=published(cal1=record("cal2")))
    assert element(await house.send(signed())) == FAILED
    house.names.records.update(published(cal1=record("cal1")))
    assert element(await house.send(signed())) == FAILED, "not yet: a minute has not passed"
    house.wait(61)
    assert statuses(await house.send(signed(now=house.now))) == ["2.0", "2.0"]


@pytest_twisted.ensureDeferred
async def test_a_key_that_is_revoked_works_as_long_as_it_is_remembered(opened: Open) -> None:
    house = opened()
    assert statuses(await house.send(signed())) == ["2.0", "2.0"]
    house.names.records.update(published(cal1="v=DKIM1; k=ed25519; p="))
    house.wait(301)
    assert element(await house.send(signed(now=house.now))) == FAILED


@pytest_twisted.ensureDeferred
async def test_keys_that_were_exchanged_privately(opened: Open) -> None:
    trust = Trust(peers={"sender.example": Peer(pinned=True)})
    house = opened(attrs.evolve(UNLIMITED, trust=trust))
    assert element(await house.send(signed())) == FAILED, "the key in the DNS does not count"
    assert house.names.asked == []


# -- whom we talk to -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trust", "message", "taken"),
    [
        (Trust(), signed, True),
        (Trust(deny=("sender.example",)), signed, False),
        (Trust(deny=("example",)), signed, False),
        (Trust(allow=()), signed, False),
        (Trust(allow=("other.example",)), signed, False),
        (Trust(allow=("sender.example",)), signed, True),
        (Trust(peers={"hoster.example": Peer()}), lambda: FORGER.foreign("hoster.example"), False),
        (
            Trust(peers={"hoster.example": Peer(may_sign_for=("sender.example",))}),
            lambda: FORGER.foreign("hoster.example"),
            True,
        ),
        (
            Trust(peers={"hoster.example": Peer(may_sign_for=("other.example",))}),
            lambda: FORGER.foreign("hoster.example"),
            False,
        ),
        (Trust(peers={"sender.example": Peer(unsigned_from=(ip_network("127.0.0.0/8"),))}), letter, True),
        (Trust(peers={"sender.example": Peer(unsigned_from=(ip_network("10.0.0.0/8"),))}), letter, False),
        (Trust(peers={"other.example": Peer(unsigned_from=(ip_network("127.0.0.0/8"),))}), letter, False),
        (
            Trust(peers={"sender.example": Peer(unsigned_from=(ip_network("127.0.0.0/8"),))}),
            lambda: attrs.evolve(signed(), body=event(uid="meeting-2")),
            False,
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_whom_we_talk_to(opened: Open, trust: Trust, message: Callable[[], Message], taken: bool) -> None:
    records = published(cal1=record()) | {("cal1._domainkey.hoster.example", "TXT"): [f'"{record()}"']}
    house = opened(attrs.evolve(UNLIMITED, trust=trust), records=records)
    answer = await house.send(message())
    assert (answer.status == 200) == taken == bool(house.office.deliveries)


@pytest_twisted.ensureDeferred
async def test_users_of_a_domain_below(house: House) -> None:
    originator = "mailto:anna@cal.sender.example"
    assert statuses(await house.send(FORGER.foreign("sender.example", originator))) == ["2.0", "2.0"]


# -- how often -------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_an_address_that_asks_too_often(opened: Open) -> None:
    house = opened(attrs.evolve(UNLIMITED, address_rate=Rate(per_second=0.1, at_once=2)))
    assert [(await house.send(letter())).status for _ in range(3)] == [403, 403, 429]
    answer = await house.send(signed())
    assert (answer.status, element(answer), answer.headers["retry-after"]) == (429, "", "11")
    house.wait(10)
    assert statuses(await house.send(signed())) == ["2.0", "2.0"]


@pytest_twisted.ensureDeferred
async def test_a_domain_that_asks_too_often(opened: Open) -> None:
    house = opened(attrs.evolve(UNLIMITED, domain_rate=Rate(per_second=0.1, at_once=2)))
    for _ in range(5):
        await house.send(attrs.evolve(signed(), body=event(uid="x")))  # forged: it costs the domain nothing
    codes = [(await house.send(signed(letter(message_id=str(number))))).status for number in range(3)]
    assert codes == [200, 200, 429]


@pytest_twisted.ensureDeferred
async def test_who_tries_out_names_learns_little(opened: Open) -> None:
    house = opened(attrs.evolve(UNLIMITED, unknown_rate=Rate(per_second=0.01, at_once=2)))
    who = ("mailto:nobody1@receiver.example", BO, "mailto:nobody2@receiver.example", "mailto:nobody3@receiver.example")
    answer = await house.send(signed(letter(event(attendees=who), recipients=who)))
    assert statuses(answer) == ["3.7", "2.0", "3.7", "5.1"]


# -- other requests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["?action=capabilities", "", "?query=capabilities"])
@pytest_twisted.ensureDeferred
async def test_capabilities_are_announced(house: House, query: str) -> None:
    answer = await house.get(PLACE + query)
    assert answer.status == 200
    assert capabilities.read(answer.body) == house.receiver.capabilities
    assert answer.headers["ischedule-capabilities"] == str(house.receiver.capabilities.serial)
    assert answer.headers["cache-control"] == "max-age=3600"
    head = await house.get(PLACE + query, method="HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", answer.headers["etag"])
    same = await house.get(PLACE + query, f"If-None-Match: {answer.headers['etag']}")
    assert (same.status, same.body) == (304, b"")


@pytest_twisted.ensureDeferred
async def test_the_serial_number_follows_from_what_is_accepted(opened: Open, house: House) -> None:
    one, other = opened(SMALL), opened(UNLIMITED)
    assert one.receiver.capabilities.serial == house.receiver.capabilities.serial != other.receiver.capabilities.serial


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{PLACE}?action=other", 400),
        ("GET", f"{PLACE}/below", 404),
        ("PUT", PLACE, 405),
        ("DELETE", PLACE, 405),
        ("OPTIONS", PLACE, 200),
    ],
)
@pytest_twisted.ensureDeferred
async def test_other_requests(house: House, method: str, path: str, status: int) -> None:
    answer = await house.get(path, method=method)
    assert answer.status == status
    assert answer.headers["ischedule-version"] == "1.0"
    if method != "GET":
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest_twisted.ensureDeferred
async def test_keys_are_published(house: House) -> None:
    page = await house.get("/.well-known/domainkey/Receiver.Example/cal1")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/plain")
    assert page.body.decode().split("\r\n") == [record(), record("cal2"), ""]
    for path in (
        "receiver.example/cal2",
        "other.example/cal1",
        "receiver.example",
        "",
        "receiver.example/cal1/x",
        "%ff/x",
    ):
        assert (await house.get(f"/.well-known/domainkey/{path}")).status == 404
