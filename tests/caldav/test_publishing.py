"""Public calendars: publishing them, and reading them without logging in."""

from typing import Any

import attrs
import pytest
from dialogue import Dialogue
from ics import event
from sharers import ANN, BOB, NAMESPACES, WORK, accept, post, property_of, share

from calserver.calendars import publishing
from calserver.dav import Ace
from calserver.names import CS, C, D
from calserver.store import Collection

START = "DTSTART:20260105T090000Z"
ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT5M", "END:VALARM")
PUBLISH = f"<CS:publish-calendar {NAMESPACES}/>"
UNPUBLISH = f"<CS:unpublish-calendar {NAMESPACES}/>"
URL = f"http://dav.example.com/dav/{WORK}"


@pytest.fixture
def work(ann: Dialogue) -> Dialogue:
    """A calendar with an event that has an alarm; returns Ann."""
    assert ann("MKCALENDAR", WORK).status == 201
    put(ann, "lunch", event("lunch", START, "SUMMARY:Lunch", *ALARM))
    return ann


@pytest.fixture
def public(work: Dialogue) -> Dialogue:
    """The same for everybody."""
    assert post(work, WORK, PUBLISH).status == 202
    return work


def put(who: Dialogue, name: str, content: bytes) -> None:
    assert who("PUT", f"{WORK}{name}.ics", content, content_type="text/calendar").status in (201, 204)


def url(who: Dialogue, name: str, path: str = WORK) -> str | None:
    found: Any = who.propfind(path, CS(name)).properties(f"/dav/{path}").get(CS(name))
    return None if found is None else found.findtext(D("href"))


def row(who: Dialogue, path: str = WORK) -> Collection:
    *_, uid, name = path.strip("/").split("/")

    def find(txn: Any) -> Collection:
        principal = txn.principals.by_uid("user", uid)
        home = txn.collections.home(principal.id, "calendar-home")
        found: Collection = txn.collections.child(home.id, name)
        return found

    return who.store.read_now(find)


def acl(who: Dialogue, *entries: str, path: str = WORK) -> None:
    """Set a list; an entry is a principal, grant or deny, and a privilege."""
    parts = [each.split() for each in entries]
    body = "".join(
        f"<D:ace><D:principal><D:{who}/></D:principal><D:{verb}><D:privilege><{name}/></D:privilege></D:{verb}></D:ace>"
        for who, verb, name in parts
    )
    namespaces = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    assert who("ACL", path, f"<D:acl {namespaces}>{body}</D:acl>").status == 200


def publish(who: Dialogue, what: str) -> None:
    who.store.write_now(lambda txn: publishing.publish(txn, row(who), what))


# -- publishing --------------------------------------------------------------------------------------------------------


def test_a_calendar_that_is_published_has_a_url_and_another_only_where_that_would_be(work: Dialogue) -> None:
    assert (url(work, "publish-url"), url(work, "pre-publish-url")) == (None, URL)
    assert post(work, WORK, PUBLISH).status == 202
    assert (url(work, "publish-url"), url(work, "pre-publish-url")) == (URL, URL)
    assert post(work, WORK, UNPUBLISH, content_type="text/xml").status == 200
    assert url(work, "publish-url") is None
    modes = property_of(work, WORK, CS("allowed-sharing-modes"))
    assert {each.tag for each in modes} == {CS("can-be-shared"), CS("can-be-published")}


def test_publishing_twice_is_publishing_once(public: Dialogue) -> None:
    before = row(public).revision
    assert post(public, WORK, PUBLISH).status == 202
    assert row(public).revision == before
    for _ in range(2):
        assert post(public, WORK, UNPUBLISH).status == 200
    assert row(public).acl is None


@pytest.mark.parametrize("body", [PUBLISH, UNPUBLISH])
def test_only_who_may_share_a_calendar_publishes_it(public: Dialogue, bob: Dialogue, body: str) -> None:
    assert post(bob, WORK, body).status == 403
    share(public, "bob")
    shared = accept(bob)
    answer = post(bob, shared, body)
    assert (answer.status, answer.error) == (403, D("need-privileges"))
    assert url(public, "publish-url") == URL
    assert (url(bob, "publish-url", shared), url(bob, "pre-publish-url", shared)) == (None, None)


def test_other_entries_of_the_list_stay(work: Dialogue, bob: Dialogue) -> None:
    entry = (
        '<D:acl xmlns:D="DAV:"><D:ace><D:principal><D:href>/dav/principals/user/bob/</D:href></D:principal>'
        "<D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>"
    )
    assert work("ACL", WORK, entry).status == 200
    before = row(work).acl
    assert post(work, WORK, PUBLISH).status == 202
    assert b"ALARM" in bob("GET", WORK).body
    assert post(work, WORK, UNPUBLISH).status == 200
    assert row(work).acl == before
    assert b"ALARM" in bob("GET", WORK).body


@pytest.mark.parametrize(
    "entries",
    [
        ("all grant D:read",),
        ("all grant D:all",),
        ("all deny D:write", "all grant D:read"),
        ("unauthenticated grant D:read", "authenticated grant D:read"),
        ("all deny C:read-free-busy", "all grant D:read"),
    ],
)
def test_a_list_that_lets_all_read_is_publishing_too(
    server: Dialogue, work: Dialogue, bob: Dialogue, entries: tuple[str, ...]
) -> None:
    """Who has logged in may read then, whether it is public or not."""
    acl(work, *entries)
    partly = "deny C:" in entries[0]
    assert url(work, "publish-url") == (None if partly else URL)
    assert server("GET", WORK).status == (401 if partly else 200)
    assert post(work, WORK, UNPUBLISH).status == 200
    assert url(work, "publish-url") is None
    assert server("GET", WORK).status == 401
    assert bob("GET", WORK).status == (403 if partly else 200)
    assert post(work, WORK, PUBLISH).status == 202
    assert server("GET", WORK).status == 200


def test_what_a_list_denies_is_public_once_it_is_published(server: Dialogue, work: Dialogue, bob: Dialogue) -> None:
    acl(work, "all deny D:all")
    assert url(work, "publish-url") is None
    before = row(work).acl
    assert post(work, WORK, PUBLISH).status == 202
    assert server("GET", WORK).status == 200
    assert bob.propfind(WORK, D("getetag")).status in (403, 404)
    assert post(work, WORK, UNPUBLISH).status == 200
    assert row(work).acl == before
    publish(work, publishing.FREE_BUSY)
    assert b"BEGIN:VFREEBUSY" in server("GET", WORK).body


def test_nothing_is_public_where_nothing_may_be(server: Dialogue, public: Dialogue) -> None:
    """An administrator's switch; the entry stays, and counts again when it may."""
    for who in (server, public):
        who.settings = attrs.evolve(who.settings, anonymous=False)
    assert (url(public, "publish-url"), url(public, "pre-publish-url")) == (None, None)
    assert {each.tag for each in property_of(public, WORK, CS("allowed-sharing-modes"))} == {CS("can-be-shared")}
    assert post(public, WORK, PUBLISH).status == 403
    for path in (WORK, WORK + "lunch.ics"):
        assert server("GET", path).status == 401
    assert public("GET", WORK).status == 200
    assert post(public, WORK, UNPUBLISH).status == 200


def test_what_else_is_posted_is_what_it_was(work: Dialogue) -> None:
    assert post(work, WORK, f"<CS:something {NAMESPACES}/>").status == 400


# -- reading -----------------------------------------------------------------------------------------------------------


def test_anybody_reads_what_is_public_as_long_as_it_is(server: Dialogue, work: Dialogue) -> None:
    assert server("GET", WORK).status == 401
    post(work, WORK, PUBLISH)
    answer = server("GET", WORK)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert b"SUMMARY:Lunch" in answer.body
    assert server("HEAD", WORK).headers["Content-Length"] == str(len(answer.body))
    assert server("GET", WORK, if_none_match=answer.headers["ETag"]).status == 304
    assert server("GET", WORK + "lunch.ics").status == 401, "the calendar is what is public"
    post(work, WORK, UNPUBLISH)
    for path in (WORK, WORK + "lunch.ics"):
        assert server("GET", path).status == 401
        assert server("GET", path, if_none_match=answer.headers["ETag"]).status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", WORK + "lunch.ics"),
        ("DELETE", WORK + "lunch.ics"),
        ("DELETE", WORK),
        ("PROPPATCH", WORK),
        ("ACL", WORK),
        ("POST", WORK),
        ("GET", ANN),
        ("GET", ANN + "Default/"),
        ("GET", ANN + "Inbox/"),
        ("GET", WORK + "none.ics"),
        ("GET", WORK + "lunch.ics"),
        ("OPTIONS", WORK),
        ("PROPFIND", WORK),
        ("REPORT", WORK),
        ("LOCK", WORK),
        ("COPY", WORK + "lunch.ics"),
    ],
)
def test_nobody_does_more(server: Dialogue, public: Dialogue, method: str, path: str) -> None:
    before = row(public).revision
    body = event("lunch", START) if method == "PUT" else PUBLISH.encode()
    fields = {"content-type": "text/calendar" if method == "PUT" else "application/xml"}
    assert server(method, path, b"" if method in ("GET", "DELETE") else body, fields).status == 401
    assert row(public).revision == before


def test_nobody_is_told_of_alarms(server: Dialogue, public: Dialogue) -> None:
    answer = server("GET", WORK)
    assert b"SUMMARY:Lunch" in answer.body
    assert b"ALARM" not in answer.body
    assert b"ALARM" in public("GET", WORK).body
    tag = public("GET", WORK).headers["ETag"]
    assert answer.headers["ETag"] != tag, "other bytes have other tags"
    assert server("GET", WORK, if_none_match=tag).status == 200
    assert server("HEAD", WORK).headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize("word", ["PRIVATE", "CONFIDENTIAL", "private", "X-SECRET"])
def test_what_is_not_public_is_not_there_for_the_public(server: Dialogue, public: Dialogue, word: str) -> None:
    put(public, "doctor", event("doctor", START, "SUMMARY:Doctor", f"CLASS:{word}"))
    put(
        public, "folded", event("folded", START, "SUMMARY:Doctor").replace(b"SUMMARY", b"CLA\r\n SS:private\r\nSUMMARY")
    )
    bob = server.by("bob")
    assert bob("GET", WORK).body == server("GET", WORK).body, "who has an account sees no more by that"
    body = server("GET", WORK).body
    assert (body.count(b"BEGIN:VEVENT"), b"Doctor" in body) == (1, False)
    assert server("GET", WORK + "doctor.ics").status == 401
    assert server("HEAD", WORK + "doctor.ics").status == 401
    tag = public("HEAD", WORK + "doctor.ics").headers["ETag"]
    for each in (tag, f'{tag[:-1]}-public"'):
        assert server("GET", WORK, If=f"</dav/{WORK}doctor.ics> ([{each}])").status == 412
    assert b"Doctor" in public("GET", WORK).body


def test_one_private_instance_keeps_the_series_private() -> None:
    master = ("RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:Run")
    content = event("1", START, *master, "CLASS:PUBLIC")
    assert publishing.public_form(content) == content
    override = event("1", "RECURRENCE-ID:20260106T090000Z", START, "CLASS:PRIVATE")
    part = override[override.index(b"BEGIN:VEVENT") : override.index(b"END:VCALENDAR")]
    assert publishing.public_form(content.replace(b"END:VCALENDAR", part + b"END:VCALENDAR")) is None


def test_what_is_public_is_asked_for_each_time(server: Dialogue, public: Dialogue) -> None:
    """Nobody gets from a cache what is not public any more, or what somebody else may see."""
    for method in ("GET", "HEAD"):
        answer = server(method, WORK)
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Vary"] == "Accept, Authorization"
        assert "Cache-Control" not in public(method, WORK).headers


def test_collections_of_other_kinds_are_listed_for_nobody(server: Dialogue, ann: Dialogue) -> None:
    assert ann("MKCOL", ANN + "plain/").status == 201
    assert ann("PUT", ANN + "plain/a.txt", b"text", content_type="text/plain").status == 201
    acl(ann, "all grant D:read", path=ANN + "plain/")
    for path in (ANN + "plain/", ANN + "plain/a.txt", ANN + "Inbox/"):
        assert server("GET", path).status == 401
    assert server.by("bob")("GET", ANN + "plain/").status == 200


def test_what_is_shared_is_not_public_by_it(server: Dialogue, work: Dialogue, bob: Dialogue) -> None:
    """Neither by what the sharee does, nor because the sharee's home is open."""
    share(work, "bob")
    shared = accept(bob)

    def open_home(txn: Any) -> None:
        home = txn.collections.home(txn.principals.by_uid("user", "bob").id, "calendar-home")
        txn.collections.set_acl(home.id, (Ace("all", frozenset({D("read")})),))

    server.store.write_now(open_home)
    assert server("GET", BOB + "Default/").status == 200
    assert server("GET", shared).status == 401
    assert server("GET", shared + "lunch.ics").status == 401
    assert bob("GET", shared).status == 200


# -- busy time ---------------------------------------------------------------------------------------------------------


def test_only_when_it_is_busy_can_be_public(server: Dialogue, work: Dialogue, bob: Dialogue) -> None:
    now = server.store.read_now(lambda txn: txn.now)
    put(work, "soon", event("soon", f"DTSTART:{now:%Y%m%d}T090000Z", "DURATION:PT1H", "SUMMARY:Secret"))
    publish(work, publishing.FREE_BUSY)
    assert url(work, "publish-url") == URL
    for who in (server, bob):
        answer = who("GET", WORK)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
        assert b"BEGIN:VFREEBUSY" in answer.body
        assert f"FREEBUSY:{now:%Y%m%d}T090000Z/".encode() in answer.body
        assert b"Secret" not in answer.body
        assert who("HEAD", WORK).headers["Content-Length"] == str(len(answer.body))
        assert who("HEAD", WORK).body == b""
        assert answer.headers["Cache-Control"] == "no-store", "what it tells depends on the time"
        assert "ETag" not in answer.headers
        assert who("GET", WORK, if_modified_since="Fri, 01 Jan 2100 00:00:00 GMT").status == 200
        state = row(work)
        assert who("GET", WORK, if_none_match=f'"{state.id}-{state.revision}"').status == 200
    assert server("GET", WORK + "soon.ics").status == 401
    assert bob("GET", WORK + "soon.ics").status == 403
    assert b"Secret" in work("GET", WORK).body
    post(work, WORK, UNPUBLISH)
    assert server("GET", WORK).status == 401
    assert bob("GET", WORK).status == 403, "that one may ask when it is busy is no publishing"


def test_more_can_be_public_after_less_and_the_other_way_round(server: Dialogue, work: Dialogue) -> None:
    for what, body in (
        (publishing.FREE_BUSY, b"BEGIN:VFREEBUSY"),
        (publishing.READ, b"BEGIN:VEVENT"),
        (publishing.FREE_BUSY, b"BEGIN:VFREEBUSY"),
    ):
        publish(work, what)
        assert publishing.published(row(work)) == what
        assert body in server("GET", WORK).body


def test_publishing_leaves_busy_time_to_who_has_logged_in(public: Dialogue, bob: Dialogue) -> None:
    for body in (None, UNPUBLISH):
        if body is not None:
            assert post(public, WORK, body).status == 200
        query = (
            '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
            '<C:time-range start="20260105T000000Z" end="20260112T000000Z"/></C:free-busy-query>'
        )
        answer = bob("REPORT", WORK, query, depth="1")
        assert b"FREEBUSY:20260105T090000Z/" in answer.body
    assert bob.propfind(BOB + "Default/", C("supported-calendar-component-set")).status == 207
