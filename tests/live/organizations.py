"""Organizations for tests: each a server of its own with TLS, keys and a domain, found by a real name server."""

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from types import MappingProxyType

from certificates import Authority
from daemon import CALSERVER, Answer, calserver
from diaries import Diaries
from nameservers import Nsd, zone

PATIENCE_SECONDS = 20.0
PEOPLE = ("ann", "bob", "cyd")


class Organization(Diaries):
    """A server for the people of a domain.

    Args:
        folder: an empty folder for all that belongs to it.
        domain: its mail domain.
        authority: issues its certificate.
        people: who has an account there.
    """

    def __init__(self, folder: Path, domain: str, authority: Authority, people: Sequence[str] = PEOPLE) -> None:
        self.domain, self.host = domain, f"cal.{domain}"
        self.believing = ssl.create_default_context(cadata=authority.pem.decode())
        rows = "".join(f"{uid},{uid},{uid}@{domain},user,\n" for uid in people)
        rows += f"hall,hall,hall@{domain},location,automatic\n"
        super().__init__(folder / domain, "uid,password,email,type,auto_schedule\n" + rows)
        self._authority = authority
        self.move(self.host)
        self.set(calendars__domain=domain)
        self.federate(authority)

    def move(self, host: str) -> None:
        """Have another name, another port and another certificate from the next start on."""
        self.secure(self._authority, host)

    def verb(self, *arguments: str) -> str:
        """Run a verb of the command line on it."""
        return calserver(*arguments, "--config", self.config)

    def fails(self, *arguments: str) -> str:
        """Run a verb that must fail; returns what it says."""
        done = subprocess.run(
            [*CALSERVER, *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode != 0
        return done.stderr

    def post(self, fields: Sequence[tuple[str, str]], body: bytes) -> Answer:
        """Have it take a message as other servers bring it: over TLS, octet for octet."""
        connection = HTTPSConnection(self.host, self.secure_port, timeout=30)
        plain = socket.create_connection(("127.0.0.1", self.secure_port), timeout=30)
        with plain, self.believing.wrap_socket(plain, server_hostname=self.host) as connection.sock:
            connection.putrequest("POST", "/.well-known/ischedule", skip_accept_encoding=True)
            length = (
                () if any(name == "Content-Length" for name, _ in fields) else (("Content-Length", str(len(body))),)
            )
            for name, value in (*fields, *length):
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())


class Internet:
    """A name server, and the organizations that it knows; `more` are zones of domains that have no server."""

    def __init__(
        self,
        program: str,
        folder: Path,
        organizations: Sequence[Organization],
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.organizations = {each.domain: each for each in organizations}
        self._serials = dict.fromkeys(self.organizations, 1)
        self.nsd = Nsd(
            program,
            folder,
            {each.domain: zone(each.domain, *each.records(), ttl=1, negative=1) for each in organizations} | dict(more),
        )
        for each in organizations:
            each.set(ischedule__name_servers=[f"127.0.0.1:{self.nsd.port}"])

    def publish(self, domain: str, records: Sequence[str]) -> None:
        """Publish other records of a domain."""
        self._serials[domain] += 1
        self.nsd.publish(domain, zone(domain, *records, serial=self._serials[domain], ttl=1, negative=1))

    def __enter__(self) -> "Internet":
        for each in self.organizations.values():
            each.start()
        return self

    def __exit__(self, *unused: object) -> None:
        try:
            for each in self.organizations.values():
                each.stop()
        finally:
            self.nsd.stop()


def until(holds: Callable[[], bool], what: str = "", seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so, which happens by itself soon."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it does not happen{': ' + what if what else ''}"
        time.sleep(0.05)


def fetch(port: int, path: str) -> tuple[int, str]:
    """GET of an HTTP port."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
