"""A graceful stop: what runs finishes, what is new is refused, nothing is lost."""

import pytest_twisted
from twisted.internet.defer import Deferred
from wire import request


async def running(place):
    wire = await place.connect()
    wire.send(request("PUT", "/slow"))
    while not place.waiting:
        await place.tick()
    return wire


@pytest_twisted.ensureDeferred
async def test_what_runs_is_finished(place):
    wire = await running(place)
    stopped = Deferred.fromCoroutine(place.site.stop())
    await place.tick()
    assert not stopped.called
    place.waiting.pop().callback(None)
    assert (await wire.answer()).body == b"at last"
    await stopped
    await wire.until_closed()


@pytest_twisted.ensureDeferred
async def test_what_is_new_is_refused_on_connections_that_are_open(place):
    idle = await place.connect()
    assert (await idle.ask(request("GET", "/echo"))).status == 200
    wire = await running(place)
    stopped = Deferred.fromCoroutine(place.site.stop())
    refused = await idle.ask(request("GET", "/echo"))
    assert refused.status == 503
    assert refused.headers["connection"] == "close"
    assert int(refused.headers["retry-after"]) > 0
    await idle.until_closed()
    place.waiting.pop().callback(None)
    assert (await wire.answer()).status == 200
    await stopped


@pytest_twisted.ensureDeferred
async def test_an_idle_server_stops_at_once(place):
    idle = await place.connect()
    assert (await idle.ask(request("GET", "/echo"))).status == 200
    await place.site.stop()
    await idle.until_closed()
    assert not place.site.open_connections


@pytest_twisted.ensureDeferred
async def test_the_grace_has_an_end(place):
    wire = await running(place)
    stopped = Deferred.fromCoroutine(place.site.stop())
    place.clock.advance(4.9)
    await place.tick()
    assert not stopped.called
    place.clock.advance(0.2)
    await wire.until_closed()
    await stopped
    place.waiting.pop().callback(None)
    assert not place.site.metrics.in_flight


@pytest_twisted.ensureDeferred
async def test_a_stream_is_sent_to_its_end(place):
    size = 20_000_000
    place.site.serve({"/huge": lambda asked: asked.respond(200, [("Content-Type", "x/y")], bytes(size))})
    wire = await place.connect()
    wire.transport.pauseProducing()
    wire.send(request("GET", "/huge"))
    while not place.site.metrics.in_flight:
        await place.tick()
    stopped = Deferred.fromCoroutine(place.site.stop())
    for _ in range(10):
        await place.tick()
    assert not stopped.called
    wire.transport.resumeProducing()
    assert len((await wire.answer()).body) == size
    await stopped


@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_close_is_cut_off(place):
    wire = await place.connect()
    wire.transport.pauseProducing()
    wire.send(request("GET", "/endless"))
    place.site.serve({"/endless": lambda asked: asked.respond(200, [("Content-Type", "x/y")], endless())})
    while not place.site.metrics.in_flight:
        await place.tick()
    stopped = Deferred.fromCoroutine(place.site.stop())
    for _ in range(3):
        await place.tick()
        place.clock.advance(5)
    await stopped
    wire.transport.resumeProducing()
    await wire.until_closed()


def endless():
    while True:
        yield bytes(10_000)
