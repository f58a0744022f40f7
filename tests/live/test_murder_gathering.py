"""Requests that concern several nodes: each client sees what it would see of one server."""

import re

import pytest
from daemon import Answer
from diaries import Diaries
from lxml import etree
from murder import Murder

PROPS = "<resourcetype/><displayname/><owner/>"
PROPFIND = f'<propfind xmlns="DAV:"><prop>{PROPS}</prop></propfind>'
MATCH = '<principal-match xmlns="DAV:"><principal-property><owner/></principal-property>'
MATCH += f"<prop>{PROPS}</prop></principal-match>"
EXPAND = """
<expand-property xmlns="DAV:">
  <property name="displayname"/>
  <property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav">
    <property name="resourcetype"/>
    <property name="owner">
      <property name="displayname"/>
      <property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav">
        <property name="displayname"/>
      </property>
    </property>
  </property>
  <property name="schedule-inbox-URL" namespace="urn:ietf:params:xml:ns:caldav">
    <property name="schedule-default-calendar-URL" namespace="urn:ietf:params:xml:ns:caldav">
      <property name="displayname"/><property name="parent-set"/>
    </property>
  </property>
  <property name="group-membership"><property name="displayname"/></property>
</expand-property>
"""
FOLDERS = ("/", "/dav/", "/dav/calendars/", "/dav/calendars/user/", "/dav/calendars/location", "/dav/drive/user/")


def seen(answer: Answer, *, deepest: int = 99) -> object:
    """What is compared of an answer: XML, as far as it is about paths that are not longer, in any order."""
    if answer.status != 207:
        return answer.status, answer.body
    shown = [each for each in etree.fromstring(answer.body) if each[0].text.strip("/").count("/") < deepest]
    texts = (etree.tostring(each, encoding="unicode") for each in shown)
    return 207, *sorted(etree.canonicalize(each, strip_text=True, rewrite_prefixes=True) for each in texts)


@pytest.mark.parametrize("who", ["ann", "bob", "admin"])
def test_what_is_above_homes_is_the_same_as_at_one_server(cluster: Murder, single: Diaries, who: str) -> None:
    for place in FOLDERS:
        for method, depth, body in (("PROPFIND", "0", PROPFIND), ("PROPFIND", "1", PROPFIND), ("REPORT", "0", MATCH)):
            answers = [
                each.connect(who).request(method, place, body, Depth=depth)
                for each in (*cluster.nodes.values(), single)
            ]
            found = [seen(each, deepest=4) for each in answers]  # what is in homes other tests have left there
            assert set(found) == {found[-1]}, (method, place)


@pytest.mark.parametrize("who", ["bob", "admin", None])
def test_a_browser_gets_the_same_page_as_at_one_server(cluster: Murder, single: Diaries, who: str | None) -> None:
    for place in ("/dav/calendars/", "/dav/calendars/user/", "/dav/drive/user", "/dav/calendars/nothing/"):
        for method in ("GET", "HEAD"):
            answers = [each.connect(who).request(method, place) for each in (cluster.front, single)]
            told = ("Content-Type", "Content-Length", "WWW-Authenticate", "Vary")
            found = [(each.status, each.body, *map(each.headers.get, told)) for each in answers]
            assert found[0] == found[1], (method, place)


def test_the_homes_of_all_nodes_are_listed_to_any_depth(cluster: Murder, single: Diaries) -> None:
    for server in (cluster.front, single):
        assert server.by("ann").request("MKCOL", "/dav/drive/user/ann/deep/").status in (201, 405)
        assert server.by("bob").request("MKCOL", "/dav/drive/user/bob/deep/").status in (201, 405)
    for who, fields in (
        ("admin", {"Depth": "infinity"}),
        ("bob", {}),
        ("admin", {"Depth": "infinity", "Prefer": "depth-noroot"}),
    ):
        found = [
            each.by(who).request("PROPFIND", "/dav/drive/", PROPFIND, **fields) for each in (cluster.front, single)
        ]
        assert seen(found[0]) == seen(found[1])
        assert found[0].headers["Preference-Applied"] == found[1].headers["Preference-Applied"]
        assert (b"user/ann/deep" in found[0].body, b"user/bob/deep" in found[0].body) == (who == "admin", True)


@pytest.mark.parametrize("who", ["ann", "admin"])
def test_properties_are_expanded_wherever_they_lead(cluster: Murder, single: Diaries, who: str) -> None:
    places = [f"/dav/principals/user/{each}/" for each in ("ann", "bob", "carol")]
    places += ["/dav/calendars/user/ann/", "/dav/calendars/user/bob/Inbox/", "/dav/principals/user/nobody/"]
    for place in places:
        answers = [
            each.connect(who).request("REPORT", place, EXPAND, Depth="0") for each in (*cluster.nodes.values(), single)
        ]
        assert {seen(each) for each in answers} == {seen(answers[-1])}, place
    wrong = [each.connect(who).request("REPORT", places[0], "<expand-property/>") for each in (cluster.front, single)]
    assert wrong[0].status == wrong[1].status


def test_who_has_not_authenticated_is_told_nothing(cluster: Murder) -> None:
    nobody = cluster.front.connect(None)
    for place in FOLDERS:
        assert nobody.request("PROPFIND", place, PROPFIND, Depth="1").status == 401
    assert nobody.request("REPORT", "/dav/principals/user/ann/", EXPAND).status == 401


def test_of_a_node_that_is_away_only_its_part_is(cluster: Murder) -> None:
    admin, bob = cluster.front.by("admin"), cluster.front.by("bob")
    cluster.nodes["b1"].kill()
    try:
        listing = admin.request("PROPFIND", "/dav/calendars/user/", PROPFIND, Depth="1")
        assert listing.status == 207
        away = re.findall(r"<D:href>([^<]*)</D:href><D:status>HTTP/1.1 503 ", listing.text)
        assert away == ["/dav/calendars/user/ann/", "/dav/calendars/user/carol/"]
        assert "/dav/calendars/user/bob/" in listing.text
        page = admin.request("GET", "/dav/calendars/user/").text
        rows = re.findall(r'href="\./(\w+)/">\1/</a>(.*)', page)
        assert rows == [("admin", ""), ("ann", " (away)"), ("bob", ""), ("carol", " (away)")]
        expanded = admin.request("REPORT", "/dav/principals/user/ann/", EXPAND, Depth="0")
        assert (expanded.status, expanded.text.count(" 503 ")) == (207, 2)
        assert " 503 " not in admin.request("REPORT", "/dav/principals/user/bob/", EXPAND, Depth="0").text
        assert " 503 " not in bob.request("PROPFIND", "/dav/calendars/user/", PROPFIND, Depth="1").text
        assert admin.request("REPORT", "/dav/calendars/user/ann/", EXPAND, Depth="0").status == 503
    finally:
        cluster.nodes["b1"].start()


def test_every_property_of_what_all_nodes_have_is_the_same_at_each(cluster: Murder) -> None:
    asked = '<propfind xmlns="DAV:"><prop><supported-live-property-set/></prop></propfind>'
    places = ["/dav/", "/dav/calendars/user/", "/dav/principals/", "/dav/principals/user/"]
    places += [f"/dav/principals/{each}/" for each in ("user/ann", "user/bob/calendar-proxy-write", "group/staff")]
    for place in places:
        found = cluster.front.connect("ann").request("PROPFIND", place, asked, Depth="0")
        names = [each[0][0] for each in etree.fromstring(found.body).iter("{DAV:}supported-live-property")]
        assert len(names) > 20
        body = etree.Element("{DAV:}propfind")
        etree.SubElement(body, "{DAV:}prop").extend(names)
        answers = [
            each.connect("ann").request("PROPFIND", place, etree.tostring(body), Depth="0")
            for each in cluster.nodes.values()
        ]
        assert len({seen(each) for each in answers}) == 1, place


def test_a_public_calendar_is_public_through_a_front_end(cluster: Murder) -> None:
    bob, nobody = cluster.front.by("bob"), cluster.front.connect(None)
    open_, closed = "/dav/calendars/user/bob/Public/", "/dav/calendars/user/bob/Default/"
    assert bob.request("MKCALENDAR", open_).status == 201
    publish = '<CS:publish-calendar xmlns:CS="http://calendarserver.org/ns/"/>'
    assert bob.request("POST", open_, publish, Content_Type="application/xml").status in (200, 202, 204)
    got, head = nobody.request("GET", open_), nobody.request("HEAD", open_)
    assert (got.status, got.headers["Content-Type"].split(";")[0]) == (200, "text/calendar")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(got.body)))
    assert nobody.request("GET", closed).status == 401
    assert nobody.request("PROPFIND", open_, Depth="0").status == 401
