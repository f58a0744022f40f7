"""Names that are known without a name server."""

from collections.abc import Mapping

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from ischedule.resolver import Answer, TemporaryFailure


class Names:
    """A table instead of a resolver: `(name, type)` to contents as in a zone file, or a failure."""

    def __init__(self, records: Mapping[tuple[str, str], list[str] | Exception]) -> None:
        self.records = dict(records)
        self.asked: list[tuple[str, str]] = []
        self.anew: list[str] = []
        """Names that were asked for whatever is remembered of them."""

    async def lookup(self, name: str, kind: str, *, fresh: bool = False) -> Answer:
        self.asked.append((name, kind))
        if fresh:
            self.anew.append(name)
        contents = self.records.get((name, kind), [])
        if isinstance(contents, Exception):
            raise TemporaryFailure(str(contents))
        records = tuple(dns.rdata.from_text("IN", kind, each) for each in contents)
        return Answer(name=name, records=records, exists=any(known == name for known, _ in self.records), ttl=300)
