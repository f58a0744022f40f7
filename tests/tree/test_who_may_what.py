"""What the actor may do, and what nobody learns about others (RFC 3744, RFC 4791 section 6)."""

import pytest
from dialogue import Dialogue

from calserver.names import C, D

NOTHING_THERE = "drive/user/ann/nothing"


@pytest.fixture
def secret(ann: Dialogue) -> Dialogue:
    ann("PUT", "drive/user/ann/secret", b"x")
    ann("MKCOL", "drive/user/ann/f")
    return ann


def privileges(who: Dialogue, path: str) -> set[str]:
    found = who.propfind(path, D("current-user-privilege-set")).properties("/dav/" + path)
    return {each[0].tag for each in found[D("current-user-privilege-set")]}


def test_owners_and_administrators_hold_every_privilege(secret: Dialogue, root: Dialogue) -> None:
    for who in (secret, root):
        for path in ("drive/user/ann/", "drive/user/ann/secret", "shelves/user/ann/Book/"):
            assert privileges(who, path) >= {D("all"), D("read"), D("write"), D("bind"), D("unlock"), D("write-acl")}


def test_whoever_is_known_may_look_at_files_that_events_refer_to(bob: Dialogue) -> None:
    assert privileges(bob, "shelves/user/ann/Files/") == {D("read"), D("read-current-user-privilege-set")}
    assert bob("GET", "shelves/user/ann/Files/").status == 200
    assert bob("PUT", "shelves/user/ann/Files/x", b"").status == 403


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "PUT", "DELETE", "MKCOL", "LOCK", "REPORT", "PROPPATCH"])
@pytest.mark.parametrize("place", ["drive/user/ann/", "shelves/user/ann/Book/", "shelves/user/ann/In/"])
def test_what_others_have_cannot_be_told_from_what_they_have_not(
    bob: Dialogue, ann: Dialogue, method: str, place: str
) -> None:
    """RFC 3744 section 9: the same answer whether there is something or nothing."""
    if place.startswith("drive"):
        ann("PUT", place + "secret", b"x")
    else:
        ann("PUT", place + "secret", b"BEGIN:VCALENDAR")
    answers = [bob(method, place + name) for name in ("secret", "nothing", "nothing/below")]
    assert {each.status for each in answers} == {403}
    texts = {
        each.body.replace(b"secret", b"*").replace(b"nothing/below", b"*").replace(b"nothing", b"*") for each in answers
    }
    assert len(texts) == 1
    assert b"need-privileges" in texts.pop()


def test_nobody_learns_who_has_a_home(bob: Dialogue) -> None:
    known, unknown = (bob.propfind(f"drive/user/{uid}/", D("displayname")) for uid in ("ann", "zoe"))
    assert known.status == unknown.status == 403
    assert known.body == unknown.body.replace(b"zoe", b"ann")


def test_what_one_does_not_have_oneself_is_not_found(ann: Dialogue, root: Dialogue) -> None:
    """RFC 9110 section 15.5.5."""
    for who in (ann, root):
        assert who("GET", NOTHING_THERE).status == 404
    assert root("GET", "drive/user/zoe/").status == 404


def test_whoever_is_not_known_is_asked_to_authenticate(server: Dialogue, secret: Dialogue) -> None:
    for path in ("", "drive/", "drive/user/ann/", "drive/user/ann/secret", NOTHING_THERE, "principals/user/ann/", "x"):
        assert server.propfind(path, D("displayname")).status == 401, path


def test_listings_above_homes_show_only_what_one_may_see(ann: Dialogue, bob: Dialogue, root: Dialogue) -> None:
    def listed(who: Dialogue, path: str) -> list[str]:
        return [each.removeprefix("/dav/") for each in who.propfind(path, D("resourcetype"), depth="1").hrefs]

    assert listed(ann, "") == ["", "principals/", "drive/", "shelves/"]
    assert listed(ann, "shelves/") == ["shelves/", "shelves/user/", "shelves/location/"]
    assert listed(ann, "drive/user/") == ["drive/user/", "drive/user/ann/"]
    assert listed(bob, "drive/user/") == ["drive/user/", "drive/user/bob/"]
    assert listed(bob, "shelves/location/") == ["shelves/location/"]
    assert listed(root, "drive/user/") == ["drive/user/", *(f"drive/user/{uid}/" for uid in ("ann", "bob", "root"))]
    assert listed(root, "shelves/location/") == ["shelves/location/", "shelves/location/hall/"]


def test_folders_above_homes_cannot_be_changed(ann: Dialogue, root: Dialogue) -> None:
    for who in (ann, root):
        for path in ("", "drive/", "drive/user/"):
            assert who("DELETE", path).status in (403, 405), path
            assert who("PUT", path + "new", b"x").status in (403, 405), path
            assert who("MKCOL", path + "new").status in (403, 405), path
            assert who("MOVE", path, destination=who.destination("x")).status in (403, 405), path
            assert who("PUT", path, b"x", if_match="nothing").status in (403, 405, 412), path


def test_nothing_can_be_copied_or_moved_to_where_one_may_not_write(secret: Dialogue, bob: Dialogue) -> None:
    bob("PUT", "drive/user/bob/b", b"x")
    for method in ("COPY", "MOVE"):
        for target in ("drive/user/ann/new", "drive/user/ann/secret", "drive/user/ann/f/new", "drive/user/zoe/x"):
            assert bob(method, "drive/user/bob/b", destination=bob.destination(target)).status == 403, target
        for target in ("drive/", "drive/user/", "drive/user/zoe", "x", "principals/user/x", "drive/group/x"):
            refused = bob(method, "drive/user/bob/b", destination=bob.destination(target)).status
            assert refused in (403, 405, 409), target
    assert secret("GET", "drive/user/ann/secret").body == b"x"
    assert bob("GET", "drive/user/bob/b").status == 200


def test_a_copy_of_what_one_may_not_read_is_refused(secret: Dialogue, bob: Dialogue) -> None:
    assert bob("COPY", "drive/user/ann/secret", destination=bob.destination("drive/user/bob/b")).status == 403


def test_the_owner_of_everything_is_its_principal(ann: Dialogue, root: Dialogue) -> None:
    """RFC 3744 section 5.1."""
    root("PUT", "drive/user/ann/by-root", b"x")
    for path in ("drive/user/ann/", "drive/user/ann/by-root", "shelves/user/ann/Book/"):
        owner = ann.propfind(path, D("owner")).properties("/dav/" + path)[D("owner")]
        assert owner.findtext(D("href")) == "/dav/principals/user/ann/"
    owner = root.propfind("shelves/location/hall/", D("owner")).properties("/dav/shelves/location/hall/")[D("owner")]
    assert owner.findtext(D("href")) == "/dav/principals/location/hall/"


def test_free_busy_is_for_everybody_and_nothing_else_of_a_calendar_is(bob: Dialogue) -> None:
    """The privilege alone finds the calendar; reading it needs DAV:read (RFC 4791 section 6.1.1)."""
    found = bob.store.read_now(lambda txn: txn.collections.locate("user", "ann", "calendar-home", ["Book"]))
    assert [each.kind for each in found] == ["calendar-home", "calendar"]
    refused = bob("GET", "shelves/user/ann/Book/")
    assert (refused.status, refused.error) == (403, D("need-privileges"))
    assert C("read-free-busy").encode() not in refused.body
