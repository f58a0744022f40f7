"""Requests to strangers over real TLS: who is connected to, what is believed, where it is cut off."""

import gzip
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_twisted
from certificates import Authority
from resolved import Names
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.protocol import Factory, Protocol
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from ischedule.agent import (
    Guard,
    GuardedAgent,
    Limits,
    Refused,
    TooLarge,
    TooSlow,
    Unreachable,
    Untrusted,
    Unusable,
    anywhere,
    same_host,
)

HOST = "cal.example.org"
HERE = Guard(allow=(ip_network("127.0.0.0/8"),))
NAMES = {
    (HOST, "A"): ["127.0.0.1"],
    ("other.example.org", "A"): ["127.0.0.1"],
    ("inside.example.org", "A"): ["10.1.2.3", "192.168.0.1"],
    ("inside.example.org", "AAAA"): ["fc00::1", "::1"],
    ("half.example.org", "A"): ["127.0.0.2", "127.0.0.1"],
    ("unknown.example.org", "A"): TimeoutError("no name server answers"),
}


class Echo(Resource):
    """Answers as the path says; remembers the requests."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def render(self, request: Any) -> Any:
        self.seen.append(request)
        request.body = request.content.read()
        return getattr(self, request.path.decode().strip("/").replace("-", "_"))(request)

    def echo(self, request: Any) -> bytes:
        request.setHeader("set-cookie", "a=b; Path=/")
        return request.method + b" " + request.body

    def redirect(self, request: Any) -> bytes:
        request.setResponseCode(int(request.args.get(b"status", [b"302"])[0]))
        request.setHeader("location", request.args[b"to"][0])
        return b""

    def loop(self, request: Any) -> bytes:
        request.setResponseCode(308)
        request.setHeader("location", "loop")
        return b""

    def bomb(self, request: Any) -> bytes:
        request.setHeader("content-encoding", "gzip")
        return gzip.compress(bytes(10_000_000))

    def large(self, request: Any) -> bytes:
        return bytes(3000)

    def chunked(self, request: Any) -> int:
        for _ in range(30):
            request.write(bytes(100))
        request.finish()
        return NOT_DONE_YET

    def endless(self, request: Any) -> int:
        request.write(b"x")
        return NOT_DONE_YET

    def silent(self, request: Any) -> int:
        return NOT_DONE_YET


class Babbler(Protocol):
    """Sends what it is told as soon as somebody connects and says something."""

    def __init__(self, text: bytes, times: int, close: bool) -> None:
        self.text, self.times, self.close = text, times, close

    def dataReceived(self, data: bytes) -> None:
        for _ in range(self.times):
            self.transport.write(self.text)
        if self.close:
            self.transport.loseConnection()


def babbling(text: bytes, times: int = 1, *, close: bool = False) -> Factory:
    return Factory.forProtocol(lambda: Babbler(text, times, close))


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest_twisted.async_yield_fixture()
async def agents(authority: Authority) -> Any:
    """Make agents that believe the test authority and may connect to loopback."""
    made = []

    def agent(**options: Any) -> GuardedAgent:
        options = {"guard": HERE, "trust": [authority.certificate], "lookup": Names(NAMES), **options}
        limits = Limits(**{"body_bytes": 2000, "connect_seconds": 2, **options.pop("limits", {})})
        made.append(GuardedAgent(reactor, limits=limits, **options))
        return made[-1]

    yield agent
    for each in made:
        await each.close()


Agents = Callable[..., GuardedAgent]
Listen = Callable[..., Any]


@pytest_twisted.ensureDeferred
async def test_the_name_is_in_host_sni_and_certificate(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), HOST)
    reply = await agents().exchange("POST", f"https://{HOST}:{port}/echo", {"X-One": "1"}, b"hello")
    assert (reply.status, reply.body) == (200, b"POST hello")
    assert reply.header("content-type") == "text/html"
    (request,) = echo.seen
    assert request.getHeader("host") == f"{HOST}:{port}"
    assert request.getHeader("x-one") == "1"
    assert request.getHeader("accept-encoding") == "identity"


@pytest_twisted.ensureDeferred
async def test_connections_are_kept_and_cookies_are_not(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), HOST)
    agent = agents()
    for _ in range(3):
        await agent.exchange("GET", f"https://{HOST}:{port}/echo")
    assert len({request.getClientAddress().port for request in echo.seen}) == 1
    assert [request.getHeader("cookie") for request in echo.seen] == [None] * 3


@pytest_twisted.ensureDeferred
async def test_a_certificate_for_another_name_is_refused(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), "other.example.org")
    with pytest.raises(Untrusted):
        await agents().exchange("GET", f"https://{HOST}:{port}/echo")
    assert echo.seen == []


@pytest_twisted.ensureDeferred
async def test_an_expired_certificate_is_refused(
    agents: Agents, listen: Listen, echo: Echo, authority: Authority
) -> None:
    port = await listen(Site(echo), options=authority.options(HOST, days=-1))
    with pytest.raises(Untrusted, match="certificate verify failed"):
        await agents().exchange("GET", f"https://{HOST}:{port}/echo")


@pytest_twisted.ensureDeferred
async def test_an_unknown_authority_is_refused(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), options=Authority("Somebody").options(HOST))
    with pytest.raises(Untrusted):
        await agents().exchange("GET", f"https://{HOST}:{port}/echo")


@pytest_twisted.ensureDeferred
async def test_private_addresses_are_not_connected_to(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), HOST)
    closed = agents(guard=Guard())
    for url in (f"https://{HOST}:{port}/echo", "https://inside.example.org/", f"https://127.0.0.1:{port}/echo"):
        with pytest.raises(Refused, match="not to be connected to"):
            await closed.exchange("GET", url)
    assert echo.seen == []


@pytest_twisted.ensureDeferred
async def test_the_next_address_is_tried(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), "half.example.org")
    reply = await agents().exchange("GET", f"https://half.example.org:{port}/echo")
    assert reply.status == 200


@pytest.mark.parametrize(
    "url",
    ["http://cal.example.org/", "ftp://cal.example.org/", "https://a:b@cal.example.org/", "https://cal.example.org:0/"],
)
@pytest_twisted.ensureDeferred
async def test_other_urls_are_refused(agents: Agents, url: str) -> None:
    with pytest.raises(Refused):
        await agents().exchange("GET", url)


@pytest_twisted.ensureDeferred
async def test_hosts_that_cannot_be_reached(agents: Agents, listen: Listen) -> None:
    agent = agents()
    for host, reason in (
        ("nowhere.example.org", "has no address"),
        ("unknown.example.org", "cannot be found out"),
        ("half.example.org:1", "cannot be connected to"),
    ):
        with pytest.raises(Unreachable, match=reason):
            await agent.exchange("GET", f"https://{host}/")


@pytest_twisted.ensureDeferred
async def test_a_content_coding_is_refused_before_anything_inflates(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), HOST)
    with pytest.raises(Unusable, match="content coding"):
        await agents().exchange("GET", f"https://{HOST}:{port}/bomb")


@pytest.mark.parametrize("path", ["large", "chunked"])
@pytest_twisted.ensureDeferred
async def test_large_bodies_are_cut_off(agents: Agents, listen: Listen, echo: Echo, path: str) -> None:
    port = await listen(Site(echo), HOST)
    agent = agents()
    with pytest.raises(TooLarge):
        await agent.exchange("GET", f"https://{HOST}:{port}/{path}")
    reply = await agent.exchange("GET", f"https://{HOST}:{port}/{path}", body_bytes=3000)
    assert len(reply.body) == 3000


@pytest_twisted.ensureDeferred
async def test_large_headers_are_cut_off(agents: Agents, listen: Listen) -> None:
    many = await listen(babbling(b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 5000), HOST)
    with pytest.raises(TooLarge, match="headers"):
        await agents().exchange("GET", f"https://{HOST}:{many}/")
    endless = await listen(babbling(b"HTTP/1.1 100 Continue\r\n\r\n", 10_000), HOST)
    with pytest.raises(TooLarge):
        await agents().exchange("GET", f"https://{HOST}:{endless}/")


@pytest_twisted.ensureDeferred
async def test_who_does_not_answer_is_left(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), HOST)
    with pytest.raises(TooSlow):
        await agents(limits={"answer_seconds": 0.2}).exchange("GET", f"https://{HOST}:{port}/silent")
    with pytest.raises(TooSlow):
        await agents().exchange("GET", f"https://{HOST}:{port}/silent", seconds=0.2)
    with pytest.raises(TooSlow):
        await agents(limits={"total_seconds": 0.2}).exchange("GET", f"https://{HOST}:{port}/endless")


@pytest_twisted.ensureDeferred
async def test_who_breaks_off_or_talks_something_else(agents: Agents, listen: Listen) -> None:
    for text, close, refused in (
        (b"", True, Unreachable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", True, Unreachable),
        (b"SSH-2.0-hello\r\n", False, Unusable),
    ):
        port = await listen(babbling(text, close=close), HOST)
        with pytest.raises(refused):
            await agents().exchange("GET", f"https://{HOST}:{port}/")


@pytest_twisted.ensureDeferred
async def test_redirects_repeat_method_and_body(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), HOST)
    for status, permanent in ((301, True), (302, False), (307, False), (308, True)):
        url = f"https://{HOST}:{port}/redirect?to=/echo&status={status}"
        reply = await agents().exchange("POST", url, body=b"again", follow=same_host)
        assert (reply.body, reply.url) == (b"POST again", f"https://{HOST}:{port}/echo")
        assert reply.permanent is permanent


@pytest_twisted.ensureDeferred
async def test_redirects_that_are_not_followed(agents: Agents, listen: Listen, echo: Echo) -> None:
    port = await listen(Site(echo), HOST)
    start = f"https://{HOST}:{port}/redirect?to="
    agent = agents()
    assert (await agent.exchange("GET", start + "/echo")).status == 302
    assert (await agent.exchange("GET", start + "/echo&status=303", follow=anywhere)).status == 303
    for target in (f"https://other.example.org:{port}/echo", f"http://{HOST}:{port}/echo", "https://u:p@x.example/"):
        with pytest.raises(Refused, match="where we do not go"):
            await agent.exchange("GET", start + target, follow=same_host)
    with pytest.raises(Refused, match="not to be connected to"):
        await agent.exchange("GET", start + "https://inside.example.org/", follow=anywhere)
    with pytest.raises(Refused, match="too many redirects"):
        await agent.exchange("GET", f"https://{HOST}:{port}/loop", follow=anywhere)
    for target in ("https://[::/", "https://a:b:c/"):
        with pytest.raises((Refused, Unusable, Unreachable)):
            await agent.exchange("GET", start + target, follow=anywhere)


@pytest_twisted.ensureDeferred
async def test_a_kept_connection_that_was_closed_is_replaced(agents: Agents, listen: Listen) -> None:
    """The server closes right after its first answer, without saying so; whoever comes next must not suffer."""

    class Once(Babbler):
        count = 0

        def dataReceived(self, data: bytes) -> None:
            if Once.count == 1 and self.times == 1:
                Once.count += 1
                self.transport.abortConnection()
                return
            Once.count += 1
            super().dataReceived(data)

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    port = await listen(Factory.forProtocol(lambda: Once(answer, 1, False)), HOST)
    agent = agents()
    for _ in range(2):
        assert (await agent.exchange("GET", f"https://{HOST}:{port}/")).body == b"ok"
    assert Once.count == 3
