"""Meetings of people whose calendars are at different nodes: clients see what they see of one server."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from certificates import Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from daemon import Answer, calserver
from diaries import Diaries, status
from murder import Murder
from organizations import Internet, Organization, fetch, until

from calserver.scheduling import NODE_PATH
from ischedule.dkim import SigningKey, load_private_key, sign
from ischedule.message import Message


@pytest.fixture(scope="module")
def murder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    with Murder(tmp_path_factory.mktemp("murder")) as running:
        yield running


@pytest.fixture
def front(murder: Murder) -> Diaries:
    return murder.front


def explain(murder: Murder, node: str, what: str) -> str:
    """What a node is told of a meeting by all."""
    return calserver("schedule", "explain", what, "--json", "--config", murder.nodes[node].config)


def test_a_meeting_across_nodes(murder: Murder, front: Diaries) -> None:
    bob, carol = front.mail("bob"), front.mail("carol")
    assert front.invite("lunch", "ann", [bob, carol]).status == 201
    for who in (bob, carol):  # who is elsewhere has got it before the organizer gets the answer
        assert status(front.text("ann", "lunch"), who)["SCHEDULE-STATUS"] == "1.2"
    assert front.find("bob", "lunch") is not None
    assert len(front.names("bob", "Inbox")) == 1

    assert front.answers("bob", "lunch", "ACCEPTED").status == 204
    until(lambda: status(front.text("ann", "lunch"), bob)["PARTSTAT"] == "ACCEPTED", "the answer arrives")
    until(lambda: status(front.text("bob", "lunch"), front.mail("ann")).get("SCHEDULE-STATUS") == "1.2")
    until(lambda: status(front.text("carol", "lunch"), bob)["PARTSTAT"] == "ACCEPTED", "others are told")

    path = re.findall("copy[^,]*(user/bob/[^,]+)", explain(murder, "b2", "user/ann/Default/lunch.ics"))[0]
    explained = json.loads(explain(murder, "f1", path.rstrip('"')))
    copies = [(each["principal"], each["own_answer"], each["copy"] != "") for each in explained["participants"]]
    assert copies == [("ann", "", True), ("bob", "ACCEPTED", True), ("carol", "NEEDS-ACTION", True)]
    told = {(each["method"], each["originator"], *each["recipients"]) for each in explained["sent"]}
    assert {("REQUEST", front.mail("ann"), bob), ("REPLY", bob, front.mail("ann"))} <= told

    moved = "20990106T100000Z"
    assert front.invite("lunch", "ann", [bob, carol], "SUMMARY:Later", "SEQUENCE:1", start=moved).status == 204
    until(lambda: f"DTSTART:{moved}" in front.text("bob", "lunch"), "the change arrives")
    assert status(front.text("bob", "lunch"), bob)["PARTSTAT"] == "NEEDS-ACTION"
    assert f"DTSTART:{moved}" in front.text("carol", "lunch")

    assert front.answers("carol", "lunch", "DECLINED").status == 204
    until(lambda: status(front.text("bob", "lunch"), carol)["PARTSTAT"] == "DECLINED", "who is elsewhere is told, too")

    assert front.by("ann").request("DELETE", "/dav/calendars/user/ann/Default/lunch.ics").status == 204
    until(lambda: "STATUS:CANCELLED" in front.text("bob", "lunch"), "the cancellation arrives")


def test_a_room_at_another_node_answers_by_itself(front: Diaries) -> None:
    hall = front.mail("room1")
    assert front.invite("big", "bob", [hall]).status == 201
    until(lambda: status(front.text("bob", "big"), hall)["PARTSTAT"] == "ACCEPTED", "the room takes it")
    assert front.invite("other", "ann", [hall]).status == 201
    until(lambda: status(front.text("ann", "other"), hall)["PARTSTAT"] == "DECLINED", "the room is taken")


def test_a_group_has_members_everywhere(murder: Murder, front: Diaries) -> None:
    table = murder.folder / "members.csv"
    table.write_text("uid,type,members\nstaff,group,bob carol\n")
    calserver("principals", "import", table, "--config", front.config)
    staff = front.mail("staff")

    def members() -> str:
        assert front.invite("all", "ann", [staff]).status in (201, 204)
        return front.text("ann", "all")

    until(lambda: front.mail("bob") in members(), "the node of the organizer knows the members")
    until(lambda: front.find("bob", "all") is not None)
    assert front.find("carol", "all") is not None
    assert front.answers("bob", "all", "ACCEPTED").status == 204
    until(lambda: status(front.text("ann", "all"), front.mail("bob"))["PARTSTAT"] == "ACCEPTED")


def test_an_attendee_cannot_make_up_a_meeting_of_somebody_at_another_node(murder: Murder, front: Diaries) -> None:
    """The organizer's node knows which meetings there are; while it is away the attendee is believed."""
    bob, text = front.by("bob"), front.meeting("made-up", "ann", [front.mail("bob")])
    path = "/dav/calendars/user/bob/Default/made-up.ics"
    refused = bob.request("PUT", path, text, Content_Type="text/calendar")
    assert refused.status == 403
    assert "allowed-attendee-scheduling-object-change" in refused.text
    assert bob.request("GET", path).status == 404

    assert front.invite("there", "ann", [front.mail("bob")]).status == 201
    found = front.find("bob", "there")
    assert found is not None
    assert bob.request("DELETE", found[0], Schedule_Reply="F").status == 204
    again = bob.request("PUT", "/dav/calendars/user/bob/Default/again.ics", found[1], Content_Type="text/calendar")
    assert again.status == 201, "what one was invited to may be stored again"

    murder.nodes["b1"].kill()
    try:
        assert bob.request("PUT", path, text, Content_Type="text/calendar").status == 201
    finally:
        murder.nodes["b1"].start()
    assert bob.request("DELETE", path, Schedule_Reply="F").status == 204


def test_a_representation_is_that_of_after_the_messages_arrived(front: Diaries) -> None:
    path, text = "/dav/calendars/user/ann/Default/shown.ics", front.meeting("shown", "ann", [front.mail("bob")])
    ann = front.by("ann")
    answer = ann.request("PUT", path, text, Content_Type="text/calendar", Prefer="return=representation")
    assert answer.status == 201
    assert status(answer.text.replace("\r\n ", ""), front.mail("bob"))["SCHEDULE-STATUS"] == "1.2"
    looked = ann.request("GET", path)
    assert (answer.text, answer.headers["etag"]) == (looked.text, looked.headers["etag"])


def test_a_meeting_that_is_made_again_is_newer_than_its_removal(front: Diaries) -> None:
    """Who is at another node has a cancelled copy with a higher SEQUENCE than what the client begins with."""
    ann, bob, path = front.by("ann"), front.mail("bob"), "/dav/calendars/user/ann/Default/again.ics"
    assert front.invite("again", "ann", [bob], "SEQUENCE:7").status == 201
    assert ann.request("DELETE", path).status == 204
    until(lambda: "STATUS:CANCELLED" in front.text("bob", "again"), "the cancellation arrives")
    assert front.invite("again", "ann", [bob], "SUMMARY:Once more", "SEQUENCE:0").status == 201
    until(lambda: "SUMMARY:Once more" in front.text("bob", "again"), "so does the new one")
    assert "STATUS:CANCELLED" not in front.text("bob", "again")


# -- free-busy time ----------------------------------------------------------------------------------------------------


def test_busy_time_at_another_node_is_told_as_at_the_own(front: Diaries) -> None:
    """With what only those of the same site are told: whether somebody is away, or busy tentatively."""
    lines = ("SUMMARY:Secret", "STATUS:TENTATIVE")
    for who in ("bob", "carol"):
        assert front.invite(f"{who}s", who, [], *lines, start="20990204T090000Z").status == 201
    answer = front.asks("ann", [front.mail("bob"), front.mail("carol"), front.mail("nobody")], day="20990204")
    assert answer.count("FREEBUSY;FBTYPE=BUSY-TENTATIVE:20990204T090000Z/20990204T100000Z") == 2, answer
    assert "Secret" not in answer
    assert answer.count("2.0;Success") == 2
    assert "3.7;" in answer
    by_path = front.asks("ann", ["/dav/principals/user/bob/", front.mail("bob")], day="20990204")
    assert by_path.count("FREEBUSY;FBTYPE=BUSY-TENTATIVE") == 2
    assert "/dav/principals/user/bob/" in by_path


def test_who_may_not_know_is_told_so_by_the_other_node(front: Diaries) -> None:
    """The Inbox says who may ask, and it is the person who asks that counts, not the node."""
    deny = "<ace><principal><href>/dav/principals/user/ann/</href></principal><deny><privilege>"
    deny += "<C:schedule-query-freebusy/></privilege><privilege><C:schedule-deliver-invite/></privilege></deny></ace>"
    rights = '<acl xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{}<ace><principal><authenticated/></principal>'
    rights += "<grant><privilege><C:schedule-deliver/></privilege></grant></ace></acl>"
    inbox = "/dav/calendars/user/bob/Inbox/"
    assert front.by("bob").request("ACL", inbox, rights.format(deny)).status == 200
    bob = front.mail("bob")
    try:
        assert "3.8;" in front.asks("ann", [bob], day="20990304")
        assert "2.0;Success" in front.asks("carol", [bob], day="20990304")
        assert front.invite("unwanted", "ann", [bob]).status == 201
        until(lambda: status(front.text("ann", "unwanted"), bob)["SCHEDULE-STATUS"] == "3.8", "it is refused")
        assert front.invite("wanted", "carol", [bob]).status == 201
        until(lambda: front.find("bob", "wanted") is not None)
        assert front.find("bob", "unwanted") is None
    finally:
        assert front.by("bob").request("ACL", inbox, rights.format("")).status == 200


def test_a_delegate_acts_for_somebody_at_another_node(front: Diaries) -> None:
    members = '<propertyupdate xmlns="DAV:"><set><prop><group-member-set>{}</group-member-set></prop></set>'
    members += "</propertyupdate>"
    proxy, href = "/dav/principals/user/ann/calendar-proxy-write/", "<href>/dav/principals/user/bob/</href>"
    assert b"200 OK" in front.by("ann").request("PROPPATCH", proxy, members.format(href)).body
    home = "/dav/calendars/user/ann/"
    until(lambda: front.by("bob").request("PROPFIND", home, Depth="0").status == 207, "bob acts for ann")
    admin = front.mail("admin")
    text = front.meeting("proxy", "ann", [admin], start="20990404T090000Z")
    assert front.by("bob").request("PUT", f"{home}Default/proxy.ics", text, Content_Type="text/calendar").status == 201
    until(lambda: front.find("admin", "proxy") is not None, "the invitation goes back to bob's node")
    assert front.answers("admin", "proxy", "ACCEPTED").status == 204
    until(lambda: status(front.text("ann", "proxy"), admin)["PARTSTAT"] == "ACCEPTED")
    asked = front.question("ann", [admin], "20990404")
    answer = front.by("bob").request("POST", f"{home}Outbox/", asked, Content_Type="text/calendar")
    assert "20990404T090000Z/" in answer.text


# -- when a node is away -----------------------------------------------------------------------------------------------


def test_what_is_for_a_dead_node_waits_and_arrives_once(murder: Murder, front: Diaries) -> None:
    bob = front.mail("bob")
    murder.nodes["b2"].kill()
    assert front.invite("wait", "ann", [bob], "SUMMARY:First").status == 201
    for number in range(1, 4):
        assert front.invite("wait", "ann", [bob], f"SUMMARY:Edit {number}", f"SEQUENCE:{number}").status == 204
    began = time.monotonic()
    answer = front.asks("ann", [bob, front.mail("carol")], day="20990105")
    assert time.monotonic() - began < 10
    assert "5.1;" in answer
    assert "2.0;Success" in answer
    assert status(front.text("ann", "wait"), bob)["SCHEDULE-STATUS"] == "1.0"
    config = str(murder.nodes["b1"].config)
    waiting = json.loads(calserver("federation", "queue", "--json", "--config", config))
    assert [each["domain"] for each in waiting] == ["node:b2"]
    lane = json.loads(calserver("federation", "show", "node:b2", "--json", "--config", config))
    assert [each["uid"] for each in lane["letters"]].count("wait") == 1, "edits before it could be sent became one"
    assert "to be tried now" in calserver("federation", "retry", "node:b2", "--config", config)
    murder.nodes["b1"].kill()
    murder.nodes["b1"].start()
    murder.nodes["b2"].start()
    until(lambda: front.find("bob", "wait") is not None, "what waited arrives")
    until(lambda: status(front.text("ann", "wait"), bob)["SCHEDULE-STATUS"] == "1.2")
    assert "SUMMARY:Edit 3" in front.text("bob", "wait")
    inbox = [each for each in front.names("bob", "Inbox") if "UID:wait" in front.by("bob").request("GET", each).text]
    assert len(inbox) == 1


def test_an_answer_of_a_node_that_is_killed_arrives_when_it_is_back(murder: Murder, front: Diaries) -> None:
    bob = front.mail("bob")
    assert front.invite("killed", "ann", [bob]).status == 201
    until(lambda: front.find("bob", "killed") is not None)
    murder.nodes["b1"].kill()
    assert front.answers("bob", "killed", "TENTATIVE").status == 204
    murder.nodes["b2"].kill()
    for name in ("b1", "b2"):
        murder.nodes[name].start()
    until(lambda: status(front.text("ann", "killed"), bob)["PARTSTAT"] == "TENTATIVE", "what was acknowledged is sent")


def test_who_is_told_to_stop_waits_for_no_silent_node(murder: Murder, front: Diaries) -> None:
    b1, b2 = murder.nodes["b1"], murder.nodes["b2"]
    waiting = re.compile(r'(?m)^calserver_letters_waiting\{domain="node:b2"\} 1\.0')
    os.kill(b2.pid, signal.SIGSTOP)
    try:
        assert front.invite("silence", "ann", [front.mail("bob")]).status == 201
        until(lambda: waiting.search(fetch(b1.admin_port, "/metrics")[1]) is not None, "the letter is on its way")
        began = time.monotonic()
        b1.stop()
        assert time.monotonic() - began < 5
    finally:
        os.kill(b2.pid, signal.SIGCONT)
    b1.start()
    until(lambda: front.find("bob", "silence") is not None, "it arrives")


# -- who says to be a node ---------------------------------------------------------------------------------------------


def said(murder: Murder, *fields: tuple[str, str], signer: str = "b1", selector: str = "node", **how: object) -> Answer:
    """Post an invitation of ann to bob at bob's node."""
    folder = murder.nodes["b1"].folder
    key = how.get("key") or load_private_key((folder / "node.pem").read_bytes())
    originator, bob = str(how.get("originator", murder.front.mail("ann"))), murder.front.mail("bob")
    body = murder.front.meeting(str(how["uid"]), "ann", [bob]).replace("PRODID", "METHOD:REQUEST\r\nPRODID", 1).encode()
    message = Message.compose(
        originator=originator, recipients=(bob,), component="VEVENT", method="REQUEST", body=body, message_id="1"
    )
    signing = SigningKey(domain=f"{signer}.node.internal", selector=selector, private=key)  # type: ignore[arg-type] # what is used of it is there
    signature = sign(message.fields, body, signing, now=time.time(), methods=("private-exchange",))
    sent = dict((*message.fields, ("DKIM-Signature", signature), *fields))
    where = str(how.get("where", NODE_PATH))
    node = murder.nodes[str(how.get("node", "b2"))]
    return node.connect(None).request("POST", where, body, **sent)


def test_a_node_believes_the_keys_of_its_configuration_and_nobody_else(murder: Murder, front: Diaries) -> None:
    refused = [
        said(murder, uid="forged", key=Ed25519PrivateKey.generate()),
        said(murder, uid="forged", signer="f1"),
        said(murder, uid="forged", signer="x.b1"),
        said(murder, uid="forged", signer="b3"),
        said(murder, uid="forged", selector="cal1"),
        said(murder, uid="forged", where="/.well-known/ischedule"),
        murder.nodes["b2"].connect(None).request("POST", NODE_PATH, b"x"),
    ]
    assert [each.status // 100 for each in refused] == [4] * len(refused)
    assert murder.nodes["b2"].connect("ann").request("GET", NODE_PATH).status == 405
    assert front.find("bob", "forged") is None
    assert "1.2" in said(murder, uid="true").text
    assert front.find("bob", "true") is not None


def test_what_is_not_signed_does_not_count(murder: Murder, front: Diaries) -> None:
    """Who may not deliver does not become somebody else's guest by a field that the signature does not cover."""
    assert "1.2" in said(murder, ("calserver-vouched", "evil.example"), uid="fields").text
    audit = murder.nodes["b2"].log.read_text()
    assert "evil.example" not in audit


def test_nothing_goes_in_circles(murder: Murder, front: Diaries) -> None:
    """A node that is given what is for another one does not hand it on: it says that it may come again."""
    assert "5.1" in said(murder, uid="circle", node="f1").text
    assert front.find("bob", "circle") is None


# -- other organizations -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def internet(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    """A cluster and an organization with one server."""
    authority, folder = Authority(), tmp_path_factory.mktemp("internet")
    cluster = Murder(folder / "cluster")
    cluster.federate(authority)
    south = Organization(folder, "south.example", authority)
    with Internet(program("nsd"), folder, [south, cluster]) as running:  # type: ignore[list-item] # what is used of one
        yield running


def test_a_front_end_takes_what_other_organizations_bring(internet: Internet) -> None:
    south, cluster = internet.organizations["south.example"], internet.organizations["example.com"]
    assert isinstance(cluster, Murder)
    front = cluster.front
    ann, bob, zoe = front.mail("ann"), front.mail("bob"), south.mail("ann")
    assert south.invite("visit", "ann", [ann, bob, front.mail("nobody")]).status == 201
    until(lambda: status(south.text("ann", "visit"), bob)["SCHEDULE-STATUS"] == "2.0", "it arrives")
    copy = south.text("ann", "visit")
    assert status(copy, ann)["SCHEDULE-STATUS"] == "2.0"
    assert status(copy, front.mail("nobody"))["SCHEDULE-STATUS"] == "3.7"
    assert front.find("ann", "visit") is not None
    for who in ("ann", "bob"):
        assert front.answers(who, "visit", "ACCEPTED").status == 204
        until(lambda who=who: status(south.text("ann", "visit"), front.mail(who))["PARTSTAT"] == "ACCEPTED")  # type: ignore[misc] # bound at once
    assert (
        south.invite("visit", "ann", [ann, bob], "SUMMARY:Moved", "SEQUENCE:1", start="20990107T090000Z").status == 204
    )
    until(lambda: "SUMMARY:Moved" in front.text("bob", "visit"), "so does a change")

    assert front.invite("back", "bob", [zoe, ann], start="20990108T090000Z").status == 201
    until(lambda: south.find("ann", "back") is not None, "a node sends by itself")
    assert south.answers("ann", "back", "TENTATIVE").status == 204
    until(lambda: status(front.text("bob", "back"), zoe)["PARTSTAT"] == "TENTATIVE", "the answer finds the node")
    until(lambda: status(front.text("ann", "back"), zoe)["PARTSTAT"] == "TENTATIVE", "and is told at the other one")

    assert front.invite("own", "bob", [], "SUMMARY:Secret", "STATUS:TENTATIVE", start="20990109T090000Z").status == 201
    answer = south.asks("ann", [bob, ann, front.mail("nobody")], day="20990109")
    assert "20990109T090000Z/" in answer
    assert "TENTATIVE" not in answer
    assert answer.count("2.0;Success") == 2
    assert "3.7;" in answer

    cluster.nodes["b2"].kill()
    assert south.invite("later", "ann", [ann, bob], start="20990110T090000Z").status == 201
    until(lambda: front.find("ann", "later") is not None, "who is there gets it")
    assert status(south.text("ann", "later"), bob)["SCHEDULE-STATUS"] == "1.0"
    cluster.nodes["b2"].start()
    until(lambda: front.find("bob", "later") is not None, "the others get it later")
