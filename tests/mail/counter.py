"""A calendar server as far as mail is concerned: a store with people and a meeting, and a desk that takes mail."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from letterbox import ADDRESS, KEY, calendar, people
from resolved import Names
from twisted.internet import reactor  # noqa: TID251 - that of pytest-twisted

from calserver import calendars, ical, meetings
from calserver.calendars import CALENDAR_HOME
from calserver.config import Calendars, Config, Ischedule, Mail, Scheduling
from calserver.directory import accounts
from calserver.ical import CalendarObject
from calserver.itip import Message
from calserver.scheduling.audit import Audit
from calserver.scheduling.mail import Desk, Verdict
from calserver.store import Principal, Transaction, open_store

POLICY = meetings.Policy(calendars=Calendars(domain="example.com"), scheduling=Scheduling(), prefix="/dav/")


def provide(txn: Transaction, principal: Principal) -> None:
    calendars.provision(txn, principal, Calendars())


def furnish(txn: Transaction) -> None:
    for uid in ("ann", "cyd"):
        accounts.create(txn, uid, addresses=(f"{uid}@example.com",), provision=provide)


class Counter:
    """A server that takes mail.

    Args:
        database: what it begins with.
        folder: where its files are.
    """

    def __init__(self, database: Path, folder: Path) -> None:
        shutil.copy(database, folder / "mail.sqlite")
        (folder / "mail-token.key").write_text(KEY.hex())
        (folder / "mail-token.key").chmod(0o600)
        self.folder = folder
        self.store = open_store(f"sqlite:///{folder / 'mail.sqlite'}", reactor=reactor)
        self.names = Names({})

    def close(self) -> None:
        self.store.close()

    def config(self, **options: Any) -> Config:
        """A configuration with options of ``[mail]``, and as `ischedule` with those of that section."""
        ischedule = Ischedule(**options.pop("ischedule", {}))
        source = self.folder / "calserver.toml"
        mail = Mail(**({"address": ADDRESS} | options))
        return Config(mail=mail, ischedule=ischedule, calendars=POLICY.calendars, source=source)

    def desk(self, **options: Any) -> Desk:
        config = self.config(**options)
        return Desk.of(config, self.store, self.names, POLICY, Audit("audit.log", config.path))

    def audited(self) -> list[dict[str, Any]]:
        """What was written down, without the time."""
        lines = (self.folder / "audit.log").read_text().splitlines()
        return [{name: value for name, value in json.loads(each).items() if name != "at"} for each in lines]

    async def takes(
        self, content: bytes, *recipients: str, sender: str = "bo@other.example", **options: Any
    ) -> Verdict:
        """Hand a mail over; returns what is said of the first recipient."""
        desk = self.desk(**options)
        assert all(map(desk.expects, recipients))
        verdicts: Sequence[Verdict] = await desk.receive(sender, recipients, content)
        assert len(verdicts) == len(recipients)
        return verdicts[0]

    # -- what is stored

    def id(self, who: str = "ann") -> int:
        return self.store.read_now(lambda txn: self._principal(txn, who).id)

    @staticmethod
    def _principal(txn: Transaction, who: str) -> Principal:
        found = txn.principals.by_uid("user", who)
        assert found is not None
        return found

    def invite(self, *lines: str, uid: str = "m-1", attendees: Sequence[str] = ("mailto:bo@other.example",)) -> None:
        """Ann has a meeting, as after an invitation was mailed."""
        text = calendar("REQUEST", *people("mailto:ann@example.com", *attendees), *lines, uid=uid)
        content = Message.parse(text, "mailto:ann@example.com", ()).calendar

        def store(txn: Transaction) -> None:
            home = txn.collections.home(self._principal(txn, "ann").id, CALENDAR_HOME)
            assert home is not None
            place = txn.collections.by_path(home.id, ["Default"])
            assert place is not None
            meetings.put(txn, POLICY, place, f"{uid}.ics", content, path=lambda row: row.name)

        self.store.write_now(store)

    def copy(self, who: str = "ann", uid: str = "m-1") -> CalendarObject | None:
        """What somebody has of a meeting."""

        def look(txn: Transaction) -> CalendarObject | None:
            home = txn.collections.home(self._principal(txn, who).id, CALENDAR_HOME)
            assert home is not None
            found = txn.copies.of([home.id], uid)
            return CalendarObject.stored(found[0].text) if found else None

        return self.store.read_now(look)

    def methods(self, uid: str = "m-1") -> list[str]:
        """The methods of what lies in Ann's Inbox about a meeting."""

        def look(txn: Transaction) -> list[str]:
            home = txn.collections.home(self._principal(txn, "ann").id, CALENDAR_HOME)
            assert home is not None
            texts = [txn.objects.text(row.id) for row in txn.objects.by_uid(home.id, uid)]
            return [method for each in texts if (method := ical.parse(each).value("METHOD")) is not None]

        return self.store.read_now(look)

    def stands(self, attendee: str = "mailto:bo@other.example") -> tuple[str, str]:
        """How an attendee stands in Ann's copy: PARTSTAT and SCHEDULE-STATUS."""
        found = self.copy()
        assert found is not None
        for prop in found.components[0].all("ATTENDEE"):
            if ical.address(prop.value) == attendee:
                return prop.param("PARTSTAT") or "", prop.param("SCHEDULE-STATUS") or ""
        raise AssertionError(f"{attendee} is not invited")
