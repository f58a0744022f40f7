"""Names, certificates and servers for tests of federation."""

from collections.abc import Mapping
from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
import pytest_twisted
from certificates import Authority
from twisted.internet import reactor  # noqa: TID251 - tests hand it on
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.protocol import Factory

from ischedule.resolver import Answer, TemporaryFailure


class Names:
    """A table instead of a resolver: `(name, type)` to contents as in a zone file, or a failure."""

    def __init__(self, records: Mapping[tuple[str, str], list[str] | Exception]) -> None:
        self.records = dict(records)
        self.asked: list[tuple[str, str]] = []

    async def lookup(self, name: str, kind: str, *, fresh: bool = False) -> Answer:
        self.asked.append((name, kind))
        contents = self.records.get((name, kind), [])
        if isinstance(contents, Exception):
            raise TemporaryFailure(str(contents))
        records = tuple(dns.rdata.from_text("IN", kind, each) for each in contents)
        return Answer(name=name, records=records, exists=any(known == name for known, _ in self.records), ttl=300)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest_twisted.async_yield_fixture()
async def listen(authority: Authority) -> Any:
    """Start a server with TLS: a factory and the names in its certificate give the port."""
    ports = []

    async def start(factory: Factory, *names: str, options: Any = None) -> int:
        endpoint = SSL4ServerEndpoint(reactor, 0, options or authority.options(*names), interface="127.0.0.1")
        ports.append(await endpoint.listen(factory))
        return ports[-1].getHost().port

    yield start
    for port in ports:
        await port.stopListening()
