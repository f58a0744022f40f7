"""Messages that another server might read in another way, on raw sockets (RFC 9112 section 11)."""

import pytest
import pytest_twisted
from wire import request

SECOND = b"GET /echo HTTP/1.1\r\nHost: smuggled\r\n\r\n"

HOSTILE = {
    "content-length and transfer-encoding": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "transfer-encoding and content-length": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 4\r\n\r\n0\r\n\r\n" + SECOND,
    "two lengths": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n" + SECOND,
    "two equal lengths": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx" + SECOND,
    "a list of lengths": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx" + SECOND,
    "a signed length": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx" + SECOND,
    "a negative length": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx" + SECOND,
    "a length in hex": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx" + SECOND,
    "a length with a blank inside": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\nx" + SECOND,
    "an empty length": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n" + SECOND,
    "identity": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n" + SECOND,
    "identity and a length": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n"
    b"Content-Length: 0\r\n\r\n" + SECOND,
    "another coding": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n" + SECOND,
    "two codings": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "chunked twice": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "chunked, then identity": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SECOND,
    "chunked with a vertical tab": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"
    + SECOND,
    "chunked in HTTP/1.0": b"POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "a blank before the colon": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\n" + SECOND,
    "a blank before the coding's colon": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n"
    + SECOND,
    "a chunk size with a prefix": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n"
    b"0\r\n\r\n" + SECOND,
    "a signed chunk size": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n"
    + SECOND,
    "a chunk without its end": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz0\r\n\r\n"
    + SECOND,
    "a line feed in a chunk extension": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1;a\nb\r\nx\r\n0\r\n\r\n" + SECOND,
    "no host": b"GET /echo HTTP/1.1\r\n\r\n" + SECOND,
    "two hosts": b"GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + SECOND,
    "a host that is none": b"GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n" + SECOND,
    "an empty host": b"GET /echo HTTP/1.1\r\nHost:\r\n\r\n" + SECOND,
    "bare line feeds": b"GET /echo HTTP/1.1\nHost: a\n\n" + SECOND,
    "one bare line feed": b"GET /echo HTTP/1.1\r\nHost: a\nX-Y: z\r\n\r\n" + SECOND,
    "a bare carriage return": b"GET /echo HTTP/1.1\r\nHost: a\rX-Y: z\r\n\r\n" + SECOND,
    "a NUL in a field": b"GET /echo HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n" + SECOND,
    "a field without a colon": b"GET /echo HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n" + SECOND,
    "a field without a name": b"GET /echo HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n" + SECOND,
    "a field name with a blank": b"GET /echo HTTP/1.1\r\nHost: a\r\nX Y: x\r\n\r\n" + SECOND,
    "a folded line first": b"GET /echo HTTP/1.1\r\n Host: a\r\n\r\n" + SECOND,
    "a request line of two words": b"GET /echo\r\nHost: a\r\n\r\n" + SECOND,
    "a request line of four words": b"GET /echo x HTTP/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "another version": b"GET /echo HTTP/2.0\r\nHost: a\r\n\r\n" + SECOND,
    "a version in lower case": b"GET /echo http/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "a method that is no token": b"GE(T /echo HTTP/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "an authority as target": b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n" + SECOND,
    "another scheme": b"GET ftp://a/echo HTTP/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "a target without a slash": b"GET echo HTTP/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "a fragment": b"GET /echo#x HTTP/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "a broken escape": b"GET /ech%6 HTTP/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "bytes that are not ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "an asterisk for GET": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n" + SECOND,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
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
