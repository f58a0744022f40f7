"""No sequence of lists, groups, delegates, shares and publishing lets anybody get around the privileges, by any method.

Whatever a request asks for, what counts is what comes out and what is there afterwards: no content, property or name of
anything that the oracle does not let the asker read stands in the answer, or in a copy; and whatever is changed is what
the oracle lets the asker change. So the requests here are many, and not very sensible.
"""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from past import HOMES, Everything, Past, Thing, everything, furnish, invitations
from village import Undone, Village, event, people

from calserver import dav
from calserver.calendars import publishing, sharing
from calserver.config import Settings
from calserver.dav import Ace, Headers, Href, Request, Response, RolledBack
from calserver.directory import ANONYMOUS, Actor
from calserver.names import CY, C, D
from calserver.store import Collection, Principal, Share, Transaction, open_store

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
    D("share"),
    D("read-current-user-privilege-set"),
    C("read-free-busy"),
    CY("add-resource"),
    CY("remove-collection"),
    CY("admin"),
)
FRIENDS: Final = "{urn:x}friends"
"""A property that may name principals."""


# -- requests ----------------------------------------------------------------------------------------------------------

_SOME: Final = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:M="http://me.com/_namespace/" '
_NAMESPACES: Final = _SOME + 'xmlns:CS="http://calendarserver.org/ns/"'
_PROPS: Final = '<D:prop><D:displayname/><D:getetag/><D:acl/><D:owner/><note xmlns="urn:x"/></D:prop>'
_QUICK: Final = "<D:prop><D:getetag/></D:prop>"
_DATA: Final = "<D:prop><D:getetag/><C:calendar-data/></D:prop>"
_ANYTHING: Final = '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>'
_TIMES: Final = '<C:time-range start="20260101T000000Z" end="20280101T000000Z"/>'
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
    home: bool = False
    """Whether it goes to the home of something."""


def _report(name: str, inside: str, *headers: tuple[str, str]) -> Asking:
    return Asking("REPORT", _xml(name, inside), headers)


_ANSWERS: Final = ("accepted", "accepted", "declined")


def _post(name: str, inside: str, *, home: bool = False) -> Asking:
    return Asking("POST", _xml(name, inside), (("Content-Type", "application/xml"),), home=home)


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
    _post("CS:share", "<CS:set><D:href>%me%</D:href><CS:read-write/></CS:set>"),
    _post("CS:share", "<CS:remove><D:href>%sharee%</D:href></CS:remove>"),
    *(
        _post("CS:invite-reply", f"<CS:invite-{each}/><CS:in-reply-to>%uid%</CS:in-reply-to>", home=True)
        for each in _ANSWERS
    ),
    _post("CS:publish-calendar", ""),
    _post("CS:unpublish-calendar", ""),
)

LOOKINGS: Final = (Asking("GET"), Asking("HEAD"))
"""What makes sense for nobody."""

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
    owner = chosen.choice(["/user/ann/", "/user/ann/", f"/user/{uid}/", "/user/rita/"])
    paths = [path for path in sorted(past.things) if owner in path]
    special = [path for path in paths if past.kind(path)]
    paths = (special if special and chosen.random() < 0.4 else paths) or ["calendars/user/", ""]
    hope = {CY("add-resource")} if new else {D("read"), D("write-content"), CY("remove-collection")}
    hopeful = [path for path in paths if past.atoms.get(path, set()) & hope]
    path = chosen.choice(hopeful if hopeful and chosen.random() < 0.6 else paths)
    if chosen.random() < (0.7 if new else 0.05):
        above = path if path.endswith("/") else path.rstrip("/").rpartition("/")[0] + "/"
        calendar = above in past.things and past.things[above].row.kind in ("calendar", "shared-calendar")
        events = chosen.random() < (0.8 if calendar else 0.3)
        name = ".ics" if events else chosen.choice(["", "/", ".txt", "/below"])
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


def _request(past: Past, uid: str | None, chosen: random.Random) -> tuple[str, str, dict[str, str], str]:
    """What somebody asks for: method, path below the root, header fields and body."""
    asking = chosen.choice(LOOKINGS if uid is None and chosen.random() < 0.5 else ASKINGS)
    path = _place(past, uid, chosen, new=asking.made_of)
    target = _place(past, uid, chosen, new=chosen.random() < 0.6)
    if asking.target and chosen.random() < 0.5:
        path = chosen.choice(sorted(past.readable) or [path])
        target = _home_for(path, uid)
    body, headers = asking.body, dict(asking.headers)
    if asking.made_of:
        body, headers["Content-Type"] = _content(past, path)
    if asking.target:
        headers["Destination"] = f"http://dav.example.com/dav/{target}"
    if asking.home:
        path = "/".join(path.split("/")[:3]) + "/"
    return (
        asking.method,
        f"{path.rstrip('/')}/{asking.below}" if asking.below else path,
        headers,
        _filled(body, past, uid, chosen),
    )


def _filled(body: str, past: Past, uid: str | None, chosen: random.Random) -> str:
    """A body with what is there in its places."""
    if "%" not in body:
        return body
    hrefs = [f"<D:href>/dav/{each}</D:href>" for each in past.things]
    body = body.replace("%hrefs%", "".join(hrefs))
    body = body.replace("%resources%", "".join(f"<M:resource>{e}<M:delete/></M:resource>" for e in hrefs))
    if past.shares:
        share = chosen.choice(list(past.shares.values()))
        body = body.replace("%uid%", share.uid).replace("%sharee%", share.address)
    return body.replace("%me%", f"mailto:{uid}@example.org")


class Access(RuleBasedStateMachine):
    """The machine."""

    template: ClassVar[Path]
    outcomes: ClassVar[Counter[tuple[str, str, bool]]] = Counter()
    """How often each method was asked for, of which kind of thing, and done."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        """A new store, in which something is shared and something public."""
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "store.sqlite"
        shutil.copy(self.template, path)
        self.store = open_store(f"sqlite:///{path}", reactor=None)
        self.village = Village(self.store, settings=Settings(calendars=calendars_with_lists()))
        self.calendar_is_shared(number=0, sharee="rita", access="read-write", answers=["no", "yes", "no"])
        self.calendar_is_shared(number=0, sharee="village", access="read", answers=["no", "no", "yes"])
        self.calendar_is_published(number=0, what=publishing.READ)
        self.calendar_is_published(number=1, what=publishing.FREE_BUSY)
        self.many_things_are_tried(seed=seed)

    def teardown(self) -> None:
        """Remove it."""
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    # -- what administrators and owners do

    @rule(number=st.one_of(st.integers(0, 40), st.integers(41, 44)), wanted=entries)
    def list_is_set(self, number: int, wanted: list[Any]) -> None:
        """Somebody who may gives something a list; numbers from 41 on are events."""

        def work(txn: Transaction) -> str:
            paths = sorted(path for path in everything(txn) if "/user/ann/" in path)
            events = [path for path in paths if path.endswith(".ics")]
            path = events[number % len(events)] if number > 40 and events else paths[number % len(paths)]
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
            id = self.someone(txn, group).id
            shared = sharing.through(txn, [id])
            txn.principals.set_members(id, [each.id for each in found])
            sharing.regroup(txn, shared)

        self.store.write_now(work)
        note(f"{group} is {members}")

    @rule(
        uid=st.sampled_from(["ann", "rita", "max"]),
        access=st.sampled_from(["read", "write"]),
        acting=st.sets(st.sampled_from(["sam", "rita", "club", "village"])),
    )
    def delegates_are_changed(self, uid: str, access: str, acting: set[str]) -> None:
        """Ann, or one who shares what she has, chooses others to act for them."""

        def work(txn: Transaction) -> None:
            ids = [self.someone(txn, each).id for each in acting if each != uid]
            txn.principals.set_delegates(self.someone(txn, uid).id, access, ids)

        self.store.write_now(work)
        note(f"{access} delegates of {uid} are {acting}")

    @rule(uid=st.sampled_from(["rita", "max"]), who=st.sampled_from(["all", "authenticated", "sam"]))
    def home_is_opened(self, uid: str, who: str) -> None:
        """All that one who shares something has in the own home is given to somebody else."""

        def work(txn: Transaction) -> None:
            home = txn.collections.home(self.someone(txn, uid).id, HOMES["calendars"])
            assert home is not None
            somebody: int | str = self.someone(txn, who).id if who == "sam" else who
            txn.collections.set_acl(home.id, (Ace(somebody, frozenset({D("all")})),))

        self.store.write_now(work)
        note(f"the home of {uid} is open to {who}")

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

    @rule(
        number=st.integers(0, 2),
        sharee=st.sampled_from(["sam", "rita", "max", "club", "village"]),
        access=st.sampled_from(["read", "read-write", "read-write", None]),
        answers=st.lists(st.sampled_from(["yes", "yes", "yes", "no"]), min_size=3, max_size=3),
    )
    def calendar_is_shared(self, number: int, sharee: str, access: str | None, answers: list[str]) -> None:
        """Ann invites somebody, or takes it back; who is invited answers, at once or never."""

        def work(txn: Transaction) -> None:
            calendar = self.calendar(txn, number)
            invited = self.someone(txn, sharee)
            if access is None:
                known = [each for each in txn.shares.of(calendar.id) if each.principal_id == invited.id]
                for each in known:
                    sharing.uninvite(txn, calendar, each)
                return
            sharing.invite(txn, calendar, invited, address=f"mailto:{sharee}@example.org", access=access)
            for uid, answer in zip(["sam", "rita", "max"], answers, strict=True):
                share = txn.shares.find(calendar.id, self.someone(txn, uid).id)
                if share is not None and share.status != "accepted":
                    (sharing.accept if answer == "yes" else sharing.decline)(txn, share)

        self.store.write_now(work)
        note(f"calendar {number} is shared with {sharee} to {access}, {answers}")

    @rule(number=st.integers(0, 2), what=st.sampled_from([publishing.READ, publishing.FREE_BUSY, None]))
    def calendar_is_published(self, number: int, what: str | None) -> None:
        """Ann makes a calendar public, or ends that."""

        def work(txn: Transaction) -> None:
            calendar = self.calendar(txn, number)
            if what is None:
                publishing.unpublish(txn, calendar)
            else:
                publishing.publish(txn, calendar, what)

        self.store.write_now(work)
        note(f"calendar {number} is published for {what}")

    @staticmethod
    def calendar(txn: Transaction, number: int) -> Collection:
        """One of Ann's calendars; those with events come first."""
        found = {
            path: each.spot.here
            for path, each in everything(txn).items()
            if "/user/ann/" in path and each.spot.object is None and each.spot.here.kind == "calendar"
        }
        paths = sorted(found, key=lambda path: ("/nm" not in path, path))
        return found[paths[number % len(paths)]]

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
        method, path, headers, body = _request(past, uid, chosen)

        def work(txn: Transaction) -> Tried:
            request = Request(
                method=method,
                href=Href.parse(path),
                headers=Headers(headers.items()),
                body=body.encode(),
                actor=ANONYMOUS if uid is None else Actor.of(txn, self.someone(txn, uid)),
                origin="http://dav.example.com",
            )
            village = self.village
            village.spoken.prepare(request)
            response = dav.handle(village.spoken, village.tree, txn, request, village.settings)
            tried = Tried(response, past.things, past.shares)
            if village.spoken.writes(request) and response.status < 400:
                after = everything(txn)
                tried = Tried(response, after, invitations(txn, after))
            if not done:
                raise Undone(tried.response, tried)
            return tried

        try:
            tried = self.store.write_now(work)
        except RolledBack as refused:
            tried = Tried(refused.response, past.things, past.shares)
        except Undone as undone:
            tried = undone.tried
        self.outcomes[method, past.kind(path), tried.response.status < 400] += 1
        asked = f"{uid}: {method} /dav/{path} {headers} {body}"
        try:
            past.check_answer(method, path, asked, tried.response)
            past.check_changes(tried.after, tried.shares)
        except AssertionError as wrong:
            wrong.add_note(f"{asked} was answered {tried.response}")
            raise


TRIES: Final = 50
"""How many things everybody tries at a time."""


@attrs.frozen
class Tried:
    """What became of a request."""

    response: Response
    after: Everything
    shares: Mapping[int, Share]


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
            max_examples=5,
            stateful_step_count=12,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a seed cannot be made smaller
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
    done = {method for method, _, allowed in Access.outcomes if allowed}
    refused = {method for method, _, allowed in Access.outcomes if not allowed}
    shared = {method for method, kind, allowed in Access.outcomes if allowed and kind == "shared"}
    assert done >= {"GET", "PROPFIND", "REPORT", "PUT", "COPY", "LOCK"}
    assert shared >= {"PROPFIND", "REPORT"}
    assert ("GET", "public", True) in Access.outcomes
    assert refused >= {each.method for each in ASKINGS} - {"OPTIONS"}
