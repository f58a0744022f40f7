"""What there was before a request, what its asker might read and do there, and what must hold afterwards.

Everything that Ann has is marked: in its content, a property, its name and its time. So it shows where it comes out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs
import oracle
from oracle import Spot
from village import event, put_file

from calserver import calendars
from calserver.dav import Response
from calserver.drive import HOME_KIND
from calserver.ical import etag
from calserver.names import CY, C, D
from calserver.store import Collection, Draft, Share, Transaction

HOMES: Final = {"calendars": calendars.CALENDAR_HOME, "drive": HOME_KIND}
NOTE: Final = "{urn:x}note"
"""A property of everything, with a mark in it."""
MARK: Final = re.compile(rb"mark-\d+-[a-z]+|nm\d+z")
NAME: Final = re.compile(rb"nm\d+z")
TIME: Final = re.compile(rb"202701\d\dT100000Z")
"""When an event of Ann's begins, and so a busy period."""


# -- what Ann has ------------------------------------------------------------------------------------------------------


class Marks:
    """Everything that Ann has gets marks: in its content, a property and, where it can, its name."""

    def __init__(self, txn: Transaction) -> None:
        self.txn = txn
        self.count = 0

    def next(self) -> str:
        self.count += 1
        return f"nm{self.count}z"

    def properties(self) -> dict[str, str]:
        return {NOTE: f'<note xmlns="urn:x">mark-{self.count}-note</note>'}

    def collection(self, parent: Collection, kind: str) -> Collection:
        name = self.next()
        return self.txn.collections.add(
            parent.id, name, kind, properties=self.properties(), display_name=f"mark-{self.count}-title"
        )

    def event(self, place: Collection, *, private: bool = False) -> None:
        name = self.next() + ".ics"
        text = event(f"{place.id}-{name}", f"mark-{self.count}-text")
        text = text.replace(b"20260202T10", b"202701%02dT10" % self.count).replace(
            b"20260202T11", b"202701%02dT11" % self.count
        )
        if private:
            text = text.replace(b"SUMMARY", b"CLASS:PRIVATE\r\nSUMMARY")
        self.txn.objects.put(
            place.id,
            Draft(
                name=name,
                text=text,
                content_type=calendars.CONTENT_TYPE,
                etag=etag(text),
                component="VEVENT",
                uid=f"{place.id}-{name}",
                properties=self.properties(),
            ),
        )

    def file(self, place: Collection) -> None:
        name = self.next() + ".txt"
        id = put_file(self.txn, place, name, f"mark-{self.count}-text".encode())
        self.txn.objects.patch(id, properties=self.properties())


def furnish(txn: Transaction) -> None:
    """Calendars with events, plain collections, files and folders."""
    ann = txn.principals.by_uid("user", "ann")
    assert ann is not None
    marks = Marks(txn)
    home = txn.collections.home(ann.id, HOMES["calendars"])
    assert home is not None
    work = marks.collection(home, "calendar")
    marks.event(work)
    marks.event(work, private=True)
    plain = marks.collection(home, "plain")
    marks.file(plain)
    marks.event(marks.collection(plain, "calendar"))
    for name in ("Inbox", "Attachments"):
        place = txn.collections.child(home.id, name)
        assert place is not None
        (marks.event if name == "Inbox" else marks.file)(place)
    files = txn.collections.home(ann.id, HOMES["drive"])
    assert files is not None
    marks.file(files)
    folder = marks.collection(files, "plain")
    marks.file(folder)
    marks.file(marks.collection(folder, "plain"))


# -- what is there -----------------------------------------------------------------------------------------------------


@attrs.frozen
class Thing:
    """A resource as it is stored."""

    spot: Spot
    content: bytes
    marks: frozenset[bytes]
    """The marks in its content, its properties and its name."""

    @classmethod
    def of(cls, spot: Spot, content: bytes) -> "Thing":
        """As the store has it; what is shared tells whose it is."""
        row: Any = spot.object or spot.here
        title = getattr(row, "display_name", "") or ""
        text = " ".join((*row.properties.values(), title, row.name, *(each.name for each in spot.origin)))
        return cls(spot, content, frozenset(MARK.findall(content + text.encode())))

    @property
    def row(self) -> Any:
        return self.spot.object or self.spot.here

    @property
    def times(self) -> frozenset[bytes]:
        """When it begins."""
        return frozenset(TIME.findall(self.content)[:1])

    @property
    def properties(self) -> Any:
        columns = () if self.spot.object else (self.row.display_name, self.row.transparent, self.row.timezone)
        return dict(self.row.properties), columns

    @property
    def is_notice(self) -> bool:
        """Whether it is something that the server makes to tell people what others do."""
        return self.spot.object is not None and self.spot.here.kind == "notifications"


Everything = Mapping[str, Thing]


def everything(txn: Transaction) -> Everything:
    """All that there is, by path below the root."""
    return dict(_things(txn))


def _things(txn: Transaction) -> Iterator[tuple[str, Thing]]:
    for top, kind in HOMES.items():
        for uid, home in txn.collections.homes("user", kind):
            for path, spot in oracle.spots(txn, home):
                yield f"{top}/user/{uid}/{path}", Thing.of(spot, oracle.text(txn, spot))


def invitations(txn: Transaction, things: Everything) -> Mapping[int, Share]:
    """All invitations, by id."""
    calendars = (each.row.id for each in things.values() if each.spot.object is None and each.row.kind == "calendar")
    return {share.id: share for id in calendars for share in txn.shares.of(id)}


# -- what must hold ----------------------------------------------------------------------------------------------------


@attrs.frozen
class Past:
    """What was there before a request, and what its asker could read and do there."""

    things: Everything
    shares: Mapping[int, Share]
    atoms: Mapping[str, set[str]]
    readable: frozenset[str]
    public: frozenset[str]
    """The calendars that anybody reads, and the events that come with them."""
    told: frozenset[str]
    """Of what anybody may know when it is."""
    places: Mapping[int, tuple[str, ...]]
    """Where a calendar is, by its id: in the home that it belongs to, and in those of its sharees."""

    @classmethod
    def of(cls, txn: Transaction, things: Everything, uid: str | None) -> "Past":
        """As the oracle sees it."""
        principal = None if uid is None else txn.principals.by_uid("user", uid)
        who = None if principal is None else principal.id
        atoms = {path: oracle.held(txn, who, each.spot) for path, each in things.items()}
        readable = (path for path, each in things.items() if oracle.atoms(D("read"), each.spot) <= atoms[path])
        public = (path for path, each in things.items() if oracle.in_public(txn, each.spot, D("read")))
        told = (path for path, each in things.items() if oracle.in_public(txn, each.spot, C("read-free-busy")))
        places: dict[int, tuple[str, ...]] = {}
        for path, each in things.items():
            if each.spot.object is None:
                id = each.row.source_id or each.row.id
                places[id] = (*places.get(id, ()), path)
        shares = invitations(txn, things)
        return cls(things, shares, atoms, frozenset(readable), frozenset(public), frozenset(told), places)

    def kind(self, path: str) -> str:
        """Whether something is ``shared`` with whose home it is in, or ``public``."""
        thing = self.things.get(path)
        if thing is not None and thing.spot.here.source_id is not None:
            return "shared"
        return "public" if path in self.public else ""

    def everywhere(self, path: str) -> list[str]:
        """All paths of what is at one: those in other homes too, where it is shared."""
        above = path if path in self.things and self.things[path].spot.object is None else _parent(path)
        row = self.things[above].row if above in self.things else None
        here = (above,) if row is None else self.places[row.source_id or row.id]
        return [each + path[len(above) :] for each in here]

    def check_answer(self, method: str, path: str, asked: str, answer: Response) -> None:
        """Nothing that may not be read stands in an answer, but for names that the request itself has.

        When somebody is busy is for those who may know that. To GET a public calendar is for everybody.
        """
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        text = body + repr(answer.headers).encode()
        known = self._marks(self.readable) | set(NAME.findall(asked.encode()))
        looking = [each for each in self.public if path in (each, _parent(each)) and method in ("GET", "HEAD")]
        told = set(MARK.findall(text)) - known - self._marks(looking)
        assert not told, f"{told} may not be read"
        busy = [each for each, atoms in self.atoms.items() if C("read-free-busy") in atoms]
        if method in ("GET", "HEAD"):
            busy += [each for each in self.told if _parent(each) == path]
        times = {time for each in busy for time in self.things[each].times} | set(TIME.findall(asked.encode()))
        hidden = set(TIME.findall(text)) - times
        assert not hidden, f"{hidden} is nothing to be told"

    def _marks(self, paths: Iterable[str]) -> set[bytes]:
        return {mark for each in paths for mark in self.things[each].marks}

    # -- changes

    def check_changes(self, after: Everything, shares: Mapping[int, Share]) -> None:
        """All that changed was allowed by what was so before."""
        for path in self.things.keys() | after.keys():
            old, new = self.things.get(path), after.get(path)
            if (old or new).is_notice:  # type: ignore[union-attr]  # one of them is there
                continue
            if old is None and new is not None:
                self._added(path, new)
            elif new is None and old is not None:
                self._removed(path, old, after)
            elif old is not None and new is not None:
                self._changed(path, old, new, after)
        self._check_marks(after)
        for id in self.shares.keys() | shares.keys():
            self._check_share(self.shares.get(id), shares.get(id), after)

    def _check_marks(self, after: Everything) -> None:
        """Nothing has got a mark of what the asker could not read: not by a copy, and not by a share."""
        readable = self._marks(self.readable)
        bound = {each.row.id for each in self.things.values() if each.spot.object is None}
        for path, new in after.items():
            if new.is_notice or (new.spot.here.source_id is not None and new.spot.here.id not in bound):
                continue
            old = self.things[path].marks if path in self.things else frozenset()
            assert new.marks - old <= readable, f"{path} has got what may not be read"

    def _needs(self, path: str, atom: str, what: str) -> None:
        held = [each for each in self.everywhere(path) if atom in self.atoms.get(each, ())]
        assert held, f"{what} without {atom} on {path}"

    def _shares(self, calendar: int) -> bool:
        """Whether the asker may share a calendar."""
        return any(D("share") in self.atoms[each] for each in self.places.get(calendar, ()))

    def _added(self, path: str, new: Thing) -> None:
        row = new.spot.here
        if row.source_id is not None and row.id not in {each.spot.here.id for each in self.things.values()}:
            invited = [each for each in self.shares.values() if each.collection_id == row.source_id]
            assert row.principal_id in {each.principal_id for each in invited}, f"{path}: nobody was invited"
        if _parent(path) in self.things:
            atom = CY("add-resource") if new.spot.object else CY("make-collection")
            self._needs(_parent(path), atom, f"{path} was made")

    def _removed(self, path: str, old: Thing, after: Everything) -> None:
        row = old.spot.here
        if row.source_id is not None:
            if old.spot.object is not None and _id(after.get(_parent(path))) != row.id:
                return  # what was shared is gone from there, which is looked at itself
            left = {_id(each) for each in after.values()}
            if row.id not in left and (row.source_id not in left or self._shares(row.source_id)):
                return  # the calendar is gone, or shared no more
            source = [each for each in self.places[row.source_id] if _id(self.things[each]) == row.source_id]
            if row.id not in left and _id(after.get(source[0])) != row.source_id:
                return  # the calendar has been moved away
        atom = CY("remove-resource") if old.spot.object else CY("remove-collection")
        self._needs(_parent(path), atom, f"{path} was removed")

    def _changed(self, path: str, old: Thing, new: Thing, after: Everything) -> None:
        if old.row.resource_id != new.row.resource_id and (old.spot.object is None or new.spot.object is None):
            self._removed(path, old, after)
            self._added(path, new)
            return
        if old.content != new.content:
            self._needs(path, D("write-content"), f"{path} was written")
        if old.properties != new.properties:
            self._needs(path, D("write-properties"), f"properties of {path} were written")
        came = new.row.resource_id != old.row.resource_id and new.row.resource_id in {
            each.row.resource_id for each in self.things.values()
        }
        if old.row.acl != new.row.acl and not came and not (_only_published(old, new) and self._shares(old.row.id)):
            self._needs(path, D("write-acl"), f"the list of {path} was changed")

    def _check_share(self, old: Share | None, new: Share | None, after: Everything) -> None:
        """Who may share a calendar invites to it; who is invited answers, and does not give oneself more."""
        share = old or new
        assert share is not None
        if old == new or self._shares(share.collection_id):
            return
        places = self.places.get(share.collection_id, ())
        if new is None and not any(_id(after.get(each)) == share.collection_id for each in places):
            return  # the calendar is gone, or has been moved away
        assert old is not None, f"{new} was made by somebody who may not share"
        assert new is not None, f"{old} was removed by somebody who may not share"
        assert (old.own_access, old.access) == (new.own_access, new.access), f"{old} has become {new}"
        homes = [
            atoms
            for path, atoms in self.atoms.items()
            if (row := self.things[path].row) and self.things[path].spot.object is None
            if row.kind == "calendar-home" and row.principal_id == share.principal_id
        ]
        assert any(CY("make-collection") in each or CY("remove-collection") in each for each in homes), f"{new}"


def _only_published(old: Thing, new: Thing) -> bool:
    """Whether a list says the same of all who have logged in."""
    if old.spot.object is not None:
        return False
    return oracle.about_people(old.row) == oracle.about_people(new.row)


def _id(thing: Thing | None) -> int | None:
    """Which collection something is; None for anything else."""
    return thing.row.id if thing is not None and thing.spot.object is None else None


def _parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0] + "/"
