"""Sending over real TLS: to our own receiver, and to servers that behave in other ways."""

import re
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from typing import Any

import attrs
import pytest
import pytest_twisted
from certificates import Authority
from hypothesis import given
from hypothesis import strategies as st
from letters import ANNA, BO, CY, DEE, NOW, event, question, signing_key
from reception import UNLIMITED, House
from resolved import Names
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from ischedule import itip
from ischedule.agent import Guard, GuardedAgent, Limits
from ischedule.client import Client, Outgoing, batches
from ischedule.discovery import Discovery, Server
from ischedule.errors import RequestRefused
from ischedule.message import Envelope
from ischedule.outcome import Again, Outcome
from ischedule.receiver import USUAL, Settings

DOMAIN, HOST, OTHER = "receiver.example", "cal.receiver.example", "cal.hoster.example"
HERE = Guard(allow=(ip_network("127.0.0.0/8"),))
SERVICE = f"_ischedules._tcp.{DOMAIN}"
ALL = (BO, CY, DEE)


def codes(outcome: Outcome) -> list[str]:
    return [each.status.code for each in outcome.responses]


def outgoing(body: bytes | None = None, recipients: tuple[str, ...] = (BO, CY)) -> Outgoing:
    return Outgoing(
        originator=ANNA, recipients=recipients, body=body or event(attendees=recipients), message_id="7f1c2d30"
    )


class Post:
    """A sender, with the names that it believes in."""

    def __init__(self, authority: Authority) -> None:
        self.names = Names({(HOST, "A"): ["127.0.0.1"], (OTHER, "A"): ["127.0.0.1"]})
        self.discovery = Discovery(self.names, Clock())
        limits = Limits(connect_seconds=2, answer_seconds=2, total_seconds=4)
        self.agent = GuardedAgent(reactor, self.names, guard=HERE, limits=limits, trust=[authority.certificate])
        self.now = NOW
        self.client = self.made()

    def made(self, **how: Any) -> Client:
        return Client(
            self.agent,
            self.discovery,
            lambda domain: signing_key("cal1", domain),
            reactor,
            user_agent="test/1.0",
            now=lambda: self.now,
            **how,
        )

    def find(self, *places: tuple[str, int]) -> None:
        """The domain's servers, in this order."""
        self.names.records[SERVICE, "SRV"] = [
            f"{number} 0 {port} {host}." for number, (host, port) in enumerate(places)
        ]


@pytest_twisted.async_yield_fixture()
async def post(authority: Authority) -> AsyncIterator[Post]:
    made = Post(authority)
    yield made
    await made.agent.close()


@pytest_twisted.async_yield_fixture()
async def opened() -> AsyncIterator[Callable[..., House]]:
    houses: list[House] = []

    def make(settings: Settings = UNLIMITED, **more: Any) -> House:
        houses.append(House(settings, **more))
        return houses[-1]

    yield make
    for each in houses:
        await each.close()


class Odd(Resource):
    """A server that answers each request with what comes next, and remembers the requests."""

    isLeaf = True

    def __init__(self, *answers: tuple[int, bytes] | tuple[int, bytes, dict[str, str]] | None) -> None:
        super().__init__()
        self.answers = list(answers)
        self.seen: list[tuple[bytes, bytes, Any, bytes]] = []

    def render(self, request: Any) -> Any:
        self.seen.append((request.method, request.uri, request.requestHeaders, request.content.read()))
        answer = self.answers.pop(0)
        if answer is None:
            return NOT_DONE_YET
        status, body, *headers = answer
        request.setResponseCode(status)
        for name, value in (headers[0] if headers else {}).items():
            request.setHeader(name, value)
        return body


def site(resource: Resource) -> Site:
    made = Site(resource)
    made.noisy = False
    return made


NOTHING = (404, b"")
FINE = (
    200,
    b'<schedule-response xmlns="urn:ietf:params:xml:ns:ischedule"><response><recipient>mailto:bo@receiver.example'
    b"</recipient><request-status>1.2</request-status></response></schedule-response>",
)
BO_ONLY = (BO,)


@pytest_twisted.ensureDeferred
async def test_an_invitation_arrives(post: Post, opened: Callable[..., House], listen: Any) -> None:
    house = opened()
    post.find((HOST, await listen(house.site, HOST)))
    found = await post.client.deliver(DOMAIN, outgoing(recipients=(BO, "mailto:nobody@receiver.example")))
    assert (codes(found), found.again, found.reason) == (["2.0", "3.7"], Again.NEVER, "")
    (delivery,) = house.office.deliveries
    assert (delivery.domain, delivery.message_id, delivery.message.uid) == ("sender.example", "7f1c2d30", "meeting-1")


@pytest_twisted.ensureDeferred
async def test_free_busy_time_is_asked_for(post: Post, opened: Callable[..., House], listen: Any) -> None:
    house = opened()
    post.find((HOST, await listen(house.site, HOST)))
    found = await post.client.ask(DOMAIN, outgoing(question(attendees=(BO, CY))))
    assert [each.calendar_data for each in found.responses] == [house.office.busy] * 2


@pytest_twisted.ensureDeferred
async def test_recipients_are_divided_as_the_receiver_wants(
    post: Post, opened: Callable[..., House], listen: Any
) -> None:
    few = attrs.evolve(UNLIMITED, capabilities=attrs.evolve(USUAL, max_recipients=2))
    house = opened(few)
    post.find((HOST, await listen(house.site, HOST)))
    assert codes(await post.client.deliver(DOMAIN, outgoing(recipients=ALL))) == ["2.0"] * 3
    assert [each.recipients for each in house.office.deliveries] == [(BO, CY), (DEE,)]
    assert [each.message_id for each in house.office.deliveries] == ["7f1c2d30", "7f1c2d30-1"]
    asked = await post.client.ask(DOMAIN, outgoing(question(attendees=ALL), recipients=ALL))
    assert codes(asked) == ["2.0"] * 3
    assert house.office.deliveries[-1].message.attendees == (DEE,)


@pytest_twisted.ensureDeferred
async def test_what_the_receiver_does_not_take_is_not_sent(
    post: Post, opened: Callable[..., House], listen: Any
) -> None:
    house = opened()
    post.find((HOST, await listen(house.site, HOST)))
    for body in (event(method="COUNTER", organizer=BO, attendees=(ANNA,)), event(start="99990101T000000Z")):
        found = await post.client.deliver(DOMAIN, outgoing(body, BO_ONLY))
        assert (codes(found), found.again) == (["5.2"], Again.NEVER)
        assert found.element
    assert house.office.deliveries == []
    attached = event("ATTACH;VALUE=BINARY;ENCODING=BASE64:", " eHh4", "ATTACH:https://sender.example/menu.pdf")
    assert codes(await post.client.deliver(DOMAIN, outgoing(attached))) == ["2.0", "2.0"]
    assert b"eHh4" not in house.office.deliveries[0].body
    assert b"menu.pdf" in house.office.deliveries[0].body


@pytest_twisted.ensureDeferred
async def test_the_next_server_where_the_first_one_is_dead(
    post: Post, opened: Callable[..., House], listen: Any
) -> None:
    house = opened()
    broken = Odd((503, b"later"), (503, b"later"))
    port = await listen(house.site, HOST)
    dead = await listen(site(broken), OTHER)
    post.find((OTHER, 1), (OTHER, dead), ("nowhere.receiver.example", 443), (HOST, port))
    assert codes(await post.client.deliver(DOMAIN, outgoing())) == ["2.0", "2.0"]
    assert len(broken.seen) == 1
    assert codes(await post.client.deliver(DOMAIN, outgoing())) == ["2.0", "2.0"], "the dead ones come last now"
    assert len(broken.seen) == 1


@pytest_twisted.ensureDeferred
async def test_who_has_it_does_not_get_it_from_the_next_server_again(
    post: Post, opened: Callable[..., House], listen: Any
) -> None:
    """The first server takes the first request and then breaks down."""
    capabilities = b"<capabilities><max-recipients>1</max-recipients></capabilities>"
    first = Odd((200, capabilities), FINE, (500, b""))
    house = opened()
    post.find((OTHER, await listen(site(first), OTHER)), (HOST, await listen(house.site, HOST)))
    assert codes(await post.client.deliver(DOMAIN, outgoing(recipients=ALL))) == ["1.2", "2.0", "2.0"]
    assert [each.recipients for each in house.office.deliveries] == [(CY, DEE)]


@pytest_twisted.ensureDeferred
async def test_nobody_is_there(post: Post, listen: Any) -> None:
    found = await post.client.deliver(DOMAIN, outgoing())
    assert (codes(found), found.again, found.no_service) == (["5.2", "5.2"], Again.NEVER, True)
    post.names.records[SERVICE, "SRV"] = ["0 0 0 ."]
    found = await post.client.deliver(DOMAIN, outgoing())
    assert (codes(found), found.no_service) == (["5.2", "5.2"], False), "it does not want any"
    post.names.records[SERVICE, "SRV"] = TimeoutError("no answer")
    found = await post.client.deliver(DOMAIN, outgoing())
    assert (codes(found), found.again, found.pending) == (["5.1", "5.1"], Again.LATER, (BO, CY))
    post.find((HOST, 1))
    found = await post.client.deliver(DOMAIN, outgoing())
    assert (codes(found), found.again) == (["5.1", "5.1"], Again.LATER)


@pytest_twisted.ensureDeferred
async def test_a_certificate_for_somebody_else(post: Post, opened: Callable[..., House], listen: Any) -> None:
    house = opened()
    post.find((HOST, await listen(house.site, OTHER)))
    found = await post.client.deliver(DOMAIN, outgoing())
    assert (codes(found), found.again) == (["5.1", "5.1"], Again.LATER)
    assert "certificate" in found.reason
    assert house.office.deliveries == []


@pytest_twisted.ensureDeferred
async def test_addresses_inside_are_not_asked(post: Post) -> None:
    post.names.records[HOST, "A"] = ["10.0.0.1", "192.168.0.1", "169.254.169.254"]
    post.find((HOST, 443))
    found = await post.client.deliver(DOMAIN, outgoing())
    assert codes(found) == ["5.1", "5.1"]
    assert "not to be connected to" in found.reason


@pytest_twisted.ensureDeferred
async def test_a_silent_server_keeps_nobody_waiting(post: Post, listen: Any) -> None:
    silent = Odd(None, None)
    post.find((HOST, await listen(site(silent), HOST)))
    found = await post.client.ask(DOMAIN, outgoing(question(attendees=(BO, CY))), seconds=0.1)
    assert (codes(found), found.again) == (["5.1", "5.1"], Again.NEVER)
    assert "within 0.1 s" in found.reason


# -- other servers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        (404, b""),
        (405, b""),
        (200, b"<html><p></html>", {"Content-Type": "text/html"}),
        (200, b"<query-result/>"),
        (200, b"<capabilities/>", {"Content-Encoding": "gzip"}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_server_without_readable_capabilities_is_sent_to(post: Post, listen: Any, answer: Any) -> None:
    odd = Odd(answer, FINE)
    post.find((HOST, await listen(site(odd), HOST)))
    assert codes(await post.client.deliver(DOMAIN, outgoing(recipients=BO_ONLY))) == ["1.2"]
    assert [method for method, *_ in odd.seen] == [b"GET", b"POST"]


@pytest_twisted.ensureDeferred
async def test_what_is_sent(post: Post, listen: Any) -> None:
    odd = Odd(NOTHING, FINE)
    post.find((HOST, await listen(site(odd), HOST)))
    post.names.records[SERVICE, "TXT"] = ['"path=/some/where"']
    await post.client.deliver(DOMAIN, outgoing(recipients=BO_ONLY))
    (_, asked, _, _), (_, uri, headers, body) = odd.seen
    assert (asked, uri) == (b"/some/where?action=capabilities", b"/some/where")
    fields = tuple((name.decode(), value.decode()) for name, values in headers.getAllRawHeaders() for value in values)
    envelope = Envelope.read(fields)
    assert (envelope.originator, envelope.recipients) == (ANNA, BO_ONLY)
    assert body == event(attendees=BO_ONLY)
    sent = {name.lower(): value for name, value in fields}
    assert sent["cache-control"] == "no-cache, no-transform"
    assert sent["user-agent"] == "test/1.0"
    assert "user-agent" not in re.findall(r"h=([^;]*)", sent["dkim-signature"])[0]
    assert sent["accept-encoding"] == "identity"
    assert not sent.keys() & {"cookie", "authorization", "referer"}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest_twisted.ensureDeferred
async def test_redirects_repeat_the_message(post: Post, opened: Callable[..., House], listen: Any, status: int) -> None:
    """As they are for a service that has moved; only a permanent one is remembered."""
    house = opened()
    port = await listen(house.site, OTHER)
    there = {"Location": f"https://{OTHER}:{port}/.well-known/ischedule"}
    asked = {"Location": f"https://{OTHER}:{port}/.well-known/ischedule?action=capabilities"}
    odd = Odd((status, b"", asked), (status, b"", there))
    post.find((HOST, await listen(site(odd), HOST)))
    assert codes(await post.client.deliver(DOMAIN, outgoing())) == ["2.0", "2.0"]
    assert len(odd.seen) == (1 if status in (301, 308) else 2)
    assert len(house.office.deliveries) == 1


@pytest_twisted.ensureDeferred
async def test_redirects_to_where_nobody_is_believed(post: Post, listen: Any) -> None:
    odd = Odd((308, b"", {"Location": f"https://{OTHER}/x"}), (308, b"", {"Location": f"https://{OTHER}/x"}))
    post.find((HOST, await listen(site(odd), HOST)))
    post.client = post.made(srv_trust="same-domain")
    found = await post.client.deliver(DOMAIN, outgoing())
    assert (codes(found), "redirects" in found.reason) == (["5.1", "5.1"], True)
    post.find((OTHER, 443))
    found = await post.client.deliver(DOMAIN, outgoing())
    assert (codes(found), found.no_service) == (["5.2", "5.2"], True)


@pytest_twisted.ensureDeferred
async def test_capabilities_are_remembered_until_they_change(post: Post, listen: Any) -> None:
    document = b"<capabilities><serial-number>%d</serial-number></capabilities>"
    headers = {"Cache-Control": "max-age=100", "ETag": '"a"'}
    odd = Odd(
        (200, document % 1, headers),
        (*FINE, {"iSchedule-Capabilities": "1"}),
        FINE,
        (304, b"", headers),
        (*FINE, {"iSchedule-Capabilities": "2"}),
        (200, document % 2, headers),
        FINE,
    )
    post.find((HOST, await listen(site(odd), HOST)))
    for _ in range(2):
        await post.client.deliver(DOMAIN, outgoing(recipients=BO_ONLY))
    post.now += 100
    for _ in range(2):
        await post.client.deliver(DOMAIN, outgoing(recipients=BO_ONLY))
    assert [method for method, *_ in odd.seen] == [b"GET", b"POST", b"POST", b"GET", b"POST", b"GET", b"POST"]
    assert odd.seen[3][2].getRawHeaders("if-none-match") == ['"a"']


@pytest_twisted.ensureDeferred
async def test_a_domain_with_a_known_server_is_not_looked_for(
    post: Post, opened: Callable[..., House], listen: Any
) -> None:
    house = opened()
    server = Server(host=HOST, port=await listen(house.site, HOST))
    post.client = post.made(routes={DOMAIN: (server,)})
    assert codes(await post.client.deliver(DOMAIN, outgoing())) == ["2.0", "2.0"]
    assert not [name for name, _ in post.names.asked if name == SERVICE]


@pytest.mark.parametrize(
    "wrong",
    [
        outgoing(b"hello"),
        attrs.evolve(outgoing(), originator="mailto:anna@sender.example\r\nX: y"),
        attrs.evolve(outgoing(), recipients=("mailto:a,b@receiver.example",)),
        attrs.evolve(outgoing(), message_id="a b"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_message_is_not_sent(post: Post, wrong: Outgoing) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        await post.client.deliver(DOMAIN, wrong)
    assert post.names.asked == []


# -- values ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 400).map(lambda size: "m" * size), max_size=200), st.none() | st.integers(1, 60))
def test_requests_are_not_too_large(recipients: list[str], most: int | None) -> None:
    found = list(batches(recipients, most))
    assert [each for batch in found for each in batch] == recipients
    assert all(0 < len(batch) <= (most or 50) and len(",".join(batch)) <= 4000 for batch in found)
    assert len(found) <= 1 + 2 * (len(recipients) // min(most or 50, 50)) + sum(map(len, recipients)) // 1800


@given(
    st.lists(st.sampled_from(["ATTACH:data:,x", "ATTACH;VALUE=BINARY:", " eA==", "X-A:b", "\tc", "ATTACH:https://x"]))
)
def test_a_body_without_its_attachments_is_otherwise_the_same(lines: list[str]) -> None:
    body = event("COMMENT:x", *lines)
    found = itip.without_inline_attachments(body)
    before, after = _unfolded(body), _unfolded(found)
    assert after == [each for each in before if not each.startswith(("ATTACH:data", "ATTACH;VALUE"))]
    assert itip.without_inline_attachments(found) == found
    try:
        itip.read(body)
    except RequestRefused:
        return
    assert itip.read(found).uid == "meeting-1"


def _unfolded(body: bytes) -> list[str]:
    return body.decode().replace("\r\n ", "").replace("\r\n\t", "").split("\r\n")
