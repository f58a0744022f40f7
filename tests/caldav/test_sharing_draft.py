"""Sharing in the words of draft-pot-webdav-resource-sharing: what is not the same as with Apple's clients."""

import pytest
from dialogue import Answer, Dialogue
from sharers import ANN, BOB, WORK, accept, mail, notice, post, property_of, share

from calserver.caldav.sharing import DAVSHARING
from calserver.names import D

NOTICES = BOB + "Notifications/"


def sharee(address: str, access: str = "read-write", comment: str = "Ann's work") -> str:
    return (
        '<D:share-resource xmlns:D="DAV:"><D:sharee>'
        f"<D:href>{address}</D:href><D:prop><D:displayname>Bob</D:displayname></D:prop><D:comment>{comment}</D:comment>"
        f"<D:share-access><D:{access}/></D:share-access></D:sharee></D:share-resource>"
    )


def reply(answer: str = "accepted", more: str = "") -> str:
    return f'<D:invite-reply xmlns:D="DAV:"><D:invite-{answer}/>{more}</D:invite-reply>'


@pytest.fixture
def work(ann: Dialogue) -> str:
    assert ann("MKCALENDAR", WORK).status == 201
    return WORK


def invited(bob: Dialogue) -> str:
    """The path of Bob's one notification."""
    (href,) = [each for each in bob.propfind(NOTICES, D("getetag"), depth="1").hrefs if not each.endswith("/")]
    return href.removeprefix("/dav/")


def read(bob: Dialogue) -> Answer:
    return bob("GET", invited(bob), accept="application/davnotification+xml")


def test_an_invitation_is_a_notification_in_the_same_words(ann: Dialogue, bob: Dialogue, work: str) -> None:
    answer = post(ann, work, sharee(mail("bob"), "read"), DAVSHARING)
    assert (answer.status, answer.body) == (200, b"")
    found = read(bob)
    assert found.headers["Content-Type"] == "application/davnotification+xml"
    assert found.headers["Vary"] == "Accept"
    invite = found.xml.find(D("share-invite-notification"))
    assert invite.find(D("principal")).findtext(D("href")) == "/dav/principals/user/ann/"
    assert invite.find(D("invite-noresponse")) is not None
    assert invite.find(D("share-access"))[0].tag == D("read")
    assert invite.find(D("sharer-resource-uri")).findtext(D("href")) == "/dav/" + work
    assert invite.findtext(D("comment")) == "Ann's work"
    assert property_of(bob, invited(bob), D("notificationtype"))[0].tag == D("share-invite-notification")
    assert notice(bob).find(D("href")) is not None, "other clients read it in their words"


def test_what_is_told_is_as_long_as_it_says(ann: Dialogue, bob: Dialogue, work: str) -> None:
    share(ann, "bob")
    for media_type in ("application/davnotification+xml", "*/*"):
        answer = bob("HEAD", invited(bob), accept=media_type)
        assert int(answer.headers["Content-Length"]) == len(bob("GET", invited(bob), accept=media_type).body)


def test_the_answer_is_posted_to_the_notification(ann: Dialogue, bob: Dialogue, work: str) -> None:
    post(ann, work, sharee(mail("bob")), DAVSHARING)
    more = f"<D:create-in><D:href>/dav/{BOB}</D:href></D:create-in><D:slug>boss</D:slug><D:comment>Boss</D:comment>"
    answer = post(bob, invited(bob), reply(more=more), DAVSHARING)
    assert (answer.status, answer.headers["Location"]) == (201, f"/dav/{BOB}boss/")
    assert property_of(bob, BOB + "boss/", D("displayname")).text == "Boss"
    assert property_of(bob, BOB + "boss/", D("share-access"))[0].tag == D("read-write")
    (name,) = [each for each in ann.propfind(ANN + "Notifications/", D("getetag"), depth="1").hrefs if ".xml" in each]
    told = ann("GET", name.removeprefix("/dav/"), accept="application/davnotification+xml").xml
    one = told.find(D("share-reply-notification")).find(D("sharee"))
    assert one.find(D("invite-accepted")) is not None
    assert one.findtext(D("href")).startswith("urn:uuid:")


def test_a_no_is_an_answer_too(ann: Dialogue, bob: Dialogue, work: str) -> None:
    post(ann, work, sharee(mail("bob")), DAVSHARING)
    assert post(bob, invited(bob), reply("declined"), DAVSHARING).status == 204
    (one,) = property_of(ann, work, D("invite"))
    assert one.find(D("invite-declined")) is not None


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (reply(more="<D:create-in><D:href>/dav/calendars/user/ann/</D:href></D:create-in>"), DAVSHARING, 403),
        (reply(more="<D:slug>a/b</D:slug>"), DAVSHARING, 400),
        (reply(more=f"<D:slug>{'x' * 201}</D:slug>"), DAVSHARING, 400),
        ('<D:invite-reply xmlns:D="DAV:"/>', DAVSHARING, 400),
        (reply(), "application/xml", 415),
        ("", DAVSHARING, 400),
    ],
)
def test_an_answer_that_cannot_be_carried_out_changes_nothing(
    ann: Dialogue, bob: Dialogue, work: str, body: str, content_type: str, status: int
) -> None:
    share(ann, "bob")
    assert post(bob, invited(bob), body, content_type).status == status
    assert property_of(ann, work, D("invite"))[0].find(D("invite-noresponse")) is not None


def test_the_access_tells_what_one_has_to_do_with_it(ann: Dialogue, bob: Dialogue, work: str) -> None:
    assert property_of(ann, work, D("share-access"))[0].tag == D("not-shared")
    share(ann, "bob", access="read")
    shared = accept(bob)
    assert property_of(ann, work, D("share-access"))[0].tag == D("shared-owner")
    assert property_of(bob, shared, D("share-access"))[0].tag == D("read")
    uris = {property_of(who, path, D("share-resource-uri"))[0].text for who, path in ((ann, work), (bob, shared))}
    assert len(uris) == 1
    assert property_of(bob, shared, D("sharer-resource-uri"))[0].text == "/dav/" + work


def test_the_owner_sees_all_sharees_and_each_of_them_itself(ann: Dialogue, bob: Dialogue, work: str) -> None:
    assert len(property_of(ann, work, D("invite"))) == 0
    post(ann, work, sharee(mail("bob"), "read"), DAVSHARING)
    post(ann, work, sharee(mail("hall"), "read"), DAVSHARING)
    one, unknown = property_of(ann, work, D("invite"))
    assert one.find(D("prop")).findtext(D("displayname")) == "bob"
    assert one.find(D("share-access"))[0].tag == D("read")
    assert unknown.find(D("invite-invalid")) is not None
    assert unknown.find(D("prop")).findtext(D("displayname")) == "Bob", "who is not known here is called as told"
    (own,) = property_of(bob, accept(bob), D("invite"))
    assert own.findtext(D("href")) == one.findtext(D("href"))


def test_no_access_ends_it(ann: Dialogue, bob: Dialogue, work: str) -> None:
    share(ann, "bob")
    shared = accept(bob)
    assert post(ann, work, sharee(mail("bob"), "no-access"), DAVSHARING).status == 200
    assert bob("GET", shared).status == 404
    assert read(bob).xml.find(D("share-invite-notification")).find(D("invite-deleted")) is not None


@pytest.mark.parametrize("access", ["write", "shared-owner", "read/><D:read-write"])
def test_an_access_is_one_that_there_is(ann: Dialogue, work: str, access: str) -> None:
    assert post(ann, work, sharee(mail("bob"), access), DAVSHARING).status == 400
    assert post(ann, work, '<D:other xmlns:D="DAV:"/>', DAVSHARING).status == 415


def test_notifications_are_found_by_both_names(bob: Dialogue) -> None:
    assert property_of(bob, "principals/user/bob/", D("notification-URL"))[0].text == "/dav/" + NOTICES
    assert D("notifications") in [each.tag for each in property_of(bob, NOTICES, D("resourcetype"))]
