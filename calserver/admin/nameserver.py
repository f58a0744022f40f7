"""A small authoritative name server for demonstrations and tests: it serves the records that `dns` says to publish.

    server = NameServer({"north.example": zone(...), "south.example": zone(...)})
    await server.listen(reactor, "127.0.0.1", 5354)

What it serves is a zone file, read the way any name server reads it. It answers by UDP and TCP, with the SOA record
where there is nothing, follows aliases inside its zones, and refuses everything else. No recursion, no transfers, no
DNSSEC; not for the Internet. Zones can be replaced while it runs.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import dns.exception
import dns.name
import dns.node
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.zone
from dns.rdtypes.ANY.SOA import SOA
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorTCP, IReactorUDP
from twisted.names import dns as wire
from twisted.names.server import DNSServerFactory
from zope.interface import Interface

from calserver.admin.refused import Refused

NEGATIVE_SECONDS: Final = 5
MOST_ALIASES: Final = 8
_TRIES: Final = 20


class IReactor(IReactorTCP, IReactorUDP, Interface):
    """What is needed of a reactor."""


def complete(origin: str, records: str, *, address: str = "127.0.0.1", ttl: int = NEGATIVE_SECONDS) -> str:
    """A whole zone file: the records with what every zone has, and a short lifetime.

    Args:
        origin: the domain.
        records: a piece of a zone file, as `dns.zone` makes it.
        address: of the name server.
        ttl: seconds that the records are kept, and that it is remembered that there is none.
    """
    text = "\n".join(line for line in records.splitlines() if not line.startswith("$"))
    return f"""$ORIGIN {origin}.
$TTL {ttl}
@ SOA ns hostmaster 1 3600 600 86400 {ttl}
@ NS ns
ns {"AAAA" if ":" in address else "A"} {address}
{text}
"""


class NameServer:
    """Serves zones: origin to zone file.

    Raises:
        Refused: a zone file cannot be read.
    """

    def __init__(self, zones: Mapping[str, str]) -> None:
        self._factory = _Factory()
        self._ports: list[IListeningPort] = []
        for origin, text in zones.items():
            self.publish(origin, text)

    def publish(self, origin: str, text: str) -> None:
        """Serve this zone from now on, instead of what was served of it before."""
        try:
            read = dns.zone.from_text(text, origin=f"{origin}.", relativize=False)
        except (dns.exception.DNSException, ValueError) as error:
            raise Refused(f"the zone {origin} cannot be read: {error}") from None
        self._factory.zones[dns.name.from_text(origin)] = _Zone(read)

    async def listen(self, reactor: IReactor, address: str, port: int = 0) -> int:
        """Answer on an address; returns the port, which is one for UDP and TCP that the system chooses if it is 0.

        Raises:
            Refused: the port is taken.
        """
        for _ in range(_TRIES):
            stream = _taken(reactor.listenTCP, port, self._factory, address)
            chosen: int = stream.getHost().port
            try:
                datagrams = _taken(reactor.listenUDP, chosen, wire.DNSDatagramProtocol(self._factory), address)
            except Refused:
                await maybeDeferred(stream.stopListening)
                if port:
                    raise
                continue
            self._ports += [stream, datagrams]
            return chosen
        raise Refused(f"there is no free port for UDP and TCP on {address}")

    async def stop(self) -> None:
        """Answer no more."""
        ports, self._ports = self._ports, []
        await gatherResults([maybeDeferred(port.stopListening) for port in ports])
        for connection in list(self._factory.connections):
            connection.transport.loseConnection()


def _taken(listen: Any, port: int, protocol: Any, address: str) -> Any:
    try:
        return listen(port, protocol, interface=address)
    except CannotListenError as error:
        raise Refused(f"{address} port {port} cannot be listened on: {error.socketError}") from None


class _Zone:
    """A zone, with the names that exist only because there is something below them (RFC 8020)."""

    def __init__(self, zone: dns.zone.Zone) -> None:
        assert zone.origin is not None
        self.origin = zone.origin
        self._nodes = {name.canonicalize(): node for name, node in zone.items()}
        self._names = {above for name in self._nodes for above in _up_to(name, self.origin)}

    def exists(self, name: dns.name.Name) -> bool:
        """Whether there is something at the name or below it."""
        return name in self._names

    def find(self, name: dns.name.Name, kind: int) -> list[wire.RRHeader]:
        """The records of a type at a name."""
        node = self._nodes.get(name)
        found = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.RdataType.make(kind)) if node else None
        return [_header(name, found.ttl, record) for record in found or ()] if found else []

    @property
    def soa(self) -> wire.RRHeader:
        """Its SOA record, for answers without records: kept as long as these may be (RFC 2308 section 3)."""
        node = self._nodes[self.origin.canonicalize()]
        found = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.SOA)
        assert found is not None
        record = found[0]
        assert isinstance(record, SOA)
        return _header(self.origin, min(found.ttl, record.minimum), record)


def _up_to(name: dns.name.Name, origin: dns.name.Name) -> Iterator[dns.name.Name]:
    while name.is_subdomain(origin):
        yield name.canonicalize()
        if name == origin:
            return
        name = name.parent()


def _header(name: dns.name.Name, ttl: int, record: dns.rdata.Rdata) -> wire.RRHeader:
    payload = wire.UnknownRecord(record.to_wire(), ttl)
    return wire.RRHeader(name.to_text(omit_final_dot=True), record.rdtype, wire.IN, ttl, payload, auth=True)


class _Factory(DNSServerFactory):
    """Twisted's name server with answers of ours: its own authorities leave the SOA record out for unknown names."""

    noisy = False

    def __init__(self) -> None:
        super().__init__()
        self.zones: dict[dns.name.Name, _Zone] = {}

    def handleQuery(self, message: Any, protocol: Any, address: Any) -> None:
        query = message.queries[0]
        try:
            asked = dns.name.from_text(query.name.name.decode("ascii")).canonicalize()
        except (dns.exception.DNSException, UnicodeDecodeError):
            asked = dns.name.root
        answers: list[wire.RRHeader] = []
        code, authority = self._find(asked, query.type, answers)
        response = self._responseFromMessage(message, rCode=code, answers=answers, authority=authority)
        response.auth = code != wire.EREFUSED
        self.sendReply(protocol, response, address)

    def _find(self, name: dns.name.Name, kind: int, answers: list[wire.RRHeader]) -> tuple[int, list[wire.RRHeader]]:
        """Collect the answers for a name; returns the code and what stands in the authority section (RFC 1034)."""
        for _ in range(MOST_ALIASES):
            zone = next((self.zones[each] for each in self._above(name) if each in self.zones), None)
            if zone is None:
                return (wire.OK if answers else wire.EREFUSED), []
            if found := zone.find(name, kind):
                answers += found
                return wire.OK, []
            if not zone.exists(name):
                return wire.ENAME, [zone.soa]
            alias = zone.find(name, wire.CNAME)
            if not alias:
                return wire.OK, [zone.soa]
            answers += alias
            name = dns.name.from_wire(cast(wire.UnknownRecord, alias[0].payload).data, 0)[0].canonicalize()
        return wire.ESERVER, []

    @staticmethod
    def _above(name: dns.name.Name) -> Iterator[dns.name.Name]:
        while True:
            yield name
            if name == dns.name.root:
                return
            name = name.parent()
