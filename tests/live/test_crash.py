"""Acknowledged is durable: the server is killed again and again in the middle of writing, and nothing it said is lost.

Writers PUT and DELETE as fast as they can and keep a ledger of what the server acknowledged; the server gets SIGKILL at
a random moment and starts again over the same files. Then every acknowledged state must be there with its bytes and
ETag, a request in flight may have been carried out or not, and a client that synchronizes from any token it was ever
given arrives at the present state.
"""

import http.client
import random
import threading
from collections.abc import Callable

import pytest
from daemon import Daemon, calserver
from ledger import Ledger

ROUNDS = 20
"""Half as many where it is not one process over files of our own: fifty in all."""
WRITERS = 3
LONGEST_ROUND_SECONDS = 0.25


def keep_writing(ledger: Ledger, daemon: Daemon, seed: int, wrong: list[BaseException]) -> None:
    """Write until the connection breaks."""
    chance = random.Random(seed)
    connection = daemon.connect("ann")
    try:
        while True:
            ledger.write(connection, chance)
    except (OSError, http.client.HTTPException):
        pass  # killed
    except AssertionError as refusal:
        wrong.append(refusal)
    finally:
        connection.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    make_daemon: Callable[..., Daemon], store_url: str, workers: int
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # pytest shows it with a failure
    chance = random.Random(seed)
    daemon = make_daemon(store=store_url)
    daemon.configure(workers=workers)
    daemon.start()
    first = daemon.connect("ann")
    ledgers = [Ledger(f"/dav/calendars/user/ann/writer{n}/") for n in range(WRITERS)]
    for ledger in ledgers:
        assert first.request("MKCALENDAR", ledger.path).status == 201
    first.close()

    moment = threading.Event()
    # files of our own are harder to keep than a connection, and one process writes more in the time than two
    rounds = ROUNDS // 2 if store_url or workers > 1 else ROUNDS
    for _ in range(rounds):
        wrong: list[BaseException] = []
        writers = [
            threading.Thread(target=keep_writing, args=(ledger, daemon, chance.randrange(2**32), wrong))
            for ledger in ledgers
        ]
        for each in writers:
            each.start()
        moment.wait(chance.uniform(0.0, LONGEST_ROUND_SECONDS))  # the random moment is what is tested
        daemon.kill()
        for each in writers:
            each.join()
        assert not wrong, wrong[0]
        daemon.start()
        connection = daemon.connect("ann")
        for ledger in ledgers:
            ledger.settle(connection)
            ledger.catch_up(connection, chance)
        connection.close()

    daemon.stop()
    if not store_url:
        calserver("db", "check", "--config", daemon.config)
    assert sum(ledger.acknowledged for ledger in ledgers) > rounds, "hardly anything was written"
