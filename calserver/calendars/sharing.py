"""Sharing calendars: what sharers and sharees do (caldav-sharing, draft-pot-webdav-resource-sharing).

The sharer **invites** people and groups, with an access, and each of them finds a notification. Who **accepts** gets a
calendar in the own home that is bound to the sharer's (see `calserver.store.Shares`); who **declines**, or **leaves**
by deleting that calendar, has none. Either side may change its mind: the sharer changes the access or **uninvites**,
the sharee replies anew.

A group is invited by one share; its members, those of inner groups too, have shares of their own, with the highest
access that groups give them, or the one that the sharer gave to them in person. `settle` makes these agree with the
groups as they are: after each change of a share, and after each change of a group (`regroup`).

What a sharee writes becomes the owner's; only alarms and busy time stay with the sharee (see `personal`).
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs
from lxml import etree

from calserver.calendars import branches, notifications, personal
from calserver.calendars.conditions import OrganizerIsSharer
from calserver.calendars.forms import keep, prepare
from calserver.calendars.notifications import INVITE, REPLY, Notification, Person, Place
from calserver.calendars.objects import PathOf, admit
from calserver.calendars.provision import OWNERS, SHARED_CALENDAR
from calserver.dav import xml
from calserver.ical import CalendarObject
from calserver.names import D
from calserver.store import Collection, NameTaken, Object, Principal, Share, Transaction

READ: Final = "read"
READ_WRITE: Final = "read-write"
ACCESSES: Final = (READ, READ_WRITE)
"""From less to more."""
_SPACE: Final = uuid.UUID("ab0a8c4e-6f0e-4d0c-9a3b-6d1c2c0a3f55")


# -- what sharers do ---------------------------------------------------------------------------------------------------


def invite(
    txn: Transaction,
    calendar: Collection,
    sharee: Principal | None,
    *,
    address: str,
    access: str,
    common_name: str = "",
    summary: str = "",
) -> Share:
    """Invite somebody to share a calendar, or change the invitation.

    Args:
        txn: where.
        calendar: of the sharer.
        sharee: a person or a room with calendars (`branches.can_share`), or a group; None where nobody has the address.
        address: as it was given.
        access: ``read`` or ``read-write``.
        common_name: what the sharer calls the sharee; one who is known here has a name.
        summary: what the sharer calls the calendar.
    """
    if not calendar.shared:
        prepare(txn, calendar)
    key = address if sharee is None else _address(sharee)
    known = next((each for each in txn.shares.of(calendar.id) if each.address == key), None)
    wanted = attrs.evolve(
        known or _new(calendar, sharee, key),
        common_name=sharee.name if sharee is not None else common_name,
        summary=summary,
        own_access=access,
    )
    if sharee is None:
        return _keep(txn, attrs.evolve(wanted, status="invalid", access=access))
    if sharee.kind == "group":
        kept = _keep(txn, attrs.evolve(wanted, status="accepted", access=access))
        again = frozenset(each.id for each in _people(txn, sharee))
    else:
        kept, again = _keep(txn, wanted), frozenset((sharee.id,))
    settle(txn, calendar, again=again)
    return kept


def uninvite(txn: Transaction, calendar: Collection, share: Share) -> None:
    """Take an invitation back; a member of a group that is invited too keeps what that gives."""
    if share.principal_id is None or share.status == "invalid" or _is_group(txn, share.principal_id):
        txn.shares.remove(share)
    else:
        txn.shares.update(attrs.evolve(share, own_access=None))
    settle(txn, calendar)


def end(txn: Transaction, calendar: Collection) -> None:
    """Take all invitations back: the calendar goes, or moves to somebody else."""
    for share in txn.shares.of(calendar.id):
        _withdraw(txn, calendar, share)


def end_below(txn: Transaction, collection: Collection) -> None:
    """Take all invitations back to calendars at or below a collection."""
    for id in txn.shares.below(collection.id):
        calendar = txn.collections.get(id)
        if calendar is not None:
            end(txn, calendar)


# -- what sharees do ---------------------------------------------------------------------------------------------------


def accept(
    txn: Transaction, share: Share, *, address: str | None = None, summary: str = "", name: str = ""
) -> Collection:
    """Accept an invitation, for the first time or again; returns the shared calendar in the sharee's home.

    Args:
        txn: where.
        share: of the sharee.
        address: what the sharee calls itself in the reply.
        summary: what the sharee calls the calendar.
        name: what the shared calendar shall be named in the home, if nothing is.
    """
    assert share.principal_id is not None
    calendar = txn.collections.get(share.collection_id)
    assert calendar is not None
    bound = txn.shares.bound_to(calendar.id, share.principal_id)
    if bound is None:
        title = summary or share.summary or calendar.display_name or calendar.name
        bound = _bind(txn, calendar, share, name or share.uid, title)
    _replied(txn, calendar, share, "accepted", address, summary or None)
    return bound


def decline(txn: Transaction, share: Share, *, address: str | None = None) -> None:
    """Decline an invitation, or change one's mind and do not share the calendar any more."""
    assert share.principal_id is not None
    calendar = txn.collections.get(share.collection_id)
    assert calendar is not None
    bound = txn.shares.bound_to(calendar.id, share.principal_id)
    if bound is not None:
        txn.collections.remove(bound.id)
    _replied(txn, calendar, share, "declined", address, None)


def leave(txn: Transaction, bound: Collection) -> None:
    """Remove a shared calendar from the sharee's home, which declines the invitation; nothing where it is gone.

    It is gone when the sharer's calendar is moved to where it was.
    """
    assert bound.source_id is not None
    if txn.collections.get(bound.id) is None:
        return
    share = txn.shares.find(bound.source_id, bound.principal_id)
    if share is None:
        txn.collections.remove(bound.id)
    else:
        decline(txn, share)


def _replied(
    txn: Transaction, calendar: Collection, share: Share, status: str, address: str | None, summary: str | None
) -> None:
    """Keep an answer, and tell the sharer."""
    assert share.principal_id is not None
    sharee = txn.principals.get(share.principal_id)
    assert sharee is not None
    txn.shares.update(attrs.evolve(share, status=status))
    reply = _notification(txn, calendar, REPLY, share, status=status, person=sharee)
    reply = attrs.evolve(reply, address=address or share.address, summary=summary)
    notifications.tell(txn, calendar.principal_id, reply)


# -- groups ------------------------------------------------------------------------------------------------------------


def through(txn: Transaction, groups: Iterable[int]) -> Sequence[int]:
    """The calendars that are shared with groups, or with groups that these are in: to be asked before they change."""
    changed = frozenset(groups)
    around = changed | txn.principals.groups_of(changed) if changed else changed
    return txn.shares.shared_with(around) if around else ()


def regroup(txn: Transaction, calendars: Iterable[int]) -> None:
    """Let the members that groups have now share these calendars, and nobody else: for when groups have changed."""
    for id in calendars:
        calendar = txn.collections.get(id)
        if calendar is not None:
            settle(txn, calendar)


def welcome(txn: Transaction, newcomers: Iterable[int]) -> None:
    """Let principals who have calendars now share what is shared with their groups."""
    groups = txn.principals.groups_of(newcomers)
    if groups:
        regroup(txn, through(txn, groups))


def settle(txn: Transaction, calendar: Collection, *, again: frozenset[int] = frozenset()) -> None:
    """Make the shares of people agree with the invitations of a calendar.

    Args:
        txn: where.
        calendar: of the sharer.
        again: who was invited just now, so that it asks them anew if they had declined.
    """
    shares = txn.shares.of(calendar.id)
    ids = [each.principal_id for each in shares if each.principal_id is not None]
    principals = {each.id: each for each in txn.principals.get_many(ids)}
    groups = {each.id: each for each in principals.values() if each.kind == "group"}
    of_groups = _through_groups(txn, calendar, [each for each in shares if each.principal_id in groups], groups)
    told: set[int] = set()
    for share in shares:
        if share.principal_id is None or share.principal_id in groups:
            continue
        told.add(share.principal_id)
        access = share.own_access or _access_of(of_groups.get(share.principal_id))
        if access is None:
            _withdraw(txn, calendar, share)
        else:
            _give(txn, calendar, share, access, new=share.principal_id in again)
    for id, (sharee, through) in of_groups.items():
        if id not in told:
            made = attrs.evolve(
                _new(calendar, sharee, _address(sharee)), common_name=sharee.name, summary=through.summary
            )
            _give(txn, calendar, _keep(txn, made), through.access, new=True)


Through = Mapping[int, tuple[Principal, Share]]
"""Members of groups, each with the share of a group that gives the highest access."""


def _through_groups(
    txn: Transaction, calendar: Collection, shares: Iterable[Share], groups: Mapping[int, Principal]
) -> Through:
    found: dict[int, tuple[Principal, Share]] = {}
    for share in sorted(shares, key=lambda each: ACCESSES.index(each.access)):
        assert share.principal_id is not None
        for each in _people(txn, groups[share.principal_id]):
            if each.id != calendar.principal_id:
                found[each.id] = (each, share)
    return found


def _access_of(through: tuple[Principal, Share] | None) -> str | None:
    return None if through is None else through[1].access


def _people(txn: Transaction, group: Principal) -> Sequence[Principal]:
    """The members of a group, and of the groups in it, that have calendars; one query for each group."""
    seen = {group.id}
    waiting = [group]
    found: list[Principal] = []
    while waiting:
        for member in txn.principals.members(waiting.pop().id):
            if member.id not in seen:
                seen.add(member.id)
                if member.kind == "group":
                    waiting.append(member)
                elif member.kind in OWNERS:
                    found.append(member)
    able = branches.can_share(txn, [each.id for each in found])
    return [each for each in found if each.id in able]


def _is_group(txn: Transaction, principal_id: int) -> bool:
    principal = txn.principals.get(principal_id)
    return principal is not None and principal.kind == "group"


# -- parts -------------------------------------------------------------------------------------------------------------


def _address(principal: Principal) -> str:
    return f"urn:uuid:{principal.guid}"


def _new(calendar: Collection, sharee: Principal | None, address: str) -> Share:
    """An invitation that is not stored yet. Its uid is always the same, so that nothing of an older one is left."""
    return Share(
        id=0,
        collection_id=calendar.id,
        principal_id=None if sharee is None else sharee.id,
        address=address,
        uid=str(uuid.uuid5(_SPACE, f"{calendar.resource_id} {address}")),
    )


def _keep(txn: Transaction, share: Share) -> Share:
    return txn.shares.update(share) if share.id else txn.shares.add(share)


def _give(txn: Transaction, calendar: Collection, share: Share, access: str, *, new: bool) -> None:
    """Give a sharee an access, and tell so where it is news."""
    asked = new and share.status == "declined"
    fresh = new and share.status == "noresponse"
    if access == share.access and not asked and not fresh:
        return
    status = "noresponse" if asked else share.status
    changed = txn.shares.update(attrs.evolve(share, access=access, status=status))
    assert changed.principal_id is not None
    branches.home_for(txn, changed.principal_id)
    bound = txn.shares.bound_to(calendar.id, changed.principal_id)
    if bound is not None and bound.access != access:
        txn.shares.set_access(bound.id, access)
    notifications.tell(txn, changed.principal_id, _notification(txn, calendar, INVITE, changed))


def _withdraw(txn: Transaction, calendar: Collection, share: Share) -> None:
    """Forget an invitation, remove what is bound, and tell the sharee, unless it was declined."""
    txn.shares.remove(share)
    if share.principal_id is None or share.status == "invalid":
        return
    bound = txn.shares.bound_to(calendar.id, share.principal_id)
    title = share.summary
    if bound is not None:
        title = bound.display_name or title
        txn.collections.remove(bound.id)
    if share.status == "declined":
        notifications.take_back(txn, share.principal_id, INVITE, share.uid)
    else:
        told = _notification(txn, calendar, INVITE, attrs.evolve(share, summary=title), status="deleted")
        notifications.tell(txn, share.principal_id, told)


def _notification(
    txn: Transaction,
    calendar: Collection,
    type: str,
    share: Share,
    *,
    status: str | None = None,
    person: Principal | None = None,
) -> Notification:
    owner = txn.principals.get(calendar.principal_id)
    assert owner is not None
    return Notification(
        type=type,
        stamp=f"{txn.now:%Y-%m-%dT%H:%M:%SZ}",
        uid=share.uid,
        address=share.address,
        status=status or share.status,
        calendar=Place(
            kind=owner.kind,
            uid=owner.uid,
            names=tuple(each.name for each in txn.collections.ancestors(calendar.id)[1:]),
        ),
        person=Person.of(person or owner),
        access=share.access,
        summary=share.summary or None,
        title=calendar.display_name,
        components=calendar.components,
    )


def _bind(txn: Transaction, calendar: Collection, share: Share, name: str, title: str) -> Collection:
    """Make the shared calendar in the sharee's home, under a name that is free."""
    assert share.principal_id is not None
    home = branches.home_for(txn, share.principal_id)
    element = etree.Element(D("displayname"))
    element.text = title
    properties = {element.tag: xml.stored(element)}
    for tried in (name, share.uid, str(uuid.uuid4())):
        try:
            return txn.shares.bind(
                calendar,
                home,
                tried,
                SHARED_CALENDAR,
                access=share.access,
                properties=properties,
                display_name=title,
            )
        except NameTaken:
            continue
    raise AssertionError("a UUID is taken")


# -- what is in a shared calendar --------------------------------------------------------------------------------------


def put_as_sharee(
    txn: Transaction,
    bound: Collection,
    source: Collection,
    name: str,
    new: CalendarObject,
    *,
    path: PathOf,
    put: Callable[[CalendarObject, tuple[str | None, ...]], tuple[Object, bool]],
) -> bool:
    """Store what a sharee has written in the calendar that is shared; returns whether it is new.

    Args:
        txn: where.
        bound: the shared calendar in the sharee's home.
        source: the sharer's calendar.
        name: of the member.
        new: what the sharee wrote.
        path: where the sharee finds an object of the calendar.
        put: stores the owner's form, given the organizers after and before; it may store something else.

    Raises:
        OrganizerIsSharer: it invites for somebody who is not the sharer.
        SupportedCalendarComponent, NoUidConflict, UniqueSchedulingObjectResource: see `admit`.
    """
    replaced = txn.objects.get(source.id, name)
    admit(txn, source, new, path, replaced=replaced)
    if new.organizer is not None and (replaced is None or replaced.organizer != new.organizer):
        _check_organizer(txn, source, new.organizer)
    owner = None if replaced is None else txn.objects.text(replaced.id)
    before = {} if replaced is None else txn.shares.personal(replaced.id)
    forms = personal.written_by_sharee(new, bound.principal_id, owner, before)
    row, created = put(forms.owner, (new.organizer, None if replaced is None else replaced.organizer))
    stored = txn.objects.text(row.id)
    if stored != forms.owner.text:
        own = {who: each.text for who, each in forms.personal.items() if each is not None}
        forms = personal.written_by_owner(CalendarObject.stored(stored), own)
    keep(txn, row, forms)
    return created


def _check_organizer(txn: Transaction, source: Collection, organizer: str) -> None:
    holder = txn.principals.by_address(organizer)
    if holder is None or holder.id != source.principal_id:
        raise OrganizerIsSharer("in a shared calendar only the sharer can be the organizer")
