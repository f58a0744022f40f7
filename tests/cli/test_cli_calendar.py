"""Calendars, and files in and out of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calserver.ical import parse

Verb = Callable[..., Any]

ZONE = """\
BEGIN:VTIMEZONE
TZID:Here
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
"""


def event(uid: str, summary: str = "Tea", start: str = "DTSTART;TZID=Here:20260202T090000", more: str = "") -> str:
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{start}\nSUMMARY:{summary}\n{more}END:VEVENT\n"


def write(path: Path, *components: str, properties: str = "") -> Path:
    text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//other//EN\n" + properties + "".join(components) + "END:VCALENDAR\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", "\r\n").encode())
    return path


def summaries(verb: Verb, calendar: str = "Default") -> list[str]:
    text = parse(verb("calendar", "export", "ann", calendar).out)
    return sorted(each.value("SUMMARY") or "" for each in text.children("VEVENT", "VTODO"))


def test_calendars_are_made_listed_and_deleted(verb: Verb, site: Path) -> None:
    made = verb("calendar", "create", "ann", "work", "--name", "Work & <play>", "--color", "#FF0000", "--json").json
    assert made["path"] == "calendars/user/ann/work/"
    assert verb("calendar", "create", "ann", "tasks2", "--component", "vtodo").out.endswith("ann/tasks2/: made\n")
    listed = {each["name"]: each for each in verb("calendar", "list", "ann", "--json").json}
    assert listed["work"]["display_name"] == "Work & <play>"
    assert listed["tasks2"]["components"] == ["VTODO"]
    assert listed.keys() == {"Default", "Tasks", "work", "tasks2"}
    assert verb("calendar", "delete", "ann", "work", stdin="n\n").status == 1
    assert verb("calendar", "delete", "ann", "work", "--yes", "--json").json["name"] == "work"
    assert "work" not in [each["name"] for each in verb("calendar", "list", "ann", "--json").json]
    assert verb("calendar", "list", "room").out.split()[:4] == ["CALENDAR", "TITLE", "COMPONENTS", "OBJECTS"]


def test_calendars_are_published_and_are_not(verb: Verb, site: Path) -> None:
    def public() -> str | None:
        (found,) = [each for each in verb("calendar", "list", "ann", "--json").json if each["name"] == "Default"]
        return found["published"]

    assert public() is None
    assert (
        verb("calendar", "publish", "ann", "Default").out == "/dav/calendars/user/ann/Default/: anybody may read it\n"
    )
    assert public() == "read"
    assert verb("acl", "show", "calendars/user/ann/Default/").out.count("anonymous") == 1
    assert verb("calendar", "publish", "ann", "Default", "--free-busy", "--json").json["published"] == "free-busy"
    assert "free-busy" in verb("calendar", "list", "ann").out
    assert verb("calendar", "unpublish", "ann", "Default").out == "/dav/calendars/user/ann/Default/: not public\n"
    assert public() is None
    assert verb("calendar", "publish", "ann", "none").status == 1
    config = site / "calserver.toml"
    config.write_text(config.read_text().replace("#anonymous = true", "anonymous = false"))
    refused = verb("calendar", "publish", "ann", "Default")
    assert (refused.status, refused.err) == (1, "calserver: nothing is public on this server: dav.anonymous is false\n")
    assert verb("calendar", "unpublish", "ann", "Default").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "ann", "Default"], "the user ann has Default already"),
        (["create", "ann", "a/b"], "cannot be the name of a calendar"),
        (["create", "ann", ".."], "cannot be the name of a calendar"),
        (["create", "ann", "x" * 300], "cannot be the name of a calendar"),
        (["create", "ann", "x", "--component", "VCARD"], "there is no component type VCARD"),
        (["create", "ann", "x", "--color", "red"], "red is no color"),
        (["delete", "ann", "Inbox", "--yes"], "the user ann has no calendar Inbox"),
        (["list", "nobody"], "there is no"),
        (["export", "ann", "none"], "the user ann has no calendar none"),
        (["import", "ann", "none", "pyproject.toml"], "the user ann has no calendar none"),
        (["import", "ann", "Default", "nowhere.ics"], "nowhere.ics does not exist"),
    ],
)
def test_what_cannot_be_is_refused(verb: Verb, site: Path, arguments: list[str], message: str) -> None:
    done = verb("calendar", *arguments)
    assert (done.status, done.out) == (1, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_file_with_many_events_becomes_an_object_for_each(verb: Verb, site: Path, tmp_path: Path) -> None:
    moved = event("a", "Tea, later", more="RECURRENCE-ID;TZID=Here:20260209T090000\n")
    series = event("a", more="RRULE:FREQ=WEEKLY;COUNT=4\n")
    file = write(tmp_path / "all.ics", ZONE, series, event("b", "Cake"), moved, properties="METHOD:PUBLISH\n")
    assert verb("calendar", "import", "ann", "Default", file).out == "2 new, 0 changed, 0 unchanged, 0 refused\n"
    assert summaries(verb) == ["Cake", "Tea", "Tea, later"]
    text = verb("calendar", "export", "ann", "Default").out
    assert text.count("BEGIN:VTIMEZONE") == 1
    assert "METHOD" not in text


def test_again_goes_on_where_it_stopped_and_takes_over_changes(verb: Verb, site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    write(folder / "one.ics", ZONE, event("a"))
    write(folder / "below" / "two.ics", ZONE, event("b", "Cake"))
    assert verb("calendar", "import", "ann", "Default", folder).out.startswith("2 new")
    assert verb("calendar", "import", "ann", "Default", folder).out.startswith("0 new, 0 changed, 2 unchanged")
    write(folder / "one.ics", ZONE, event("a", "Coffee"))
    write(folder / "three.ics", event("c", "Bread", start="DTSTART:20260202T090000Z"))
    assert verb("calendar", "import", "ann", "Default", folder).out.startswith("1 new, 1 changed, 1 unchanged")
    assert summaries(verb) == ["Bread", "Cake", "Coffee"]


def test_more_objects_than_a_transaction_takes(verb: Verb, site: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "many.ics", ZONE, *[event(f"e{n}", f"Event {n}") for n in range(120)])
    assert verb("calendar", "import", "ann", "Default", file).out.startswith("120 new")
    assert [each["objects"] for each in verb("calendar", "list", "ann", "--json").json] == [120, 0]


def test_what_cannot_be_stored_is_told_and_the_rest_is_there(verb: Verb, site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    task = "BEGIN:VTODO\nUID:t\nDTSTAMP:20260101T000000Z\nSUMMARY:Do\nEND:VTODO\n"
    write(folder / "a.ics", ZONE, event("good"), event("no-start", start="LOCATION:x"), task)
    (folder / "b.ics").write_text("hello")
    write(folder / "c.ics", event("", start="DTSTART:20260202T090000Z"))
    done = verb("calendar", "import", "ann", "Default", folder)
    assert done.status == 1
    assert done.out == "1 new, 0 changed, 0 unchanged, 4 refused\n"
    told = done.err.splitlines()
    assert len(told) == 4
    assert f"{folder}/a.ics (UID no-start): " in done.err
    assert f"{folder}/a.ics (UID t): this calendar takes VEVENT" in done.err
    assert f"calserver: {folder}/b.ics: " in done.err
    assert f"calserver: {folder}/c.ics: " in done.err
    assert summaries(verb) == ["Tea"]
    counts = verb("calendar", "import", "ann", "Default", folder, "--json").json
    assert (counts["unchanged"], counts["refused"], len(counts["problems"])) == (1, 4, 4)


def test_a_uid_stays_where_it_is(verb: Verb, site: Path, tmp_path: Path) -> None:
    """RFC 6638 section 3.2.4.1: a UID is in one calendar of a home."""
    file = write(tmp_path / "a.ics", ZONE, event("a"))
    verb("calendar", "import", "ann", "Default", file)
    verb("calendar", "create", "ann", "work")
    done = verb("calendar", "import", "ann", "work", file)
    assert done.status == 1
    assert "another calendar has the UID" in done.err
    assert verb("calendar", "import", "bob", "Default", file).out.startswith("1 new")


def test_two_files_of_one_name_do_not_replace_each_other(verb: Verb, site: Path, tmp_path: Path) -> None:
    write(tmp_path / "f" / "1" / "event.ics", ZONE, event("a", "One"))
    write(tmp_path / "f" / "2" / "event.ics", ZONE, event("b", "Two"))
    assert verb("calendar", "import", "ann", "Default", tmp_path / "f").out.startswith("2 new")
    assert summaries(verb) == ["One", "Two"]


def test_objects_leave_as_they_came(verb: Verb, site: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "in" / "odd name.ics", ZONE, event("a", more='X-ODD;X-P="a:b":1\n'))
    plain = write(tmp_path / "in" / "plain.ics", event("b", start="DTSTART:20260202T090000Z"))
    verb("calendar", "import", "ann", "Default", tmp_path / "in")
    out = tmp_path / "out"
    assert verb("calendar", "export", "ann", "Default", "--folder", out, "--json").json["objects"] == 2
    written = sorted(path.read_bytes() for path in out.iterdir())
    assert written == sorted([file.read_bytes(), plain.read_bytes()])
    assert (out / "plain.ics").exists()
    assert verb("calendar", "export", "ann", "Default", "--folder", out).status == 1


def test_a_calendar_is_exported_to_a_file(verb: Verb, site: Path, tmp_path: Path) -> None:
    verb("calendar", "import", "ann", "Default", write(tmp_path / "a.ics", ZONE, event("a", "Größe")))
    target = tmp_path / "out.ics"
    assert verb("calendar", "export", "ann", "Default", "--output", target).out == f"{target}: written\n"
    assert verb("calendar", "export", "ann", "Default", "--json").json["icalendar"] == target.read_bytes().decode()
    assert parse(target.read_bytes()).value("X-WR-CALNAME") == "Calendar"
    again = verb("calendar", "import", "bob", "Default", target)
    assert again.out.startswith("1 new"), again.err
    assert verb("calendar", "export", "ann", "Default", "--output", target, "--folder", tmp_path / "x").status == 2
