"""A peer that is down: its letters wait, are seen, tried when an administrator says so, and given up."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from certificates import Authority
from diaries import status
from organizations import Internet, Organization, fetch, until


@pytest.fixture
def internet(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    authority, folder = Authority(), tmp_path_factory.mktemp("internet")
    found = [Organization(folder, domain, authority) for domain in ("north.example", "south.example")]
    running = Internet(program("nsd"), folder, found)
    found[0].set(ischedule__retry_seconds=600)
    with running:
        yield running


def counted(north: Organization, name: str) -> int:
    """A number among the metrics about letters to the other organization."""
    found = re.search(
        rf'(?m)^calserver_letters_{name}domain="south.example".*\}} (\d+)', fetch(north.admin_port, "/metrics")[1]
    )
    return int(found[1]) if found else 0


WAITING, POSTPONED = r"waiting\{", r"total\{(?=[^\n]*postponed)"


def test_letters_to_a_peer_that_is_down(internet: Internet) -> None:
    north, south = (internet.organizations[f"{each}.example"] for each in ("north", "south"))
    bob = south.mail("bob")

    def told(*arguments: str) -> Any:
        return json.loads(north.verb("federation", *arguments, "--json"))

    south.kill()
    assert north.invite("lunch", "ann", [bob]).status == 201
    until(lambda: counted(north, POSTPONED) == 1, "it has been tried")
    (letter,) = told("queue", "--letters")
    assert (letter["recipient"], letter["method"], letter["uid"], letter["attempts"]) == (bob, "REQUEST", "lunch", 1)
    assert letter["originator"] == north.mail("ann")
    (south_is_down,) = told("peers")
    assert (south_is_down["failures"], south_is_down["waiting"], south_is_down["sent"]) == (1, 1, None)
    assert "refused" in south_is_down["problem"]
    until(lambda: counted(north, WAITING) == 1, "the metrics have it")
    assert status(north.text("ann", "lunch"), bob)["SCHEDULE-STATUS"] == "1.0"

    south.start()
    assert told("retry", "south.example") == {"letters": 1}
    until(lambda: status(north.text("ann", "lunch"), bob)["SCHEDULE-STATUS"] == "2.0", "it is delivered at once")
    assert south.find("bob", "lunch") is not None
    until(lambda: counted(north, WAITING) == 0, "the metrics have nothing any more")
    known = told("show", "south.example")
    assert (known["failures"], known["problem"], known["waiting"], known["letters"]) == (0, "", 0, [])
    assert known["sent"] > known["since"]
    assert json.loads(south.verb("federation", "show", "north.example", "--json"))["received"] is not None

    south.kill()
    assert north.invite("dinner", "ann", [bob, south.mail("cyd")]).status == 201
    until(lambda: counted(north, POSTPONED) == 3, "it has been tried")
    assert told("drop", "south.example", "bob@south.example") == {"letters": 1}
    said = {each: status(north.text("ann", "dinner"), south.mail(each))["SCHEDULE-STATUS"] for each in ("bob", "cyd")}
    assert said == {"bob": "5.1", "cyd": "1.0"}
    south.start()
    assert told("retry", "south.example") == {"letters": 1}
    until(lambda: south.find("cyd", "dinner") is not None, "what was not given up arrives")
    assert south.find("bob", "dinner") is None
