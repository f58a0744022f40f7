"""A machine that changes two homes at random and asks, after each step, every sync token it ever got.

A token is good as long as it is not below the floor: the reported changes, applied to the listing of that time, give
the listing of now (RFC 6578 section 3.5). That must hold for one level and for all levels, in one report and in one
that is cut into pages.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from samples import Clock, draft, furnish

from calserver.store import NameTaken, Store, Transaction, open_store

NAMES = ("Default", "a", "b")
names = st.sampled_from(NAMES)
texts = st.binary(max_size=8)

Listing = dict[str, int]
"""Name, or path, of each member to the id of its collection, or a hash of its content."""


def identity(etag: str, properties: object, id: int) -> int:
    """What a client would notice of an object."""
    return hash((etag, str(properties), id))


def listing(txn: Transaction, collection: int) -> Listing:
    """The direct members of a collection."""
    members = {
        each.name: identity(each.etag, each.properties, each.id) for each in txn.objects.in_collection(collection)
    }
    return members | {each.name + "/": each.id for each in txn.collections.children(collection)}


def everything(txn: Transaction, top: int) -> Listing:
    """All that is below a collection, by path."""
    found: Listing = {}
    for prefix, collection in walk(txn, top):
        found |= {prefix + name: value for name, value in listing(txn, collection).items()}
    return found


def walk(txn: Transaction, top: int) -> Iterator[tuple[str, int]]:
    """A collection and all below it, with their paths."""
    paths = {top: ""}
    yield "", top
    for each in txn.collections.below(top):
        assert each.parent_id is not None
        paths[each.id] = f"{paths[each.parent_id]}{each.name}/"
        yield paths[each.id], each.id


@attrs.define
class Report:
    """What one level tells since a revision: events in the order of their numbers."""

    events: list[tuple[int, str, int | None]]

    @classmethod
    def of(cls, txn: Transaction, collection: int, since: int, limit: int | None = None) -> "Report":
        changes = txn.changes
        events: list[tuple[int, str, int | None]] = [
            (each.revision, each.name, identity(each.etag, each.properties, each.id))
            for each in changes.objects(collection, since, limit)
        ]
        events += [(each.revision, each.name + "/", each.id) for each in changes.collections(collection, since)]
        events += [
            (each.revision, each.name + "/" * each.was_collection, None)
            for each in changes.tombstones(collection, since, limit)
        ]
        events.sort()
        return cls(events if limit is None else events[:limit])

    def applied(self, before: Listing, prefix: str = "") -> Listing:
        """A listing brought up to date."""
        now = dict(before)
        for _, name, value in self.events:
            path = prefix + name
            # A name may have become a collection's, or ceased to be: a client learns of what is there now.
            for stale in [each for each in now if each.rstrip("/") == path.rstrip("/")]:
                del now[stale]
            if value is None:
                for below in [each for each in now if each.startswith(path.rstrip("/") + "/")]:
                    del now[below]
            else:
                now[path] = value
        return now


class Tree(RuleBasedStateMachine):
    """Two people, their homes, and what is in them."""

    homes = Bundle("homes")
    collections = Bundle("collections")
    objects = Bundle("objects")
    places = st.one_of(homes, collections)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.store: Store = open_store(f"sqlite:///{Path(self.folder.name) / 'x.sqlite'}", reactor=None, now=self.clock)
        self.people = self.write(lambda txn: (furnish(txn, "ann"), furnish(txn, "bob")))
        ahead = self.people[0].calendar.id
        self.write(lambda txn: [txn.collections.touch(ahead) for _ in range(20)])
        self.one_level: dict[int, dict[int, Listing]] = {}
        """Collection id to revision to the listing of that time."""
        self.all_levels: dict[int, dict[int, Listing]] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def write(self, work):
        self.clock.forward(seconds=1)
        return self.store.write_now(work)

    @initialize(target=homes)
    def make_homes(self):
        return multiple(*(each.home.id for each in self.people))

    @initialize(target=collections)
    def begin_with_collections(self):
        calendars = [each.calendar.id for each in self.people]
        inner = self.write(lambda txn: [txn.collections.add(each, "a", "plain").id for each in calendars])
        return multiple(*calendars, *inner)

    @initialize(target=objects)
    def begin_with_objects(self):
        def work(txn):
            return [
                txn.objects.put(at.calendar.id, draft(name))[0].id for at in self.people for name in ("Default", "b")
            ]

        return multiple(*self.write(work))

    # -- what may happen; what refers to something that is gone, or to a name that is taken, does nothing

    @rule(target=objects, at=places, name=names, text=texts)
    def put(self, at, name, text):
        def work(txn):
            try:
                return txn.objects.put(at, draft(name, text))[0].id
            except NameTaken:
                return None

        made = self.write(lambda txn: work(txn) if txn.collections.get(at) else None)
        return multiple() if made is None else made

    @rule(target=collections, at=places, name=names)
    def make_collection(self, at, name):
        def work(txn):
            try:
                return txn.collections.add(at, name, "plain").id
            except NameTaken:
                return None

        made = self.write(lambda txn: work(txn) if txn.collections.get(at) else None)
        return multiple() if made is None else made

    @rule(it=consumes(objects))
    def remove_object(self, it):
        self.write(lambda txn: txn.objects.remove(it) if txn.objects.by_id(it) else None)

    @rule(it=objects, value=texts)
    def patch(self, it, value):
        properties = {"{x}y": value.hex()}
        self.write(lambda txn: txn.objects.patch(it, properties=properties) if txn.objects.by_id(it) else None)

    @rule(it=objects, at=places, name=names)
    def move_object(self, it, at, name):
        def work(txn):
            if txn.objects.by_id(it) and txn.collections.get(at):
                try:
                    txn.objects.move(it, at, name)
                except NameTaken:
                    return

        self.write(work)

    @rule(target=objects, it=objects, at=places, name=names)
    def copy_object(self, it, at, name):
        def work(txn):
            if txn.objects.by_id(it) and txn.collections.get(at):
                try:
                    return txn.objects.copy(it, at, name).id
                except NameTaken:
                    return None
            return None

        made = self.write(work)
        return multiple() if made is None else made

    @rule(it=consumes(collections))
    def remove_collection(self, it):
        self.write(lambda txn: txn.collections.remove(it) if txn.collections.get(it) else None)

    @rule(target=collections, it=consumes(collections))
    def replace_collection(self, it):
        def work(txn):
            found = txn.collections.get(it)
            if found is None:
                return None
            txn.collections.remove(it)
            return txn.collections.add(found.parent_id, found.name, "plain").id

        made = self.write(work)
        return multiple() if made is None else made

    @rule(it=collections, at=places, name=names)
    def move_collection(self, it, at, name):
        def work(txn):
            if not txn.collections.get(it) or it in {each.id for each in txn.collections.ancestors(at)}:
                return
            if not txn.collections.get(at):
                return
            try:
                txn.collections.move(it, at, name)
            except NameTaken:
                return

        self.write(work)

    @rule(it=collections)
    def touch(self, it):
        self.write(lambda txn: txn.collections.touch(it) if txn.collections.get(it) else None)

    @rule(seconds=st.integers(0, 20))
    def purge(self, seconds):
        before = self.clock.now
        self.clock.forward(seconds=seconds)
        self.write(lambda txn: txn.changes.purge_tombstones(before))

    # -- what must hold

    @invariant()
    def every_token_tells_what_changed(self):
        self.store.read_now(self.check_tokens)

    @invariant()
    def all_bytes_are_counted(self):
        def check(txn):
            for kind in ("ann", "bob"):
                for home in txn.collections.locate("user", kind, "calendar-home", ()):
                    size = sum(o.size for _, c in walk(txn, home.id) for o in txn.objects.in_collection(c))
                    assert home.quota_used_bytes == size

        self.store.read_now(check)

    def check_tokens(self, txn: Transaction) -> None:
        for uid in ("ann", "bob"):
            for home in txn.collections.locate("user", uid, "calendar-home", ()):
                for _, id in [*walk(txn, home.id)]:
                    self.check_collection(txn, id)

    def check_collection(self, txn: Transaction, id: int) -> None:
        found = txn.collections.get(id)
        assert found is not None
        one, every = listing(txn, id), everything(txn, id)
        tokens = self.one_level.setdefault(id, {})
        whole = self.all_levels.setdefault(id, {})
        assert all(revision <= found.revision for revision in tokens), "a revision never falls"
        if found.revision in tokens:
            assert tokens[found.revision] == one, "what changed took a new number"
        numbers = [revision for revision, _, _ in Report.of(txn, id, 0).events]
        assert len(set(numbers)) == len(numbers), "no two events share a number"
        assert max(numbers, default=0) <= found.revision
        for since in [each for each in tokens if each >= found.floor]:
            assert Report.of(txn, id, since).applied(tokens[since]) == one
            assert self.in_pages(txn, id, since) == one
            assert self.of_all_levels(txn, id, since) == every
        tokens[found.revision], whole[found.revision] = one, every

    def in_pages(self, txn: Transaction, id: int, since: int) -> Listing:
        """A report of one level, two events at a time."""
        now = self.one_level[id][since]
        while (page := Report.of(txn, id, since, 2)).events:
            now = page.applied(now)
            since = page.events[-1][0]
        return now

    def of_all_levels(self, txn: Transaction, id: int, since: int) -> Listing:
        now = self.all_levels[id][since]
        for prefix, collection in walk(txn, id):
            now = Report.of(txn, collection, since).applied(now, prefix)
        return now


Tree.TestCase.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
TestTree = Tree.TestCase
