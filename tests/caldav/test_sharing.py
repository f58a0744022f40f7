"""Sharing calendars as Apple's clients do it (caldav-sharing)."""

from collections.abc import Callable

import attrs
import pytest
from dialogue import Answer, Dialogue
from ics import event
from sharers import (
    ANN,
    BOB,
    NAMESPACES,
    WORK,
    accept,
    answer_to,
    decline,
    invitation,
    mail,
    notice,
    notices,
    post,
    property_of,
    provide,
    removal,
    share,
    sync,
    token,
    types,
    unshare,
)

from calserver import calendars
from calserver.calendars import sharing
from calserver.dav import Ace, Acl
from calserver.directory import accounts
from calserver.names import CALSERVER, CS, ICAL, C, D
from calserver.store import Collection, Store, Transaction

CALENDAR = [D("collection"), C("calendar")]
START = "DTSTART:20260105T090000Z"


@pytest.fixture
def cid(server: Dialogue) -> Dialogue:
    server.store.write_now(
        lambda txn: accounts.create(txn, "cid", addresses=("cid@example.com",), provision=provide, name="Cid Moss")
    )
    return server.by("cid")


@pytest.fixture
def work(ann: Dialogue) -> str:
    """A calendar of Ann's."""
    assert ann("MKCALENDAR", WORK).status == 201
    return WORK


@pytest.fixture
def shared(ann: Dialogue, bob: Dialogue, work: str) -> str:
    """The same in the home of Bob, who may write."""
    share(ann, "bob")
    return accept(bob)


def put(who: Dialogue, path: str, **more: str) -> int:
    return who("PUT", path, event(**more), content_type="text/calendar").status


# -- inviting ------------------------------------------------------------------------------------------------------


def test_an_invitation_is_a_notification_of_the_sharee(ann: Dialogue, bob: Dialogue, work: str) -> None:
    """Section 6.17."""
    share(ann, "bob", access="read")
    invite = notice(bob)
    assert invite.get("shared-type") == "calendar"
    assert invite.findtext(D("href")).startswith("urn:uuid:")
    assert invite.find(CS("invite-noresponse")) is not None
    assert [each.tag for each in invite.find(CS("access"))] == [CS("read")]
    assert invite.find(CS("hosturl")).findtext(D("href")) == f"/dav/{WORK}".rstrip("/")
    assert invite.find(CS("organizer")).findtext(D("href")) == "/dav/principals/user/ann/"
    assert invite.find(CS("organizer")).findtext(CS("common-name")) == "ann"
    assert invite.findtext(CS("summary")) == "Ann's work"
    assert [each.get("name") for each in invite.find(C("supported-calendar-component-set"))] == ["VEVENT"]


def test_both_media_types_of_xml_are_taken(ann: Dialogue, bob: Dialogue, work: str) -> None:
    assert post(ann, work, invitation(mail("bob")), "text/xml").status == 200
    assert len(notices(bob)) == 1


@pytest.mark.parametrize("address", ["MAILTO:Bob@Example.com", "/dav/principals/user/bob/", "/dav/principals/user/bob"])
def test_a_sharee_is_named_by_any_address(ann: Dialogue, bob: Dialogue, work: str, address: str) -> None:
    assert post(ann, work, invitation(address)).status == 200
    assert len(notices(bob)) == 1


def test_the_owner_sees_who_was_invited(ann: Dialogue, bob: Dialogue, work: str) -> None:
    """Section 5.2.2."""
    assert property_of(ann, work, CS("invite")) is None
    assert types(ann, work) == CALENDAR
    share(ann, "bob", access="read")
    assert types(ann, work) == [*CALENDAR, CS("shared-owner")]
    (user,) = property_of(ann, work, CS("invite"))
    assert user.tag == CS("user")
    assert user.findtext(D("href")).startswith("urn:uuid:")
    assert user.findtext(CS("common-name")) == "bob"
    assert [each.tag for each in user.find(CS("access"))] == [CS("read")]
    assert user.find(CS("invite-noresponse")) is not None
    assert user.findtext(CS("uid")) == notice(bob).findtext(CS("uid"))


def test_a_listing_of_the_home_tells_which_calendars_are_shared(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    for who, path, wanted in ((ann, WORK, CS("shared-owner")), (bob, shared, CS("shared"))):
        listed = who.propfind(path.rsplit("/", 2)[0] + "/", D("resourcetype"), depth="1")
        found = listed.properties("/dav/" + path)[D("resourcetype")]
        assert [each.tag for each in found] == [*CALENDAR, wanted]


def test_an_address_that_nobody_has_is_told_and_kept_as_invalid(ann: Dialogue, bob: Dialogue, work: str) -> None:
    """Section 6.9; those who are known are invited nevertheless."""
    answer = post(ann, work, invitation(mail("bob"), mail("nobody")))
    assert answer.status == 207
    assert answer.statuses == {mail("bob"): 200, mail("nobody"): 403}
    assert len(notices(bob)) == 1
    states = {each.findtext(D("href")): each[-1].tag for each in property_of(ann, work, CS("invite"))}
    assert states[mail("nobody")] == CS("invite-invalid")
    assert post(ann, work, removal(mail("nobody"))).status == 200
    assert len(property_of(ann, work, CS("invite"))) == 1


def test_the_owner_cannot_be_a_sharee(ann: Dialogue, work: str) -> None:
    assert post(ann, work, invitation(mail("ann"))).statuses == {mail("ann"): 403}
    assert post(ann, work, removal(mail("ann"))).status == 200
    assert types(ann, work) == CALENDAR


def test_who_has_no_calendars_here_cannot_be_a_sharee(ann: Dialogue, bob: Dialogue, work: str) -> None:
    """They may be at another node of a cluster."""
    ann.store.write_now(
        lambda txn: accounts.create(txn, "dan", addresses=("dan@example.com",), provision=accounts.provision_nothing)
    )
    assert post(ann, work, invitation(mail("bob"), mail("dan"))).statuses == {mail("bob"): 200, mail("dan"): 403}
    assert [each.findtext(CS("common-name")) for each in property_of(ann, work, CS("invite"))] == ["bob"]
    assert post(ann, work, removal(mail("dan"))).status == 200


@pytest.mark.parametrize(
    "body",
    [
        f"<CS:share {NAMESPACES}/>",
        f"<CS:share {NAMESPACES}><CS:set><CS:read/></CS:set></CS:share>",
        f"<CS:share {NAMESPACES}><CS:set><D:href>mailto:bob@example.com</D:href></CS:set></CS:share>",
        f"<CS:share {NAMESPACES}><CS:set><D:href>mailto:bob@example.com</D:href><CS:read/><CS:read-write/></CS:set>"
        "</CS:share>",
        invitation(*(f"mailto:{number}@example.com" for number in range(201))),
        invitation(mail("bob"), summary="x" * 1001),
    ],
)
def test_nonsense_is_refused_and_invites_nobody(ann: Dialogue, bob: Dialogue, work: str, body: str) -> None:
    assert post(ann, work, body).status == 400
    assert notices(bob) == []
    assert types(ann, work) == CALENDAR


def test_only_the_owner_shares(ann: Dialogue, bob: Dialogue, cid: Dialogue, root: Dialogue, shared: str) -> None:
    """A sharee does not, wherever it tries."""
    for who, path in ((bob, shared), (bob, WORK), (cid, WORK)):
        answer = post(who, path, invitation(mail("cid")))
        assert (answer.status, answer.error) == (403, D("need-privileges"))
    assert notices(cid) == []
    assert post(root, WORK, invitation(mail("cid"))).status == 200
    assert len(notices(cid)) == 1


def test_a_calendar_that_is_not_there_cannot_be_shared(ann: Dialogue) -> None:
    assert post(ann, ANN + "missing/", invitation(mail("bob"))).status == 404


def test_what_else_is_posted_to_a_calendar_is_a_bulk_request(ann: Dialogue, work: str) -> None:
    assert ann("POST", work, event(), content_type="text/calendar").status == 207
    assert post(ann, work, '<D:propfind xmlns:D="DAV:"/>').status == 400


def test_the_modes_of_sharing_are_told(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    """Section 5.2.3; what is shared with one cannot be shared on."""
    assert CS("can-be-shared") in [each.tag for each in property_of(ann, WORK, CS("allowed-sharing-modes"))]
    assert property_of(ann, ANN + "Inbox/", CS("allowed-sharing-modes")) is None
    assert property_of(bob, shared, CS("allowed-sharing-modes")) is None


def test_the_features_are_announced(ann: Dialogue) -> None:
    features = ann("OPTIONS", ANN).headers["DAV"].split(", ")
    assert {"calendarserver-sharing", "calendarserver-group-sharee", "resource-sharing"} <= set(features)


# -- answering -----------------------------------------------------------------------------------------------------


def test_who_accepts_finds_the_calendar_in_the_own_home(ann: Dialogue, bob: Dialogue, work: str) -> None:
    assert put(ann, work + "lunch.ics", uid="lunch") == 201
    share(ann, "bob")
    shared = accept(bob, summary="From Ann")
    assert shared.startswith(BOB)
    assert types(bob, shared) == [*CALENDAR, CS("shared")]
    assert property_of(bob, shared, D("displayname")).text == "From Ann"
    assert property_of(bob, shared, CS("shared-url")).findtext(D("href")) == "/dav/" + WORK
    assert property_of(bob, shared, D("owner")).findtext(D("href")) == "/dav/principals/user/ann/"
    assert property_of(bob, shared, C("schedule-calendar-transp"))[0].tag == C("transparent")
    assert b"lunch" in bob("GET", shared + "lunch.ics").body
    assert property_of(bob, shared + "lunch.ics", D("owner")).findtext(D("href")) == "/dav/principals/user/ann/"
    privileges = {each[0].tag for each in property_of(bob, shared, D("current-user-privilege-set"))}
    assert {D("read"), D("write"), D("bind"), D("unbind")} <= privileges
    assert not {D("all"), D("write-acl"), D("share"), D("read-acl")} & privileges


def test_the_sharer_is_told_and_sees_it(ann: Dialogue, bob: Dialogue, work: str) -> None:
    """Section 6.23."""
    share(ann, "bob")
    uid = notice(bob).findtext(CS("uid"))
    accept(bob)
    reply = notice(ann, "invite-reply")
    assert reply.findtext(D("href")) == "mailto:who@example.com"
    assert reply.find(CS("invite-accepted")) is not None
    assert reply.find(CS("hosturl")).findtext(D("href")) == f"/dav/{WORK}".rstrip("/")
    assert reply.findtext(CS("in-reply-to")) == uid
    assert reply.findtext(CS("summary")) == "From Ann"
    assert reply.findtext(CS("common-name")) == "bob"
    (user,) = property_of(ann, work, CS("invite"))
    assert user.find(CS("invite-accepted")) is not None


def test_a_sharee_sees_the_sharer_and_itself_and_no_other_sharee(
    ann: Dialogue, bob: Dialogue, cid: Dialogue, shared: str
) -> None:
    share(ann, "cid")
    organizer, user = property_of(bob, shared, CS("invite"))
    assert (organizer.tag, organizer.findtext(CS("common-name"))) == (CS("organizer"), "ann")
    assert (user.findtext(CS("common-name")), user.find(CS("invite-accepted")) is not None) == ("bob", True)


def test_without_a_name_of_its_own_it_is_called_as_the_sharer_calls_it(ann: Dialogue, bob: Dialogue, work: str) -> None:
    share(ann, "bob")
    assert property_of(bob, accept(bob, summary=""), D("displayname")).text == "Ann's work"


def test_accepting_again_is_the_same(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    assert accept(bob, summary="Other") == shared
    assert property_of(bob, shared, D("displayname")).text == "From Ann"


def test_who_declines_has_nothing_and_may_change_their_mind(ann: Dialogue, bob: Dialogue, work: str) -> None:
    share(ann, "bob")
    before = len(bob.propfind(BOB, D("resourcetype"), depth="1").hrefs)
    decline(bob)
    assert len(bob.propfind(BOB, D("resourcetype"), depth="1").hrefs) == before
    assert property_of(ann, work, CS("invite"))[0].find(CS("invite-declined")) is not None
    assert notice(ann, "invite-reply").find(CS("invite-declined")) is not None
    shared = accept(bob)
    assert property_of(ann, work, CS("invite"))[0].find(CS("invite-accepted")) is not None
    decline(bob)
    assert bob("GET", shared).status == 404
    assert len(notices(ann)) == 1, "what is told about an invitation takes the place of what was told before"


def test_only_who_was_invited_answers(ann: Dialogue, bob: Dialogue, cid: Dialogue, work: str) -> None:
    share(ann, "bob")
    body = answer_to(notice(bob))
    answer = post(cid, "calendars/user/cid/", body)
    assert (answer.status, answer.error) == (403, CS("invalid-share"))
    assert post(cid, BOB, body).status == 403
    assert post(bob, BOB, body.replace("in-reply-to>", "in-reply-to>x", 1)).error == CS("invalid-share")
    assert post(bob, BOB, body.replace("<CS:invite-accepted/>", "")).status == 400
    assert property_of(ann, work, CS("invite"))[0].find(CS("invite-noresponse")) is not None


def test_who_leaves_declines_and_the_sharer_keeps_everything(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    """Section 5.4.2."""
    assert put(bob, shared + "lunch.ics") == 201
    assert bob("DELETE", shared).status == 204
    assert bob.propfind(shared, D("resourcetype")).status == 404
    assert ann("GET", WORK + "lunch.ics").status == 200
    assert property_of(ann, WORK, CS("invite"))[0].find(CS("invite-declined")) is not None
    assert notice(ann, "invite-reply").find(CS("invite-declined")) is not None


def test_a_declined_calendar_cannot_be_made_by_hand(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    assert bob("DELETE", shared).status == 204
    assert bob("MKCALENDAR", shared).status == 403
    share(ann, "bob")
    assert accept(bob) == shared


def test_a_name_that_is_taken_does_not_keep_anybody_from_accepting(ann: Dialogue, bob: Dialogue, work: str) -> None:
    share(ann, "bob")
    uid = notice(bob).findtext(CS("uid"))
    assert bob("PUT", BOB + uid, "file", content_type="text/plain").status == 201
    shared = accept(bob)
    assert uid not in shared
    assert types(bob, shared)[-1] == CS("shared")


# -- changing and ending -------------------------------------------------------------------------------------------


def test_a_sharee_that_may_only_read_changes_nothing(ann: Dialogue, bob: Dialogue, work: str) -> None:
    assert put(ann, work + "lunch.ics") == 201
    share(ann, "bob", access="read")
    shared = accept(bob)
    privileges = {each[0].tag for each in property_of(bob, shared, D("current-user-privilege-set"))}
    assert D("read") in privileges
    assert not {D("write"), D("write-content"), D("bind"), D("unbind"), D("all")} & privileges
    patch = patched("<CS:x>1</CS:x>")
    for answer in (
        bob("PUT", shared + "lunch.ics", event("1", START, "LOCATION:Elsewhere"), content_type="text/calendar"),
        bob("PUT", shared + "new.ics", event(uid="new"), content_type="text/calendar"),
        bob("DELETE", shared + "lunch.ics"),
        bob("PROPPATCH", shared + "lunch.ics", patch),
        bob("MOVE", shared + "lunch.ics", destination=bob.destination(BOB + "Default/lunch.ics")),
        bob(
            "LOCK",
            shared + "lunch.ics",
            f"<D:lockinfo {NAMESPACES}><D:lockscope><D:exclusive/></D:lockscope>"
            "<D:locktype><D:write/></D:locktype></D:lockinfo>",
        ),
    ):
        assert (answer.status, answer.error) == (403, D("need-privileges"))
    assert bob("GET", shared + "lunch.ics").body == event()


def test_the_access_of_a_sharee_changes_at_once(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    assert put(bob, shared + "a.ics", uid="a") == 201
    share(ann, "bob", access="read")
    assert put(bob, shared + "b.ics", uid="b") == 403
    invite = notice(bob)
    assert invite.find(CS("invite-accepted")) is not None
    assert [each.tag for each in invite.find(CS("access"))] == [CS("read")]
    share(ann, "bob")
    assert put(bob, shared + "b.ics", uid="b") == 201


def test_who_is_not_invited_any_more_loses_the_calendar_and_hears_of_it(
    ann: Dialogue, bob: Dialogue, shared: str
) -> None:
    before = token(sync(bob, BOB))
    unshare(ann, "bob")
    assert bob.propfind(shared, D("resourcetype")).status == 404
    invite = notice(bob)
    assert invite.find(CS("invite-deleted")) is not None
    assert invite.findtext(CS("summary")) == "From Ann"
    assert types(ann, WORK) == CALENDAR
    told = sync(bob, BOB, before)
    assert told.statuses == {"/dav/" + shared: 404}
    assert post(bob, BOB, answer_to(invite)).error == CS("invalid-share")


def test_an_invitation_that_was_declined_is_taken_back_in_silence(ann: Dialogue, bob: Dialogue, work: str) -> None:
    share(ann, "bob")
    decline(bob)
    unshare(ann, "bob")
    assert notices(bob) == []


@pytest.mark.parametrize(
    "end",
    [
        lambda ann: ann("DELETE", WORK),
        lambda ann: ann("MOVE", WORK, destination=ann.destination("calendars/user/root/Work/")),
    ],
)
def test_sharing_ends_with_the_calendar(
    ann: Dialogue, bob: Dialogue, root: Dialogue, shared: str, end: Callable[[Dialogue], object]
) -> None:
    """Also when it becomes somebody else's."""
    end(root)
    assert bob.propfind(shared, D("resourcetype")).status == 404
    assert notice(bob).find(CS("invite-deleted")) is not None


def test_sharing_ends_with_a_folder_that_the_calendar_is_in(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    assert ann("MKCOL", ANN + "folder/").status == 201
    assert ann("MOVE", WORK, destination=ann.destination(ANN + "folder/Work/")).status == 201
    assert property_of(bob, shared, CS("shared-url")).findtext(D("href")) == f"/dav/{ANN}folder/Work/"
    assert ann("DELETE", ANN + "folder/").status == 204
    assert bob.propfind(shared, D("resourcetype")).status == 404
    assert notice(bob).find(CS("invite-deleted")) is not None


def test_sharing_ends_with_the_sharer(ann: Dialogue, bob: Dialogue, shared: str, store: Store) -> None:
    def remove(txn: Transaction) -> None:
        accounts.remove(txn, accounts.named(txn, "ann"))

    before = token(sync(bob, BOB))
    store.write_now(remove)
    assert sync(bob, BOB, before).statuses == {"/dav/" + shared: 404}


# -- groups --------------------------------------------------------------------------------------------------------


@pytest.fixture
def team(server: Dialogue, cid: Dialogue) -> Callable[..., None]:
    """Sets the members of a group within another one, as an administrator does."""

    def make(txn: Transaction) -> None:
        for uid in ("team", "all"):
            accounts.create(txn, uid, kind="group", addresses=(f"{uid}@example.com",), provision=provide)
        inner, outer = accounts.named(txn, "team", ("group",)), accounts.named(txn, "all", ("group",))
        txn.principals.set_members(outer.id, [inner.id])

    server.store.write_now(make)

    def members(*uids: str) -> None:
        def change(txn: Transaction) -> None:
            group = accounts.named(txn, "team", ("group",))
            affected = sharing.through(txn, [group.id])
            txn.principals.set_members(group.id, [accounts.named(txn, uid).id for uid in uids])
            sharing.regroup(txn, affected)

        server.store.write_now(change)

    return members


def test_a_group_is_a_sharee_with_all_its_members(
    ann: Dialogue, bob: Dialogue, cid: Dialogue, work: str, team: Callable[..., None]
) -> None:
    """Those of groups within the group too; the owner is none of them."""
    team("ann", "bob", "cid")
    share(ann, "all", access="read")
    assert notices(ann) == []
    for who in (bob, cid):
        assert notice(who).find(CS("invite-noresponse")) is not None
        shared = accept(who)
        assert property_of(who, shared, D("displayname")).text == "From Ann"
    users = {each.findtext(CS("common-name")): each[-1].tag for each in property_of(ann, work, CS("invite"))}
    assert users == {each: CS("invite-accepted") for each in ("all", "bob", "Cid Moss")}
    unshare(ann, "all")
    assert types(ann, work) == CALENDAR
    for who in (bob, cid):
        assert notice(who).find(CS("invite-deleted")) is not None


def test_of_a_group_those_with_calendars_here_are_sharees(
    ann: Dialogue, bob: Dialogue, work: str, team: Callable[..., None]
) -> None:
    ann.store.write_now(lambda txn: accounts.create(txn, "dan", provision=accounts.provision_nothing))
    team("bob", "dan")
    share(ann, "all")
    assert {each.findtext(CS("common-name")) for each in property_of(ann, work, CS("invite"))} == {"all", "bob"}
    assert len(notices(bob)) == 1

    def come(txn: Transaction) -> None:
        newcomer = accounts.named(txn, "dan")
        provide(txn, newcomer)
        sharing.welcome(txn, [newcomer.id])

    ann.store.write_now(come)
    assert len(notices(ann.by("dan"))) == 1
    assert len(notices(bob)) == 1


def test_members_come_and_go(ann: Dialogue, bob: Dialogue, cid: Dialogue, work: str, team: Callable[..., None]) -> None:
    share(ann, "all")
    assert notices(bob) == []
    team("bob")
    shared = accept(bob)
    team("cid")
    assert bob.propfind(shared, D("resourcetype")).status == 404
    assert notice(bob).find(CS("invite-deleted")) is not None
    assert notice(cid).find(CS("invite-noresponse")) is not None


def test_the_access_of_a_group_changes_that_of_its_members(
    ann: Dialogue, bob: Dialogue, work: str, team: Callable[..., None]
) -> None:
    team("bob")
    share(ann, "team")
    shared = accept(bob)
    assert put(bob, shared + "a.ics", uid="a") == 201
    share(ann, "team", access="read")
    assert put(bob, shared + "b.ics", uid="b") == 403
    share(ann, "all")
    assert put(bob, shared + "b.ics", uid="b") == 201, "the highest of what groups give"


def test_what_a_member_is_given_in_person_counts(
    ann: Dialogue, bob: Dialogue, work: str, team: Callable[..., None]
) -> None:
    team("bob")
    share(ann, "team", access="read")
    shared = accept(bob)
    share(ann, "bob")
    assert put(bob, shared + "a.ics", uid="a") == 201
    unshare(ann, "bob")
    assert put(bob, shared + "b.ics", uid="b") == 403, "what the group gives is left"
    share(ann, "bob")
    unshare(ann, "team")
    assert put(bob, shared + "b.ics", uid="b") == 201


# -- properties ----------------------------------------------------------------------------------------------------


def patched(properties: str) -> str:
    return (
        f'<D:propertyupdate {NAMESPACES} xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/">'
        f"<D:set><D:prop>{properties}</D:prop></D:set></D:propertyupdate>"
    )


@pytest.mark.parametrize("access", ["read", "read-write"])
def test_how_a_calendar_looks_is_up_to_each_who_shares_it(ann: Dialogue, bob: Dialogue, work: str, access: str) -> None:
    """Section 5.5.3: also of one who may only read."""
    share(ann, "bob", access=access)
    shared = accept(bob)
    names = (D("displayname"), ICAL("calendar-color"), ICAL("calendar-order"), C("calendar-description"))
    for who, path, value in ((ann, work, "1"), (bob, shared, "2")):
        prefixed = ("D:displayname", "I:calendar-color", "I:calendar-order", "C:calendar-description")
        body = patched("".join(f"<{name}>{value}</{name}>" for name in prefixed))
        assert b"200 OK" in who("PROPPATCH", path, body).body
    for who, path, value in ((ann, work, "1"), (bob, shared, "2")):
        found = who.propfind(path, *names).properties("/dav/" + path)
        assert {each.text for each in found.values()} == {value}
        assert len(found) == 4


def test_a_color_is_not_inherited_but_a_description_is(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    body = patched("<I:calendar-color>#00FF00FF</I:calendar-color><C:calendar-description>All</C:calendar-description>")
    assert ann("PROPPATCH", WORK, body).status == 207
    assert property_of(bob, shared, ICAL("calendar-color")) is None
    assert property_of(bob, shared, C("calendar-description")).text == "All"


def test_the_default_calendar_cannot_be_a_shared_one(bob: Dialogue, shared: str) -> None:
    body = patched(f"<C:schedule-default-calendar-URL><D:href>/dav/{shared}</D:href></C:schedule-default-calendar-URL>")
    answer = bob("PROPPATCH", BOB + "Inbox/", body)
    assert answer.xml.find(f".//{C('valid-schedule-default-calendar-URL')}") is not None


def test_each_has_alarms_zones_and_transparency_of_its_own(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    opaque = patched("<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp>")
    assert bob("PROPPATCH", shared, opaque).status == 207
    assert property_of(bob, shared, C("schedule-calendar-transp"))[0].tag == C("opaque")
    zone = patched("<C:calendar-timezone-id>Europe/Vienna</C:calendar-timezone-id>")
    assert bob("PROPPATCH", shared, zone).status == 207
    assert property_of(ann, WORK, C("calendar-timezone-id")) is None
    alarm = "BEGIN:VALARM&#13;\nACTION:NONE&#13;\nEND:VALARM"
    assert bob("PROPPATCH", shared, patched(f"<C:default-alarm-vevent-date>{alarm}</C:default-alarm-vevent-date>"))
    assert property_of(ann, WORK, C("default-alarm-vevent-date")) is None


# -- synchronization -----------------------------------------------------------------------------------------------


def test_what_either_changes_is_told_to_both_by_tokens_of_home_and_calendar(
    ann: Dialogue, bob: Dialogue, shared: str
) -> None:
    """RFC 6578: at every level."""
    sides = ((ann, ANN, WORK), (bob, BOB, shared))
    tokens = {
        (who.actor.uid, path, level): token(sync(who, path, level=level))
        for who, home, calendar in sides
        for path, level in ((home, "1"), (home, "infinite"), (calendar, "1"))
    }

    def told() -> dict[tuple[str, str, str], set[str]]:
        """The changes since the last time by who asks, where and how; what is gone with its status."""
        found = {}
        for who, home, calendar in sides:
            for path, level in ((home, "1"), (home, "infinite"), (calendar, "1")):
                key = who.actor.uid, path, level
                answer = sync(who, path, tokens[key], level)
                tokens[key] = token(answer)
                lines = (f"{each} {answer.statuses.get(each, '')}".strip() for each in answer.hrefs)
                found[key] = {each.replace("/dav/" + calendar, "*/") for each in lines}
        return found

    for who, path, status in ((bob, shared, 201), (ann, WORK, 204)):
        answer = who(
            "PUT", path + "lunch.ics", event("1", START, f"LOCATION:{who.actor.uid}"), content_type="text/calendar"
        )
        assert answer.status == status
        changes = told()
        for other, home, calendar in sides:
            uid = other.actor.uid
            assert changes[uid, home, "1"] == {"*/"}
            assert changes[uid, home, "infinite"] == {"*/", "*/lunch.ics"}
            assert changes[uid, calendar, "1"] == {"*/lunch.ics"}
    assert bob("DELETE", shared + "lunch.ics").status == 204
    changes = told()
    for other, home, calendar in sides:
        assert changes[other.actor.uid, home, "infinite"] == {"*/", "*/lunch.ics 404"}
        assert changes[other.actor.uid, calendar, "1"] == {"*/lunch.ics 404"}
    assert set().union(*told().values()) == set()


def test_a_token_from_before_a_calendar_was_shared_does_not_reach_into_it(
    ann: Dialogue, bob: Dialogue, work: str
) -> None:
    """Its changes were numbered elsewhere; so the client begins anew (RFC 6578 section 3.2)."""
    assert put(ann, work + "lunch.ics") == 201
    shallow, deep = token(sync(bob, BOB)), token(sync(bob, BOB, level="infinite"))
    share(ann, "bob")
    shared = accept(bob)
    assert "/dav/" + shared in sync(bob, BOB, shallow).hrefs
    assert sync(bob, BOB, deep, "infinite").error == D("valid-sync-token")
    assert f"/dav/{shared}lunch.ics" in sync(bob, BOB, level="infinite").hrefs


# -- notifications -------------------------------------------------------------------------------------------------


def test_notifications_are_a_collection_that_their_owner_alone_reads_and_clears(
    ann: Dialogue, bob: Dialogue, work: str
) -> None:
    """Section 4."""
    place = BOB + "Notifications/"
    url = property_of(bob, "principals/user/bob/", CS("notification-URL")).findtext(D("href"))
    assert url == "/dav/" + place
    assert CS("notification") in types(bob, place)
    before = token(sync(bob, place))
    share(ann, "bob")
    told = sync(bob, place, before)
    (href,) = told.hrefs
    name = href.removeprefix("/dav/")
    assert property_of(bob, name, CS("notificationtype"))[0].tag == CS("invite-notification")
    assert property_of(bob, name, CS("notificationtype"))[0].get("shared-type") == "calendar"
    assert property_of(bob, name, D("getcontenttype")).text.startswith("application/xml")
    assert bob("GET", name).headers["Content-Type"].startswith("application/xml")
    assert ann("GET", name).status == 403
    assert bob("PUT", name, "<x/>", content_type="application/xml").status == 403
    assert bob("PUT", place + "new.xml", "<x/>", content_type="application/xml").status in (403, 405)
    assert bob("DELETE", name).status == 204
    assert sync(bob, place, token(told)).statuses == {href: 404}


def test_without_a_place_for_notifications_invitations_still_work(
    ann: Dialogue, bob: Dialogue, work: str, store: Store
) -> None:
    """A switch of the configuration leaves it out."""

    def remove(txn: Transaction) -> None:
        bob_id = accounts.named(txn, "bob").id
        home = txn.collections.home(bob_id, calendars.CALENDAR_HOME)
        assert home is not None
        place = txn.collections.child(home.id, calendars.NOTIFICATIONS)
        assert place is not None
        txn.collections.remove(place.id)

    store.write_now(remove)
    share(ann, "bob")
    uid = property_of(ann, work, CS("invite"))[0].findtext(CS("uid"))
    body = (
        f"<CS:invite-reply {NAMESPACES}><CS:invite-accepted/><CS:in-reply-to>{uid}</CS:in-reply-to></CS:invite-reply>"
    )
    assert post(bob, BOB, body).status == 200


# -- members -------------------------------------------------------------------------------------------------------


def test_sharees_see_a_uid_conflict_but_not_where_it_is(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    """RFC 6638 section 3.2.4.1: the other calendar is not theirs to know."""
    assert put(ann, ANN + "Default/secret-name.ics", uid="lunch") == 201
    answer = bob("PUT", shared + "mine.ics", event(uid="lunch"), content_type="text/calendar")
    assert (answer.status, answer.error) == (403, C("unique-scheduling-object-resource"))
    assert b"secret-name" not in answer.body
    assert b"Default" not in answer.body
    assert put(bob, shared + "a.ics", uid="a") == 201
    answer = bob("PUT", shared + "b.ics", event(uid="a"), content_type="text/calendar")
    assert answer.error == C("no-uid-conflict")
    assert f"{shared}a.ics".encode() in answer.body


def test_a_sharee_may_have_the_same_uid_in_the_own_calendar(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    """Who is an attendee has the event twice (caldav-sharing section 5.5.5)."""
    assert put(ann, WORK + "lunch.ics", uid="lunch") == 201
    assert put(bob, BOB + "Default/lunch.ics", uid="lunch") == 201


def test_only_the_sharer_is_the_organizer(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    """Section 5.5.5."""

    def invites(organizer: str, uid: str, *lines: str) -> bytes:
        return event(uid, "DTSTART:20990105T090000Z", f"ORGANIZER:{organizer}", f"ATTENDEE:{mail('root')}", *lines)

    answer = bob("PUT", shared + "a.ics", invites(mail("bob"), "a"), content_type="text/calendar")
    assert (answer.status, answer.error) == (403, f"{{{CALSERVER}}}organizer-is-sharer")
    answer = bob("PUT", shared + "a.ics", invites(mail("ann"), "a"), content_type="text/calendar")
    assert (answer.status, answer.error) == (403, D("need-privileges"))
    assert b"/dav/calendars/user/ann/Outbox/" in answer.body
    assert ann("PUT", WORK + "a.ics", invites(mail("ann"), "a"), content_type="text/calendar").status == 201
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT10M", "END:VALARM")
    answer = bob("PUT", shared + "a.ics", invites(mail("ann"), "a", *alarm), content_type="text/calendar")
    assert answer.status == 204
    changed = invites(mail("ann"), "a", "LOCATION:Elsewhere")
    assert bob("PUT", shared + "a.ics", changed, content_type="text/calendar").status == 403


def test_what_is_in_a_shared_calendar_stays_there_but_may_be_renamed_and_copied(
    ann: Dialogue, bob: Dialogue, shared: str
) -> None:
    assert put(ann, WORK + "lunch.ics", uid="lunch") == 201
    assert bob("MOVE", shared + "lunch.ics", destination=bob.destination(BOB + "Default/x.ics")).status == 403
    assert bob("MOVE", shared + "lunch.ics", destination=bob.destination(shared + "dinner.ics")).status == 201
    assert ann("GET", WORK + "dinner.ics").status == 200
    assert bob("COPY", shared + "dinner.ics", destination=bob.destination(BOB + "Default/x.ics")).status == 201
    assert b"lunch" in bob("GET", BOB + "Default/x.ics").body


@pytest.mark.parametrize(("method", "left"), [("COPY", 200), ("MOVE", 404)])
def test_what_a_sharee_puts_in_is_the_sharers(
    ann: Dialogue, bob: Dialogue, shared: str, method: str, left: int
) -> None:
    assert put(bob, BOB + "Default/lunch.ics", uid="lunch") == 201
    answer = bob(method, BOB + "Default/lunch.ics", destination=bob.destination(shared + "lunch.ics"))
    assert answer.status == 201
    assert b"lunch" in ann("GET", WORK + "lunch.ics").body
    assert bob("GET", BOB + "Default/lunch.ics").status == left


def test_a_shared_calendar_is_renamed_in_its_home_and_nowhere_else(
    ann: Dialogue, bob: Dialogue, root: Dialogue, shared: str
) -> None:
    assert ann("PUT", WORK + "lunch.ics", event(), content_type="text/calendar").status == 201
    assert bob("MKCOL", BOB + "folder/").status == 201
    for target in (BOB + "folder/x/", ANN + "x/"):
        assert root("MOVE", shared, destination=root.destination(target)).status == 403
    assert bob("MOVE", shared, destination=bob.destination(BOB + "Boss/")).status == 201
    assert bob("GET", BOB + "Boss/lunch.ics").status == 200
    assert property_of(bob, BOB + "Boss/", CS("shared-url")).findtext(D("href")) == "/dav/" + WORK


def test_a_report_of_all_levels_does_not_pass_over_what_is_in_a_shared_calendar_that_is_renamed(
    ann: Dialogue, bob: Dialogue, shared: str
) -> None:
    """Its members keep their numbers, so they are told to who begins anew (RFC 6578 section 3.8)."""
    assert ann("PUT", WORK + "lunch.ics", event(), content_type="text/calendar").status == 201

    def report(token: str) -> Answer:
        body = f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>infinite</sync-level>'
        return bob("REPORT", BOB, f"{body}<prop><getetag/></prop></sync-collection>")

    token = report("").xml.findtext(D("sync-token"), "")
    assert bob("MOVE", shared, destination=bob.destination(BOB + "Boss/")).status == 201
    assert report(token).status == 403
    assert b"Boss/lunch.ics" in report("").body


def test_a_copy_of_a_shared_calendar_is_a_calendar(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    assert ann("PUT", WORK + "lunch.ics", event(), content_type="text/calendar").status == 201
    assert bob("COPY", shared, destination=bob.destination(BOB + "copy/")).status == 201
    assert types(bob, BOB + "copy/") == CALENDAR
    assert bob("DELETE", BOB + "copy/lunch.ics").status == 204
    assert ann("GET", WORK + "lunch.ics").status == 200


@pytest.mark.parametrize("path", [WORK, "calendars/user/ann/Plain/"])
def test_a_calendar_that_takes_the_place_of_itself_is_shared_no_more(
    server: Dialogue, ann: Dialogue, bob: Dialogue, shared: str, path: str
) -> None:
    """A delegate moves it to where it was shared; so it may be inside of what is moved."""
    if path != WORK:
        assert ann("MKCOL", path).status == 201
        assert ann("MOVE", WORK, destination=ann.destination(path + "Inner/")).status == 201

    def let_bob_act(txn: Transaction) -> None:
        txn.principals.set_delegates(accounts.named(txn, "ann").id, "write", [accounts.named(txn, "bob").id])

    server.store.write_now(let_bob_act)
    bob = server.by("bob")
    moved = bob("MOVE", path, destination=bob.destination(shared))
    assert moved.status == 204, moved.body
    assert types(bob, shared) == (CALENDAR if path == WORK else [D("collection")])
    assert ann("GET", path).status == 404


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("back", [False, True])
def test_an_event_does_not_take_the_place_of_itself(
    ann: Dialogue, root: Dialogue, shared: str, method: str, back: bool
) -> None:
    """RFC 4918 section 9.8.5: also where it has two paths, since it is shared."""
    assert ann("PUT", WORK + "lunch.ics", event(), content_type="text/calendar").status == 201
    source, target = (shared, WORK) if back else (WORK, shared)
    assert root(method, source + "lunch.ics", destination=root.destination(target + "lunch.ics")).status == 403
    assert b"vevent 1" in ann("GET", WORK + "lunch.ics").body


@pytest.mark.parametrize("source", ["", "lunch.ics"])
@pytest.mark.parametrize("target", [WORK, "calendars/user/ann/Plain/"])
def test_what_is_shared_does_not_take_the_place_of_what_it_is_shared_from(
    ann: Dialogue, root: Dialogue, shared: str, source: str, target: str
) -> None:
    """Nor of what that is in."""
    assert ann("PUT", WORK + "lunch.ics", event(), content_type="text/calendar").status == 201
    path = WORK
    if target != WORK:
        path = target + "Inner/"
        assert ann("MKCOL", target).status == 201
        assert ann("MOVE", WORK, destination=ann.destination(path)).status == 201
    assert root("COPY", shared + source, destination=root.destination(target)).status == 403
    assert ann("GET", path + "lunch.ics").status == 200


def test_a_copy_over_an_event_does_not_replace_its_list(
    server: Dialogue, ann: Dialogue, bob: Dialogue, shared: str
) -> None:
    """Who may write need not be one who may say who reads."""
    assert ann("PUT", WORK + "lunch.ics", event(), content_type="text/calendar").status == 201
    assert put(bob, BOB + "Default/other.ics", uid="other") == 201

    def keep_it_secret(txn: Transaction) -> None:
        row = txn.objects.get(calendar_of(txn).id, "lunch.ics")
        assert row is not None
        txn.objects.set_acl(row.id, (Ace("unauthenticated", frozenset({D("read")}), deny=True),))

    def list_of(txn: Transaction) -> Acl | None:
        row = txn.objects.get(calendar_of(txn).id, "lunch.ics")
        assert row is not None
        return row.acl

    def calendar_of(txn: Transaction) -> Collection:
        return txn.collections.locate("user", "ann", calendars.CALENDAR_HOME, ("Work",))[-1]

    server.store.write_now(keep_it_secret)
    before = server.store.read_now(list_of)
    assert before
    answer = bob("COPY", BOB + "Default/other.ics", destination=bob.destination(shared + "lunch.ics"))
    assert answer.status == 204
    assert b"other" in ann("GET", WORK + "lunch.ics").body
    assert server.store.read_now(list_of) == before


def test_a_shared_calendar_takes_no_collections(bob: Dialogue, shared: str) -> None:
    assert bob("MKCALENDAR", shared + "inner/").status == 403
    assert bob("MOVE", BOB + "Tasks/", destination=bob.destination(shared + "Tasks/")).status == 403


def test_many_members_are_changed_in_one_request(ann: Dialogue, bob: Dialogue, shared: str) -> None:
    """calendarserver-bulk-change, on a shared calendar."""
    answer = bob("POST", shared, event(uid="a"), content_type="text/calendar")
    assert answer.status == 207
    (href,) = answer.hrefs
    assert href.startswith("/dav/" + shared)
    assert ann("GET", WORK + href.rsplit("/", 1)[1]).status == 200


def test_what_is_in_a_shared_calendar_counts_for_the_sharer(
    ann: Dialogue, bob: Dialogue, shared: str, server: Dialogue
) -> None:
    """RFC 4331."""
    before = property_of(bob, BOB, D("quota-used-bytes")).text
    assert put(bob, shared + "lunch.ics", uid="lunch") == 201
    assert property_of(bob, BOB, D("quota-used-bytes")).text == before
    assert int(property_of(ann, ANN, D("quota-used-bytes")).text) > 0
    used = int(property_of(ann, ANN, D("quota-used-bytes")).text)
    full = attrs.evolve(bob, settings=attrs.evolve(bob.settings, quota_bytes=used + 10))
    answer = full("PUT", shared + "more.ics", event(uid="more"), content_type="text/calendar")
    assert (answer.status, answer.error) == (507, D("quota-not-exceeded"))
