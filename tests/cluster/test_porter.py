"""What two nodes do for a COPY or MOVE from one to the other: here both are one, and nobody is in between."""

import attrs
import pytest
from dialogue import WEBDAV, Dialogue

from calserver import caldav, calendars, directory, drive
from calserver.cluster.cargo import stamp_of
from calserver.cluster.porter import porter
from calserver.config import Calendars
from calserver.dav import Extension, Extensions
from calserver.directory import accounts
from calserver.store import Principal, Store, Transaction
from calserver.tree import Mounts

ANN, BOB = "calendars/user/ann/", "calendars/user/bob/"
CALDAV = tuple(value for name, value in sorted(vars(caldav).items()) if isinstance(value, Extension))
GRANT = '<acl xmlns="DAV:"><ace><principal><href>/dav/principals/user/bob/</href></principal>'
GRANT += "<grant><privilege><read/></privilege></grant></ace></acl>"


def event(uid: str) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", "BEGIN:VEVENT", f"UID:{uid}"]
    lines += ["DTSTAMP:20260301T120000Z", "DTSTART:20260302T100000Z", "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(lines)


@pytest.fixture
def root(store: Store) -> Dialogue:
    def provide(txn: Transaction, principal: Principal) -> None:
        calendars.provision(txn, principal, Calendars())

    def people(txn: Transaction) -> None:
        for uid in ("ann", "bob", "root"):
            accounts.create(txn, uid, provision=provide, administrator=uid == "root")

    store.write_now(people)
    spoken = Extensions([*WEBDAV, directory.rfc3744_principals, *CALDAV, porter])
    return Dialogue(store, Mounts([directory.PrincipalMount(), caldav.mount, drive.drive]), spoken).by("root")


def test_a_move_is_packed_unpacked_and_dropped(root: Dialogue) -> None:
    assert root("MKCALENDAR", f"{ANN}Trips/").status == 201
    assert root("ACL", f"{ANN}Trips/", GRANT).status == 200
    assert root("PUT", f"{ANN}Trips/a.ics", event("a"), content_type="text/calendar").status == 201
    packed = root("PACK-MOVE", f"{ANN}Trips/")
    assert packed.status == 200
    assert root("UNPACK", f"{BOB}Trips/", packed.body).status == 201
    assert root("GET", f"{BOB}Trips/a.ics").body == event("a").encode()
    assert b"principals/user/bob/</D:href></D:principal><D:grant><D:privilege><D:read/>" in (
        root.propfind(f"{BOB}Trips/", "{DAV:}acl").body
    ), "what is moved keeps its access control list"
    assert root("DROP", f"{ANN}Trips/", stamp_of(packed.body)).status == 204
    assert root("GET", f"{ANN}Trips/a.ics").status == 404


def test_what_has_changed_is_not_dropped(root: Dialogue) -> None:
    assert root("MKCALENDAR", f"{ANN}Trips/").status == 201
    stamp = stamp_of(root("PACK-MOVE", f"{ANN}Trips/").body)
    assert root("PUT", f"{ANN}Trips/a.ics", event("a"), content_type="text/calendar").status == 201
    assert root("DROP", f"{ANN}Trips/", stamp).status == 409
    assert root("GET", f"{ANN}Trips/a.ics").status == 200
    stamp = stamp_of(root("PACK-MOVE", f"{ANN}Trips/a.ics").body)
    changed = event("a").replace("20260302", "20260303")
    assert root("PUT", f"{ANN}Trips/a.ics", changed, content_type="text/calendar").status == 204
    assert root("DROP", f"{ANN}Trips/a.ics", stamp).status == 409


def test_of_what_is_refused_in_part_nothing_is_stored(root: Dialogue) -> None:
    assert root("PUT", f"{BOB}Default/a.ics", event("a"), content_type="text/calendar").status == 201
    assert root("MKCALENDAR", f"{ANN}Trips/").status == 201
    for uid in ("z", "a"):
        assert root("PUT", f"{ANN}Trips/{uid}.ics", event(uid), content_type="text/calendar").status == 201
    packed = root("PACK-COPY", f"{ANN}Trips/").body
    assert root("UNPACK", f"{BOB}Trips/", packed).status == 403
    assert root("PROPFIND", f"{BOB}Trips/", depth="0").status == 404


def test_what_is_too_large_for_one_request_stays(root: Dialogue) -> None:
    most = root.settings.body_bytes // 2
    assert root("MKCOL", "drive/user/ann/x/").status == 201
    for name in ("1", "2", "3"):
        assert root("PUT", f"drive/user/ann/x/{name}", bytes(most)).status == 201
    assert root("PACK-COPY", "drive/user/ann/x/1").status == 200
    assert root("PACK-COPY", "drive/user/ann/x/").status == 502


def test_a_body_that_is_no_cargo_is_refused(root: Dialogue) -> None:
    assert root("UNPACK", f"{BOB}Trips/", b"anything").status == 400


def test_where_there_is_no_room_nothing_is_stored(root: Dialogue) -> None:
    root.settings = attrs.evolve(root.settings, quota_bytes=3000)
    assert root("PUT", "drive/user/bob/full", bytes(2500)).status == 201
    assert root("PUT", "drive/user/ann/more", bytes(2500)).status == 201
    packed = root("PACK-MOVE", "drive/user/ann/more").body
    assert root("UNPACK", "drive/user/bob/more", packed).status == 507
    assert root("GET", "drive/user/bob/more").status == 404
