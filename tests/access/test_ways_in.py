"""Every place of a request that names a resource is a way in, and each is checked (RFC 3744 section 3).

What one may not read does not exist for one: the answers are the same whether there is something or nothing.
"""

import re
from typing import Any

import pytest
from dialogue import Answer, Dialogue
from lxml import etree
from village import EVERYTHING, READ, WRITE, Village, event

from calserver.dav import Ace
from calserver.names import CS, C, D
from calserver.store import Transaction
from calserver.store.statements import Connection, Statement

HOME = "calendars/user/ann/"
SECRET = HOME + "Default/own.ics"
NOTHING = HOME + "Default/none.ics"
WORK = HOME + "Work/"
CLUB = "drive/user/ann/Club/"
GIFT = CLUB + "gift.txt"
SONGS = CLUB + "songs.txt"


@pytest.fixture
def ann(village: Village) -> Dialogue:
    return village.by("ann")


@pytest.fixture
def rita(village: Village) -> Dialogue:
    """May read Work and Club, but not gift.txt."""
    return village.by("rita")


@pytest.fixture
def will(village: Village) -> Dialogue:
    """May read and write the same."""
    return village.by("will")


@pytest.fixture
def sam(village: Village) -> Dialogue:
    """May do nothing but what everybody may."""
    return village.by("sam")


def report(who: Dialogue, path: str, name: str, inside: str, **headers: str) -> Answer:
    namespaces = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    return who("REPORT", path, f"<{name} {namespaces}>{inside}</{name}>", **headers)


PROP = "<D:prop><D:getetag/></D:prop>"


def paths(answer: Answer) -> list[str]:
    return [each.removeprefix("/dav/") for each in answer.hrefs]


def restrict(village: Village, path: str, *entries: Ace) -> None:
    """Give a calendar or a file in it a list, as somebody who may."""

    def work(txn: Transaction) -> None:
        kind = {"calendars": "calendar-home", "drive": "drive-home"}[path.split("/")[0]]
        names = path.rstrip("/").split("/")[3:]
        rows = txn.collections.locate("user", "ann", kind, names)
        if len(rows) == len(names) + 1:
            txn.collections.set_acl(rows[-1].id, entries)
        else:
            found = txn.objects.get(rows[-1].id, names[-1])
            assert found is not None
            txn.objects.set_acl(found.id, entries)

    village.store.write_now(work)


def key(village: Village, uid: str, kind: str = "user") -> int:
    def look(txn: Transaction) -> int:
        found = txn.principals.by_uid(kind, uid)
        assert found is not None
        return found.id

    return village.store.read_now(look)


# -- hrefs in reports --------------------------------------------------------------------------------------------------


def test_a_multiget_is_checked_href_by_href(rita: Dialogue, sam: Dialogue) -> None:
    """RFC 4791 section 7.9."""
    hrefs = [WORK + "work.ics", WORK + "none.ics", SECRET, NOTHING, HOME + "Projects/Secret/secret.ics"]
    asked = PROP.replace("getetag/>", "getetag/><C:calendar-data/>") + "".join(
        f"<D:href>/dav/{e}</D:href>" for e in hrefs
    )
    answer = report(rita, WORK, "C:calendar-multiget", asked)
    assert paths(answer) == hrefs
    assert answer.statuses == {f"/dav/{each}": 404 for each in hrefs[1:]}
    assert answer.body.count(b"BEGIN:VEVENT") == 1
    refused = report(sam, HOME + "Default/", "C:calendar-multiget", asked.replace(WORK, HOME + "Default/"))
    assert set(refused.statuses.values()) <= {403, 404}
    assert b"VEVENT" not in refused.body


def test_a_multiget_from_above_reaches_only_what_is_readable(village: Village) -> None:
    restrict(village, HOME, Ace(key(village, "rita"), frozenset({D("read-current-user-privilege-set")})))
    restrict(village, HOME + "Projects/", Ace(key(village, "rita"), READ))
    named = [HOME + "Projects/Secret/secret.ics", HOME + "Projects/Secret/none.ics", HOME + "Projects/plan.txt"]
    hrefs = "".join(f"<D:href>/dav/{each}</D:href>" for each in named)
    answer = report(village.by("rita"), HOME + "Projects/", "C:calendar-multiget", PROP + hrefs)
    found = answer.statuses
    assert found["/dav/" + named[0]] == found["/dav/" + named[1]]
    assert set(found.values()) <= {403, 404}


def test_single_objects_that_are_hidden_are_missing_everywhere(village: Village) -> None:
    """As if it were not there: in a listing, a query, a multiget, a whole calendar, busy time, a sync report."""
    other = WORK + "other.ics"
    village.by("will")("PUT", other, event("other", "Other"), content_type="text/calendar")
    restrict(village, other, Ace(key(village, "rita"), EVERYTHING, deny=True))
    everything = '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>'
    times = '<C:time-range start="20260201T000000Z" end="20260301T000000Z"/>'
    for who, seen in ((village.by("will"), True), (village.by("rita"), False)):
        for answer in (
            who.propfind(WORK, D("getetag"), depth="1"),
            who.propfind(WORK, D("displayname"), D("getetag"), depth="1"),
            who.propfind(WORK, C("calendar-data"), depth="1"),
            who.propfind(WORK, D("getetag"), depth="infinity"),
            report(who, WORK, "C:calendar-query", PROP + everything, depth="1"),
            report(who, WORK, "C:calendar-query", "<D:prop><C:calendar-data/></D:prop>" + everything, depth="1"),
            report(who, WORK, "D:sync-collection", f"<D:sync-token/><D:sync-level>1</D:sync-level>{PROP}"),
            report(who, WORK, "D:sync-collection", "<D:sync-level>1</D:sync-level><D:prop><D:owner/></D:prop>"),
        ):
            assert WORK + "work.ics" in paths(answer)
            assert (other in paths(answer)) is seen
        assert (b"SUMMARY:Other" in who("GET", WORK).body) is seen
        named = report(who, WORK, "C:calendar-multiget", f"{PROP}<D:href>/dav/{other}</D:href>")
        assert named.statuses == ({} if seen else {f"/dav/{other}": 404})
        busy_time = report(who, WORK, "C:free-busy-query", times).body
        assert (b"\nFREEBUSY" in busy_time) is seen
        assert who("GET", other).status == (200 if seen else 404)


def test_expand_property_shows_nothing_of_what_it_may_not_reach(rita: Dialogue) -> None:
    """RFC 3253 section 3.8: properties of others are asked for by a property of one's own."""
    hrefs = "".join(f"<D:href xmlns:D='DAV:'>/dav/{each}</D:href>" for each in (SECRET, NOTHING, GIFT, SONGS))
    rita(
        "PROPPATCH",
        "calendars/user/rita/Default/",
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>'
        f'<list xmlns="urn:x">{hrefs}</list></D:prop></D:set></D:propertyupdate>',
    )
    inner = '<D:property name="resourcetype"/><D:property name="getetag"/>'
    answer = report(
        rita,
        "calendars/user/rita/Default/",
        "D:expand-property",
        f'<D:property name="list" namespace="urn:x">{inner}</D:property>',
    )
    found = {each.findtext(D("href")): each for each in answer.xml.iter(D("response"))}
    assert found[f"/dav/{SONGS}"].find(f".//{D('getetag')}") is not None
    statuses = {path: found[f"/dav/{path}"].findtext(D("status")) for path in (SECRET, NOTHING, GIFT)}
    assert statuses[SECRET] == statuses[NOTHING] == "HTTP/1.1 403 Forbidden"
    assert statuses[GIFT] == "HTTP/1.1 404 Not Found"
    for path in (SECRET, NOTHING, GIFT):
        assert found[f"/dav/{path}"].find(f".//{D('getetag')}") is None


def test_principals_of_a_list_are_for_those_who_may_see_the_list(
    village: Village, rita: Dialogue, ann: Dialogue
) -> None:
    """RFC 3744 section 9.2."""
    displayname = "<D:prop><D:displayname/></D:prop>"
    refused = report(rita, WORK, "D:acl-principal-prop-set", displayname)
    assert (refused.status, refused.error) == (403, D("need-privileges"))
    assert b"read-acl" in refused.body
    found = report(ann, WORK, "D:acl-principal-prop-set", displayname)
    assert sorted(paths(found)) == [
        "principals/group/village/",
        "principals/user/ann/",
        "principals/user/ann/calendar-proxy-read/",
        "principals/user/ann/calendar-proxy-write/",
        "principals/user/rita/",
        "principals/user/root/",
        "principals/user/will/",
    ]


def test_principal_match_looks_only_at_what_may_be_read(village: Village) -> None:
    """RFC 3744 section 9.3."""
    owned = "<D:principal-property><D:owner/></D:principal-property><D:prop><D:displayname/></D:prop>"
    assert SONGS in paths(report(village.by("ann"), CLUB, "D:principal-match", owned))
    restrict(village, CLUB, Ace(key(village, "rita"), READ))
    members = report(village.by("rita"), CLUB, "D:principal-match", owned)
    assert paths(members) == []
    assert GIFT.encode() not in members.body


# -- header fields -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("target", [SECRET, NOTHING, HOME + "none/x.ics", "calendars/user/zoe/Default/x.ics"])
def test_a_destination_says_nothing_of_what_is_there(sam: Dialogue, method: str, target: str) -> None:
    """RFC 4918 section 9.8; threats: COPY and MOVE as a way past access control."""
    own = "calendars/user/sam/Default/own.ics"
    for overwrite in ("T", "F"):
        answer = sam(method, own, destination=sam.destination(target), overwrite=overwrite)
        assert (answer.status, answer.error) == (403, D("need-privileges"))
        assert missing(answer) == {(target, "read")}
    assert sam("GET", own).status == 200


def missing(answer: Answer) -> set[tuple[str, str]]:
    """What a refusal names: paths and local names of privileges."""
    return {
        (
            (each.findtext(D("href")) or "").removeprefix("/dav/"),
            etree.QName(each.find(D("privilege"))[0]).localname,
        )
        for each in answer.xml.iter(D("resource"))
    }


def test_all_that_is_missing_is_named(rita: Dialogue, sam: Dialogue) -> None:
    """RFC 3744 section 7.1.1: each resource with each privilege."""
    moved = rita("MOVE", WORK + "work.ics", destination=rita.destination(CLUB + "new.txt"))
    assert missing(moved) == {
        (WORK, "unbind"),
        (CLUB, "bind"),
        (CLUB, "write-content"),
        (CLUB, "write-properties"),
    }
    copied = rita("COPY", WORK + "work.ics", destination=rita.destination(SONGS))
    assert missing(copied) == {(SONGS, "write-content"), (SONGS, "write-properties")}
    stolen = sam("MOVE", WORK, destination=sam.destination("calendars/user/zoe/x/"))
    assert stolen.status == 403
    assert rita("PUT", WORK + "new.ics", event("new")).status == 403
    assert missing(rita("PUT", WORK + "new.ics", event("new"))) == {(WORK, "bind")}
    assert missing(rita("DELETE", WORK + "work.ics")) == {(WORK, "unbind")}
    assert missing(rita("MKCOL", CLUB + "new/")) == {(CLUB, "bind")}


def test_a_hidden_file_is_not_overwritten(rita: Dialogue, village: Village) -> None:
    """Who may make members, and not know of one: its name alone cannot be hidden."""
    village.by("rita")
    restrict(village, CLUB, Ace(key(village, "rita"), WRITE))
    rita = village.by("rita")
    rita("PUT", "drive/user/rita/mine.txt", b"mine")
    target = rita.destination(GIFT)
    for answer in (
        rita("PUT", GIFT, b"x"),
        rita("MKCOL", GIFT + "/"),
        rita("COPY", "drive/user/rita/mine.txt", destination=target),
        rita("MOVE", "drive/user/rita/mine.txt", destination=target),
        rita("LOCK", GIFT, LOCK),
    ):
        assert answer.status == 403, answer.body
    assert rita("PUT", CLUB + "free.txt", b"x").status == 201
    assert village.by("ann")("GET", GIFT).body == b"text"


LOCK = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    "<D:locktype><D:write/></D:locktype></D:lockinfo>"
)


def test_a_copy_leaves_out_what_is_hidden(rita: Dialogue) -> None:
    assert rita("COPY", CLUB, destination=rita.destination("drive/user/rita/copy")).status == 201
    assert paths(rita.propfind("drive/user/rita/copy/", D("getetag"), depth="1")) == [
        "drive/user/rita/copy/",
        "drive/user/rita/copy/songs.txt",
    ]


def test_nobody_takes_along_what_is_hidden(village: Village) -> None:
    """To move a collection one reads all of it; otherwise it would be one's own afterwards."""
    for path in ("drive/user/ann/", CLUB):
        restrict(village, path, Ace(key(village, "will"), WRITE))
    restrict(village, GIFT, Ace(key(village, "will"), READ, deny=True))
    will = village.by("will")
    answer = will("MOVE", CLUB, destination=will.destination("drive/user/will/taken"))
    assert answer.status == 403
    assert missing(answer) == {(CLUB, "read")}
    restrict(village, GIFT)
    assert will("MOVE", CLUB, destination=will.destination("drive/user/will/taken")).status == 201


def test_a_collection_is_removed_where_all_in_it_may_be(village: Village) -> None:
    for path in ("drive/user/ann/", CLUB):
        restrict(village, path, Ace(key(village, "will"), WRITE))
    will, ann = village.by("will"), village.by("ann")
    ann("MKCOL", CLUB + "inner/")
    ann("PUT", CLUB + "inner/x.txt", b"x")
    restrict(village, CLUB + "inner/", Ace(key(village, "will"), EVERYTHING, deny=True))
    refused = will("DELETE", CLUB)
    assert missing(refused) == {(CLUB, "unbind")}
    assert b"inner" not in refused.body
    restrict(village, CLUB + "inner/", Ace(key(village, "will"), frozenset({D("unbind")}), deny=True))
    assert missing(will("DELETE", CLUB)) == {(CLUB + "inner/", "unbind")}
    restrict(village, CLUB + "inner/")
    assert will("DELETE", CLUB).status == 204


def test_an_overwritten_file_stays_hidden(village: Village) -> None:
    """A copy onto a file has the list of the file: who writes it need not be who says who reads it."""
    will = village.by("will")
    assert will("COPY", SONGS, destination=will.destination(GIFT)).status == 204
    assert village.by("rita")("GET", GIFT).status == 404
    assert will("COPY", GIFT, destination=will.destination(CLUB + "open.txt")).status == 201
    assert village.by("rita")("GET", CLUB + "open.txt").status == 200


@pytest.mark.parametrize("path", [SECRET, NOTHING, GIFT, CLUB + "none.txt"])
def test_an_if_header_tells_nothing_of_what_is_hidden(rita: Dialogue, ann: Dialogue, path: str) -> None:
    """RFC 4918 section 10.4: the state of another resource as a question."""
    etag = ann("HEAD", SECRET).headers["ETag"]
    own = "calendars/user/rita/Default/own.ics"
    for condition in (f"(Not [{etag}])", '(Not ["x"])'):
        assert rita("PROPFIND", own, depth="0", **{"if": f"<{rita.destination(path)}> {condition}"}).status == 207
    for condition in (f"([{etag}])", '(["x"])'):
        assert rita("PROPFIND", own, depth="0", **{"if": f"<{rita.destination(path)}> {condition}"}).status == 412


def test_conditions_are_looked_at_after_privileges(sam: Dialogue, ann: Dialogue) -> None:
    etag = ann("HEAD", SECRET).headers["ETag"]
    for header in ("if_match", "if_none_match"):
        for value in (etag, '"x"', "*"):
            answers = [sam("PUT", path, event("x"), **{header: value}) for path in (SECRET, NOTHING)]
            assert [each.status for each in answers] == [403, 403]


# -- properties and bodies that name resources -------------------------------------------------------------------------


def set_default(who: Dialogue, uid: str, path: str) -> Answer:
    return who(
        "PROPPATCH",
        f"calendars/user/{uid}/Inbox/",
        '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        f"<C:schedule-default-calendar-URL><D:href>/dav/{path}</D:href></C:schedule-default-calendar-URL>"
        "</D:prop></D:set></D:propertyupdate>",
    )


@pytest.mark.parametrize("path", [WORK, HOME + "Default/", HOME + "none/", "calendars/user/zoe/Default/"])
def test_a_default_calendar_is_one_of_ones_own(rita: Dialogue, path: str) -> None:
    """RFC 6638 section 9.2."""
    answer = set_default(rita, "rita", path)
    assert answer.status == 207
    assert answer.xml.find(f".//{C('valid-schedule-default-calendar-URL')}") is not None
    assert b"200 OK" not in answer.body


def test_a_default_calendar_is_one_that_a_delegate_may_see(village: Village) -> None:
    dan = village.by("dan")
    assert b"200 OK" in set_default(dan, "ann", WORK).body
    restrict(village, WORK, Ace(key(village, "dan"), EVERYTHING, deny=True))
    hidden, missing_one = (set_default(dan, "ann", path) for path in (WORK, HOME + "none/"))
    assert b"200 OK" not in hidden.body
    assert hidden.body == missing_one.body
    shown = dan.propfind(HOME + "Inbox/", C("schedule-default-calendar-URL"), C("calendar-free-busy-set"))
    assert b"Work" not in shown.body
    kept = village.by("ann").propfind(HOME + "Inbox/", C("schedule-default-calendar-URL"))
    assert f"/dav/{WORK}".encode() in kept.body


def test_what_counts_as_busy_is_changed_where_properties_may_be(village: Village) -> None:
    restrict(village, WORK, Ace(key(village, "dan"), frozenset({D("write")}), deny=True))
    dan = village.by("dan")
    answer = dan(
        "PROPPATCH",
        HOME + "Inbox/",
        '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
        "<C:calendar-free-busy-set/></D:prop></D:set></D:propertyupdate>",
    )
    assert b"200 OK" not in answer.body
    assert {(WORK, "write-properties")} == missing(answer)
    transparent = village.by("ann").propfind(WORK, C("schedule-calendar-transp"))
    assert transparent.xml.find(f".//{C('opaque')}") is not None


@pytest.mark.parametrize("path", ["principals/user/zoe/", SECRET, NOTHING, GIFT, "principals/user/"])
def test_entries_are_about_principals_and_say_nothing_of_other_resources(rita: Dialogue, path: str) -> None:
    """RFC 3744 section 8.1.1."""
    answer = rita(
        "ACL",
        "calendars/user/rita/Default/",
        '<D:acl xmlns:D="DAV:"><D:ace><D:principal>'
        f"<D:href>/dav/{path}</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>",
    )
    assert (answer.status, answer.error) == (403, D("recognized-principal"))


def test_a_uid_in_the_way_names_nothing_that_is_hidden(village: Village) -> None:
    """RFC 4791 section 5.3.2.1: the condition has an href, here of the collection that was asked."""
    will, ann = village.by("will"), village.by("ann")
    ann("PUT", HOME + "Default/hidden.ics", event("the-uid"), content_type="text/calendar")
    answer = will("PUT", WORK + "same.ics", event("the-uid"), content_type="text/calendar")
    assert answer.status in (403, 409)
    hrefs = [each.text for each in answer.xml.iter(D("href"))]
    assert hrefs == [f"/dav/{WORK}"]
    named = ann("PUT", WORK + "same.ics", event("the-uid"), content_type="text/calendar")
    assert [each.text for each in named.xml.iter(D("href"))] == [f"/dav/{HOME}Default/hidden.ics"]


def test_bulk_changes_are_checked_one_by_one(village: Village, rita: Dialogue, sam: Dialogue) -> None:
    """calendarserver-bulk-change: hrefs in the body of a POST."""
    mm = 'xmlns:M="http://me.com/_namespace/" xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'

    def bulk(who: Dialogue, path: str, *changes: str) -> list[int]:
        inside = "".join(f"<M:resource>{each}</M:resource>" for each in changes)
        answer = who("POST", path, f"<M:multiput {mm}>{inside}</M:multiput>", content_type="text/xml")
        assert answer.status == 207, answer.body
        return [int(each) for each in re.findall(r"HTTP/1.1 (\d+)", answer.body.decode())]

    def change(path: str, etag: str) -> str:
        return (
            f"<D:href>/dav/{path}</D:href><M:if-match><D:getetag>{etag}</D:getetag></M:if-match>"
            f"<D:set><D:prop><C:calendar-data>{event('x').decode()}</C:calendar-data></D:prop></D:set>"
        )

    def removal(path: str) -> str:
        return f"<D:href>/dav/{path}</D:href><M:delete/>"

    data = f"<D:set><D:prop><C:calendar-data>{event('new').decode()}</C:calendar-data></D:prop></D:set>"
    etag = village.by("ann")("HEAD", SECRET).headers["ETag"]
    assert bulk(rita, WORK, data, change(WORK + "work.ics", "x"), removal(WORK + "work.ics")) == [403, 412, 403]
    there = bulk(sam, HOME + "Default/", change(SECRET, etag), change(SECRET, "x"), removal(SECRET))
    absent = bulk(sam, HOME + "Default/", change(NOTHING, etag), change(NOTHING, "x"), removal(NOTHING))
    assert there == absent == [403, 403, 403]
    restrict(village, WORK + "work.ics", Ace(key(village, "will"), EVERYTHING, deny=True))
    hidden = bulk(village.by("will"), WORK, change(WORK + "work.ics", "x"), removal(WORK + "work.ics"))
    assert hidden == [404, 404]
    assert village.by("ann")("GET", WORK + "work.ics").status == 200


# -- listings ----------------------------------------------------------------------------------------------------------


def test_listings_leave_out_what_is_hidden(village: Village) -> None:
    """PROPFIND with Depth 1 and infinity, whatever is asked; a page for people."""
    restrict(village, HOME, Ace(key(village, "rita"), READ))
    restrict(village, WORK, Ace(key(village, "rita"), EVERYTHING, deny=True))
    restrict(village, HOME + "Default/", Ace(key(village, "rita"), READ, deny=True))
    rita = village.by("rita")
    for names in ((D("getetag"),), (D("displayname"), D("getetag")), (CS("getctag"),)):
        for depth in ("1", "infinity"):
            found = paths(rita.propfind(HOME, *names, depth=depth))
            assert HOME + "Inbox/" in found
            assert not any("Work" in each or "Default" in each for each in found)
    assert b"Work" not in rita("GET", HOME).body
    assert HOME + "Work/" in paths(village.by("ann").propfind(HOME, D("getetag"), depth="1"))


def test_below_what_is_hidden_nothing_is_listed(village: Village) -> None:
    restrict(village, HOME, Ace(key(village, "rita"), READ))
    restrict(village, HOME + "Projects/", Ace(key(village, "rita"), EVERYTHING, deny=True))
    rita = village.by("rita")
    assert not any("Projects" in each for each in paths(rita.propfind(HOME, D("getetag"), depth="infinity")))
    synced = report(rita, HOME, "D:sync-collection", f"<D:sync-level>infinite</D:sync-level>{PROP}")
    assert not any("Projects" in each for each in paths(synced))
    assert rita("GET", HOME + "Projects/").status == 404
    assert rita("GET", HOME + "Projects/plan.txt").status == rita("GET", HOME + "none/plan.txt").status == 404


def test_what_one_finds_is_what_one_may_open(village: Village) -> None:
    """Whatever is listed can be read, by everybody."""
    for uid in ("rita", "will", "dora", "dan", "max", "sam", "root"):
        who = village.by(uid)
        for top in (HOME, WORK, CLUB, "drive/user/ann/", HOME + "Attachments/"):
            listed = who.propfind(top, D("resourcetype"), depth="infinity")
            for path in paths(listed) if listed.status == 207 else ():
                assert who.propfind(path, D("resourcetype")).status == 207, (uid, path)


# -- sync --------------------------------------------------------------------------------------------------------------


def sync(who: Dialogue, path: str, token: str = "", level: str = "1") -> Answer:
    inside = f"<D:sync-token>{token}</D:sync-token><D:sync-level>{level}</D:sync-level>{PROP}"
    return report(who, path, "D:sync-collection", inside)


def token_of(answer: Answer) -> str:
    text = answer.xml.findtext(D("sync-token"))
    assert text
    return str(text)


def test_sync_tells_no_changes_of_what_is_hidden(village: Village) -> None:
    rita, ann = village.by("rita"), village.by("ann")
    first = sync(rita, CLUB)
    assert paths(first) == [CLUB, SONGS]
    ann("PUT", GIFT, b"more")
    ann("PUT", SONGS, b"more")
    assert paths(sync(rita, CLUB, token_of(first))) == [SONGS]
    assert paths(sync(ann, CLUB, token_of(first))) == [GIFT, SONGS]


def test_sync_begins_anew_where_a_list_has_changed_what_one_sees(village: Village) -> None:
    """RFC 6578 section 3.2: never silently; for the owner nothing has changed."""
    rita, ann = village.by("rita"), village.by("ann")
    before = {who.actor.uid: token_of(sync(who, CLUB)) for who in (rita, ann)}
    deep = token_of(sync(ann, "drive/user/ann/", level="infinite"))
    restrict(village, SONGS, Ace(key(village, "rita"), READ, deny=True))
    refused = sync(rita, CLUB, before["rita"])
    assert (refused.status, refused.error) == (403, D("valid-sync-token"))
    again = sync(rita, CLUB)
    assert paths(again) == [CLUB]
    assert paths(sync(rita, CLUB, token_of(again))) == []
    assert paths(sync(ann, CLUB, before["ann"])) == [SONGS]
    assert SONGS in paths(sync(ann, "drive/user/ann/", deep, level="infinite"))
    restrict(village, SONGS)
    assert sync(rita, CLUB, token_of(again)).error == D("valid-sync-token")
    assert paths(sync(rita, CLUB)) == [CLUB, SONGS]


def test_clients_see_that_privileges_have_changed(village: Village) -> None:
    """A list is a change of the collection: ctag, token and ETag."""
    ann = village.by("ann")
    before = ann.propfind(WORK, CS("getctag"), D("sync-token"), D("getetag")).body
    home = token_of(sync(ann, HOME))
    assert (
        ann(
            "ACL",
            WORK,
            '<D:acl xmlns:D="DAV:"><D:ace><D:principal><D:all/></D:principal><D:grant>'
            "<D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>",
        ).status
        == 200
    )
    assert ann.propfind(WORK, CS("getctag"), D("sync-token"), D("getetag")).body != before
    assert paths(sync(ann, HOME, home)) == [WORK]


# -- locks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SECRET, NOTHING, HOME + "new/", "calendars/user/zoe/x"])
def test_nothing_hidden_is_locked(sam: Dialogue, path: str) -> None:
    """RFC 4918 section 7.3: the LOCK of a URL where nothing is."""
    for depth in ("0", "infinity"):
        assert sam("LOCK", path, LOCK, depth=depth).status == 403
    assert sam("UNLOCK", path, lock_token="<urn:uuid:0>").status == 403


def test_locks_on_what_is_hidden_are_not_named(village: Village) -> None:
    ann, will = village.by("ann"), village.by("will")
    restrict(village, GIFT, Ace(key(village, "will"), EVERYTHING, deny=True))
    locked = ann("LOCK", GIFT, LOCK, depth="0")
    assert locked.status == 200
    for answer in (
        will("LOCK", CLUB, LOCK, depth="infinity"),
        will.propfind(CLUB, D("lockdiscovery"), depth="1"),
        will("PROPFIND", CLUB, depth="infinity"),
    ):
        assert answer.status == 207
        assert b"gift" not in answer.body
    token = re.search(rb"urn:uuid:[0-9a-f-]+", locked.body)
    assert token is not None
    assert will("UNLOCK", GIFT, lock_token=f"<{token[0].decode()}>").status == 404
    assert will("LOCK", GIFT, LOCK).status == 403


def test_locks_of_others_end_with_unlock(village: Village) -> None:
    """RFC 3744 section 3.5."""
    ann, will = village.by("ann"), village.by("will")
    token = ann("LOCK", SONGS, LOCK, depth="0").headers["Lock-Token"]
    refused = will("UNLOCK", SONGS, lock_token=token)
    assert missing(refused) == {(SONGS, "unlock")}
    unlocking = Ace(key(village, "will"), frozenset({D("read"), D("unlock")}))
    restrict(village, CLUB, unlocking)
    assert will("UNLOCK", SONGS, lock_token=token).status == 204


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uid", "hidden", "missing"),
    [
        ("sam", SECRET, NOTHING),
        ("sam", HOME + "Projects/Secret/secret.ics", HOME + "Projects/Secret/none.ics"),
        ("sam", HOME, "calendars/user/zoe/"),
        ("sam", HOME + "Notifications/", "calendars/user/zoe/Notifications/"),
        ("rita", GIFT, CLUB + "none.txt"),
        (None, HOME + "Open/private.ics", HOME + "Open/none.ics"),
        (None, SECRET, NOTHING),
    ],
)
def test_what_is_hidden_takes_as_long_as_what_is_not_there(
    village: Village, monkeypatch: pytest.MonkeyPatch, uid: str | None, hidden: str, missing: str
) -> None:
    """The same answer, for which the database was asked the same: that is where the time goes."""
    private = event("private").replace(b"SUMMARY", b"CLASS:PRIVATE\r\nSUMMARY")
    assert village.by("ann")("PUT", HOME + "Open/private.ics", private, content_type="text/calendar").status == 201
    asked: list[str] = []
    run = Connection._run

    def listening(self: Connection, statement: Statement, parameters: dict[str, Any]) -> Any:
        asked.append(statement.written(self.dialect)[0])
        return run(self, statement, parameters)

    monkeypatch.setattr(Connection, "_run", listening)
    who = village.by(uid)
    prop = f'<D:propfind xmlns:D="DAV:">{PROP}</D:propfind>'
    for method, body in (("GET", ""), ("HEAD", ""), ("PROPFIND", prop), ("DELETE", ""), ("LOCK", LOCK), ("MKCOL", "")):
        found = []
        for path in (hidden, missing):
            asked.clear()
            answer = who(method, path, body)
            found.append((answer.status, answer.body.replace(path.encode(), b""), list(asked)))
        assert found[0] == found[1], (uid, method, hidden)


# -- busy time ---------------------------------------------------------------------------------------------------------


def busy(who: Dialogue, path: str, **headers: str) -> Answer:
    times = '<C:time-range start="20260201T000000Z" end="20260301T000000Z"/>'
    return report(who, path, "C:free-busy-query", times, **headers)


def test_busy_time_is_for_who_may_see_it_and_only_that(village: Village, sam: Dialogue) -> None:
    """RFC 4791 section 6.1.1."""
    ann = village.by("ann")
    ann("PUT", HOME + "Default/busy.ics", event("busy"), content_type="text/calendar")
    assert b"FREEBUSY" in busy(sam, HOME + "Default/").body.replace(b"VFREEBUSY", b"")
    assert sam("GET", HOME + "Default/").status == 403
    assert missing(busy(sam, WORK)) == {(WORK, "read")}
    restrict(village, WORK, Ace("all", frozenset({D("read-current-user-privilege-set")})))
    assert missing(busy(sam, WORK)) == {(WORK, "read-free-busy")}
    restrict(village, HOME + "Default/")
    assert busy(sam, HOME + "Default/").status == 403
    restrict(village, HOME + "Default/", Ace(key(village, "sam"), frozenset({C("read-free-busy")})))
    restrict(village, HOME + "Default/busy.ics", Ace(key(village, "sam"), EVERYTHING, deny=True))
    assert b"FREEBUSY" not in busy(sam, HOME + "Default/").body.replace(b"VFREEBUSY", b"")


def test_busy_time_of_a_home_is_that_of_calendars_that_tell(village: Village) -> None:
    restrict(village, HOME, Ace(key(village, "sam"), READ))
    for name in ("Default", "Work"):
        village.by("ann")("PUT", f"{HOME}{name}/busy.ics", event(f"in-{name}"), content_type="text/calendar")
    restrict(village, WORK, Ace(key(village, "sam"), frozenset({D("read"), C("read-free-busy")}), deny=True))
    text = busy(village.by("sam"), HOME, depth="1").body.replace(b"VFREEBUSY", b"")
    assert text.count(b"FREEBUSY") == 1


# -- at once -----------------------------------------------------------------------------------------------------------


def test_groups_within_groups_count_at_once(village: Village) -> None:
    assert village.by("sam")("GET", WORK).status == 403

    def join(txn: Transaction, *uids: str) -> None:
        club = txn.principals.by_uid("group", "club")
        assert club is not None
        found: list[Any] = [txn.principals.by_uid("user", uid) for uid in uids]
        txn.principals.set_members(club.id, [each.id for each in found])

    village.store.write_now(lambda txn: join(txn, "max", "sam"))
    assert village.by("sam")("GET", WORK).status == 200
    village.store.write_now(lambda txn: join(txn, "max"))
    assert village.by("sam")("GET", WORK).status == 403


def test_delegates_see_all_homes_and_administer_none(village: Village) -> None:
    dora, dan = village.by("dora"), village.by("dan")
    for path in (HOME, HOME + "Default/", SECRET, HOME + "Outbox/", "drive/user/ann/", GIFT):
        assert dora("GET", path).status == dan("GET", path).status == 200, path
    assert dora("PUT", SONGS, b"x").status == 403
    assert dan("PUT", SONGS, b"x").status == 204

    def held(who: Dialogue, path: str) -> set[str]:
        name = D("current-user-privilege-set")
        found = who.propfind(path, name).properties("/dav/" + path)[name]
        return {etree.QName(each[0]).localname for each in found}

    assert held(dora, HOME + "Default/") == {"read", "read-current-user-privilege-set", "read-free-busy"}
    assert held(dan, HOME + "Outbox/") >= {"schedule-send", "schedule-send-invite", "write"}
    assert held(dora, HOME + "Outbox/").isdisjoint({"schedule-send", "schedule-send-freebusy"})
    assert held(dora, HOME + "Inbox/") >= {"schedule-deliver", "schedule-query-freebusy"}
    for path in (HOME, HOME + "Default/", HOME + "Outbox/"):
        assert held(dan, path).isdisjoint({"all", "write-acl", "read-acl", "share", "unlock", "admin"})


def test_an_owner_keeps_a_calendar_from_delegates(village: Village) -> None:
    """The own entries come before what delegates inherit."""
    ann = village.by("ann")
    entries = "".join(
        f"<D:ace><D:principal><D:href>/dav/principals/user/ann/calendar-proxy-{access}/</D:href></D:principal>"
        "<D:deny><D:privilege><D:all/></D:privilege></D:deny></D:ace>"
        for access in ("read", "write")
    )
    assert ann("ACL", WORK, f'<D:acl xmlns:D="DAV:">{entries}</D:acl>').status == 200
    for uid in ("dora", "dan"):
        assert village.by(uid)("GET", WORK).status == 404
        assert WORK not in paths(village.by(uid).propfind(HOME, D("getetag"), depth="1"))
    assert ann("GET", WORK).status == 200


def test_whoever_a_property_names_holds_what_an_entry_gives(village: Village) -> None:
    """RFC 3744 section 5.5.1, DAV:property: here by a file, and by a group."""
    ann, sam = village.by("ann"), village.by("sam")
    restrict(village, CLUB, Ace("property:{urn:x}friends", READ))
    named = "<D:href xmlns:D='DAV:'>/dav/principals/user/sam/</D:href><D:href xmlns:D='DAV:'>/dav/principals/x</D:href>"
    for path in (CLUB, SONGS):
        ann(
            "PROPPATCH",
            path,
            '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>'
            f'<friends xmlns="urn:x">{named}</friends></D:prop></D:set></D:propertyupdate>',
        )
    assert sam("GET", SONGS).status == 200
    for names in ((D("getetag"),), (D("displayname"),)):
        assert paths(sam.propfind(CLUB, *names, depth="1")) == [CLUB, SONGS]
    assert paths(sync(sam, CLUB)) == [CLUB, SONGS]
    assert sam("GET", GIFT).status == 404
    assert village.by("rita")("GET", CLUB).status == 403


def test_everybody_but_one(village: Village) -> None:
    """RFC 3744 section 5.5.1, DAV:invert."""
    restrict(village, CLUB, Ace(key(village, "sam"), READ, invert=True))
    assert village.by("rita")("GET", SONGS).status == 200
    assert village.by("sam")("GET", SONGS).status == 403
    assert village.by(None)("GET", SONGS).status == 200


def test_who_has_not_authenticated_reads_at_most(village: Village) -> None:
    restrict(village, CLUB, Ace("all", EVERYTHING))
    nobody = village.by(None)
    assert nobody("GET", SONGS).status == 200
    for method, path in (("PUT", SONGS), ("DELETE", SONGS), ("MKCOL", CLUB + "x/"), ("PROPPATCH", CLUB), ("ACL", CLUB)):
        assert nobody(method, path, b"x").status == 401, method
    assert village.by("sam")("PUT", SONGS, b"x").status == 204
    restrict(village, CLUB, Ace("authenticated", READ))
    assert nobody("GET", SONGS).status == 401
    restrict(village, CLUB, Ace("unauthenticated", READ))
    assert (nobody("GET", SONGS).status, village.by("sam")("GET", SONGS).status) == (200, 403)
