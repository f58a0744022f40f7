"""A server of ours whose people invite, answer, ask, and look what they have."""

import json
import re
from collections.abc import Mapping, Sequence

from certificates import Authority
from daemon import Answer, Connection, Daemon, free_port, prepare


class Diaries(Daemon):
    """A server, and what people do with their calendars there."""

    domain = "example.com"
    """Of their mail addresses."""
    host = ""
    secure_port = 0

    # -- configuration ---------------------------------------------------------------------------------------------

    def set(self, **options: object) -> None:
        """Change the configuration, for the next start: ``section__option``."""
        text = self.config.read_text()
        for name, value in options.items():
            section, _, option = name.partition("__")
            head, found, rest = text.partition(f"\n[{section}]\n")
            assert found, section
            new, count = re.subn(rf"(?m)^#?{option} = .*$", f"{option} = {json.dumps(value)}", rest, count=1)
            assert count == 1, name
            text = head + found + new
        self.config.write_text(text)

    def secure(self, authority: Authority, host: str) -> None:
        """Answer by TLS, too, on a new port, from the next start on."""
        self.host, self.secure_port = host, free_port()
        self.certify(authority, host)
        secure = f"ssl:{self.secure_port}:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1"
        self.set(server__listen=[f"tcp:{self.port}:interface=127.0.0.1", secure])

    def certify(self, authority: Authority, host: str) -> None:
        """Have another certificate from the next start on."""
        certificate, key = authority.pem_for(host)
        (self.folder / "cert.pem").write_bytes(certificate)
        (self.folder / "key.pem").write_bytes(key)

    def federate(self, authority: Authority) -> None:
        """Talk to organizations on this machine."""
        (self.folder / "ca.pem").write_bytes(authority.pem)
        self.set(
            ischedule__authorities_file="ca.pem",
            ischedule__allow_networks=["127.0.0.0/8"],
            ischedule__retry_seconds=0.3,
            ischedule__address_rate=1000.0,
            ischedule__domain_rate=1000.0,
            ischedule__audit_file="audit.log",
        )

    def records(self) -> list[str]:
        """What it says is to be published."""
        place = [
            "--host",
            self.host,
            "--port",
            str(self.secure_port),
            "--address",
            "127.0.0.1",
            "--config",
            str(self.config),
        ]
        return [
            line for line in prepare("dns", "records", self.domain, *place).splitlines() if not line.startswith("$")
        ]

    # -- people ----------------------------------------------------------------------------------------------------

    def mail(self, who: str) -> str:
        return f"mailto:{who}@{self.domain}"

    def by(self, who: str) -> Connection:
        return self.connect(who)

    def names(self, who: str, box: str = "Default") -> list[str]:
        """Paths of what lies in a collection of somebody."""
        home = f"/dav/calendars/user/{who}/{box}/"
        answer = self.by(who).request("PROPFIND", home, Depth="1")
        assert answer.status == 207, answer
        found = re.findall(r"<D:href>([^<]+)</D:href>", answer.text)
        return [each for each in found if not each.endswith("/")]

    def find(self, who: str, uid: str, box: str = "Default") -> tuple[str, str] | None:
        """Path and unfolded text of what somebody has of a meeting."""
        with Connection(self.port, who) as connection:
            for path in self.names(who, box):
                text = connection.request("GET", path).text.replace("\r\n ", "")
                if f"UID:{uid}\r\n" in text:
                    return path, text
        return None

    def text(self, who: str, uid: str, box: str = "Default") -> str:
        found = self.find(who, uid, box)
        assert found is not None, f"{who} of {self.domain} has no {uid}: {self.tail()}"
        return found[1]

    def invite(
        self, uid: str, organizer: str, attendees: Sequence[str], *lines: str, start: str = "20990105T090000Z"
    ) -> Answer:
        """Store a meeting of somebody here with anybody."""
        text = self.meeting(uid, organizer, attendees, *lines, start=start)
        path = f"/dav/calendars/user/{organizer}/Default/{uid}.ics"
        return self.by(organizer).request("PUT", path, text, Content_Type="text/calendar")

    def meeting(
        self, uid: str, organizer: str, attendees: Sequence[str], *lines: str, start: str = "20990105T090000Z"
    ) -> str:
        """A meeting of somebody here with anybody."""
        people = [f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:{each}" for each in attendees]
        text = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//example.com//tests//EN",
            "BEGIN:VEVENT",
            f"UID:{uid}",
            "DTSTAMP:20260101T000000Z",
            f"DTSTART:{start}",
            "DURATION:PT1H",
            f"ORGANIZER:{self.mail(organizer)}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:{self.mail(organizer)}",
            *people,
            *(lines or ("SUMMARY:Meeting",)),
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
        return "\r\n".join(text)

    def answers(self, who: str, uid: str, partstat: str) -> Answer:
        """Answer an invitation."""
        found = self.find(who, uid)
        assert found is not None
        path, text = found
        new = re.sub(
            rf"ATTENDEE[^\r\n]*:{self.mail(who)}\r\n", f"ATTENDEE;PARTSTAT={partstat}:{self.mail(who)}\r\n", text
        )
        return self.by(who).request("PUT", path, new, Content_Type="text/calendar")

    def asks(self, who: str, attendees: Sequence[str], day: str = "20990105") -> str:
        """Ask when people are busy, on a day."""
        asked, path = self.question(who, attendees, day), f"/dav/calendars/user/{who}/Outbox/"
        answer = self.by(who).request("POST", path, asked, Content_Type="text/calendar")
        assert answer.status == 200, answer
        return answer.text

    def question(self, who: str, attendees: Sequence[str], day: str) -> str:
        """The question when people are busy on a day."""
        text = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//example.com//tests//EN",
            "METHOD:REQUEST",
            "BEGIN:VFREEBUSY",
            "UID:question",
            "DTSTAMP:20260101T000000Z",
            f"DTSTART:{day}T000000Z",
            f"DTEND:{day}T235959Z",
            f"ORGANIZER:{self.mail(who)}",
            *(f"ATTENDEE:{each}" for each in attendees),
            "END:VFREEBUSY",
            "END:VCALENDAR",
            "",
        ]
        return "\r\n".join(text)


def status(text: str, address: str) -> Mapping[str, str]:
    """The parameters of a person's line in a calendar object."""
    found = re.search(rf"(?:ATTENDEE|ORGANIZER)([^\r\n]*):{re.escape(address)}\r\n", text)
    assert found is not None, text
    pairs = (each.partition("=") for each in found[1].split(";") if each)
    return {name: value.strip('"') for name, _, value in pairs}
