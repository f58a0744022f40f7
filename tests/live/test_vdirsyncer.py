"""vdirsyncer: two folders of files on two machines and the server between them, kept the same in both directions."""

import os
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import Daemon, calserver

EVENT = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//calserver//tests//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20260105T120000Z\r
DTSTART:20260202T{hour:02}0000Z\r
DURATION:PT1H\r
SUMMARY:{summary}\r
END:VEVENT\r
END:VCALENDAR\r
"""


class Machine:
    """A computer of a user's with vdirsyncer on it."""

    def __init__(self, folder: Path, daemon: Daemon, user: str, vdirsyncer: str, resolution: str) -> None:
        self.events = folder / "calendars"
        self._vdirsyncer = vdirsyncer
        self._config = folder / "vdirsyncer.conf"
        folder.mkdir()
        self._config.write_text(f"""\
[general]
status_path = "{folder}/status/"

[pair mine]
a = "files"
b = "server"
collections = ["from a", "from b"]
conflict_resolution = {resolution}
metadata = ["displayname", "color"]

[storage files]
type = "filesystem"
path = "{self.events}"
fileext = ".ics"

[storage server]
type = "caldav"
url = "{daemon.url}"
username = "{user}"
password = "{user}"
""")

    def run(self, verb: str, *arguments: str, answer: str = "", status: int = 0) -> str:
        done = subprocess.run(
            [self._vdirsyncer, "--config", str(self._config), verb, *arguments],
            input=answer,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def discover(self) -> None:
        self.run("discover", answer="y\n" * 20)

    def sync(self, status: int = 0) -> str:
        return self.run("sync", status=status)

    def write(self, collection: str, uid: str, summary: str, hour: int = 9) -> None:
        place = self.events / collection
        place.mkdir(parents=True, exist_ok=True)
        text = EVENT.format(uid=uid, summary=summary, hour=hour)
        (place / f"{uid}.ics").write_text(text, encoding="utf-8", newline="")

    def summaries(self, collection: str) -> list[str]:
        return sorted(
            line.removeprefix("SUMMARY:")
            for path in (self.events / collection).glob("*.ics")
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith("SUMMARY:")
        )

    def file(self, collection: str, summary: str) -> Path:
        (found,) = [p for p in (self.events / collection).glob("*.ics") if f"SUMMARY:{summary}\n" in p.read_text()]
        return found


MakeMachine = Callable[..., Machine]


@pytest.fixture
def machine(tmp_path: Path, daemon: Daemon, program: Callable[[str], str]) -> MakeMachine:
    """Make machines of a user who is new for the test."""
    user = f"user-{uuid.uuid4()}"
    vdirsyncer = program("vdirsyncer")
    calserver("user", "add", user, "--password-stdin", "--config", daemon.config, stdin=f"{user}\n")

    def make(name: str, resolution: str = "null") -> Machine:
        return Machine(tmp_path / name, daemon, user, vdirsyncer, resolution)

    return make


def test_two_machines_and_the_server_agree(machine: MakeMachine) -> None:
    """Create, change and delete on either side, and a collection that begins as a local folder."""
    laptop, desk = machine("laptop"), machine("desk")
    laptop.write("work", "a-1", "Review")
    laptop.write("work", "a-2", "Lunch")
    laptop.discover()
    laptop.sync()
    desk.discover()
    desk.sync()
    assert desk.summaries("work") == ["Lunch", "Review"]
    assert (desk.events / "Default").is_dir(), "the calendar that every user has"

    review = desk.file("work", "Review")
    review.write_text(review.read_text().replace("SUMMARY:Review", "SUMMARY:Long review"))
    desk.file("work", "Lunch").unlink()
    desk.write("Default", "a-3", "Dentist — Zähne")
    desk.sync()
    laptop.sync()
    assert laptop.summaries("work") == ["Long review"]
    assert laptop.summaries("Default") == ["Dentist — Zähne"]


def test_a_conflict_is_seen_and_nothing_is_lost(machine: MakeMachine) -> None:
    """Both sides change the same event: without a rule vdirsyncer reports it and leaves both as they are."""
    laptop, desk = machine("laptop"), machine("desk")
    laptop.write("work", "b-1", "Plan")
    laptop.discover()
    laptop.sync()
    desk.discover()
    desk.sync()
    laptop.write("work", "b-1", "Plan of the laptop")
    laptop.sync()
    path = desk.file("work", "Plan")
    path.write_text(path.read_text().replace("SUMMARY:Plan", "SUMMARY:Plan of the desk"))
    assert "conflict" in desk.sync(status=1).lower()
    assert desk.summaries("work") == ["Plan of the desk"]
    laptop.sync()
    assert laptop.summaries("work") == ["Plan of the laptop"]


@pytest.mark.parametrize(("winner", "kept"), [("a wins", "Plan of the desk"), ("b wins", "Plan of the laptop")])
def test_a_conflict_is_resolved_as_configured(machine: MakeMachine, winner: str, kept: str) -> None:
    laptop, desk = machine("laptop"), machine("desk", f'"{winner}"')
    laptop.write("work", "c-1", "Plan")
    laptop.discover()
    laptop.sync()
    desk.discover()
    desk.sync()
    laptop.write("work", "c-1", "Plan of the laptop")
    laptop.sync()
    path = desk.file("work", "Plan")
    path.write_text(path.read_text().replace("SUMMARY:Plan", "SUMMARY:Plan of the desk"))
    desk.sync()
    laptop.sync()
    assert desk.summaries("work") == laptop.summaries("work") == [kept]


def test_name_and_color_travel_too(machine: MakeMachine) -> None:
    """`vdirsyncer metasync`: displayname and calendar-color in both directions."""
    laptop, desk = machine("laptop"), machine("desk")
    laptop.write("work", "m-1", "Sail")
    laptop.discover()
    (laptop.events / "work" / "displayname").write_text("Sailing & more")
    (laptop.events / "work" / "color").write_text("#ff8800")
    laptop.sync()
    laptop.run("metasync")
    desk.discover()
    desk.run("metasync")
    assert (desk.events / "work" / "displayname").read_text() == "Sailing & more"
    assert (desk.events / "work" / "color").read_text().upper().startswith("#FF8800")
