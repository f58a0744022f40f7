"""Who may do what, and who acts for whom, from the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Verb = Callable[..., Any]
CALENDAR = "calendars/user/ann/Default/"
DEFAULTS = [
    (CALENDAR, "lrwipkxtan9", "authenticated", "9"),
    ("calendars/user/ann/Attachments/", "lrwipkxtan", "authenticated", "lr"),
    ("calendars/user/ann/Inbox/", "lrwipkxtan789", "authenticated", "789"),
]


def rules(verb: Verb, path: str = CALENDAR) -> list[tuple[str, str, str]]:
    """Who, rights (with a minus where they are denied) and where from, without those that always count."""
    shown = verb("acl", "show", path, "--json").json["rules"]
    return [
        (each["who"], "-" * each["deny"] + each["rights"], each["source"])
        for each in shown
        if each["source"] in ("own", "default")
    ]


def of(verb: Verb, who: str, path: str = CALENDAR) -> str:
    rights: str = verb("acl", "show", path, "--of", who, "--json").json["rights"]
    return rights


def make_staff(verb: Verb, site: Path) -> None:
    """A group with Bob in it."""
    table = site / "groups.csv"
    table.write_text("uid,type,members\nstaff,group,bob\n")
    assert verb("principals", "import", table).status == 0


@pytest.mark.parametrize(("path", "owners", "others", "theirs"), DEFAULTS)
def test_the_default_rights_are_those_of_the_table(
    verb: Verb, site: Path, path: str, owners: str, others: str, theirs: str
) -> None:
    assert rules(verb, path) == [(others, theirs, "default")]
    assert of(verb, "ann", path) == owners
    assert of(verb, "bob", path) == theirs


def test_an_outbox_is_its_owners_alone(verb: Verb, site: Path) -> None:
    assert rules(verb, "calendars/user/ann/Outbox/") == []
    assert of(verb, "ann", "calendars/user/ann/Outbox/") == "lrwipkxtan789"
    assert of(verb, "bob", "calendars/user/ann/Outbox/") == ""


def test_a_list_shows_everything_that_counts_there(verb: Verb, site: Path) -> None:
    shown = verb("acl", "show", "/dav/" + CALENDAR).out.splitlines()
    assert shown[0].split() == ["WHO", "RIGHTS", "PRIVILEGES", "FROM"]
    assert [line.split()[0] for line in shown[1:]] == ["ann", "authenticated", "read-delegates", "write-delegates"]
    assert "CALDAV:read-free-busy" in shown[2]
    place = verb("acl", "show", CALENDAR, "--json").json
    assert (place["path"], place["kind"], place["owner"]) == (CALENDAR, "calendar", "ann")
    assert {each["inherited_from"] for each in place["rules"]} == {None, "calendars/user/ann/"}


def test_rights_are_granted_and_revoked_by_letters_and_by_name(verb: Verb, site: Path) -> None:
    assert verb("acl", "grant", CALENDAR, "bob", "lr").status == 0
    assert rules(verb) == [("authenticated", "9", "own"), ("bob", "lr9", "own")]
    verb("acl", "grant", CALENDAR, "bob", "write")
    assert of(verb, "bob") == "lrwipkxtn9"
    verb("acl", "revoke", CALENDAR, "bob", "pk")
    assert of(verb, "bob") == "lrwixtn9"
    verb("acl", "revoke", CALENDAR, "bob", "DAV:unbind", "write-content")
    assert of(verb, "bob") == "lrwn9"
    verb("acl", "revoke", CALENDAR, "bob")
    assert rules(verb) == [("authenticated", "9", "own")]
    verb("acl", "revoke", CALENDAR, "authenticated", "9")
    assert rules(verb) == []
    verb("acl", "reset", CALENDAR)
    assert rules(verb) == [("authenticated", "9", "default")]


def test_the_meaning_of_some_letters_depends_on_the_collection(verb: Verb, site: Path) -> None:
    granted = {
        "Inbox": ["CALDAV:schedule-deliver-invite", "CALDAV:schedule-query-freebusy"],
        "Outbox": ["CALDAV:schedule-send-freebusy", "CALDAV:schedule-send-invite"],
    }
    for name, privileges in granted.items():
        path = f"calendars/user/ann/{name}/"
        verb("acl", "revoke", path, "authenticated")
        shown = verb("acl", "grant", path, "bob", "98", "--json").json["rules"]
        assert [sorted(each["privileges"]) for each in shown if each["who"] == "bob"] == [privileges]
    assert verb("acl", "grant", CALENDAR, "bob", "8").status == 1


def test_what_is_denied_counts_before_what_a_group_has(verb: Verb, site: Path) -> None:
    make_staff(verb, site)
    verb("acl", "grant", CALENDAR, "group/staff", "lrw")
    assert of(verb, "bob") == "lrwn9"
    verb("acl", "grant", CALENDAR, "bob", "w", "--deny")
    assert rules(verb)[0] == ("bob", "-wn", "own")
    assert of(verb, "bob") == "lr9"
    verb("acl", "grant", CALENDAR, "bob", "w")
    assert of(verb, "bob") == "lrwn9"


def test_what_is_granted_on_a_home_holds_in_it(verb: Verb, site: Path) -> None:
    verb("acl", "grant", "calendars/user/ann/", "bob", "read")
    for path in ("calendars/user/ann/", CALENDAR, "calendars/user/ann/Attachments/"):
        assert of(verb, "bob", path)[:2] == "lr"
    inherited = [each for each in verb("acl", "show", CALENDAR, "--json").json["rules"] if each["who"] == "bob"]
    assert [(each["source"], each["inherited_from"]) for each in inherited] == [("inherited", "calendars/user/ann/")]


def test_everybody_and_nobody_in_particular_can_be_named(verb: Verb, site: Path) -> None:
    for who in ("anyone", "authenticated", "anonymous", "owner", "read-delegates", "write-delegates", "location/room"):
        assert verb("acl", "grant", CALENDAR, who, "r").status == 0, who
    assert [who for who, _, _ in rules(verb)] == [
        "authenticated",
        "anyone",
        "anonymous",
        "owner",
        "read-delegates of ann",
        "write-delegates of ann",
        "location/room",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "calendars/user/nobody/"], "there is nothing at calendars/user/nobody/"),
        (["show", "principals/user/ann/"], "has no access control list"),
        (["show", "calendars/../x"], "is no path"),
        (["grant", CALENDAR, "nobody", "r"], "there is no"),
        (["grant", CALENDAR, "bob", "z"], "neither a privilege nor made of the letters"),
        (["grant", CALENDAR, "bob", "schedule-send"], "neither a privilege"),
        (["grant", CALENDAR, "bob", "CALDAV:schedule-send"], "there is no privilege CALDAV:schedule-send on this"),
        (["grant", CALENDAR, "bob", "IMAP:read"], "is no privilege"),
        (["grant", CALENDAR, "bob", "s"], "control nothing here"),
        (["revoke", CALENDAR, "bob"], "says nothing of this about bob"),
        (["revoke", CALENDAR, "authenticated", "w"], "says nothing of this"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(verb: Verb, site: Path, arguments: list[str], message: str) -> None:
    refused = verb("acl", *arguments)
    assert refused.status == 1
    assert message in refused.err
    assert len(refused.err.splitlines()) == 1


def test_single_calendar_objects_have_the_list_of_their_calendar(verb: Verb, site: Path, tmp_path: Path) -> None:
    event = tmp_path / "x.ics"
    event.write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:x\r\nDTSTAMP:20260101T000000Z\r\n"
        "DTSTART:20260101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    assert verb("calendar", "import", "ann", "Default", event).status == 0
    folder = tmp_path / "out"
    verb("calendar", "export", "ann", "Default", "--folder", folder)
    path = CALENDAR + next(folder.iterdir()).name
    assert of(verb, "bob", path) == ""
    refused = verb("acl", "grant", path, "bob", "r")
    assert (refused.status, "object_acl" in refused.err) == (1, True)
    config = site / "calserver.toml"
    config.write_text(config.read_text().replace("#object_acl = false", "object_acl = true"))
    assert verb("acl", "grant", path, "bob", "r").status == 0
    assert [(each["who"], each["source"]) for each in verb("acl", "show", path, "--json").json["rules"]][:2] == [
        ("ann", "always"),
        ("bob", "own"),
    ]


# -- delegates ---------------------------------------------------------------------------------------------------------


def delegates(verb: Verb, who: str, *options: str) -> list[tuple[str, str, str]]:
    found = verb("delegate", "list", who, *options, "--json").json
    return [(each["principal"], each["delegate"], each["access"]) for each in found]


def test_delegates_are_added_listed_and_removed(verb: Verb, site: Path) -> None:
    assert verb("delegate", "add", "ann", "bob").out == "bob: read delegate of ann\n"
    assert delegates(verb, "ann") == [("ann", "bob", "read")]
    assert of(verb, "bob") == "lr9"
    verb("delegate", "add", "ann", "bob@work.example", "--write")
    assert delegates(verb, "ann") == [("ann", "bob", "write")]
    assert of(verb, "bob") == "lrwipkxtn9"
    assert of(verb, "bob", "calendars/user/ann/Outbox/") == "lrwipkxtn789"
    assert verb("delegate", "list", "ann").out.split() == ["PRINCIPAL", "DELEGATE", "ACCESS", "ann", "bob", "write"]
    assert verb("delegate", "remove", "ann", "bob").status == 0
    assert delegates(verb, "ann") == []
    assert of(verb, "bob") == "9"


def test_rooms_have_delegates_and_groups_are_some(verb: Verb, site: Path) -> None:
    make_staff(verb, site)
    verb("delegate", "add", "location/room", "group/staff", "--write")
    assert delegates(verb, "location/room") == [("location/room", "group/staff", "write")]
    assert delegates(verb, "bob", "--of") == [("location/room", "bob", "write")]
    assert of(verb, "bob", "calendars/location/room/Default/") == "lrwipkxtn9"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "ann", "ann"], "nobody is a delegate of oneself"),
        (["add", "nobody", "ann"], "there is no"),
        (["add", "group/crew", "ann"], "groups have no calendars"),
        (["remove", "ann", "bob"], "bob is no delegate of ann"),
    ],
)
def test_delegations_that_cannot_be(verb: Verb, site: Path, arguments: list[str], message: str) -> None:
    verb("user", "add", "crew", "--type", "group")
    refused = verb("delegate", *arguments)
    assert (refused.status, message in refused.err) == (1, True)
