"""The ACL method and what tells of access control, on resources that have lists and nothing else (RFC 3744)."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import pytest
from lxml import etree
from memory_tree import ACTORS, EVERYTHING, ORIGIN, Answer, Limited, MemoryLocks, Txn
from memory_tree import Disk as Locked

from calserver.dav import (
    Ace,
    Acl,
    Entry,
    Extension,
    Extensions,
    Headers,
    Href,
    Privilege,
    Request,
    Resource,
    Restrictions,
    RolledBack,
    Unmapped,
    View,
    handle,
    rfc3744,
    rfc4918,
    xml,
)
from calserver.dav.acl_method import CONDITIONS
from calserver.names import CY, D

BOB = Href(("principals", "bob"), collection=True)
HOME = Href(("home",), collection=True)
KEPT = "{urn:x}kept"
FLY, FALL = "{urn:x}fly", "{urn:x}fall"

extension = Extension(
    "x",
    privileges=(
        Privilege(name=FLY, description="Fly & <land>", aggregate=True),
        Privilege(name=FALL, description="Fall", within=FLY, abstract=True),
    ),
)


class Guarded(Resource):
    """Has a list. It belongs to Ann (1), and root (3) rules; below ``home`` that is inherited."""

    display_name = "guarded"

    def __init__(self, view: View, href: Href, lists: dict[str, Acl], restrictions: Restrictions) -> None:
        super().__init__(view, href)
        self.lists = lists
        self.acl_restrictions = restrictions
        self.owner = ACTORS["ann"].href

    @property
    def privileges(self) -> frozenset[str]:
        if self.view.request.actor.principal_id in (1, 3):
            return EVERYTHING | {D("read-acl"), D("write-acl")}
        return frozenset({D("read")})

    @property
    def access_control(self) -> tuple[Entry, ...]:
        always = frozenset({D("all")})
        home = HOME if self.href.segments[:1] == ("home",) else None
        return (
            Entry(Ace(1, always), protected=True, inherited=home),
            Entry(Ace(3, always), protected=True),
            *map(Entry, self.lists.get(self.href.name, ())),
            Entry(Ace("authenticated", frozenset({D("read")})), inherited=HOME),
            Entry(Ace(99, always)),
        )

    @property
    def inherited_acl_set(self) -> tuple[Href, ...]:
        return (HOME,)

    def set_acl(self, acl: Acl) -> None:
        self.lists[self.href.name] = acl


@extension.property(KEPT, on=Guarded, stored=True)
def kept(resource: Guarded) -> None:
    """A property that clients set."""


class Bare(Resource):
    """Has no list that could be set."""

    privileges = EVERYTHING | {D("write-acl")}  # type: ignore[assignment]  # always the same


@attrs.frozen
class Tree:
    """Anything is guarded, but ``bare`` has no list and ``none`` does not exist."""

    lists: dict[str, Acl]
    restrictions: Restrictions

    def find(self, view: View, href: Href) -> Resource:
        if href.name in ("none", "bare"):
            return Unmapped(view, href, None) if href.name == "none" else Bare(view, href)
        return Guarded(view, href, self.lists, self.restrictions)

    def principal_at(self, view: View, href: Href) -> int | str | None:
        return next((each.principal_id for each in ACTORS.values() if each.href == href), None)

    def principal_hrefs(self, view: View, principals: Iterable[int | str]) -> Mapping[int | str, Href]:
        known = {each.principal_id: each.href for each in ACTORS.values() if each.href is not None}
        return {each: known[each] for each in principals if each in known}


SPOKEN = Extensions([rfc4918, rfc3744, extension])


@attrs.define
class Guard:
    """A server of guarded resources."""

    restrictions: Restrictions = Restrictions()  # noqa: RUF009 - frozen
    lists: dict[str, Acl] = attrs.field(factory=dict)

    def ask(self, method: str, path: str, body: str = "", *, user: str | None = "ann", **headers: str) -> Answer:
        request = Request(
            method=method,
            href=Href.parse(path),
            headers=Headers(headers.items()),
            body=body.encode(),
            actor=ACTORS[user],
            origin=ORIGIN,
        )
        SPOKEN.prepare(request)
        disk = Locked()
        txn = Txn(disk, disk, MemoryLocks(disk, disk))  # type: ignore[arg-type]  # no lock is asked for here
        try:
            settings: Any = Limited()
            return Answer(handle(SPOKEN, Tree(self.lists, self.restrictions), txn, request, settings))
        except RolledBack as undone:
            return Answer(undone.response)

    def acl(self, *entries: str, path: str = "thing", user: str | None = "ann") -> Answer:
        return self.ask("ACL", path, f'<D:acl xmlns:D="DAV:" xmlns:X="urn:x">{"".join(entries)}</D:acl>', user=user)

    def properties(self, *names: str, path: str = "thing", user: str = "ann") -> dict[str, tuple[int, etree._Element]]:
        body = xml.document(D("propfind"), xml.element(D("prop"), *map(xml.element, names))).decode()
        return self.ask("PROPFIND", path, body, user=user, depth="0").properties()


def entry(principal: str, *names: str, deny: bool = False, invert: bool = False, more: str = "") -> str:
    """An ace; names have a prefix."""
    inside = f"<D:principal>{principal}</D:principal>"
    change = "deny" if deny else "grant"
    privileges = "".join(f"<D:privilege><{name}/></D:privilege>" for name in names)
    about = f"<D:invert>{inside}</D:invert>" if invert else inside
    return f"<D:ace>{about}<D:{change}>{privileges}</D:{change}>{more}</D:ace>"


def refused(answer: Answer) -> str:
    assert answer.status == 403
    (condition,) = answer.conditions
    return condition.removeprefix("{DAV:}")


BOBS = entry("<D:href>/dav/principals/bob/</D:href>", "D:read", "D:write")


@pytest.fixture
def guard() -> Guard:
    return Guard()


# -- setting -----------------------------------------------------------------------------------------------------------


def test_a_list_is_exactly_what_was_asked_for(guard: Guard) -> None:
    """RFC 3744 section 8.1."""
    assert guard.acl(BOBS).status == 200
    assert guard.lists["thing"] == (Ace(2, frozenset({D("read"), D("write")})),)
    assert guard.acl(entry("<D:all/>", "D:read")).status == 200
    assert guard.lists["thing"] == (Ace("all", frozenset({D("read")})),)
    assert guard.acl().status == 200
    assert guard.lists["thing"] == ()


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ("<D:all/>", "all"),
        ("<D:authenticated/>", "authenticated"),
        ("<D:unauthenticated/>", "unauthenticated"),
        ("<D:self/>", "self"),
        ("<D:property><D:owner/></D:property>", "property:{DAV:}owner"),
        ("<D:property><X:kept/></D:property>", "property:{urn:x}kept"),
        ("<D:property><X:dead/></D:property>", "property:{urn:x}dead"),
        ("<D:href>/dav/principals/bob/</D:href>", 2),
        ("<D:href>/dav/principals/bob</D:href>", 2),
        (f"<D:href> {ORIGIN}/dav/principals/b%6fb/ </D:href>", 2),
    ],
)
def test_all_kinds_of_principals_are_understood(guard: Guard, principal: str, who: int | str) -> None:
    """RFC 3744 section 5.5.1."""
    assert guard.acl(entry(principal, "D:read"), entry(principal, "D:read", deny=True, invert=True)).status == 200
    read = frozenset({D("read")})
    assert guard.lists["thing"] == (Ace(who, read), Ace(who, read, deny=True, invert=True))


def test_grants_and_denials_come_in_any_order(guard: Guard) -> None:
    """RFC 3744 section 6: it is the order in which they count."""
    first, then = entry("<D:all/>", "D:read"), entry("<D:all/>", "D:all", deny=True)
    assert guard.acl(first, then).status == 200
    assert guard.acl(then, first).status == 200


def test_unknown_elements_are_passed_over(guard: Guard) -> None:
    assert guard.acl(entry("<D:all/>", "D:read", more="<X:inheritable/>")).status == 200


def test_who_may_set_a_list(guard: Guard) -> None:
    assert refused(guard.acl(BOBS, user="bob")) == "need-privileges"
    assert guard.acl(BOBS, user=None).status == 401
    assert guard.lists == {}


def test_resources_without_lists_do_not_have_the_method(guard: Guard) -> None:
    answer = guard.acl(BOBS, path="bare")
    assert answer.status == 405
    assert "ACL" not in answer.headers["Allow"].split(", ")
    assert "ACL" in guard.ask("OPTIONS", "thing").headers["Allow"].split(", ")
    assert guard.acl(BOBS, path="none").status == 404


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<D:acl",
        '<D:propfind xmlns:D="DAV:"/>',
        *(
            f'<D:acl xmlns:D="DAV:">{each}</D:acl>'
            for each in (
                "<D:ace/>",
                "<D:ace><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>",
                "<D:ace><D:principal/><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>",
                "<D:ace><D:principal><D:all/></D:principal></D:ace>",
                entry("<D:all/>"),
                entry("<D:all/>", "D:read", more="<D:deny><D:privilege><D:read/></D:privilege></D:deny>"),
                entry("<D:all/><D:self/>", "D:read"),
                entry("<D:href/>", "D:read"),
                entry("<D:href>  </D:href>", "D:read"),
                entry("<D:property/>", "D:read"),
                entry("<D:property><D:owner/><D:group/></D:property>", "D:read"),
                entry("<D:everybody/>", "D:read"),
                entry("<D:all/>", "D:read", invert=True, more="<D:principal><D:all/></D:principal>"),
                "<D:ace><D:invert/><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>",
                "<D:ace><D:principal><D:all/></D:principal><D:grant><D:privilege/></D:grant></D:ace>",
            )
        ),
    ],
)
def test_what_is_no_list_is_a_bad_request(guard: Guard, body: str) -> None:
    """RFC 3744 section 5.5; threats: requests that nobody sends."""
    guard.acl(BOBS)
    before = dict(guard.lists)
    assert guard.ask("ACL", "thing", body).status == 400
    assert guard.lists == before


# -- preconditions (RFC 3744 section 8.1.1) ----------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["<D:protected/>", "<D:inherited><D:href>/dav/home/</D:href></D:inherited>"])
def test_entries_that_claim_to_be_there_anyway_are_refused(guard: Guard, mark: str) -> None:
    assert refused(guard.acl(entry("<D:all/>", "D:read", more=mark))) == "no-ace-conflict"


ROOT = "<D:href>/dav/principals/root/</D:href>"
ANN = "<D:href>/dav/principals/ann/</D:href>"
OWNER = "<D:property><D:owner/></D:property>"


@pytest.mark.parametrize("principal", [ROOT, ANN, OWNER])
@pytest.mark.parametrize("privilege", ["D:all", "D:write-acl", "D:read"])
def test_what_is_protected_cannot_be_denied(guard: Guard, principal: str, privilege: str) -> None:
    assert refused(guard.acl(entry(principal, privilege, deny=True))) == "no-protected-ace-conflict"
    assert guard.acl(entry(principal, privilege)).status == 200


def test_what_is_protected_and_inherited_cannot_be_denied(guard: Guard) -> None:
    assert refused(guard.acl(entry(ANN, "D:write-acl", deny=True), path="home/x")) == "no-inherited-ace-conflict"
    assert refused(guard.acl(entry(ROOT, "D:write-acl", deny=True), path="home/x")) == "no-protected-ace-conflict"


def test_what_is_only_inherited_can_be_denied(guard: Guard) -> None:
    """The own entries come first, so they count."""
    assert guard.acl(entry("<D:authenticated/>", "D:read", deny=True), path="home/x").status == 200


def test_a_list_has_a_limit(guard: Guard) -> None:
    most = Limited().aces
    assert guard.acl(*[BOBS] * most).status == 200
    assert refused(guard.acl(*[BOBS] * (most + 1))) == "limited-number-of-aces"
    assert refused(guard.acl(*[BOBS] * 1001)) == "limited-number-of-aces"


@pytest.mark.parametrize("privilege", ["X:swim", "D:schedule", "X:read"])
def test_only_privileges_that_there_are_can_be_granted(guard: Guard, privilege: str) -> None:
    assert refused(guard.acl(BOBS, entry("<D:all/>", privilege))) == "not-supported-privilege"
    assert guard.lists == {}


def test_abstract_privileges_are_granted_with_what_contains_them(guard: Guard) -> None:
    assert refused(guard.acl(entry("<D:all/>", "X:fall", deny=True))) == "no-abstract"
    assert guard.acl(entry("<D:all/>", "X:fly")).status == 200


@pytest.mark.parametrize(
    "uri",
    [
        "/dav/principals/nobody/",
        "/dav/principals/",
        "/dav/thing",
        "/elsewhere/principals/bob/",
        "http://elsewhere.example.com/dav/principals/bob/",
        "mailto:bob@example.com",
        "http://[",
        "/dav/%ff",
        "/dav/principals/../principals/bob/",
    ],
)
def test_only_principals_of_this_server_are_recognized(guard: Guard, uri: str) -> None:
    assert refused(guard.acl(BOBS, entry(f"<D:href>{uri}</D:href>", "D:read"))) == "recognized-principal"
    assert guard.lists == {}


@pytest.mark.parametrize("name", ["D:displayname-of", "D:getetag", "D:resourcetype", "D:group"])
def test_properties_that_name_no_principals_are_not_allowed(guard: Guard, name: str) -> None:
    answer = guard.acl(entry(f"<D:property><{name}/></D:property>", "D:read"))
    assert (answer.status == 200) == (name == "D:displayname-of")
    if answer.status != 200:
        assert refused(answer) == "allowed-principal"


def test_resources_can_have_rules_of_their_own() -> None:
    """RFC 3744 section 5.6."""
    deny = entry("<D:all/>", "D:read", deny=True)
    only = Guard(Restrictions(grant_only=True))
    assert refused(only.acl(BOBS, deny)) == "grant-only"
    assert only.acl(BOBS).status == 200
    plain = Guard(Restrictions(no_invert=True))
    assert refused(plain.acl(entry("<D:all/>", "D:read", invert=True))) == "no-invert"
    assert plain.acl(BOBS, deny).status == 200
    ordered = Guard(Restrictions(deny_before_grant=True))
    assert refused(ordered.acl(deny, BOBS, deny)) == "deny-before-grant"
    assert ordered.acl(deny, deny, BOBS, BOBS).status == 200
    wanting = Guard(Restrictions(required=("authenticated", 2)))
    assert refused(wanting.acl(BOBS)) == "missing-required-principal"
    assert refused(wanting.acl(BOBS, entry("<D:authenticated/>", "D:read", deny=True))) == "missing-required-principal"
    assert wanting.acl(BOBS, entry("<D:authenticated/>", "D:read")).status == 200


def test_every_condition_of_the_method_was_seen_here() -> None:
    with open(__file__, encoding="utf-8") as source:
        text = source.read()
    for each in CONDITIONS:
        assert f'"{each.name.removeprefix("{DAV:}")}"' in text, each


# -- properties --------------------------------------------------------------------------------------------------------


def ace(element: etree._Element) -> tuple[str, bool, list[str], list[str]]:
    """The principal as text, whether it grants, the privileges, and marks."""
    inverted = element.find(D("invert"))
    inside = (element if inverted is None else inverted).find(D("principal"))[0]
    change = next(each for each in element if each.tag in (D("grant"), D("deny")))
    marks = [
        each.tag.removeprefix("{DAV:}") + (each.findtext(D("href")) or "")
        for each in element
        if each.tag in (D("protected"), D("inherited"))
    ]
    who = inside.text or inside.tag.removeprefix("{DAV:}") + "".join(each.tag for each in inside)
    return (
        ("not " if inverted is not None else "") + who,
        change.tag == D("grant"),
        [each[0].tag for each in change],
        marks,
    )


def test_a_list_shows_what_is_its_own_what_is_inherited_and_what_is_always_there(guard: Guard) -> None:
    """RFC 3744 section 5.5; who is gone is not shown."""
    guard.acl(
        BOBS, entry("<D:self/>", "D:bind", deny=True, invert=True), entry(OWNER, "D:read"), path="home/x", user="root"
    )
    status, element = guard.properties(D("acl"), path="home/x")[D("acl")]
    assert status == 200
    assert [ace(each) for each in element] == [
        ("/dav/principals/ann/", True, [D("all")], ["protected", "inherited/dav/home/"]),
        ("/dav/principals/root/", True, [D("all")], ["protected"]),
        ("/dav/principals/bob/", True, [D("read"), D("write")], []),
        ("not self", False, [D("bind")], []),
        ("property{DAV:}owner", True, [D("read")], []),
        ("authenticated", True, [D("read")], ["inherited/dav/home/"]),
    ]


def test_what_a_list_shows_can_be_set_again(guard: Guard) -> None:
    guard.acl(BOBS, entry("<D:all/>", "D:read", invert=True))
    before = guard.lists["thing"]
    _, element = guard.properties(D("acl"))[D("acl")]
    own = [each for each in element if each.find(D("protected")) is None and each.find(D("inherited")) is None]
    body = etree.Element(D("acl"))
    body.extend(own)
    guard.acl()
    assert guard.ask("ACL", "thing", etree.tostring(body, encoding="unicode")).status == 200
    assert guard.lists["thing"] == before


def test_who_may_see_a_list(guard: Guard) -> None:
    """RFC 3744 section 3.6: DAV:read-acl, whatever else one may read."""
    answer = guard.ask(
        "PROPFIND",
        "thing",
        '<D:propfind xmlns:D="DAV:"><D:prop><D:acl/><D:displayname/></D:prop></D:propfind>',
        user="bob",
        depth="0",
    )
    found = answer.properties()
    assert (found[D("acl")][0], found[D("displayname")][0]) == (403, 200)
    needed = answer.xml.find(f".//{D('need-privileges')}/{D('resource')}")
    assert needed.findtext(D("href")) == "/dav/thing"
    assert needed.find(D("privilege"))[0].tag == D("read-acl")


def test_rules_of_lists_are_shown() -> None:
    """RFC 3744 section 5.6."""
    assert len(Guard().properties(D("acl-restrictions"))[D("acl-restrictions")][1]) == 0
    strict = Guard(Restrictions(grant_only=True, no_invert=True, deny_before_grant=True, required=("all", 2, 77)))
    element = strict.properties(D("acl-restrictions"))[D("acl-restrictions")][1]
    assert [each.tag for each in element] == [
        D("grant-only"),
        D("no-invert"),
        D("deny-before-grant"),
        D("required-principal"),
        D("required-principal"),
    ]
    assert [each[0].tag for each in element.findall(D("required-principal"))] == [D("all"), D("href")]
    assert element[-1][0].text == "/dav/principals/bob/"


def test_where_entries_are_inherited_from_is_shown(guard: Guard) -> None:
    """RFC 3744 section 5.7."""
    element = guard.properties(D("inherited-acl-set"))[D("inherited-acl-set")][1]
    assert [each.text for each in element] == ["/dav/home/"]


def test_abstract_privileges_are_marked(guard: Guard) -> None:
    """RFC 3744 section 5.3."""
    element = guard.properties(D("supported-privilege-set"))[D("supported-privilege-set")][1]
    found = {each.find(D("privilege"))[0].tag: each for each in element.iter(D("supported-privilege"))}
    assert found[FALL].find(D("abstract")) is not None
    assert found[FALL].getparent() is found[FLY]
    assert found[FLY].find(D("abstract")) is None
    assert found[FLY].findtext(D("description")) == "Fly & <land>"
    assert [each.tag for each in found[FALL]] == [D("privilege"), D("abstract"), D("description")]
    assert found[CY("add-resource")].getparent() is found[D("bind")]
    assert found[D("write-acl")].getparent() is found[CY("admin")]


@pytest.mark.parametrize("name", ["acl", "acl-restrictions", "inherited-acl-set", "supported-privilege-set"])
def test_they_are_not_set_by_proppatch(name: str) -> None:
    """RFC 3744 section 5: protected."""
    declared = SPOKEN.properties(Guarded)[D(name)]
    assert declared.protected
    assert not declared.allprop
