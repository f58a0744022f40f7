"""Sizes and deadlines: what is too large, too slow or too much."""

import pytest
import pytest_twisted
from wire import request

from calserver.config import Server
from calserver.web.request import LINGER_SECONDS

BODY_BYTES = 100_000
"""Of the site in conftest."""


# -- headers -------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_many_fields_are_refused(place):
    wire = await place.connect()
    wire.send(request("GET", "/echo", *(f"X-{number}: x" for number in range(200))))
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("fields", [["X: " + "x" * 20_000], [f"X-{number}: {'x' * 1000}" for number in range(20)]])
@pytest_twisted.ensureDeferred
async def test_large_fields_are_refused(place, fields):
    wire = await place.connect()
    wire.send(request("GET", "/echo", *fields))
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 431 ")


@pytest_twisted.ensureDeferred
async def test_a_long_target_is_refused(place):
    wire = await place.connect()
    wire.send(b"GET /" + b"x" * 20_000)
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 414 ")


@pytest.mark.parametrize("server", [Server(headers=10, headers_bytes=2000)])
@pytest_twisted.ensureDeferred
async def test_the_limits_are_settings(place):
    wire = await place.connect()
    assert (await wire.ask(request("GET", "/echo", "X: " + "x" * 1500))).status == 200
    wire.send(request("GET", "/echo", "X: " + "x" * 2000))
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 431 ")


# -- bodies --------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_body_of_the_largest_size_is_taken(place):
    wire = await place.connect()
    assert (await wire.ask(request("PUT", "/echo", body=b"x" * BODY_BYTES))).body == b"x" * BODY_BYTES


@pytest_twisted.ensureDeferred
async def test_a_larger_length_is_refused_before_anything_of_the_body_came(place):
    """RFC 9110 section 15.5.14."""
    wire = await place.connect()
    answer = await wire.ask(request("PUT", "/echo", f"Content-Length: {BODY_BYTES + 1}"))
    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert not place.seen


@pytest_twisted.ensureDeferred
async def test_a_length_of_more_digits_than_numbers_have_is_refused(place, logged):
    wire = await place.connect()
    wire.send(request("PUT", "/echo", f"Content-Length: {'9' * 5_000}"))
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 400 ")
    assert not logged.failures


@pytest_twisted.ensureDeferred
async def test_a_client_that_goes_on_sending_gets_to_see_the_refusal(place):
    wire = await place.connect()
    wire.send(request("PUT", "/echo", body=b"x" * (BODY_BYTES * 20)))
    received = await wire.until_closed()
    assert received.startswith(b"HTTP/1.1 413 ")
    assert received.count(b"HTTP/1.1") == 1


@pytest_twisted.ensureDeferred
async def test_the_rest_of_a_refused_body_is_not_awaited_for_ever(place):
    wire = await place.connect()
    assert (await wire.ask(request("PUT", "/echo", f"Content-Length: {BODY_BYTES * 2}"))).status == 413
    assert not wire.closed
    place.clock.advance(LINGER_SECONDS + 0.1)
    await wire.until_closed()


@pytest_twisted.ensureDeferred
async def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(place):
    wire = await place.connect()
    wire.send(request("PUT", "/echo", "Transfer-Encoding: chunked"))
    for _ in range(3):
        wire.send(b"9c40\r\n" + b"x" * 0x9C40 + b"\r\n")
    assert (await wire.answer()).status == 413
    assert not place.seen


@pytest_twisted.ensureDeferred
async def test_a_client_that_asks_first_is_told_to_go_on(place):
    """RFC 9110 section 10.1.1."""
    wire = await place.connect()
    wire.send(request("PUT", "/echo", "Expect: 100-continue", "Content-Length: 5"))
    assert (await wire.answer()).status == 100
    wire.send(b"hello")
    assert (await wire.answer()).body == b"hello"


@pytest_twisted.ensureDeferred
async def test_a_client_that_asks_first_with_too_much_is_told_not_to(place):
    wire = await place.connect()
    wire.send(request("PUT", "/echo", "Expect: 100-continue", f"Content-Length: {BODY_BYTES + 1}"))
    assert (await wire.answer()).status == 413


@pytest_twisted.ensureDeferred
async def test_the_bodies_that_arrive_at_a_time_are_bounded(place):
    wires = [await place.connect() for _ in range(18)]
    for wire in wires:
        wire.send(request("PUT", "/echo", body=b"x" * BODY_BYTES)[:-1])
    while not any(wire.received for wire in wires):
        await place.tick()
    refused = [wire for wire in wires if wire.received]
    assert (await refused[0].answer()).status == 503
    for wire in set(wires) - set(refused):
        wire.close()
        await wire.until_closed()
    again = await place.connect()
    assert (await again.ask(request("PUT", "/echo", body=b"x" * BODY_BYTES))).status == 200


# -- time ----------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_an_idle_connection_is_closed_without_a_word(place):
    wire = await place.connect()
    assert (await wire.ask(request("GET", "/echo"))).status == 200
    place.clock.advance(74)
    assert (await wire.ask(request("GET", "/echo"))).status == 200
    place.clock.advance(76)
    assert await wire.until_closed() == b""


@pytest_twisted.ensureDeferred
async def test_headers_that_trickle_in_are_given_up(place):
    wire = await place.connect()
    wire.send(b"GET /echo HTTP/1.1\r\n")
    for number in range(10):
        await place.arrived(wire)
        place.clock.advance(3.2)
        if number < 9:
            wire.send(b"X-%d: x\r\n" % number)
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 408 ")


@pytest_twisted.ensureDeferred
async def test_a_body_that_trickles_in_is_given_up(place):
    wire = await place.connect()
    wire.send(request("PUT", "/echo", "Content-Length: 1000"))
    for number in range(12):
        await place.arrived(wire)
        if not place.site.open_connections:
            break
        place.clock.advance(3)
        if number < 10:
            wire.send(b"x")
    assert (await wire.until_closed()).startswith(b"HTTP/1.1 408 ")
    assert not place.seen


@pytest_twisted.ensureDeferred
async def test_a_large_body_over_a_slow_line_is_not(place):
    wire = await place.connect()
    message = request("PUT", "/echo", body=b"x" * BODY_BYTES)
    for start in range(0, len(message), 10_000):
        wire.send(message[start : start + 10_000])
        await place.arrived(wire)
        place.clock.advance(2.3)
    assert (await wire.answer()).status == 200


@pytest_twisted.ensureDeferred
async def test_a_slow_answer_is_not_a_slow_client(place):
    wire = await place.connect()
    wire.send(request("GET", "/slow"))
    while not place.waiting:
        await place.tick()
    place.clock.advance(1000)
    place.waiting.pop().callback(None)
    assert (await wire.answer()).body == b"at last"
    place.clock.advance(74)
    assert (await wire.ask(request("GET", "/echo"))).status == 200
