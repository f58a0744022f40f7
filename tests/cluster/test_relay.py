"""What goes with a message to another node, and what ends at the front end (RFC 9110 section 7.6.1)."""

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from calserver.cluster.relay import _ENDS_HERE, _MADE_ANEW, Body, Lateness, passed_on
from calserver.web import Intake

HOP_BY_HOP = ("Connection", "Keep-Alive", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade")


@pytest.mark.parametrize("name", [*HOP_BY_HOP, "Authorization", "Cookie", "Expect", "X-Forwarded-For", "Forwarded"])
def test_what_is_about_the_connection_or_the_front_end_ends_there(name: str) -> None:
    found = passed_on([(name.encode(), [b"x"]), (b"Depth", [b"1"])], _ENDS_HERE)
    assert found == {b"depth": [b"1"]}


@pytest.mark.parametrize("name", [*HOP_BY_HOP, "Date", "X-Request-Id"])
def test_the_same_of_answers(name: str) -> None:
    found = passed_on([(name.encode(), [b"x"]), (b"ETag", [b"1"])], _MADE_ANEW)
    assert found == {b"etag": [b"1"]}


def test_what_the_connection_field_names_ends_too() -> None:
    fields = [(b"Connection", [b"close, X-Secret", b"depth"]), (b"x-secret", [b"1"]), (b"Depth", [b"1"])]
    assert passed_on(fields, _ENDS_HERE) == {}


def test_fields_that_come_twice_stay_two() -> None:
    assert passed_on([(b"If", [b"a", b"b"])], _ENDS_HERE) == {b"if": [b"a", b"b"]}


class Wire:
    """A connection whose reading is watched."""

    def __init__(self) -> None:
        self.reads = True

    def pause_body(self) -> None:
        self.reads = False

    def resume_body(self) -> None:
        self.reads = True


def intake() -> tuple[Wire, Intake]:
    wire = Wire()
    return wire, Intake(wire, None)  # type: ignore[arg-type] # what is used of a connection


class Consumer:
    """Takes a body, and makes who brings it wait after each part."""

    def __init__(self, after: Callable[[], object] = lambda: None) -> None:
        self.taken: list[bytes] = []
        self.after = after

    def write(self, data: bytes) -> None:
        self.taken.append(data)
        self.after()

    def registerProducer(self, producer: object, streaming: bool) -> None: ...

    def unregisterProducer(self) -> None: ...


def test_nothing_is_read_before_somebody_takes_it() -> None:
    wire, body = intake()
    body.data(b"one")
    assert not wire.reads
    consumer = Consumer()
    Body(body, Lateness(1, Clock())).startProducing(consumer)  # type: ignore[arg-type] # what is used of it is there
    assert (wire.reads, consumer.taken) == (True, [b"one"])


def test_a_slow_node_makes_the_client_wait_and_order_is_kept() -> None:
    wire, body = intake()
    consumer = Consumer()
    producer = Body(body, Lateness(1, Clock()))
    consumer.after = producer.pauseProducing
    done = producer.startProducing(consumer)  # type: ignore[arg-type] # what is used of it is there
    for part in (b"1", b"2", b"3"):
        body.data(part)
        assert not wire.reads
    body.end()
    for so_far in ([b"1", b"2"], [b"1", b"2", b"3"]):
        producer.resumeProducing()
        assert consumer.taken == so_far
    assert not done.called
    producer.resumeProducing()
    assert done.called


def test_a_client_that_goes_does_not_end_the_body() -> None:
    _, body = intake()
    done = Body(body, Lateness(1, Clock())).startProducing(Consumer())  # type: ignore[arg-type] # what is used of it is there
    body.data(b"half")
    body.lost()
    assert body.gone
    assert not done.called


def test_what_a_node_does_not_take_is_thrown_away() -> None:
    wire, body = intake()
    consumer = Consumer()
    producer = Body(body, Lateness(1, Clock()))
    producer.startProducing(consumer)  # type: ignore[arg-type] # what is used of it is there
    producer.pauseProducing()
    producer.stopProducing()
    body.data(b"more")
    assert (wire.reads, consumer.taken) == (True, [])
    over: list[bool] = []
    body.end()
    body.when_over(lambda: over.append(True))
    assert over == [True]


def test_a_node_that_takes_nothing_is_given_up() -> None:
    clock = Clock()
    late = Lateness(5, clock)
    cancelled: list[object] = []
    late.waiting = Deferred(cancelled.append)
    late.waiting.addErrback(lambda _: None)
    _, body = intake()
    producer = Body(body, late)
    producer.startProducing(Consumer())  # type: ignore[arg-type] # what is used of it is there
    producer.pauseProducing()
    clock.advance(4)
    producer.resumeProducing()
    clock.advance(100)
    assert (late.is_over, cancelled) == (False, [])
    producer.pauseProducing()
    clock.advance(5)
    assert (late.is_over, len(cancelled)) == (True, 1)
