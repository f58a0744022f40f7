"""Whatever people do, in whatever order: copies agree after each step, with tasks done or not (RFC 6638 section 4)."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from office import Office, mail, people, text, vevent

from calserver import meetings
from calserver.calendars import CALENDAR_HOME
from calserver.meetings.agreement import Disagreement, look
from calserver.store import Transaction, open_store

DAYS = tuple(f"2099{day}T090000Z" for day in ("0105", "0112", "0119", "0126"))
INVITED = ("bob", "cyd", "hall")
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=4"


@attrs.frozen
class Series:
    """What the organizer has in mind."""

    invited: frozenset[str]
    summary: str
    hour: int
    excluded: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()
    uninvited: frozenset[tuple[str, str]] = frozenset()
    """Days, and who does not come on them."""
    future: str = ""
    """The day from which on it is at another place, if there is one."""
    by_client: str = ""
    """Who is invited by the organizer's client, and not by the server: in overrides, or in the series."""
    called_off: bool = False

    def text(self) -> bytes:
        lines = [WEEKLY, f"SUMMARY:{self.summary}", f"DTSTART:20990105T{self.hour:02}0000Z"]
        lines += [f"EXDATE:{self._at(day)}" for day in sorted(self.excluded)]
        lines += ["STATUS:CANCELLED"] if self.called_off else []
        overrides = [
            vevent(
                "m", f"RECURRENCE-ID:{self._at(day)}", f"DTSTART:{self._starts(day)}", *self._people(day), "SUMMARY:x"
            )
            for day in DAYS
            if day not in self.excluded and self._is_other(day)
        ]
        if self.future and not self._is_other(self.future):
            lasting = f"RECURRENCE-ID;RANGE=THISANDFUTURE:{self._at(self.future)}"
            start = f"DTSTART:{self._starts(self.future)}"
            overrides.append(vevent("m", lasting, start, *self._people(self.future), "LOCATION:there"))
        return text(vevent("m", *self._people(""), *lines), *overrides)

    def _is_other(self, day: str) -> bool:
        return day in self.excluded or day in self.moved or any(day == each for each, _ in self.uninvited)

    def _at(self, day: str) -> str:
        return f"{day[:9]}{self.hour:02}0000Z"

    def _starts(self, day: str) -> str:
        return f"{day[:9]}150000Z" if day in self.moved else self._at(day)

    def _people(self, day: str) -> list[str]:
        here = [each for each in sorted(self.invited) if (day, each) not in self.uninvited]
        found = people("ann", *here)
        alone = self.by_client.endswith("alone")
        who = mail(self.by_client.removesuffix(" alone"))
        if self.by_client and alone == bool(day):
            found = [
                each.replace("ATTENDEE;", "ATTENDEE;SCHEDULE-AGENT=CLIENT;") if who in each else each for each in found
            ]
        return found


SERIES = st.builds(
    Series,
    invited=st.frozensets(st.sampled_from(INVITED), min_size=1),
    summary=st.sampled_from(["Lunch", "Tea"]),
    hour=st.sampled_from([9, 11]),
    excluded=st.frozensets(st.sampled_from(DAYS[1:]), max_size=2),
    moved=st.frozensets(st.sampled_from(DAYS), max_size=2),
    uninvited=st.frozensets(st.tuples(st.sampled_from(DAYS), st.sampled_from(INVITED)), max_size=2),
    future=st.sampled_from(["", "", *DAYS[1:3]]),
    by_client=st.sampled_from(["", "", "bob", "cyd", "bob alone"]),
    called_off=st.sampled_from([False, False, False, True]),
)
STEPS = st.one_of(
    SERIES,
    st.tuples(st.just("answer"), st.sampled_from(INVITED[:2]), st.sampled_from(["ACCEPTED", "DECLINED", "TENTATIVE"])),
    st.tuples(st.just("remove"), st.sampled_from(["ann", "bob", "cyd"]), st.just("")),
    st.tuples(st.just("work"), st.just(""), st.just("")),
)


@contextmanager
def opened(database: Path) -> Iterator[Office]:
    """An office of its own for each example."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(database, f"{folder}/store.sqlite")
        store = open_store(f"sqlite:///{folder}/store.sqlite", reactor=None)
        try:
            yield Office.of(store)
        finally:
            store.close()


def take(office: Office, step: Series | tuple[str, str, str]) -> None:
    if isinstance(step, Series):
        assert office.put("ann", step.text()).status in (201, 204)
        return
    what, who, answer = step
    if what == "work":
        office.work()
    elif office.copy(who, "m") is None:
        return
    elif what == "remove":
        assert office.by(who)("DELETE", office.path(who, "m")).status == 204
    else:
        assert office.replies(who, "m", answer).status in (204, 403), "one who is not invited any more cannot answer"


def disagreements(office: Office) -> list[Disagreement]:
    def find(txn: Transaction) -> list[Disagreement]:
        scheduling, limits = office.server.settings.scheduling, office.server.settings.calendars
        policy = meetings.Policy(calendars=limits, scheduling=scheduling, prefix="/dav/")
        wrong: list[Disagreement] = []
        for who in ("ann", *INVITED):
            home = txn.collections.home(office.principal(txn, who).id, CALENDAR_HOME)
            assert home is not None
            calendar = txn.collections.child(home.id, "Default")
            assert calendar is not None
            wrong += look(txn, policy, calendar).found
        return [each for each in wrong if each.kind != "gone"]

    return list(office.store.read_now(find))


@given(steps=st.lists(STEPS, min_size=1, max_size=6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_copies_agree_after_each_step(empty_database: Path, steps: list[Series | tuple[str, str, str]]) -> None:
    with opened(empty_database) as office:
        for step in steps:
            take(office, step)
            assert disagreements(office) == [], step
