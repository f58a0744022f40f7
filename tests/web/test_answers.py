"""How answers are written: lengths, HEAD, compression, streams, errors (RFC 9110, RFC 9112)."""

import gzip

import pytest
import pytest_twisted
from wire import request

EVENTS = b"BEGIN:VEVENT\r\n" * 1000


@pytest_twisted.ensureDeferred
async def test_an_answer_has_length_date_and_id(place):
    wire = await place.connect()
    answer = await wire.ask(request("POST", "/echo", body=b"hello"))
    assert answer.body == b"hello"
    assert answer.headers["content-length"] == "5"
    assert answer.headers["date"].endswith(" GMT")
    assert answer.headers["x-request-id"] == place.lines.entries[0].request_id
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/text", "/stream", "/big", "/tagged"])
@pytest_twisted.ensureDeferred
async def test_head_has_the_fields_of_get_and_no_body(place, path):
    """RFC 9110 section 9.3.2."""
    wire = await place.connect()
    head = await wire.ask(request("HEAD", path))
    get = await wire.ask(request("GET", path))
    assert head.status == 200
    differ = {"date", "x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in differ} == {
        name: value for name, value in get.headers.items() if name not in differ
    }


@pytest_twisted.ensureDeferred
async def test_204_has_no_length(place):
    """RFC 9110 section 8.6."""
    wire = await place.connect()
    answer = await wire.ask(request("GET", "/nothing"))
    assert answer.status == 204
    assert not answer.headers.keys() & {"content-length", "transfer-encoding"}
    assert (await wire.ask(request("GET", "/echo"))).status == 200


@pytest_twisted.ensureDeferred
async def test_large_text_is_compressed_for_who_takes_it(place):
    wire = await place.connect()
    answer = await wire.ask(request("GET", "/text", "Accept-Encoding: gzip"))
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == EVENTS
    plain = await wire.ask(request("GET", "/text"))
    assert plain.body == EVENTS
    assert plain.headers["vary"] == answer.headers["vary"] == "Accept-Encoding"


@pytest_twisted.ensureDeferred
async def test_small_bodies_images_and_what_has_an_etag_are_not_compressed(place):
    """A strong ETag names the very bytes (RFC 9110 section 8.8.3.3)."""
    wire = await place.connect()
    for path in ("/echo", "/big", "/tagged"):
        answer = await wire.ask(request("GET", path, "Accept-Encoding: gzip"))
        assert not answer.headers.keys() & {"content-encoding", "vary"}


@pytest_twisted.ensureDeferred
async def test_a_large_body_keeps_its_length(place):
    wire = await place.connect()
    answer = await wire.ask(request("GET", "/big"))
    assert answer.headers["content-length"] == str(len(answer.body)) == str(1024 * 1024)
    assert answer.body == bytes(range(256)) * 4096


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest_twisted.ensureDeferred
async def test_a_body_of_unknown_length_is_chunked(place, coding):
    wire = await place.connect()
    answer = await wire.ask(request("GET", "/stream", f"Accept-Encoding: {coding}"))
    assert answer.headers["transfer-encoding"] == "chunked"
    content = gzip.decompress(answer.body) if coding == "gzip" else answer.body
    assert content == b"".join(b"%09d\n" % number * 1000 for number in range(200))
    assert (await wire.ask(request("GET", "/echo"))).status == 200


@pytest_twisted.ensureDeferred
async def test_a_body_of_unknown_length_ends_with_the_connection_in_http_1_0(place):
    """RFC 9112 section 6.3."""
    wire = await place.connect()
    wire.send(b"GET /stream HTTP/1.0\r\n\r\n")
    head, _, content = (await wire.until_closed()).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert content == b"".join(b"%09d\n" % number * 1000 for number in range(200))


@pytest_twisted.ensureDeferred
async def test_answers_keep_their_order_where_there_is_no_room_for_them_at_once(place):
    """Each is written in one piece, and together they are more than any socket takes."""
    bodies = [b"%d" % number * 250_000 for number in range(1, 10)] * 8
    place.site.serve({f"/{n}": lambda asked, n=n: asked.respond(200, [], bodies[n]) for n in range(len(bodies))})
    wire = await place.connect()
    wire.transport.pauseProducing()
    wire.send(b"".join(request("GET", f"/{number}") for number in range(len(bodies))))
    for _ in range(300):
        await place.tick()
    wire.transport.resumeProducing()
    for body in bodies:
        assert (await wire.answer()).body == body


@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_read_is_not_written_to(place):
    """Chunks are made only as fast as they are taken."""
    made = []

    def endless(asked):
        def chunks():
            for number in range(10_000):
                made.append(number)
                yield bytes(10_000)

        asked.respond(200, [("Content-Type", "image/png")], chunks())

    place.site.serve({"/endless": endless})
    wire = await place.connect()
    wire.transport.pauseProducing()
    wire.send(request("GET", "/endless"))
    for _ in range(300):
        await place.tick()
    assert 0 < len(made) < 5000
    wire.transport.abortConnection()
    await wire.until_closed()
    for _ in range(20):
        await place.tick()
    assert place.site.metrics.in_flight == 0


@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_read_for_long_is_cut_off(place):
    place.site.serve({"/huge": lambda asked: asked.respond(200, [("Content-Type", "x/y")], bytes(20_000_000))})
    wire = await place.connect()
    wire.transport.pauseProducing()
    wire.send(request("GET", "/huge"))
    while not place.site.metrics.in_flight:
        await place.tick()
    for _ in range(50):
        await place.tick()
    place.clock.advance(74)
    await place.tick()
    assert place.site.metrics.in_flight
    place.clock.advance(2)
    for _ in range(5):
        await place.tick()
    assert not place.site.metrics.in_flight
    assert not place.site.open_connections
    wire.transport.resumeProducing()
    await wire.until_closed()


@pytest_twisted.ensureDeferred
async def test_fields_cannot_end_their_line(place):
    wire = await place.connect()
    answer = await wire.ask(request("GET", "/headers"))
    assert answer.headers["x-evil"] == "a Set-Cookie: b c"
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-ok"].encode("latin-1").decode() == "ü"


# -- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/bug", "/late-bug"])
@pytest_twisted.ensureDeferred
async def test_a_bug_is_500_and_tells_nothing_but_an_id(place, path, logged):
    wire = await place.connect()
    answer = await wire.ask(request("GET", path))
    assert answer.status == 500
    assert answer.body.decode().strip().endswith(answer.headers["x-request-id"])
    assert b"secret" not in answer.body
    assert [str(failure.value) for failure in logged.failures] == ["secret detail"]
    assert answer.headers["x-request-id"] in logged.text
    assert (await wire.ask(request("GET", "/echo"))).status == 200


@pytest_twisted.ensureDeferred
async def test_a_bug_in_the_middle_of_a_body_cuts_it_off(place, logged):
    wire = await place.connect()
    wire.send(request("GET", "/broken-stream"))
    received = await wire.until_closed()
    assert not received.endswith(b"0\r\n\r\n")
    assert [str(failure.value) for failure in logged.failures] == ["a bug in the middle"]


@pytest_twisted.ensureDeferred
async def test_a_bug_in_a_page_tells_nothing_either(place, logged):
    wire = await place.connect()
    answer = await wire.ask(request("PUT", "/page"))
    assert answer.status == 500
    assert b"bug" not in answer.body
    assert [str(failure.value) for failure in logged.failures] == ["a bug of a page"]


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_does_no_harm(place, logged):
    wire = await place.connect()
    wire.send(request("GET", "/slow"))
    while not place.waiting:
        await place.tick()
    wire.close()
    await wire.until_closed()
    await place.arrived(wire)
    place.waiting.pop().callback(None)
    assert not logged.failures
    assert place.site.metrics.in_flight == 0
    assert place.lines.entries[-1].uri == "/slow"


# -- pages ---------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_other_paths_go_to_the_tree_of_twisted_web(place):
    wire = await place.connect()
    answer = await wire.ask(request("GET", "/page"))
    assert (answer.status, answer.body) == (200, b"page")
    assert answer.headers["x-request-id"] == place.lines.entries[0].request_id
    assert (await wire.ask(request("POST", "/page", body=b"abc"))).body == b"cba"
    assert (await wire.ask(request("GET", "/missing"))).status == 404


@pytest_twisted.ensureDeferred
async def test_requests_are_counted_and_written_down(place):
    wire = await place.connect()
    await wire.ask(request("POST", "/echo?a=b", "User-Agent: x", body=b"hello"))
    await wire.ask(request("BREW", "/missing"))
    entry, missing = place.lines.entries
    assert (entry.address, entry.method, entry.uri, entry.protocol) == ("127.0.0.1", "POST", "/echo?a=b", "HTTP/1.1")
    assert (entry.status, entry.sent_bytes) == (200, 5)
    assert 0 <= entry.seconds < 10
    assert place.site.metrics.requests["POST", 200] == 1
    assert place.site.metrics.requests["other", missing.status] == 1
