"""Messages that another server might read in another way, on raw sockets (RFC 9112 section 11)."""

import pytest
import pytest_twisted
from doubtful import messages
from wire import request

DOUBTFUL = messages("/echo", b"GET /echo HTTP/1.1\r\nHost: smuggled\r\n\r\n")


@pytest.mark.parametrize("message", DOUBTFUL.values(), ids=DOUBTFUL.keys())
@pytest_twisted.ensureDeferred
async def test_doubtful_messages_are_refused_and_nothing_behind_them_is_read(place, message):
    wire = await place.connect()
    wire.send(message)
    received = await wire.until_closed()
    assert received.startswith(b"HTTP/1.1 400 "), received
    assert received.count(b"HTTP/1.1") == 1, received
    assert b"Connection: close" in received
    assert not place.seen


@pytest_twisted.ensureDeferred
async def test_a_line_feed_alone_is_refused_wherever_the_packets_are_cut(place):
    wire = await place.connect()
    wire.send(b"GET /echo HTTP/1.1\r")
    wire.send(b"\nHost: a")
    assert not wire.received
    wire.send(b"\n\n")
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 400 ")


@pytest_twisted.ensureDeferred
async def test_line_feeds_in_bodies_of_pipelined_requests_are_none_of_our_business(place):
    wire = await place.connect()
    first = request("POST", "/echo", body=b"a\nb\n")
    wire.send(first + request("POST", "/slow", body=b"c\nd\n") + first[:-2])
    assert (await wire.answer()).body == b"a\nb\n"
    while not place.waiting:
        await place.tick()
    place.waiting.pop().callback(None)
    assert (await wire.answer()).body == b"at last"
    wire.send(first[-2:])
    assert (await wire.answer()).body == b"a\nb\n"


@pytest_twisted.ensureDeferred
async def test_pipelined_requests_are_answered_in_order(place):
    wire = await place.connect()
    wire.send(b"".join(request("POST", "/echo", body=b"%d" % number) for number in range(20)))
    assert [(await wire.answer()).body for _ in range(20)] == [b"%d" % number for number in range(20)]


@pytest_twisted.ensureDeferred
async def test_a_request_may_come_byte_by_byte(place):
    wire = await place.connect()
    for byte in request("POST", "/echo", body=b"hello\n"):
        wire.send(bytes([byte]))
    assert (await wire.answer()).body == b"hello\n"


@pytest_twisted.ensureDeferred
async def test_chunked_bodies_with_extensions_and_trailers_are_read(place):
    wire = await place.connect()
    wire.send(
        request("POST", "/echo", "Transfer-Encoding: Chunked")
        + b"5;name=value\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: ignored\r\n\r\n"
    )
    assert (await wire.answer()).body == b"hello world"
    assert (await wire.ask(request("GET", "/echo"))).status == 200


@pytest_twisted.ensureDeferred
async def test_folded_fields_are_one_field(place):
    """RFC 9112 section 5.2: refused, or read as one line."""
    wire = await place.connect()
    assert (await wire.ask(request("GET", "/echo", "X-Folded: a", "  b"))).status == 200
    assert place.seen[0].field("X-Folded") == "a b"


@pytest_twisted.ensureDeferred
async def test_an_absolute_target_names_the_host(place):
    """RFC 9112 section 3.2.2."""
    wire = await place.connect()
    assert (await wire.ask(request("GET", "http://other.example:80/below/x?y=z"))).status == 200
    assert place.seen[0].origin.host == "other.example:80"
    assert (place.seen[0].path, place.seen[0].query) == (b"/below/x", "y=z")


@pytest_twisted.ensureDeferred
async def test_an_asterisk_is_for_options(place):
    """RFC 9112 section 3.2.4."""
    wire = await place.connect()
    assert (await wire.ask(request("OPTIONS", "*"))).status == 200


@pytest.mark.parametrize("path", ["/below/a%2Fb", "/below/~a!$&'()*+,;=:@_.-", "/below/%00", '/below/"<>\\^`{|}'])
@pytest_twisted.ensureDeferred
async def test_paths_reach_handlers_as_they_were_spelled(place, path):
    wire = await place.connect()
    assert (await wire.ask(request("GET", path))).status == 200
    assert place.seen[0].path == path.encode()


@pytest.mark.parametrize(
    "fields", [("Connection: close",), ("Connection: TE, close",), ("Connection: TE", "Connection: CLOSE")]
)
@pytest_twisted.ensureDeferred
async def test_the_client_may_close(place, fields):
    wire = await place.connect()
    answer = await wire.ask(request("GET", "/echo", *fields))
    assert answer.headers["connection"] == "close"
    await wire.until_closed()


@pytest_twisted.ensureDeferred
async def test_a_client_of_http_1_0_gets_one_answer(place):
    wire = await place.connect()
    wire.send(b"GET /echo HTTP/1.0\r\n\r\n" * 2)
    received = await wire.until_closed()
    assert received.count(b"200 OK") == 1
