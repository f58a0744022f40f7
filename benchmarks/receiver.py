"""Signed iSchedule messages per second that one core verifies and delivers: ``python -m benchmarks.receiver``.

A receiver of the library `ischedule` with a calendar server behind it that does nothing, in a process of its own, gets
messages over a few connections of loopback: each signed by itself, none of them sent twice. What counts is the CPU time
of the receiver's process. ``--profile`` prints where it goes.

With ``--delivered`` it is a whole server of calserver, which puts each invitation into the calendars and Inboxes of two
people, durably, before it answers.
"""

import argparse
import cProfile
import http.client
import multiprocessing
import pstats
import threading
import time
from collections.abc import Sequence
from itertools import islice
from multiprocessing.connection import Connection
from typing import Final, Self

from twisted.internet import reactor  # noqa: TID251 - this is the whole program
from twisted.web.resource import Resource

from benchmarks.daemon import Daemon
from benchmarks.federated import PLACE, RECIPIENTS, messages, new_key
from ischedule import dkim
from ischedule.errors import SUCCESS
from ischedule.message import Message, Response
from ischedule.receiver import Delivery, Receiver, Settings
from ischedule.resource import ReceiverResource, ReceiverSite

LINES: Final = 40
"""How many lines of the profile are printed."""


class Nobody:
    """Delivers everything nowhere."""

    def hosts(self, domain: str) -> bool:
        """Whether it is ours."""
        return domain == "example.com"

    async def deliver(self, delivery: Delivery) -> Sequence[Response]:
        """Say that it went well."""
        return [Response(recipient=each, status=SUCCESS) for each in delivery.recipients]


class Known:
    """One key for everybody."""

    def __init__(self, record: str) -> None:
        self._records = (record,)

    async def fetch(self, query: dkim.KeyQuery, *, fresh: bool = False) -> tuple[str, ...]:
        """That key."""
        return self._records


def serve(pipe: Connection, record: str, profiled: bool) -> None:
    """The receiver's process: it tells its port, and its CPU seconds whenever it is asked; a False ends it."""
    settings = Settings(address_rate=None, domain_rate=None)
    well_known, root = Resource(), Resource()
    root.putChild(b".well-known", well_known)
    well_known.putChild(b"ischedule", ReceiverResource(Receiver(Nobody(), Known(record), settings=settings)))
    site = ReceiverSite(root, body_bytes=1_000_000)
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    pipe.send(port.getHost().port)

    def talk() -> None:
        while pipe.recv():
            pipe.send(time.process_time())
        reactor.callFromThread(reactor.stop)

    threading.Thread(target=talk, daemon=True).start()
    profile = cProfile.Profile(time.process_time)  # of the clock would show who else uses the machine
    if profiled:
        profile.enable()
    reactor.run(installSignalHandlers=False)
    if profiled:
        profile.disable()
        pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(LINES).sort_stats("cumtime").print_stats(
            LINES
        )


def post(port: int, batch: Sequence[Message]) -> None:
    """Send messages over one connection, and look at each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for message in batch:
        connection.request("POST", PLACE, message.body, dict(message.fields))
        answer = connection.getresponse()
        if answer.status != 200 or answer.read().count(b"2.0;Success") != len(RECIPIENTS):
            raise SystemExit(f"a message was answered with {answer.status}")
    connection.close()


class Library:
    """The receiver of the library in a process of its own."""

    def __init__(self, key: dkim.SigningKey, profiled: bool) -> None:
        self._pipe, there = multiprocessing.Pipe()
        arguments = (there, dkim.key_record(key.private), profiled)
        self._process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)

    def __enter__(self) -> Self:
        self._process.start()
        self.port: int = self._pipe.recv()
        return self

    def __exit__(self, *unused: object) -> None:
        self._pipe.send(False)
        self._process.join()

    def cpu(self) -> float:
        """Seconds of CPU time that it has used."""
        self._pipe.send(True)
        seconds: float = self._pipe.recv()
        return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.receiver", description=__doc__)
    parser.add_argument("--count", type=int, default=4000, help="messages (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=4, help="at the same time (default: %(default)s)")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    parser.add_argument("--delivered", action="store_true", help="measure a whole server")
    options = parser.parse_args()
    for algorithm in ("rsa", "ed25519"):
        key = new_key(algorithm)
        every = list(islice(messages(key), options.count))
        with Daemon(2, key=key) if options.delivered else Library(key, options.profile) as server:
            post(server.port, every[:100])
            cpu, began = server.cpu(), time.monotonic()
            rest = every[100:]
            threads = [
                threading.Thread(target=post, args=(server.port, rest[number :: options.connections]))
                for number in range(options.connections)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            cpu, wall = server.cpu() - cpu, time.monotonic() - began
        print(
            f"{algorithm:8} {len(rest) / cpu:6.0f} messages per CPU second ({1e6 * cpu / len(rest):.0f} us each),"
            f" {len(rest) / wall:.0f} per second of the clock"
        )


if __name__ == "__main__":
    main()
