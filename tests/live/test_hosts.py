"""Hosts of a cluster are killed or cut off in turn, while clients work: what was acknowledged is there, and all heals.

Each host is a network namespace with an address of its own. Two front ends stand before two back ends, whose stores and
the directory are in a PostgreSQL with a standby that confirms each commit; names come from a name server.
"""

import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from diaries import status
from hosts import skip_where_there_are_none
from ledger import Ledger
from postgresql import PREFIX, Cluster
from roaming import (
    HOME,
    Client,
    Guest,
    Load,
    Organizer,
    Poller,
    Roamer,
    Writer,
    mail,
    summary,
    texts,
)
from spread import Node, Spread

AT_B1: Final = frozenset({"wes writes", "ann invites", "carol answers"})
AT_B2: Final = frozenset({"wil writes", "bob invites", "dora answers"})
EVERYBODY: Final = AT_B1 | AT_B2 | {"ann looks"}
GUESTS: Final = ("carol", "dora")
"""One of them is always at another node than the organizer."""
_numbers: Final = count(1)


@pytest.fixture(scope="module")
def site(
    program: Callable[[str], str], postgres: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Spread]:
    for each in ("ip", "unshare"):
        program(each)
    skip_where_there_are_none()
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)) for _ in range(2)]
        first, second = map(Path, folders)
        running = stack.enter_context(Spread(tmp_path_factory.mktemp("spread"), (first, second), program("nsd")))
        yield running
        with ThreadPoolExecutor() as some:
            list(some.map(lambda name: running.nodes[name].run("schedule", "check"), ("b1", "b2")))


@pytest.fixture
def load(site: Spread) -> Iterator[Load]:
    """Clients of all kinds at work; at the end everything must be as they know it."""
    seed = random.randrange(2**32)
    print("seed", seed)  # pytest shows it with a failure
    chance = random.Random(seed)
    with Load(site.network["client"], people(site, f"m{next(_numbers)}", chance)) as working:
        working.go_on(EVERYBODY)
        yield working
        working.go_on(EVERYBODY)
        working.stop(EVERYBODY - {f"{who} answers" for who in GUESTS})
        with site.network["client"].inside():
            for each in working.clients.values():
                if isinstance(each, Writer):
                    each.ledger.settle(each.roamer)
                    each.ledger.catch_up(each.roamer, each.chance)
            check_meetings(site, working, chance)


def check_meetings(site: Spread, working: Load, chance: random.Random) -> None:
    """Everybody comes to have the same of all meetings, and was told of what is so now, and of nothing twice."""
    organizers = [each for each in working.clients.values() if isinstance(each, Organizer)]
    meetings = {uid: (each.who, sequence) for each in organizers for uid, sequence in each.meetings.items()}
    with ExitStack() as stack:
        people = (*GUESTS, *(each.who for each in organizers))
        readers = {who: stack.enter_context(site.roamer(who, chance)) for who in people}
        how = partial(difference, readers, meetings)
        working.until(lambda: not how(), how, every=0.5)
        working.stop(working.clients)
        told = {who: Counter(map(gist, texts(reader, who, "Inbox"))) for who, reader in readers.items()}
    for who, gists in told.items():
        assert not {each: number for each, number in gists.items() if number > 1}, f"{who} was told so twice"
    for uid, (organizer, sequence) in meetings.items():
        for who in GUESTS:
            assert ("REQUEST", uid, sequence, "") in told[who], f"{who} was not told of {uid}"
            assert ("REPLY", uid, sequence, mail(who)) in told[organizer], f"{organizer} was not told of {uid} by {who}"


def gist(message: str) -> tuple[str, str, int, str]:
    """Method, meeting, which state of it, and for an answer whose."""
    method, uid = (re.findall(f"{name}:(.*)\r\n", message)[0] for name in ("METHOD", "UID"))
    sequence = next(number for number in count() if f"SUMMARY:{summary(number)}\r\n" in message)
    who = re.findall("ATTENDEE.*?(mailto:.*)\r\n", message)[0] if method == "REPLY" else ""
    return method, uid, sequence, who


def people(site: Spread, mark: str, chance: random.Random) -> dict[str, Client]:
    """A client of each kind."""
    roamer = partial(site.roamer, chance=chance)
    found: dict[str, Client] = {"ann looks": Poller(roamer("ann"), "ann")}
    for who in ("wes", "wil"):
        ledger = Ledger(f"{HOME.format(who)}{mark}/")
        found[f"{who} writes"] = Writer(roamer(who), who, ledger=ledger, chance=random.Random(chance.random()))
    for who in ("ann", "bob"):
        mine = random.Random(chance.random())
        found[f"{who} invites"] = Organizer(roamer(who), who, guests=GUESTS, mark=mark, chance=mine, pause=0.5)
    return found | {f"{who} answers": Guest(roamer(who), who) for who in GUESTS}


def difference(readers: Mapping[str, Roamer], meetings: Mapping[str, tuple[str, int]]) -> str:
    """What is not yet with somebody as it is with the organizer, or not answered; empty where there is nothing."""
    for who, reader in readers.items():
        copies = {re.findall("UID:(.*)\r\n", each)[0]: each for each in texts(reader, who, "Default")}
        for uid, (organizer, sequence) in meetings.items():
            if who not in (organizer, *GUESTS):
                continue
            text = copies.get(uid, "")
            if f"SUMMARY:{summary(sequence)}\r\n" not in text:
                return f"{who} does not have {uid} as it is after {sequence} moves: {text}"
            for guest in GUESTS:
                line = status(text, mail(guest))
                if line["PARTSTAT"] != "ACCEPTED" or (who == organizer and line["SCHEDULE-STATUS"][0] not in "12"):
                    return f"{who} has {guest} as {line} in {uid}"
    return ""


# -- front ends, the name server ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "away"), [("f1", "killed"), ("f2", "cut")])
def test_clients_go_on_by_the_other_front_end_and_the_other_worker(
    site: Spread, load: Load, name: str, away: str
) -> None:
    with site.away(name, away):
        site.nodes["b1"].kill_worker()
        load.go_on(EVERYBODY)


def test_connections_outlive_the_name_server(site: Spread, load: Load) -> None:
    with site.away("ns", "killed"):
        load.go_on(EVERYBODY)


# -- back ends ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "away"), [("b1", "killed"), ("b2", "cut")])
def test_people_at_the_other_back_end_go_on(site: Spread, load: Load, name: str, away: str) -> None:
    there = AT_B1 if name == "b1" else AT_B2
    with site.away(name, away):
        load.are_refused(there)
        load.go_on(EVERYBODY - there)


# -- the database ------------------------------------------------------------------------------------------------------


def test_a_standby_takes_over(site: Spread, load: Load) -> None:
    """Stores of the back ends and the directory: front ends answer what they know without them."""
    with site.away("db1", "cut"):
        load.go_on({"ann looks"})
        with ThreadPoolExecutor() as some:
            health = dict(zip(site.nodes, some.map(Node.health, site.nodes.values()), strict=True))
        assert health == {"f1": 200, "f2": 200, "b1": 503, "b2": 503}
        site.standby.promote()
        load.go_on(EVERYBODY)
        site.primary.stop()  # before anybody reaches it again: there must not be two
    assert [each.health() for each in site.nodes.values()] == [200] * len(site.nodes)
