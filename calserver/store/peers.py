"""Other domains as the site has come to know them, and to whom there its people have written."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, delete, select, update

from calserver.store.dialects import among
from calserver.store.rows import instant, microseconds
from calserver.store.schema import contact, peer
from calserver.store.statements import Connection, Row, Statement, inserting
from calserver.store.values import Peer

_p, _c = peer.c, contact.c

GET = Statement(select(peer).where(_p.domain == bindparam("domain")))
ALL = Statement(select(peer).order_by(_p.domain))
OF = Statement(select(peer).where(among(_p.domain, "domains")))
CHANGE = Statement(
    update(peer)
    .values(
        sent=bindparam("last_sent"),
        received=bindparam("last_received"),
        failures=bindparam("times"),
        next_try=bindparam("then"),
        problem=bindparam("why"),
    )
    .where(_p.domain == bindparam("which"))
)
INSERT = Statement(inserting(peer))
FORGET = Statement(delete(peer).where(_p.domain == bindparam("domain")))
MET = Statement(select(_c.principal_id).where(_c.address == bindparam("address"), among(_c.principal_id, "principals")))
MEET = Statement(inserting(contact))


def _peer(row: Row) -> Peer:
    domain, since, sent, received, failures, next_try, problem = row
    return Peer(
        domain=domain,
        since=instant(since),
        sent=None if sent is None else instant(sent),
        received=None if received is None else instant(received),
        failures=failures,
        next_try=None if next_try is None else instant(next_try),
        problem=problem,
    )


class SqlPeers:
    """`calserver.store.interface.Peers` on SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, domain: str) -> Peer | None:
        """What is known of a domain."""
        row = self._connection.one(GET, domain=domain)
        return None if row is None else _peer(row)

    def all(self) -> Sequence[Peer]:
        """All that are known, by name."""
        return [_peer(row) for row in self._connection.all(ALL)]

    def of(self, domains: Sequence[str]) -> Sequence[Peer]:
        """Those of some domains that are known."""
        return (
            [_peer(row) for row in self._connection.all(OF, domains=self._connection.values(domains))]
            if domains
            else []
        )

    def put(self, known: Peer) -> None:
        """Remember what is known of a domain."""
        sent = None if known.sent is None else microseconds(known.sent)
        received = None if known.received is None else microseconds(known.received)
        then = None if known.next_try is None else microseconds(known.next_try)
        if not self._connection.run(
            CHANGE,
            which=known.domain,
            last_sent=sent,
            last_received=received,
            times=known.failures,
            then=then,
            why=known.problem,
        ):
            self._connection.run(
                INSERT,
                domain=known.domain,
                since=microseconds(known.since),
                sent=sent,
                received=received,
                failures=known.failures,
                next_try=then,
                problem=known.problem,
            )

    def meet(self, principal_id: int, address: str) -> None:
        """Remember that a principal has written to an address."""
        if not self.who_met(address, (principal_id,)):
            self._connection.run(MEET, principal_id=principal_id, address=address)

    def who_met(self, address: str, principal_ids: Iterable[int]) -> frozenset[int]:
        """Which of some principals have ever written to an address."""
        found = self._connection.all(MET, address=address, principals=self._connection.values(principal_ids))
        return frozenset(row[0] for row in found)
