"""No sequence of lists, groups and delegates lets anybody read or write what the privileges refuse, by any method.

Whatever a request asks for, what counts is what comes out and what is there afterwards: no content, property or name of
anything that the oracle does not let the asker read stands in the answer, or in a copy; and whatever is changed is what
the oracle lets the asker change. So the requests here are many, and not very sensible.
"""

import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs
import oracle
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from oracle import Spot
from village import Undone, Village, event, people, put_file

from calserver import calendars, dav
from calserver.config import Settings
from calserver.dav import Ace, Headers, Href, Request, Response, RolledBack
from calserver.directory import ANONYMOUS, Actor
from calserver.drive import HOME_KIND
from calserver.ical import etag
from calserver.names import CY, C, D
from calserver.store import Collection, Draft, Principal, Transaction, open_store

HOMES: Final = {"calendars": calendars.CALENDAR_HOME, "drive": HOME_KIND}
ASKERS: Final = ("sam", "rita", "max", "dora", None)
"""None is nobody."""
PRIVILEGES: Final = (
    D("all"),
    D("read"),
    D("write"),
    D("bind"),
    D("unbind"),
    D("write-content"),
    D("write-properties"),
    D("read-acl"),
    D("write-acl"),
    D("unlock"),
    D("read-current-user-privilege-set"),
    C("read-free-busy"),
    CY("add-resource"),
    CY("remove-collection"),
    CY("admin"),
)
NOTE: Final = "{urn:x}note"
"""A property of everything, with a mark in it."""
FRIENDS: Final = "{urn:x}friends"
"""A property that may name principals."""
MARK: Final = re.compile(rb"mark-\d+-[a-z]+")
NAME: Final = re.compile(rb"nm\d+z")


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

    def event(self, place: Collection) -> None:
        name = self.next() + ".ics"
        text = event(f"{place.id}-{name}", f"mark-{self.count}-text")
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
    marks.event(work)
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

    @property
    def row(self) -> Any:
        return self.spot.object or self.spot.here

    @property
    def marks(self) -> set[bytes]:
        """The marks in its content and properties."""
        text = " ".join(self.row.properties.values()) + (getattr(self.row, "display_name", "") or "")
        return set(MARK.findall(self.content + text.encode()))

    @property
    def name_marks(self) -> set[bytes]:
        """The mark in its name."""
        return set(NAME.findall(self.row.name.encode()))

    @property
    def properties(self) -> Any:
        columns = () if self.spot.object else (self.row.display_name, self.row.transparent, self.row.timezone)
        return dict(self.row.properties), columns


Everything = Mapping[str, Thing]


def everything(txn: Transaction) -> Everything:
    """All that there is, by path below the root."""
    return dict(_things(txn))


def _things(txn: Transaction) -> Iterator[tuple[str, Thing]]:
    for top, kind in HOMES.items():
        for uid, home in txn.collections.homes("user", kind):
            for path, spot in oracle.spots(txn, home):
                content = b"" if spot.object is None else txn.objects.text(spot.object.id)
                yield f"{top}/user/{uid}/{path}", Thing(spot, content)


# -- what must hold ----------------------------------------------------------------------------------------------------


@attrs.frozen
class Past:
    """What was there before a request, and what its asker could read and do there."""

    things: Everything
    atoms: Mapping[str, set[str]]
    readable: frozenset[str]

    @classmethod
    def of(cls, txn: Transaction, things: Everything, uid: str | None) -> "Past":
        """As the oracle sees it."""
        principal = None if uid is None else txn.principals.by_uid("user", uid)
        who = None if principal is None else principal.id
        atoms = {path: oracle.held(txn, who, each.spot) for path, each in things.items()}
        readable = (path for path, each in things.items() if oracle.atoms(D("read"), each.spot) <= atoms[path])
        return cls(things, atoms, frozenset(readable))

    def check_answer(self, asked: str, answer: Response) -> None:
        """Nothing that may not be read stands in an answer, but for names that the request itself has."""
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        text = body + repr(answer.headers).encode()
        told = set(MARK.findall(text)) | (set(NAME.findall(text)) - set(NAME.findall(asked.encode())))
        for path, thing in self.things.items():
            if path not in self.readable:
                assert not told & (thing.marks | thing.name_marks), f"{path} may not be read, but {asked} says {text!r}"

    def check_changes(self, after: Everything) -> None:
        """All that changed was allowed by what was so before."""
        for path in self.things.keys() | after.keys():
            old, new = self.things.get(path), after.get(path)
            if old is None and new is not None:
                self._added(path, new)
            elif new is None and old is not None:
                self._removed(path, old)
            elif old is not None and new is not None:
                self._changed(path, old, new)
        readable = {mark for path in self.readable for mark in self.things[path].marks}
        for path, new in after.items():
            old_marks = self.things[path].marks if path in self.things else set()
            assert new.marks - old_marks <= readable, f"{path} has got what may not be read"

    def _needs(self, path: str, atom: str, what: str) -> None:
        assert atom in self.atoms[path], f"{what} without {atom} on {path}"

    def _added(self, path: str, new: Thing) -> None:
        if _parent(path) in self.things:
            atom = CY("add-resource") if new.spot.object else CY("make-collection")
            self._needs(_parent(path), atom, f"{path} was made")

    def _removed(self, path: str, old: Thing) -> None:
        atom = CY("remove-resource") if old.spot.object else CY("remove-collection")
        self._needs(_parent(path), atom, f"{path} was removed")

    def _changed(self, path: str, old: Thing, new: Thing) -> None:
        if old.row.resource_id != new.row.resource_id and (old.spot.object is None or new.spot.object is None):
            self._removed(path, old)
            self._added(path, new)
            return
        if old.content != new.content:
            self._needs(path, D("write-content"), f"{path} was written")
        if old.properties != new.properties:
            self._needs(path, D("write-properties"), f"properties of {path} were written")
        came = new.row.resource_id != old.row.resource_id and new.row.resource_id in {
            each.row.resource_id for each in self.things.values()
        }
        if old.row.acl != new.row.acl and not came:
            self._needs(path, D("write-acl"), f"the list of {path} was changed")


def _parent(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0] + "/"


# -- requests ----------------------------------------------------------------------------------------------------------

_NAMESPACES: Final = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:M="http://me.com/_namespace/"'
_PROPS: Final = '<D:prop><D:displayname/><D:getetag/><D:acl/><D:owner/><note xmlns="urn:x"/></D:prop>'
_QUICK: Final = "<D:prop><D:getetag/></D:prop>"
_DATA: Final = "<D:prop><D:getetag/><C:calendar-data/></D:prop>"
_ANYTHING: Final = '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>'
_TIMES: Final = '<C:time-range start="20260101T000000Z" end="20270101T000000Z"/>'
_GRANT: Final = (
    "<D:ace><D:principal><D:all/></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant></D:ace>"
)


def _xml(name: str, inside: str) -> str:
    return f"<{name} {_NAMESPACES}>{inside}</{name}>"


@attrs.frozen
class Asking:
    """A request: what is asked, of which path; ``%hrefs%`` in a body stands for the paths of everything."""

    method: str
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    below: str = ""
    target: bool = False
    """Whether it has a Destination."""
    made_of: bool = False
    """Whether it brings content that fits where it goes."""


def _report(name: str, inside: str, *headers: tuple[str, str]) -> Asking:
    return Asking("REPORT", _xml(name, inside), headers)


ASKINGS: Final = (
    *(Asking(method) for method in ("GET", "HEAD", "OPTIONS", "DELETE", "DELETE", "MKCOL", "MKCALENDAR")),
    *(Asking("PUT", made_of=True) for _ in range(3)),
    Asking("PUT", headers=(("If-Match", "*"),), made_of=True),
    *(
        Asking("PROPFIND", _xml("D:propfind", props), (("Depth", depth),))
        for props in (_PROPS, _QUICK)
        for depth in "01"
    ),
    *(Asking("PROPFIND", _xml("D:propfind", props), (("Depth", "infinity"),)) for props in (_PROPS, "<D:allprop/>")),
    Asking("MKCOL", below="new/"),
    Asking("MKCALENDAR", below="new/"),
    Asking("POST", event("posted", "new").decode(), (("Content-Type", "text/calendar"),), below=";add-member"),
    Asking(
        "PROPPATCH",
        _xml("D:propertyupdate", '<D:set><D:prop><other xmlns="urn:x">x</other></D:prop></D:set>'),
    ),
    Asking("ACL", _xml("D:acl", _GRANT)),
    Asking("ACL", _xml("D:acl", "")),
    Asking(
        "LOCK",
        _xml("D:lockinfo", "<D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype>"),
    ),
    *(Asking(method, headers=(("Overwrite", each),), target=True) for method in ("COPY", "MOVE") for each in "TTF"),
    Asking("COPY", headers=(("Depth", "0"),), target=True),
    _report("C:calendar-multiget", _DATA + "%hrefs%"),
    _report("C:calendar-query", _DATA + _ANYTHING, ("Depth", "infinity")),
    _report("C:calendar-query", _QUICK + _ANYTHING, ("Depth", "1")),
    _report("C:free-busy-query", _TIMES, ("Depth", "infinity")),
    _report("D:sync-collection", f"<D:sync-level>infinite</D:sync-level>{_QUICK}"),
    _report("D:sync-collection", f"<D:sync-level>1</D:sync-level>{_PROPS}"),
    _report("D:principal-match", f"<D:principal-property><D:owner/></D:principal-property>{_PROPS}"),
    _report("D:acl-principal-prop-set", _PROPS),
    _report(
        "D:expand-property", '<D:property name="links" namespace="urn:x"><D:property name="displayname"/></D:property>'
    ),
    Asking(
        "POST",
        _xml(
            "M:multiput",
            "%resources%",
        ),
        (("Content-Type", "text/xml"),),
    ),
)

WHOS: Final = (
    *("sam", "rita", "max", "dora", "club", "village", "read", "write"),
    *("all", "authenticated", "unauthenticated", "self", "property:{DAV:}owner", f"property:{FRIENDS}"),
)
entries = st.lists(
    st.tuples(
        st.sampled_from(WHOS),
        st.one_of(
            st.just(frozenset({D("read"), D("write")})),
            st.frozensets(st.sampled_from(PRIVILEGES), min_size=1, max_size=3),
        ),
        st.sampled_from([False, False, True]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=3,
)
"""Principals, privileges, whether they are denied, and whether to everybody else."""


def _place(past: Past, uid: str | None, chosen: random.Random, *, new: bool) -> str:
    """A path: of what Ann has, of the asker's own, or of something that is not there; half of them with some hope."""
    owner = "/user/ann/" if chosen.random() < 0.7 else f"/user/{uid}/"
    paths = [path for path in sorted(past.things) if owner in path] or ["calendars/user/", ""]
    hope = {CY("add-resource")} if new else {D("read"), D("write-content"), CY("remove-collection")}
    hopeful = [path for path in paths if past.atoms.get(path, set()) & hope]
    path = chosen.choice(hopeful if hopeful and chosen.random() < 0.6 else paths)
    if chosen.random() < (0.7 if new else 0.05):
        above = path if path.endswith("/") else _parent(path)
        name = ".ics" if "/Default/" in above or chosen.random() < 0.3 else chosen.choice(["", "/", ".txt", "/below"])
        return f"{above}new{name}"
    return path


def _home_for(path: str, uid: str | None) -> str:
    """Where somebody would take something."""
    if path.endswith(".ics"):
        return f"calendars/user/{uid}/Default/taken.ics"
    return f"{path.partition('/')[0]}/user/{uid}/taken" if path.endswith("/") else f"drive/user/{uid}/taken"


def _content(past: Past, path: str) -> tuple[str, str]:
    """Content that fits at a path, and its type."""
    thing = past.things.get(path)
    if path.endswith(".ics") and path.startswith("calendars/"):
        uid = "new" if thing is None else thing.row.uid
        return event(uid, "new").decode(), "text/calendar"
    return "new text", "text/plain"


class Access(RuleBasedStateMachine):
    """The machine."""

    template: ClassVar[Path]
    outcomes: ClassVar[Counter[tuple[str, bool]]] = Counter()
    """How often each method was asked for, and done."""

    @initialize()
    def begin(self) -> None:
        """A new store."""
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "store.sqlite"
        shutil.copy(self.template, path)
        self.store = open_store(f"sqlite:///{path}", reactor=None)
        self.village = Village(self.store, settings=Settings(calendars=calendars_with_lists()))

    def teardown(self) -> None:
        """Remove it."""
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    # -- what administrators and owners do

    @rule(number=st.integers(0, 40), wanted=entries)
    def list_is_set(self, number: int, wanted: list[Any]) -> None:
        """Somebody who may gives something a list."""

        def work(txn: Transaction) -> str:
            paths = sorted(path for path in everything(txn) if "/user/ann/" in path)
            path = paths[number % len(paths)]
            thing = everything(txn)[path]
            acl = tuple(
                Ace(self.principal(txn, who, thing), names, deny=deny, invert=invert)
                for who, names, deny, invert in wanted
            )
            if thing.spot.object is None:
                txn.collections.set_acl(thing.row.id, acl)
            else:
                txn.objects.set_acl(thing.row.id, acl)
            return path

        note(f"list of {self.store.write_now(work)}: {wanted}")

    def principal(self, txn: Transaction, who: str, thing: Thing) -> int | str:
        """Whom an entry is about."""
        if who in ("read", "write"):
            return f"{who}-delegates:{thing.spot.here.principal_id}"
        found = txn.principals.by_uid("user", who) or txn.principals.by_uid("group", who)
        return who if found is None else found.id

    @rule(group=st.sampled_from(["club", "village"]), members=st.sets(st.sampled_from(["sam", "rita", "max", "club"])))
    def group_is_changed(self, group: str, members: set[str]) -> None:
        """A group gets other members."""

        def work(txn: Transaction) -> None:
            found = [self.someone(txn, each) for each in members if each != group]
            txn.principals.set_members(self.someone(txn, group).id, [each.id for each in found])

        self.store.write_now(work)
        note(f"{group} is {members}")

    @rule(
        access=st.sampled_from(["read", "write"]), acting=st.sets(st.sampled_from(["sam", "rita", "club", "village"]))
    )
    def delegates_are_changed(self, access: str, acting: set[str]) -> None:
        """Ann chooses others to act for her."""

        def work(txn: Transaction) -> None:
            ids = [self.someone(txn, each).id for each in acting]
            txn.principals.set_delegates(self.someone(txn, "ann").id, access, ids)

        self.store.write_now(work)
        note(f"{access} delegates are {acting}")

    @rule(number=st.integers(0, 40), friends=st.sets(st.sampled_from(["user/sam", "group/club", "user/rita"])))
    def friends_are_named(self, number: int, friends: set[str]) -> None:
        """Ann names somebody in a property."""

        def work(txn: Transaction) -> None:
            things = {path: each for path, each in everything(txn).items() if "/user/ann/" in path}
            thing = things[sorted(things)[number % len(things)]]
            hrefs = "".join(f"<href xmlns='DAV:'>/dav/principals/{each}/</href>" for each in sorted(friends))
            properties = {**thing.row.properties, FRIENDS: f'<friends xmlns="urn:x">{hrefs}</friends>'}
            if thing.spot.object is None:
                txn.collections.update(attrs.evolve(thing.row, properties=properties))
            else:
                txn.objects.patch(thing.row.id, properties=properties)

        self.store.write_now(work)

    @staticmethod
    def someone(txn: Transaction, uid: str) -> Principal:
        """A user or a group."""
        found = txn.principals.by_uid("user", uid) or txn.principals.by_uid("group", uid)
        assert found is not None
        return found

    # -- what everybody tries

    @rule(seed=st.integers(0, 2**32))
    def many_things_are_tried(self, seed: int) -> None:
        """Everybody asks for many things, which are undone, so that all of it is asked of the same."""
        things = self.store.read_now(everything)
        for uid in ASKERS:
            past = self.store.read_now(lambda txn, uid=uid: Past.of(txn, things, uid))
            chosen = random.Random(f"{seed}{uid}")
            for _ in range(TRIES):
                self.attempt(past, uid, chosen, done=False)

    @rule(uid=st.sampled_from(ASKERS), seed=st.integers(0, 2**32))
    def something_is_done(self, uid: str | None, seed: int) -> None:
        """Somebody asks for something, and it stays done."""
        things = self.store.read_now(everything)
        past = self.store.read_now(lambda txn: Past.of(txn, things, uid))
        self.attempt(past, uid, random.Random(seed), done=True)

    def attempt(self, past: Past, uid: str | None, chosen: random.Random, *, done: bool) -> None:
        """Ask for something, and look at the answer and at what is there then."""
        asking = chosen.choice(ASKINGS)
        path = _place(past, uid, chosen, new=asking.made_of)
        target = _place(past, uid, chosen, new=True)
        if asking.target and chosen.random() < 0.5:
            path = chosen.choice(sorted(past.readable) or [path])
            target = _home_for(path, uid)
        body, headers = asking.body, dict(asking.headers)
        if asking.made_of:
            body, headers["Content-Type"] = _content(past, path)
        if "%" in body:
            hrefs = [f"<D:href>/dav/{each}</D:href>" for each in past.things]
            body = body.replace("%hrefs%", "".join(hrefs))
            body = body.replace("%resources%", "".join(f"<M:resource>{e}<M:delete/></M:resource>" for e in hrefs))
        if asking.target:
            headers["Destination"] = f"http://dav.example.com/dav/{target}"
        if asking.below:
            path = f"{path.rstrip('/')}/{asking.below}"
        asked = f"{asking.method} /dav/{path} {headers} {body}"

        def work(txn: Transaction) -> Tried:
            request = Request(
                method=asking.method,
                href=Href.parse(path),
                headers=Headers(headers.items()),
                body=body.encode(),
                actor=ANONYMOUS if uid is None else Actor.of(txn, self.someone(txn, uid)),
                origin="http://dav.example.com",
            )
            village = self.village
            village.spoken.prepare(request)
            response = dav.handle(village.spoken, village.tree, txn, request, village.settings)
            tried = Tried(response, everything(txn) if village.spoken.writes(request) else past.things)
            if not done:
                raise Undone(tried.response, tried)
            return tried

        try:
            tried = self.store.write_now(work)
        except RolledBack as refused:
            tried = Tried(refused.response, past.things)
        except Undone as undone:
            tried = undone.tried
        self.outcomes[asking.method, tried.response.status < 400] += 1
        past.check_answer(f"{uid}: {asked}", tried.response)
        past.check_changes(tried.after)


TRIES: Final = 30
"""How many things everybody tries at a time."""


@attrs.frozen
class Tried:
    """What became of a request."""

    response: Response
    after: Everything


def calendars_with_lists() -> Any:
    """The configuration in which single calendar objects have lists."""
    return attrs.evolve(Settings().calendars, object_acl=True)


def test_nobody_gets_around_the_privileges(tmp_path_factory: Any) -> None:
    template = tmp_path_factory.mktemp("machine") / "store.sqlite"
    opened = open_store(f"sqlite:///{template}", reactor=None)
    opened.write_now(people)
    opened.write_now(furnish)
    opened.close()
    Access.template = template
    Access.outcomes.clear()
    run_state_machine_as_test(
        Access,
        settings=settings(
            max_examples=6,
            stateful_step_count=20,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
    done = {method for (method, allowed) in Access.outcomes if allowed}
    refused = {method for (method, allowed) in Access.outcomes if not allowed}
    assert done >= {"GET", "PROPFIND", "REPORT", "PUT", "COPY", "PROPPATCH", "LOCK"}
    assert refused >= {each.method for each in ASKINGS} - {"OPTIONS"}
