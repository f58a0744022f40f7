"""``calserver federation``: what waits for other organizations, and what an administrator does about it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from calserver import calendars, meetings
from calserver.admin import database, federation, schedule
from calserver.admin.accounts import named
from calserver.admin.calendars import find
from calserver.config import Config, Ischedule, Peer
from calserver.ical import CalendarObject
from calserver.itip import Message
from calserver.meetings import letters
from calserver.store import Peer as Known
from calserver.store import Principal, Transaction

Verb = Callable[..., Any]

MEETING = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example.com//tests//EN
BEGIN:VEVENT
UID:lunch
DTSTAMP:20260101T000000Z
DTSTART:20990105T090000Z
DURATION:PT1H
ORGANIZER:mailto:ann@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org
ATTENDEE:mailto:yan@south.example
ATTENDEE:mailto:zoe@south.example
ATTENDEE:mailto:una@west.example
END:VEVENT
END:VCALENDAR
"""


class Out:
    """A way out: everybody elsewhere gets a letter."""

    def __init__(self, policy: meetings.Policy) -> None:
        self.policy = policy

    def take(
        self, txn: Transaction, message: Message, recipients: list[str], sender: Principal | None
    ) -> dict[str, str]:
        letters.post(txn, self.policy, message, recipients, sender, "id")
        return dict.fromkeys(recipients, letters.PENDING)


@pytest.fixture
def config(site: Path) -> Config:
    """Of a server where ann has invited three people elsewhere; one of the domains has failed twice."""
    path = site / "calserver.toml"
    more = (
        '[ischedule.peers."south.example"]\nfree_busy = "types"\n[ischedule.peers."quiet.example"]\nreplies = false\n'
    )
    path.write_text(f"{path.read_text()}\n{more}")
    config = Config.load(path)
    policy = schedule.policy_of(config)

    def invite(txn: Transaction) -> None:
        new = CalendarObject.parse(MEETING.replace("\n", "\r\n").encode(), limits=calendars.limits(config.calendars))
        place = find(txn, named(txn, "ann"), "Default")
        meetings.put(
            txn, attrs.evolve(policy, routes=(Out(policy),)), place, "lunch.ics", new, path=lambda row: row.name
        )
        for task, _ in letters.waiting(txn, "south.example"):
            txn.tasks.postpone(task.id, txn.now + timedelta(hours=1))
        then = txn.now + timedelta(hours=2)
        txn.peers.put(
            Known(domain="south.example", since=txn.now, failures=2, next_try=then, problem="connection refused")
        )

    with database.opened(config) as store:
        store.write_now(invite)
    return config


def statuses(verb: Verb) -> dict[str, str]:
    """What ann's copy says of each attendee."""
    found = verb("schedule", "explain", "lunch", "--json").json
    return {each["address"]: each["status"] for each in found["participants"] if each["role"] == "attendee"}


def test_peers_are_those_of_the_store_and_of_the_configuration(verb: Verb, config: Config) -> None:
    found = {each["domain"]: each for each in verb("federation", "peers", "--json").json}
    assert {name: each["waiting"] for name, each in found.items()} == {
        "quiet.example": 0,
        "south.example": 2,
        "west.example": 1,
    }
    assert (found["south.example"]["failures"], found["west.example"]["since"]) == (2, None)
    assert found["south.example"]["due"] > found["west.example"]["due"]
    lines = verb("federation", "peers").out.splitlines()
    assert lines[2].startswith("south.example ")
    assert lines[2].endswith("as south.example  connection refused")


def test_the_queue_by_domain_and_one_by_one(verb: Verb, config: Config) -> None:
    by_domain = verb("federation", "queue").out.splitlines()
    assert [line.split()[:2] for line in by_domain] == [
        ["DOMAIN", "WAITING"],
        ["south.example", "2"],
        ["west.example", "1"],
    ]
    assert [each["domain"] for each in verb("federation", "queue", "--json").json] == ["south.example", "west.example"]
    one_by_one = verb("federation", "queue", "--letters").out.splitlines()
    assert [line.split()[:4] for line in one_by_one] == [
        ["FROM", "TO", "METHOD", "UID"],
        ["ann@example.org", "yan@south.example", "REQUEST", "lunch"],
        ["ann@example.org", "zoe@south.example", "REQUEST", "lunch"],
        ["ann@example.org", "una@west.example", "REQUEST", "lunch"],
    ]
    rows = verb("federation", "queue", "--letters", "--json").json
    assert [(each["recipient"], each["attempts"]) for each in rows] == [
        ("mailto:yan@south.example", 1),
        ("mailto:zoe@south.example", 1),
        ("mailto:una@west.example", 0),
    ]
    assert rows[0]["due"] > rows[2]["due"]


def test_everything_about_a_domain(verb: Verb, config: Config) -> None:
    told = verb("federation", "show", "South.Example.").out
    for text in ("failures since:", "connection refused", "busy, tentative or away", "zoe@south.example  REQUEST"):
        assert text in told
    assert "una" not in told
    stranger = verb("federation", "show", "new.example", "--json").json
    assert (stranger["since"], stranger["waiting"], stranger["letters"]) == (None, 0, [])
    assert (stranger["rules"]["peer"], stranger["rules"]["talks"]) == ("", True)
    assert "was ever sent there" in verb("federation", "show", "new.example").out


def test_letters_are_tried_now(verb: Verb, config: Config) -> None:
    assert verb("federation", "retry", "south.example", "Zoe@south.example").out == "1 letter to be tried now\n"
    due = {each["recipient"]: each["due"] for each in verb("federation", "queue", "--letters", "--json").json}
    assert due["mailto:zoe@south.example"] < due["mailto:yan@south.example"]
    south = verb("federation", "show", "south.example", "--json").json
    assert (south["due"], south["failures"]) == (due["mailto:zoe@south.example"], 2)
    assert verb("federation", "retry", "south.example", "--json").json == {"letters": 2}
    with database.opened(config) as store:
        due_now = store.read_now(lambda txn: [each.key for each in txn.tasks.due("letter south.example", 10)])
    assert len(due_now) == 2


def test_letters_are_given_up(verb: Verb, config: Config) -> None:
    assert statuses(verb)["mailto:zoe@south.example"] == "1.0"
    assert verb("federation", "drop", "south.example", "mailto:zoe@south.example").out == "1 letter given up\n"
    now = statuses(verb)
    assert (now["mailto:zoe@south.example"], now["mailto:yan@south.example"]) == ("5.1", "1.0")
    assert verb("federation", "drop", "south.example", "--json").json == {"letters": 1}
    assert statuses(verb)["mailto:yan@south.example"] == "5.1"
    assert [each["domain"] for each in verb("federation", "queue", "--json").json] == ["west.example"]


def test_many_letters_are_given_up_some_at_a_time(verb: Verb, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(federation, "AT_ONCE", 1)
    assert verb("federation", "drop", "south.example").out == "2 letters given up\n"
    assert verb("federation", "queue", "--letters", "--json").json[0]["recipient"] == "mailto:una@west.example"


@pytest.mark.parametrize("what", ["retry", "drop"])
def test_what_cannot_be_done(verb: Verb, config: Config, what: str) -> None:
    for arguments, says in (
        (["quiet.example"], "no letter waits for quiet.example"),
        (["south.example", "nobody@south.example"], "no letter waits for nobody@south.example"),
        (["-- south"], "-- south is not the name of a domain"),
    ):
        answer = verb("federation", what, "--", *arguments)
        assert (answer.status, answer.err) == (1, f"calserver: {says}\n")
    assert verb("federation", "show", "a b").status == 1
    assert verb("federation", what).status == 2


def test_rules_are_those_of_the_nearest_peer() -> None:
    settings = Ischedule(
        allow=("example",),
        deny=("evil.example",),
        peers={
            "south.example": Peer(invitations="inbox", free_busy="none", pinned=True, urls=("https://a.example/",)),
            "west.example": Peer(replies=False),
        },
    )
    south, below = (federation.rules(settings, each) for each in ("south.example", "cal.south.example"))
    assert (south.invitations, south.strangers, south.free_busy) == ("inbox", "inbox", "none")
    assert (below.peer, below.invitations, below.pinned, below.urls) == ("south.example", "inbox", False, ())
    assert (south.pinned, south.urls) == (True, ("https://a.example/",))
    assert not federation.rules(settings, "west.example").replies
    talks = [federation.rules(settings, each).talks for each in ("evil.example", "x.evil.example", "other.test")]
    assert talks == [False, False, False]
    assert not federation.rules(attrs.evolve(settings, enabled=False), "south.example").talks
