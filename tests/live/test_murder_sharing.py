"""Sharing calendars: the same whether sharer and sharee are at one node or at two."""

import re
from collections.abc import Iterator
from itertools import count

import pytest
from daemon import Answer
from diaries import Diaries
from lxml import etree
from moves import Moves
from murder import Murder
from organizations import until
from working import Client, Going

ANN, BOB, CAROL = (f"/dav/calendars/user/{who}/" for who in ("ann", "bob", "carol"))
SPACES = 'xmlns="DAV:" xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"'
SPACES += ' xmlns:C="urn:ietf:params:xml:ns:caldav"'
PROPS = "<prop><displayname/><resourcetype/><current-user-privilege-set/><CS:invite/><share-access/></prop>"
PROPFIND = f"<propfind {SPACES}>{PROPS}</propfind>"
LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
DRAFT = "application/davsharing+xml"
XML = {"Content_Type": "application/xml"}
UUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def event(uid: str, *lines: str) -> str:
    text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", "BEGIN:VEVENT", f"UID:{uid}"]
    text += [
        "DTSTAMP:20260301T120000Z",
        "DTSTART:20260302T100000Z",
        "DURATION:PT1H",
        *lines,
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(text)


ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT5M", "END:VALARM")


class Play:
    """What people do with a shared calendar, and what they see; names that differ each time are numbered."""

    def __init__(self, server: Diaries) -> None:
        self.server = server
        self.found: list[object] = []
        self._names: dict[str, str] = {}
        self._numbers = count()
        self._before: set[str] = set()
        for home in (ANN, BOB, CAROL, "/dav/calendars/user/admin/"):
            there = self.ask("admin", "PROPFIND", home, PROPFIND, Depth="infinity").text
            self._before |= {*re.findall("<D:href>([^<]*)</D:href><D:propstat>", there)} - {home}

    def ask(self, who: str, method: str, path: str, body: str = "", **fields: str) -> Answer:
        return self.server.by(who).request(method, path, body, **fields)

    def see(self, who: str, method: str, path: str, body: str = "", **fields: str) -> Answer:
        """Ask, and keep what is seen of the answer."""
        answer = self.ask(who, method, path, body, **fields)
        self.found.append((who, method, answer.status, self._seen(answer)))
        return answer

    def _seen(self, answer: Answer) -> object:
        if not answer.text.startswith("<?xml"):
            return self.plain(answer.text)
        root = etree.fromstring(answer.body)
        for token in root.iter("{DAV:}sync-token", "{DAV:}getetag"):
            token.text = ""
        for each in root.findall("{DAV:}response"):
            if each[0].text in self._before:  # what other tests have left, at one of the servers
                root.remove(each)
        parts = [etree.tostring(each, encoding="unicode", with_tail=False) for each in root] or [root.text or ""]
        plain = [etree.canonicalize(each, strip_text=True, rewrite_prefixes=True) for each in parts]
        plain.sort(key=lambda each: UUID.sub(lambda match: self._names.get(match[0], ""), each))
        return sorted(self.plain(each) for each in plain)

    def plain(self, text: str) -> str:
        """A text without what differs each time."""

        def named(match: "re.Match[str]") -> str:
            return self._names.setdefault(match[0], f"name{next(self._numbers)}")

        text = UUID.sub(named, text)
        return re.sub(r"\d{8}T\d{6}Z|\d{4}-\d\d-\d\dT[\d:]+Z", "now", text)

    # -- sharing ---------------------------------------------------------------------------------------------------

    def share(self, calendar: str, *who: str, access: str = "read-write") -> None:
        sets = "".join(f"<CS:set><href>mailto:{each}@example.com</href><CS:{access}/></CS:set>" for each in who)
        self.see("ann", "POST", calendar, f"<CS:share {SPACES}>{sets}</CS:share>", **XML)

    def unshare(self, calendar: str, who: str) -> None:
        removed = f"<CS:remove><href>mailto:{who}@example.com</href></CS:remove>"
        self.see("ann", "POST", calendar, f"<CS:share {SPACES}>{removed}</CS:share>", **XML)

    def notice(self, who: str, **fields: str) -> tuple[str, str]:
        """The newest notification of somebody; what it says is seen."""
        path = self.server.names(who, "Notifications")[-1]
        return path, self.see(who, "GET", path, **fields).text

    def reply(self, who: str, told: str, answer: str) -> str:
        uid, host = (re.search(pattern, told) for pattern in (r"<CS:uid>(.*?)</", r"(<CS:hosturl>.*?</CS:hosturl>)"))
        assert uid is not None
        assert host is not None
        body = f"<CS:{answer}/>{host[1]}<CS:in-reply-to>{uid[1]}</CS:in-reply-to><CS:summary>Hers</CS:summary>"
        home = f"/dav/calendars/user/{who}/"
        replied = self.see(who, "POST", home, f"<CS:invite-reply {SPACES}>{body}</CS:invite-reply>", **XML)
        found = re.search(rf"<D:href>({home}.*?)</D:href>", replied.text)
        return f"{found[1]}/" if found is not None else ""

    def clear(self, who: str) -> None:
        for each in self.server.names(who, "Notifications"):
            self.see(who, "DELETE", each)

    def sync(self, who: str, path: str, token: str, level: str) -> str:
        body = f"<sync-collection {SPACES}><sync-token>{token}</sync-token><sync-level>{level}</sync-level>"
        answer = self.see(who, "REPORT", path, f"{body}<prop><getetag/></prop></sync-collection>", **XML)
        found = re.search("<D:sync-token>(.*?)</", answer.text)
        return found[1] if found is not None else ""

    def page(self, who: str, home: str) -> None:
        """What a browser shows of a home."""
        page, head = (self.ask(who, method, home) for method in ("GET", "HEAD"))
        rows = re.findall(r'<li><a href="\./([^"]*)">(.*)', page.text)
        rows = [self.plain(f"{name} {text}") for name, text in rows if home + name not in self._before]
        told = [(each.status, each.headers["Content-Type"], each.headers["Content-Length"]) for each in (page, head)]
        self.found.append((who, rows, told[0] == told[1], told[0][:2]))
        again = self.ask(who, "GET", home, If_None_Match=page.headers["ETag"])
        self.found.append((who, again.status))

    def busy(self, who: str, home: str) -> None:
        """What a free-busy report on a home tells."""
        when = '<C:time-range start="20260302T000000Z" end="20260303T000000Z"/>'
        for depth in ("0", "1", "infinity"):
            body = f"<C:free-busy-query {SPACES}>{when}</C:free-busy-query>"
            told = self.ask(who, "REPORT", home, body, Depth=depth, **XML)
            self.found.append((who, depth, told.status, re.findall(r"\n(FREEBUSY.*|DTEND.*)\r", told.text)))

    def ctag(self, who: str, path: str) -> str:
        body = f"<propfind {SPACES}><prop><CS:getctag/></prop></propfind>"
        found = re.search("<CS:getctag>(.*?)</", self.ask(who, "PROPFIND", path, body, Depth="0").text)
        assert found is not None
        return found[1]


def accepted(play: Play) -> str:
    """Ann shares a calendar with Bob and Carol; Bob uses it."""
    for calendar in ("Team/", "Drafts/"):
        play.see("ann", "MKCALENDAR", ANN + calendar)
    play.see("ann", "PUT", f"{ANN}Team/first.ics", event("first"))
    play.share(f"{ANN}Team/", "bob", "carol", "nobody")
    _, told = play.notice("bob")
    before = play.sync("bob", BOB, "", "infinite")
    shared = play.reply("bob", told, "invite-accepted")
    play.sync("bob", BOB, before, "infinite")
    play.reply("carol", play.notice("carol")[1], "invite-accepted")
    play.see("bob", "PROPFIND", shared, PROPFIND, Depth="0")
    play.see("bob", "PROPFIND", BOB, PROPFIND, Depth="1")
    play.see("bob", "PROPFIND", BOB, PROPFIND, Depth="0")
    play.see("carol", "PROPFIND", shared, PROPFIND, Depth="0")
    return shared


def used(play: Play, shared: str) -> None:
    tags = [play.ctag("bob", BOB)]
    tokens = {level: play.sync("bob", BOB, "", level) for level in ("1", "infinite")}
    play.see("bob", "PUT", f"{shared}his.ics", event("his", *ALARM), Content_Type="text/calendar")
    play.see("bob", "PUT", f"{shared}his.ics", event("other"), Content_Type="text/calendar")
    play.see("bob", "GET", f"{shared}his.ics")
    play.see("ann", "GET", f"{ANN}Team/his.ics")
    tags.append(play.ctag("bob", BOB))
    tokens = {level: play.sync("bob", BOB, token, level) for level, token in tokens.items()}
    play.see("ann", "PUT", f"{ANN}Team/first.ics", event("first", "SUMMARY:First"))
    play.see("ann", "DELETE", f"{ANN}Team/his.ics")
    tags.append(play.ctag("bob", BOB))
    tokens = {level: play.sync("bob", BOB, token, level) for level, token in tokens.items()}
    play.found.append(len(set(tags)))
    color = f"<propertyupdate {SPACES}><set><prop><displayname>Theirs</displayname></prop></set></propertyupdate>"
    play.see("bob", "PROPPATCH", shared, color, **XML)
    play.see("bob", "PROPFIND", BOB, PROPFIND, Depth="infinity")
    query = f"<C:calendar-query {SPACES}><prop><getetag/></prop><C:filter><C:comp-filter name='VCALENDAR'/></C:filter>"
    play.page("bob", BOB)
    for who, place in (("bob", "/dav/calendars/"), ("admin", "/dav/calendars/user/"), ("carol", "/dav/")):
        play.see(who, "PROPFIND", place, PROPFIND, Depth="infinity")
    for who, place in (("bob", BOB), ("bob", "/dav/calendars/"), ("ann", "/dav/calendars/user/")):
        match = "<principal-property><owner/></principal-property><prop><displayname/></prop>"
        play.see(who, "REPORT", place, f"<principal-match {SPACES}>{match}</principal-match>", **XML)
    play.see("bob", "REPORT", shared, f"{query}</C:calendar-query>", Depth="1", **XML)
    play.see("bob", "REPORT", BOB, f"{query}</C:calendar-query>", Depth="infinity", **XML)
    several = "".join(f"<href>{each}first.ics</href>" for each in (shared, f"{BOB}Default/", f"{BOB}Nothing/"))
    multiget = f"<C:calendar-multiget {SPACES}><prop><C:calendar-data/></prop>{several}</C:calendar-multiget>"
    play.see("bob", "REPORT", BOB, multiget, **XML)
    for level, token in tokens.items():
        play.sync("bob", BOB, token, level)
    play.see("bob", "MKCALENDAR", shared)
    play.see("bob", "MKCALENDAR", f"{shared}inner/")
    locked = play.ask("bob", "LOCK", f"{shared}first.ics", LOCK, **XML)
    play.see("bob", "PUT", f"{shared}first.ics", event("first"))
    play.see("bob", "UNLOCK", f"{shared}first.ics", Lock_Token=locked.headers["Lock-Token"])


def asked(play: Play, shared: str) -> None:
    """A calendar that is shared takes up time of the sharee, if that is what the sharee wants."""
    later = event("later").replace("T10", "T11")
    play.see("bob", "PUT", f"{BOB}Default/later.ics", later, Content_Type="text/calendar")
    for kind in ("opaque", "transparent"):
        set_ = f"<set><prop><C:schedule-calendar-transp><C:{kind}/></C:schedule-calendar-transp></prop></set>"
        play.see("bob", "PROPPATCH", shared, f"<propertyupdate {SPACES}>{set_}</propertyupdate>", **XML)
        for who in ("ann", "bob"):
            everybody = [play.server.mail(each) for each in ("ann", "bob", "carol")]
            told = play.server.asks(who, everybody, "20260302").replace("\r\n ", "")
            play.found.append((who, kind, re.findall(r"(?m)^ATTENDEE:(\S+)|^FREEBUSY[^:]*:(\S+)", told)))
            play.busy(who, BOB)
    play.see("bob", "DELETE", f"{BOB}Default/later.ics")


def expanded(play: Play, shared: str) -> None:
    """expand-property (RFC 3253 section 3.8) from a shared calendar, to one, and to the home that it is in."""
    ctag = '<property name="getctag" namespace="http://calendarserver.org/ns/"/>'
    home = f'<property name="calendar-home-set" namespace="urn:ietf:params:xml:ns:caldav">{ctag}</property>'
    names = '<property name="displayname"/><property name="share-access"/>'
    people = "".join(
        f'<property name="{each}">{home}{names}</property>' for each in ("owner", "current-user-principal")
    )
    here = f"{names}{ctag}{people}{home}"
    link = f'<property name="link" namespace="urn:e">{here}</property>'
    hrefs = "".join(f"<href>{shared}{each}</href>" for each in ("", "first.ics", "nothing.ics"))
    link_set = f'<set><prop><E:link xmlns:E="urn:e">{hrefs}</E:link></prop></set>'
    play.ask("bob", "PROPPATCH", f"{BOB}Default/", f"<propertyupdate {SPACES}>{link_set}</propertyupdate>", **XML)
    for number, place in enumerate((shared, f"{shared}first.ics", BOB, f"{BOB}Default/", "/dav/principals/user/bob/")):
        play.ask("ann", "PUT", f"{ANN}Team/first.ics", event("first", f"SUMMARY:{number}"))
        told = play.ask("bob", "REPORT", place, f'<expand-property xmlns="DAV:">{here}{link}</expand-property>', **XML)
        tags = {BOB: play.ctag("bob", BOB), shared: play.ctag("bob", shared)}
        text = play.plain(etree.canonicalize(told.text, strip_text=True, rewrite_prefixes=True))
        for path, tag in tags.items():
            text = text.replace(f">{tag}<", f">the tag of {play.plain(path)}<")
        play.found.append((number, re.sub(r">\d+-\d+<", ">another<", text)))


def carried(play: Play, shared: str) -> None:
    """COPY and MOVE out of a shared calendar and into it."""
    play.see("bob", "PUT", f"{BOB}Default/own.ics", event("own"))
    play.see("bob", "COPY", f"{shared}first.ics", Destination=f"{BOB}Default/copy.ics")
    play.see("bob", "MOVE", f"{shared}first.ics", Destination=f"{BOB}Default/moved.ics")
    play.see("bob", "MOVE", f"{shared}first.ics", Destination=f"{shared}second.ics")
    play.see("bob", "COPY", f"{BOB}Default/own.ics", Destination=f"{shared}own.ics")
    play.see("bob", "COPY", f"{BOB}Default/own.ics", Destination=f"{CAROL}Default/own.ics")
    play.see("bob", "MOVE", f"{BOB}Default/own.ics", Destination=f"{shared}own.ics")
    play.see("bob", "COPY", shared, Destination=f"{BOB}Mine/")
    for path in (shared, f"{BOB}Default/", f"{BOB}Mine/"):
        play.see("bob", "PROPFIND", path, f"<propfind {SPACES}><prop><getcontentlength/></prop></propfind>", Depth="1")
    play.see("bob", "DELETE", f"{BOB}Mine/")
    play.see("bob", "DELETE", f"{BOB}Default/copy.ics")


def renamed(play: Play, shared: str) -> None:
    """A shared calendar has another name in the home of the sharee for a while."""
    tokens = {level: play.sync("bob", BOB, "", level) for level in ("1", "infinite")}
    own = play.sync("bob", shared, "", "1")
    new = f"{BOB}Nice/"
    play.see("bob", "MOVE", shared, Destination=f"{BOB}Default/", Overwrite="F")
    for who, place in (("bob", shared), ("bob", f"{BOB}Default/in/"), ("carol", new), ("bob", f"{CAROL}Nice/")):
        play.found.append((who, place == shared or place, play.ask(who, "MOVE", shared, Destination=place).status))
    play.see("bob", "MOVE", shared, Destination=new, If_Match='"other"')
    play.see("bob", "MOVE", shared, Destination=new)
    play.see("bob", "PROPFIND", new, PROPFIND, Depth="0")
    play.see("bob", "PROPFIND", shared, PROPFIND, Depth="0")
    play.see("bob", "PUT", f"{new}third.ics", event("third"), Content_Type="text/calendar")
    play.sync("bob", new, own, "1")
    tokens = {level: play.sync("bob", BOB, token, level) for level, token in tokens.items()}
    play.see("ann", "DELETE", f"{ANN}Team/third.ics")
    tokens = {level: play.sync("bob", BOB, token, level) for level, token in tokens.items()}
    play.see("bob", "MKCALENDAR", new)
    play.see("bob", "MOVE", new, Destination=shared)
    for level, token in tokens.items():
        play.sync("bob", BOB, token, level)


def ended(play: Play, shared: str) -> None:
    play.share(f"{ANN}Team/", "bob", access="read")
    play.see("bob", "PUT", f"{shared}more.ics", event("more"))
    play.see("bob", "GET", f"{shared}second.ics")
    play.see("bob", "DELETE", shared)
    play.see("bob", "GET", f"{shared}second.ics")
    play.see("bob", "MKCALENDAR", shared)
    play.see("bob", "PROPFIND", BOB, PROPFIND, Depth="1")
    play.see("ann", "PROPFIND", f"{ANN}Team/", PROPFIND, Depth="0")
    play.clear("ann")
    play.clear("bob")
    play.share(f"{ANN}Team/", "bob")
    _, told = play.notice("bob")
    play.reply("bob", told, "invite-declined")
    play.reply("bob", told, "invite-accepted")
    play.unshare(f"{ANN}Team/", "bob")
    play.see("bob", "PROPFIND", BOB, PROPFIND, Depth="1")
    play.notice("bob")
    play.reply("bob", told, "invite-accepted")
    play.clear("bob")


def drafted(play: Play) -> None:
    """In the words of the draft."""
    sharee = "<sharee><href>mailto:bob@example.com</href><share-access><read/></share-access></sharee>"
    body = f"<share-resource {SPACES}>{sharee}</share-resource>"
    play.see("ann", "POST", f"{ANN}Drafts/", body, Content_Type=DRAFT)
    path, _ = play.notice("bob", Accept="application/davnotification+xml")
    slug = "<slug>Named</slug><invite-accepted/>"
    for answer in (f"<create-in><href>/dav/</href></create-in>{slug}", slug, slug.replace("Named", "Again")):
        replied = play.ask("bob", "POST", path, f"<invite-reply {SPACES}>{answer}</invite-reply>", Content_Type=DRAFT)
        play.found.append((replied.status, replied.headers.get("Location")))
    play.see("bob", "PROPFIND", replied.headers["Location"], PROPFIND, Depth="0")
    play.see("ann", "DELETE", f"{ANN}Drafts/")
    play.see("bob", "PROPFIND", BOB, PROPFIND, Depth="1")
    play.clear("bob")


def test_calendars_are_shared_with_people_at_another_node_as_with_others(cluster: Murder, single: Diaries) -> None:
    found = []
    for server in (cluster.front, single):
        play = Play(server)
        shared = accepted(play)
        used(play, shared)
        asked(play, shared)
        expanded(play, shared)
        carried(play, shared)
        renamed(play, shared)
        ended(play, shared)
        drafted(play)
        play.see("ann", "DELETE", f"{ANN}Team/")
        for who in ("ann", "carol"):
            play.clear(who)
        found.append(play.found)
    assert [each for each in zip(*found, strict=True) if each[0] != each[1]] == []


# -- who moves ---------------------------------------------------------------------------------------------------------

WAYS = (("ann", "b2"), ("bob", "b1"), ("ann", "b1"), ("bob", "b2"))
"""From where everybody was back to there: sharer and sharees come together, and part."""
MOVES = ("b2", "b1", "b2", "b1")
"""Of the sharer, with whom one sharee and the other one are."""


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Murder]:
    """A cluster of its own: what people leave behind who move is seen for a minute."""
    with Murder(tmp_path_factory.mktemp("moving")) as running:
        yield running


@pytest.fixture(scope="module")
def moves(moving: Murder) -> Iterator[Moves]:
    with Moves(moving.front.config) as running:
        yield running


def test_sharers_and_sharees_move_one_by_one(moving: Murder, moves: Moves) -> None:
    cluster = moving
    play = Play(cluster.front)
    play.see("ann", "MKCALENDAR", f"{ANN}Team/")
    play.share(f"{ANN}Team/", "bob", "carol")
    shared = {who: play.reply(who, play.notice(who)[1], "invite-accepted") for who in ("bob", "carol")}
    play.clear("ann")
    play.share(f"{ANN}Team/", "admin")
    places = {"ann": f"{ANN}Team/", **shared}
    tokens = {who: play.sync(who, place, "", "1") for who, place in places.items()}
    homes = {who: play.sync(who, f"/dav/calendars/user/{who}/", "", "1") for who in shared}
    written: list[str] = []
    for number, (mover, node) in enumerate(WAYS):
        moves.move([mover], node)
        for writer, place in places.items():
            name = f"{number}-{writer}.ics"
            assert play.ask(writer, "PUT", place + name, event(name)).status == 201, (mover, node, writer)
            written.append(name)
        for reader, place in places.items():
            assert sorted(each.rpartition("/")[2] for each in names(cluster.front, reader, place)) == sorted(written)
            body = f"<sync-collection {SPACES}><sync-token>{tokens[reader]}</sync-token><sync-level>1</sync-level>"
            told = play.ask(reader, "REPORT", place, f"{body}<prop><getetag/></prop></sync-collection>", **XML)
            assert told.status == 207, (mover, node, reader, told)
            found = re.findall(r"/([^/<]*\.ics)</D:href>", told.text)
            assert sorted(found) == sorted(written[-3:]), (mover, node, reader)
            tokens[reader] = re.findall("<D:sync-token>(.*?)</", told.text)[0]
        for who in shared:
            listed = play.ask(who, "PROPFIND", f"/dav/calendars/user/{who}/", PROPFIND, Depth="1").text
            assert listed.count("<CS:shared/>") == 1, (mover, node, who)
            homes[who] = changed(play, who, homes[who], shared[who])
    play.reply("admin", play.notice("admin")[1], "invite-accepted")
    assert play.ask("admin", "PROPFIND", "/dav/calendars/user/admin/", PROPFIND, Depth="1").text.count("<CS:shared/>")
    play.unshare(f"{ANN}Team/", "carol")
    assert play.ask("carol", "GET", f"{shared['carol']}0-ann.ics").status == 404
    assert play.ask("ann", "DELETE", f"{ANN}Team/").status == 204
    for who in ("bob", "admin"):
        assert play.ask(who, "GET", f"{shared['bob']}0-ann.ics").status in (403, 404)
    for who in ("ann", "bob", "carol", "admin"):
        play.clear(who)


def changed(play: Play, who: str, token: str, shared: str) -> str:
    """Have a sync report on a home tell that a shared calendar has changed; returns the next token.

    Where a sharee comes to the sharer's node, or the other way round, the home is synchronized anew.
    """
    home = f"/dav/calendars/user/{who}/"
    for each in (token, ""):
        body = f"<sync-collection {SPACES}><sync-token>{each}</sync-token><sync-level>1</sync-level>"
        told = play.ask(who, "REPORT", home, f"{body}<prop><getetag/></prop></sync-collection>", **XML)
        if told.status == 207:
            assert f"<D:href>{shared}</D:href>" in told.text
            return str(re.findall("<D:sync-token>(.*?)</", told.text)[0])
        assert (told.status, "valid-sync-token" in told.text) == (403, True)
    raise AssertionError("no report")


def names(server: Diaries, who: str, place: str) -> list[str]:
    answer = server.by(who).request("PROPFIND", place, Depth="1")
    assert answer.status == 207, answer
    return [each for each in re.findall(r"<D:href>([^<]+)</D:href>", answer.text) if not each.endswith("/")]


class Writer:
    """Writes into a calendar, removes some of it, and keeps a copy of it, again and again."""

    def __init__(self, server: Diaries, who: str, place: str) -> None:
        self.client = Client(server, who, place)
        self.left: set[str] = set()
        """Names of what is there of what this one has written."""

    def work(self, number: int) -> None:
        name = f"{self.client.who}-{number}.ics"
        self.client.put(name, event(name))
        self.left.add(name)
        if number % 3 == 2:
            gone = f"{self.client.who}-{number - 1}.ics"
            assert self.client.request("DELETE", self.client.place + gone).status in (204, 404)  # told 503 before
            self.left.remove(gone)
        self.client.sync()


def test_a_shared_calendar_is_used_while_its_sharer_moves(moving: Murder, moves: Moves) -> None:
    """All see what all have written, once; a home is synchronized anew where sharer and sharee come together."""
    front = moving.front
    play = Play(front)
    play.see("ann", "MKCALENDAR", f"{ANN}Team/")
    play.share(f"{ANN}Team/", "bob", "carol")
    places = {who: play.reply(who, play.notice(who)[1], "invite-accepted") for who in ("bob", "carol")}
    writers = [Writer(front, who, place) for who, place in {"ann": f"{ANN}Team/", **places}.items()]
    homes = [Client(front, who, f"/dav/calendars/user/{who}/", deep=True) for who in places]
    going = [Going(each.work) for each in writers]
    going += [Going(lambda _, each=each: each.sync()) for each in homes]  # type: ignore[misc] # bound at once
    for node in MOVES:
        goals = {each: each.times + 2 for each in going}
        until(lambda: all(each.has(times) for each, times in goals.items()))  # noqa: B023 - it is waited for at once
        assert [each["node"] for each in moves.move(["ann"], node)] == [node]
    for each in going:
        each.stop()
    left = sorted(name for each in writers for name in each.left)
    for writer in writers:
        writer.client.sync()
        assert sorted(path.removeprefix(writer.client.place) for path in writer.client.known) == left
        assert writer.client.known == writer.client.listing()
        assert writer.client.anew == 0, writer.client.who
    for home in homes:
        home.sync()
        assert home.known == home.listing()
        assert home.anew <= MOVES.count({"bob": "b2", "carol": "b1"}[home.who]), home.who
    assert len({tuple(sorted(each.client.known.values())) for each in writers}) == 1
    assert play.ask("ann", "DELETE", f"{ANN}Team/").status == 204
