"""By which addresses whose calendar it is attends meetings: what was declined takes up no time."""

from calserver import ical
from calserver.directory import addresses_of, principal_href
from calserver.ical import CalendarObject
from calserver.store import Principal


def own_addresses(owner: Principal | None, found: CalendarObject) -> frozenset[str]:
    """The normalized addresses of attendees that mean the owner of a calendar; its URL under any DAV root is one."""
    if owner is None or not found.attendees:
        return frozenset()
    names = set(map(ical.address, addresses_of(owner, "/")))
    path = ical.address(f"/{principal_href(owner.kind, owner.uid)}")
    return frozenset(each for each in found.attendees if each in names or each.endswith(path))
