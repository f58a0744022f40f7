"""Accounts one by one and as a table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calserver.auth import verify_password
from calserver.store import Principal, open_store

Verb = Callable[..., Any]


def stored(site: Path, uid: str, kind: str = "user") -> Principal | None:
    store = open_store(f"sqlite:///{site}/calserver.sqlite", reactor=None)
    try:
        return store.read_now(lambda txn: txn.principals.by_uid(kind, uid))
    finally:
        store.close()


def test_a_user_is_added_with_what_everybody_has(verb: Verb, site: Path) -> None:
    added = verb("user", "add", "carol", "--name", "Carol van der Lee", "--password-stdin", "--json", stdin="s3cret\n")
    assert added.status == 0
    assert added.json["addresses"] == ["mailto:carol@example.org"]
    assert added.json["last_name"] == "van der Lee"
    assert added.json["has_password"]
    assert "password_hash" not in added.json
    assert "argon2" not in added.out
    principal = stored(site, "carol")
    assert principal
    assert principal.password_hash
    assert verify_password(principal.password_hash, "s3cret")
    names = [each["name"] for each in verb("calendar", "list", "carol", "--json").json]
    assert names == ["Default", "Tasks"]


def test_every_fact_can_be_given(verb: Verb, site: Path) -> None:
    guid = "0C8BDE62-E600-4696-83D3-8B5ECABDFD2E"
    options = ["--first-name", "Jo", "--last-name", "X", "--email", "A@Example.ORG", "--email", "b@example.org"]
    options += ["--guid", guid, "--admin", "--no-scheduling", "--no-password"]
    added = verb("user", "add", "jo", "--name", "Jo X", *options, "--json").json
    assert added["addresses"] == ["mailto:a@example.org", "mailto:b@example.org"]
    assert (added["guid"], added["administrator"], added["scheduling"]) == (guid, True, False)
    assert not added["has_password"]
    assert verb("user", "show", "b@example.org", "--json").json == added


def test_rooms_things_and_groups_need_no_password(verb: Verb, site: Path) -> None:
    for kind in ("location", "resource", "group"):
        options = ("--type", kind, "--auto-schedule", "automatic", "--capacity", "3")
        assert verb("user", "add", f"x-{kind}", *options).status == 0
    listed = verb("user", "list", "--type", "location", "--json").json
    assert [each["uid"] for each in listed] == ["room", "x-location"]
    shown = verb("user", "show", "location/x-location", "--json").json
    assert (shown["auto_schedule"], shown["capacity"]) == ("automatic", 3)
    assert "bookings at once:  3" in verb("user", "show", "location/x-location").out
    assert verb("calendar", "list", "x-group").err == "calserver: the group x-group has no calendars\n"


def test_a_password_comes_from_a_file_too(verb: Verb, site: Path, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("from file\nsecond line\n")
    assert verb("user", "password", "ann", "--password-file", tmp_path / "pw").out == "user ann: password changed\n"
    principal = stored(site, "ann")
    assert principal
    assert principal.password_hash
    assert verify_password(principal.password_hash, "from file")
    assert verb("user", "password", "ann", "--none").status == 0
    assert not verb("user", "show", "ann", "--json").json["has_password"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "message"),
    [
        (["user", "add", "dora"], "", 1, "there is no terminal to ask for the password"),
        (["user", "add", "dora", "--password-stdin"], "\n", 1, "the password is empty"),
        (["user", "add", "dora", "--password-file", "/nowhere/pw"], "", 1, "/nowhere/pw: No such file"),
        (["user", "add", "ann", "--no-password"], "", 1, "there is a user 'ann' already"),
        (["user", "add", "a b", "--no-password"], "", 1, "a uid has no blanks"),
        (["user", "add", "dora", "--no-password", "--email", "bob@work.example"], "", 1, "belongs to the user 'bob'"),
        (["user", "add", "dora", "--no-password", "--type", "robot"], "", 2, "'robot' is not one of"),
        (["user", "show", "nobody"], "", 1, "there is no"),
        (["user", "password", "nobody", "--password-stdin"], "x\n", 1, "there is no"),
        (["user", "remove", "nobody", "--yes"], "", 1, "there is no"),
    ],
)
def test_what_cannot_be_is_one_line(
    verb: Verb, site: Path, arguments: list[str], stdin: str, status: int, message: str
) -> None:
    before = verb("principals", "export").out
    done = verb(*arguments, stdin=stdin)
    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert verb("principals", "export").out == before


def test_removing_asks_first(verb: Verb, site: Path) -> None:
    assert verb("user", "remove", "ann", stdin="n\n").status == 1
    assert stored(site, "ann")
    assert verb("user", "remove", "ann", stdin="y\n").status == 0
    assert stored(site, "ann") is None
    assert verb("user", "remove", "room", "--yes", "--json").json["uid"] == "room"


def test_tables_and_fields_are_for_people(verb: Verb, site: Path) -> None:
    heads, *rows = verb("user", "list").out.splitlines()
    assert heads.split() == ["TYPE", "UID", "NAME", "EMAIL", "ADMIN"]
    assert ["user", "bob", "Bob", "Baker", "bob@work.example"] in [row.split() for row in rows]
    assert "addresses:         bob@work.example\n" in verb("user", "show", "bob").out


def test_a_table_is_imported_all_or_nothing(verb: Verb, site: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("uid,name,password,type,members\nx1,X One,pw1,user,\nx 2,X Two,,user,\ng,,,group,ann nobody\n")
    done = verb("principals", "import", table)
    assert done.status == 1
    assert [line.split(":")[1].strip() for line in done.err.splitlines()] == ["line 3"]
    table.write_text("uid,name,password,type,members\nx1,X One,pw1,user,\ng,,,group,ann nobody\n")
    assert "line 3: there is no" in verb("principals", "import", table).err
    assert stored(site, "x1") is None
    table.write_text("uid,name,password,type,members\nx1,X One,pw1,user,\ng,,,group,ann x1\n")
    assert verb("principals", "import", table).out == "2 added, 0 changed, 0 as they were\n"
    assert verb("user", "show", "g", "--json").json["members"] == ["ann", "x1"]
    principal = stored(site, "x1")
    assert principal
    assert principal.password_hash
    assert verify_password(principal.password_hash, "pw1")


def test_importing_again_changes_nothing(verb: Verb, site: Path, tmp_path: Path) -> None:
    """Passwords too: a new hash of the same password would end all logins that are remembered."""
    table = tmp_path / "again.csv"
    table.write_text("uid,name,password\nx1,X One,pw1\n")
    verb("principals", "import", table)
    before = stored(site, "x1")
    assert verb("principals", "import", table).out == "0 added, 0 changed, 1 as they were\n"
    assert stored(site, "x1") == before


def test_an_export_makes_the_same_principals_elsewhere(verb: Verb, site: Path, tmp_path: Path) -> None:
    verb("user", "password", "ann", "--password-stdin", stdin="moved\n")
    table = tmp_path / "all.csv"
    assert verb("principals", "export", "--passwords", "--output", table).status == 0
    assert "argon2" not in verb("principals", "export").out
    elsewhere = tmp_path / "elsewhere"
    verb("init", elsewhere)
    config = ("--config", elsewhere / "calserver.toml")
    assert verb("principals", "import", table, *config).out == "3 added, 0 changed, 0 as they were\n"
    assert verb("principals", "export", "--passwords", *config).out == table.read_text()
    principal = stored(elsewhere, "ann")
    assert principal
    assert principal.password_hash
    assert verify_password(principal.password_hash, "moved")
