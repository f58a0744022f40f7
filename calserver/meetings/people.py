"""Who is meant by a calendar user address (RFC 6638 section 2.4.1)."""

from collections.abc import Iterable

import attrs

from calserver import directory, ical
from calserver.meetings.policy import Policy
from calserver.store import Principal, Transaction


@attrs.define
class People:
    """Addresses and whose they are, looked up once; addresses are normalized (`calserver.ical.address`)."""

    txn: Transaction
    policy: Policy
    _known: dict[str, Principal | None] = attrs.field(factory=dict, init=False)

    def meet(self, addresses: Iterable[str]) -> None:
        """Look some addresses up, in one query."""
        new = {each for each in addresses if each not in self._known}
        if new:
            found = directory.find_many(self.txn, new, prefix=self.policy.prefix, origin=self.policy.origin)
            self._known |= {each: found.get(each) for each in new}

    def whose(self, address: str) -> Principal | None:
        """Who has an address here."""
        self.meet((address,))
        return self._known[address]

    def addresses(self, principal: Principal) -> frozenset[str]:
        """All addresses of a principal: those that everybody has, and those that were looked up."""
        named = directory.addresses_of(principal, self.policy.prefix)
        met = (address for address, who in self._known.items() if who is not None and who.id == principal.id)
        return frozenset((*map(ical.address, named), *met))

    def is_ours(self, address: str) -> bool:
        """Whether an address that nobody has would have to be one of ours, so that there is no other place to ask."""
        scheme, _, rest = address.partition(":")
        if scheme == "mailto":
            domain = rest.rpartition("@")[2]
            return not domain or domain == self.policy.calendars.domain.lower()
        if scheme in ("http", "https"):
            return bool(self.policy.origin) and address.startswith(f"{self.policy.origin.lower()}/")
        return True
