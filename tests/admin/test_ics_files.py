"""Exports of other programs become one calendar object resource per UID (RFC 4791 section 4.1)."""

from pathlib import Path

import pytest

from calserver.admin import Refused, ics_files
from calserver.ical import ValidCalendarData, parse


def calendar(*components: str, properties: str = "") -> bytes:
    inside = "".join(components)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//other//EN\n{properties}{inside}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def event(uid: str, start: str = ":20260202T090000Z", more: str = "") -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\nDTSTART{start}\n{more}END:VEVENT\n"


def zone(tzid: str) -> str:
    return (
        f"BEGIN:VTIMEZONE\nTZID:{tzid}\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\n"
        "TZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n"
    )


def test_a_file_that_is_one_object_stays_as_it_is() -> None:
    text = calendar(event("a", more="X-ODD;X-B=1:c\n"), zone("Unused"))
    (piece,) = ics_files.pieces(text, "meeting 1")
    assert (piece.uid, piece.text) == ("a", text)


def test_each_uid_becomes_an_object_with_all_its_components() -> None:
    moved = event("a", more="RECURRENCE-ID:20260209T090000Z\n")
    found = {each.uid: parse(each.text) for each in ics_files.pieces(calendar(event("a"), event("b"), moved), "x")}
    assert {uid: len(one.children("VEVENT")) for uid, one in found.items()} == {"a": 2, "b": 1}


def test_objects_carry_the_zones_they_refer_to_and_no_others() -> None:
    """RFC 5545 section 3.2.19: a TZID has its VTIMEZONE in the same object, references in alarms and lists included."""
    text = calendar(
        zone("Here"),
        zone("There"),
        event("a", ";TZID=Here:20260202T090000", "EXDATE;TZID=There:20260209T090000\n"),
        event("b", ";TZID=There:20260202T090000"),
        event("c"),
    )
    found = {each.uid: parse(each.text) for each in ics_files.pieces(text, "x")}
    zones = {uid: [each.value("TZID") for each in one.children("VTIMEZONE")] for uid, one in found.items()}
    assert zones == {"a": ["Here", "There"], "b": ["There"], "c": []}


def test_method_and_the_name_of_the_calendar_are_left_behind() -> None:
    """RFC 4791 section 4.1: no METHOD in a calendar object resource."""
    text = calendar(event("a"), properties="METHOD:PUBLISH\nX-WR-CALNAME:Work\nCALSCALE:GREGORIAN\n")
    (piece,) = ics_files.pieces(text, "x")
    assert [each.name for each in parse(piece.text).properties] == ["VERSION", "PRODID", "CALSCALE"]


def test_a_file_may_hold_several_calendars() -> None:
    """RFC 5545 section 3.4: an iCalendar stream."""
    found = ics_files.pieces(calendar(event("a")) + calendar(event("b")), "x")
    assert [each.uid for each in found] == ["a", "b"]


@pytest.mark.parametrize("uid", ["../etc", "a/b", ".hidden", "x" * 300, "a\tb", "%2e", "", "ä b"])
def test_uids_become_names_that_are_plain_segments(uid: str) -> None:
    (one, _) = ics_files.pieces(calendar(event(uid), event("other")), "x")
    assert one.uid == uid
    assert len(one.name) < 130
    assert not set(one.name) & set("/%\t ")
    assert one.name[0] != "."


def test_plain_uids_are_kept_as_names() -> None:
    found = ics_files.pieces(calendar(event("1@example.com"), event("2-F")), "x")
    assert [each.name for each in found] == ["1@example.com.ics", "2-F.ics"]


@pytest.mark.parametrize("text", [b"", b"hello", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"\xff\xfe"])
def test_what_is_no_calendar_is_refused(text: bytes) -> None:
    with pytest.raises(ValidCalendarData):
        list(ics_files.pieces(text, "x"))


def test_folders_are_searched_for_ics_files(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("b.ics", "A.ICS", "note.txt", "below/c.ics"):
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in ics_files.find((tmp_path,))] == [
        "A.ICS",
        "b.ics",
        "below/c.ics",
    ]


def test_nothing_to_import_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no \.ics files"):
        ics_files.find((tmp_path,))
    with pytest.raises(Refused, match="does not exist"):
        ics_files.find((tmp_path / "nowhere",))
