"""The table: well-formed HTTP that asks for what nobody should get. A row says what must come back."""

import gzip
import zlib
from typing import Final

from hostile import (
    CALENDAR,
    FILE,
    FILES,
    FOREIGN,
    HOME,
    KEPT,
    PRINCIPAL,
    SECRET,
    Row,
    event,
    ics,
    prop,
    query,
    row,
    xml,
)

from calserver.names import C, D

REFUSED: Final = (403, 405, 409)
ORIGIN: Final = "http://127.0.0.1"
TOKEN: Final = "urn:uuid:00000000-0000-4000-8000-000000000000"
VEVENT: Final = '<C:comp-filter name="VEVENT">{}</C:comp-filter>'


def lock(owner: str = "x", scope: str = "<D:exclusive/>", kind: str = "<D:write/>") -> bytes:
    inside = f"<D:lockscope>{scope}</D:lockscope><D:locktype>{kind}</D:locktype><D:owner>{owner}</D:owner>"
    return xml("D:lockinfo", inside)


LOCK: Final = lock()


def set_property(inside: str) -> bytes:
    return xml("D:propertyupdate", f"<D:set><D:prop>{inside}</D:prop></D:set>")


def for_components(name: str) -> str:
    return f'<C:supported-calendar-component-set><C:comp name="{name}"/></C:supported-calendar-component-set>'


def summary(match: str) -> bytes:
    return query(VEVENT.format(f'<C:prop-filter name="SUMMARY">{match}</C:prop-filter>'))


WEBDAV: Final = 'xmlns:D="DAV:"'
DOCTYPES: Final = {
    "an external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    f"<D:propfind {WEBDAV}><D:prop>&x;</D:prop></D:propfind>",
    "an external DTD": f'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><D:propfind {WEBDAV}><D:allprop/></D:propfind>',
    "a parameter entity": f'<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><D:propfind {WEBDAV}/>',
    "a billion laughs": '<!DOCTYPE a [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + f"]><D:propfind {WEBDAV}>&j;</D:propfind>",
    "an attribute list": '<!DOCTYPE D:propfind [<!ATTLIST x a CDATA "b">]>'
    f"<D:propfind {WEBDAV}><D:allprop/></D:propfind>",
    "a doctype behind a comment": f'<?xml version="1.0"?><!-- x --><!DOCTYPE a><D:propfind {WEBDAV}/>',
    "a doctype in UTF-16": f"<!DOCTYPE a><D:sync-collection {WEBDAV}/>",
    "a doctype behind two marks, in UTF-16": f"\ufeff<!DOCTYPE a><D:sync-collection {WEBDAV}/>",
}

XML: Final[tuple[Row, ...]] = (
    *(
        row(
            f"{name}, by {method}",
            f"{method} {path}",
            400,
            body=text.encode("utf-16" if "UTF-16" in name else "utf-8"),
            lacks="root:",
        )
        for name, text in DOCTYPES.items()
        for method, path in (
            ("PROPFIND", CALENDAR),
            ("REPORT", CALENDAR),
            ("PROPPATCH", KEPT),
            ("MKCALENDAR", HOME + "x/"),
        )
    ),
    row("an entity that nobody has declared", f"PROPFIND {HOME}", 400, body=xml("D:propfind", "&x;")),
    row("elements ten thousand deep", f"PROPFIND {HOME}", 400, body="<a>" * 10_000 + "</a>" * 10_000),
    row("elements that never end", f"PROPFIND {HOME}", 400, body="<a>" * 10_000),
    row("a name of 100,000 characters", f"PROPFIND {HOME}", 400, body=xml("D:propfind", prop("a" * 100_000))),
    row(
        "a namespace of 100,000 characters",
        f"PROPFIND {HOME}",
        400,
        body=xml("D:propfind", f'<D:prop><x xmlns="{"n" * 100_000}"/></D:prop>'),
    ),
    row("more elements than there may be", f"PROPFIND {HOME}", 413, body=xml("D:propfind", prop(*["D:x"] * 100_000))),
    row("more bytes of XML than there may be", f"PROPFIND {HOME}", 413, body=xml("D:propfind", " " * 3_000_000)),
    row("100,000 attributes", f"PROPFIND {HOME}", 400, body=xml("a" + "".join(f' a{n}="x"' for n in range(100_000)))),
    row("the same attribute twice", f"PROPFIND {HOME}", 400, body='<a x="1" x="2"/>'),
    row("a prefix that is not declared", f"PROPFIND {HOME}", 400, body="<z:propfind/>"),
    row("bytes that are no UTF-8", f"PROPFIND {HOME}", 400, body=b'<a b="\xff\xfe"/>'),
    row("a control character", f"PROPFIND {HOME}", 400, body=b"<a>\x01</a>"),
    row("U+FFFE", f"PROPFIND {HOME}", 400, body="<a>\ufffe</a>"),
    row("an unknown encoding", f"PROPFIND {HOME}", 400, body='<?xml version="1.0" encoding="UTF-7"?><a/>'),
    row("UTF-32", f"PROPFIND {HOME}", 400, body="<a/>".encode("utf-32")),
    row("another root", f"PROPFIND {HOME}", 400, body="<a/>"),
    row("no XML at all", f"REPORT {CALENDAR}", 400, body="BEGIN", Content_Type="text/plain"),
    row("nothing", f"REPORT {CALENDAR}", 400),
    row("a report that there is not", f"REPORT {CALENDAR}", 403, D("supported-report"), "<x/>"),
    row("a report that is for other resources", f"REPORT {FILE}", 403, D("supported-report"), query()),
)

REPORTS: Final[tuple[Row, ...]] = (
    row(
        "10,000 unknown properties",
        f"PROPFIND {KEPT}",
        400,
        body=xml("D:propfind", prop(*(f"D:p{n}" for n in range(10_000)))),
    ),
    row(
        "10,000 unknown properties of everything",
        f"PROPFIND {HOME}",
        400,
        body=xml("D:propfind", prop(*(f"D:p{n}" for n in range(10_000)))),
        Depth="infinity",
    ),
    row(
        "100,000 hrefs",
        f"REPORT {CALENDAR}",
        413,
        body=xml("C:calendar-multiget", prop("D:getetag"), "<D:href/>" * 100_000),
    ),
    row(
        "more hrefs than there may be",
        f"REPORT {CALENDAR}",
        403,
        D("number-of-matches-within-limits"),
        xml(
            "C:calendar-multiget",
            prop("D:getetag"),
            "".join(f"<D:href>{CALENDAR}{n}.ics</D:href>" for n in range(5_001)),
        ),
    ),
    row("no hrefs", f"REPORT {CALENDAR}", 400, body=xml("C:calendar-multiget", prop("D:getetag"))),
    row(
        "hrefs of somebody else",
        f"REPORT {CALENDAR}",
        207,
        body=xml("C:calendar-multiget", prop("C:calendar-data"), f"<D:href>{SECRET}</D:href>"),
        lacks="SUMMARY:secret",
    ),
    row(
        "hrefs that are none",
        f"REPORT {CALENDAR}",
        (207, 400),
        body=xml(
            "C:calendar-multiget",
            prop("C:calendar-data"),
            "<D:href>file:///etc/passwd</D:href><D:href>//</D:href><D:href>../../../../etc/passwd</D:href><D:href>%00</D:href>"
            "<D:href>http://[</D:href><D:href/>",
        ),
        lacks="root:",
    ),
    row(
        "filters ten thousand deep",
        f"REPORT {CALENDAR}",
        400,
        body=query('<C:comp-filter name="VEVENT">' * 10_000 + "</C:comp-filter>" * 10_000),
    ),
    row(
        "filters forty deep",
        f"REPORT {CALENDAR}",
        403,
        C("valid-filter"),
        query('<C:comp-filter name="VEVENT">' * 40 + "</C:comp-filter>" * 40),
    ),
    row(
        "5,000 filters beside each other",
        f"REPORT {CALENDAR}",
        (207, 403),
        body=query(
            VEVENT.format('<C:prop-filter name="SUMMARY"><C:text-match>x</C:text-match></C:prop-filter>' * 5_000)
        ),
    ),
    row(
        "a filter without a component",
        f"REPORT {CALENDAR}",
        403,
        C("valid-filter"),
        xml("C:calendar-query", "<C:filter/>"),
    ),
    row("a filter for something else", f"REPORT {CALENDAR}", 403, C("valid-filter"), query(around="VEVENT")),
    row(
        "an unknown collation",
        f"REPORT {CALENDAR}",
        403,
        C("supported-collation"),
        summary('<C:text-match collation="i;evil">x</C:text-match>'),
    ),
    row(
        "a text to match of a megabyte",
        f"REPORT {CALENDAR}",
        (207, 403),
        body=summary(f"<C:text-match>{'x' * 1_000_000}</C:text-match>"),
    ),
    row(
        "a text to match that is an expression",
        f"REPORT {CALENDAR}",
        207,
        body=summary("<C:text-match>(a+)+$</C:text-match>"),
        lacks="kept",
    ),
    row(
        "a negation that is none",
        f"REPORT {CALENDAR}",
        403,
        C("valid-filter"),
        summary('<C:text-match negate-condition="maybe">x</C:text-match>'),
    ),
    *(
        row(
            f"a time range {name}",
            f"REPORT {CALENDAR}",
            403,
            C("valid-filter"),
            query(VEVENT.format(f"<C:time-range {times}/>")),
        )
        for name, times in {
            "that ends before it starts": 'start="20260102T000000Z" end="20260101T000000Z"',
            "that is empty": 'start="20260101T000000Z" end="20260101T000000Z"',
            "in local time": 'start="20260101T000000"',
            "of days": 'start="20260101"',
            "of nonsense": 'start="x"',
            "on a day that there is not": 'start="20260231T000000Z"',
            "in the year 99999": 'start="999990101T000000Z"',
        }.items()
    ),
    row("a time range without times", f"REPORT {CALENDAR}", 400, body=query(VEVENT.format("<C:time-range/>"))),
    row(
        "the whole of time",
        f"REPORT {CALENDAR}",
        207,
        body=query(VEVENT.format('<C:time-range start="00010101T000000Z" end="99991231T235959Z"/>')),
    ),
    row(
        "an expansion without an end",
        f"REPORT {CALENDAR}",
        400,
        body=query(VEVENT.format(""), data='<C:calendar-data><C:expand start="20260101T000000Z"/></C:calendar-data>'),
    ),
    row(
        "an expansion of everything to everything",
        f"REPORT {CALENDAR}",
        403,
        C("max-instances"),
        query(
            VEVENT.format(""),
            data='<C:calendar-data><C:expand start="19000101T000000Z" end="20991231T000000Z"/></C:calendar-data>',
        ),
    ),
    row(
        "calendar data of an unknown type",
        f"REPORT {CALENDAR}",
        403,
        C("supported-calendar-data"),
        query(VEVENT.format(""), data='<C:calendar-data content-type="text/x-evil"/>'),
    ),
    row(
        "a time zone that is none",
        f"REPORT {CALENDAR}",
        403,
        C("valid-calendar-data"),
        xml(
            "C:calendar-query",
            prop("D:getetag"),
            '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter><C:timezone>x</C:timezone>',
        ),
    ),
    row("busy times without a range", f"REPORT {CALENDAR}", 400, body=xml("C:free-busy-query")),
    row(
        "busy times of somebody who has not said so",
        f"REPORT {FOREIGN}",
        (200, 403),
        body=xml("C:free-busy-query", '<C:time-range start="20260101T000000Z" end="20260201T000000Z"/>'),
        lacks="secret",
    ),
    *(
        row(
            f"a sync token {name}",
            f"REPORT {CALENDAR}",
            403,
            D("valid-sync-token"),
            xml(
                "D:sync-collection",
                f"<D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>",
                prop("D:getetag"),
            ),
        )
        for name, token in {
            "that is nonsense": "x",
            "that is a path": "../../../etc/passwd",
            "of the future": "data:,99999999999999999999",
            "that is negative": "data:,-1",
            "that is long": "x" * 100_000,
        }.items()
    ),
    row(
        "a sync level that there is not",
        f"REPORT {CALENDAR}",
        400,
        body=xml("D:sync-collection", "<D:sync-token/><D:sync-level>7</D:sync-level>", prop("D:getetag")),
    ),
    *(
        row(
            f"a limit of {limit or 'nothing'}",
            f"REPORT {CALENDAR}",
            (400, 403),
            body=xml(
                "D:sync-collection",
                f"<D:sync-token/><D:sync-level>1</D:sync-level><D:limit><D:nresults>{limit}</D:nresults></D:limit>",
                prop("D:getetag"),
            ),
        )
        for limit in ("", "x", "-1")
    ),
    row(
        "properties that expand for ever",
        f"REPORT {PRINCIPAL}",
        (400, 403, 207),
        body=xml("D:expand-property", '<D:property name="principal-URL">' * 30 + "</D:property>" * 30),
    ),
    row("a search without a property", "REPORT /dav/principals/", (207, 400), body=xml("D:principal-property-search")),
    row(
        "a search for everybody",
        "REPORT /dav/principals/",
        (207, 403),
        body=xml(
            "D:principal-property-search",
            f"<D:property-search>{prop('D:displayname')}<D:match>%</D:match></D:property-search>{prop('D:displayname')}",
        ),
        lacks="Bob",
    ),
    row(
        "a calendar for a time zone that is none",
        f"MKCALENDAR {HOME}x/",
        207,
        C("valid-calendar-data"),
        xml("C:mkcalendar", "<D:set><D:prop><C:calendar-timezone>x</C:calendar-timezone></D:prop></D:set>"),
    ),
    row(
        "everything below the root",
        "PROPFIND /dav/",
        207,
        body=xml("D:propfind", prop("D:getetag")),
        Depth="infinity",
        lacks="secret",
    ),
)

PATHS: Final[tuple[Row, ...]] = (
    *(
        row(f"{method} {path[:60]}", f"{method} {path}", status, body=body, lacks="root:")
        for method, body in (("GET", b""), ("PUT", event()), ("DELETE", b""), ("PROPFIND", b""), ("MKCOL", b""))
        for path, status in {
            FILES + "../../../../../../etc/passwd": 400,
            FILES + "%2e%2e/%2e%2e/%2e%2e/etc/passwd": 400,
            FILES + ".%2e/x": 400,
            FILES + "./x": 400,
            FILES + "%2e": 400,
            FILES + "..": 400,
            FILES + "a%2fb": 400,
            FILES + "a%2Fb": 400,
            FILES + "%00": 400,
            FILES + "a%00.ics": 400,
            FILES + "%ff": 400,
            FILES + "%c0%ae%c0%ae/x": 400,
            FILES + "%0d%0aSet-Cookie:%20a=b": 400,
            FILES + "%ef%bf%be": 400,
            FILES + "n" * 300: (400, 403, 404, 414),
            FILES + "d/" * 40 + "x": (400, 403, 404, 409, 414),
            "//dav/calendars/user/ann/": 404,
            "/etc/passwd": 404,
            "/dav/.git/config": (403, 404, 405, 409),
            "/dav/principals/user/../../calendars/user/ann/Default/kept.ics": 400,
        }.items()
    ),
    row("slashes that are doubled", "GET /dav//calendars/user/bob//Default//secret.ics", 403, lacks="SUMMARY"),
    row("a backslash", f"GET {FILES}..%5c..%5cetc%5cpasswd", 404),
    row("a name that is a query", f"GET {FILE}%3f", 404),
    row("a target longer than there may be", f"GET {FILES}{'x' * 20_000}", 414, user=None),
    row("a path in an absolute URI of somebody else", f"GET http://evil.example{SECRET}", 403, lacks="evil.example"),
    row("a URI of another scheme", "GET ftp://127.0.0.1/x", 400),
    row("a proxy request", "GET http://127.0.0.1:9/", (200, 400, 404, 421)),
    row("CONNECT", "CONNECT 127.0.0.1:22", 400),
)

NAMESPACE: Final[tuple[Row, ...]] = (
    *(
        row(f"{method} {name}", f"{method} {source}", status, Destination=destination)
        for method in ("COPY", "MOVE")
        for name, source, destination, status in (
            ("onto itself", KEPT, ORIGIN + KEPT, 403),
            ("of a collection into itself", CALENDAR, ORIGIN + CALENDAR + "x/", 403),
            ("of a home into itself", HOME, ORIGIN + HOME + "x/", REFUSED),
            ("of a file onto its parent", FILE, ORIGIN + FILES, REFUSED),
            ("to somebody else", KEPT, ORIGIN + FOREIGN + "x.ics", 403),
            ("over what somebody else has", KEPT, ORIGIN + SECRET, 403),
            ("from somebody else", SECRET, ORIGIN + CALENDAR + "x.ics", 403),
            ("of what is not there", CALENDAR + "none.ics", ORIGIN + CALENDAR + "x.ics", 404),
            ("to where no collection is", FILE, ORIGIN + FILES + "none/x", 409),
            ("to another server", KEPT, "http://evil.example/x.ics", 502),
            ("to another port", KEPT, "http://127.0.0.1:9/x.ics", 502),
            ("to another scheme", KEPT, "file:///tmp/x", (400, 502)),
            ("to outside of the tree", KEPT, "/etc/passwd", (400, 403, 502)),
            ("to dot segments", FILE, FILES + "../ann/x", 400),
            ("to an escaped slash", FILE, FILES + "a%2fb", 400),
            ("to NUL", FILE, FILES + "%00", 400),
            ("to a broken escape", FILE, FILES + "%z", 400),
            ("to no URI", FILE, "http://[", 400),
            ("to nothing", FILE, "", 400),
            ("to a principal", FILE, PRINCIPAL + "x", REFUSED),
            ("over a principal", FILE, PRINCIPAL, REFUSED),
            ("over a home", FILES, HOME, REFUSED),
            ("of a principal", PRINCIPAL, FILES + "x/", REFUSED),
            ("of a calendar into a calendar", CALENDAR, HOME + "Tasks/x/", REFUSED),
            ("of an event into a calendar for tasks", KEPT, HOME + "Tasks/x.ics", 403),
            ("of a file into a calendar", FILE, CALENDAR + "x.ics", 403),
            ("with a name that is too long", FILE, FILES + "n" * 300, (400, 403, 414)),
        )
    ),
    row("COPY without a destination", f"COPY {KEPT}", 400),
    row("COPY of a UID that is there", f"COPY {KEPT}", 403, C("no-uid-conflict"), Destination=CALENDAR + "x.ics"),
    row("MOVE of the home", f"MOVE {HOME}", REFUSED, Destination=FILES + "x/"),
    row("MOVE of the inbox", f"MOVE {HOME}Inbox/", REFUSED, Destination=HOME + "x/"),
    row("MOVE of the default calendar", f"MOVE {CALENDAR}", REFUSED, Destination=FILES + "x/"),
    *(
        row(f"DELETE {path}", f"DELETE {path}", REFUSED, condition)
        for path, condition in {
            HOME: "",
            HOME + "Inbox/": "",
            HOME + "Outbox/": "",
            CALENDAR: C("default-calendar-needed"),
            FILES: "",
            PRINCIPAL: "",
            PRINCIPAL + "calendar-proxy-write/": "",
            "/dav/": "",
            "/dav/calendars/": "",
            "/dav/calendars/user/": "",
            "/dav/principals/": "",
            FOREIGN: D("need-privileges"),
            SECRET: D("need-privileges"),
        }.items()
    ),
    row("DELETE of a collection with less than all", f"DELETE {HOME}Tasks/", 400, Depth="0"),
    row("a calendar in a calendar", f"MKCALENDAR {CALENDAR}x/", 403, C("calendar-collection-location-ok")),
    row("a calendar where something is", f"MKCALENDAR {CALENDAR}", 403, D("resource-must-be-null")),
    row("a collection where something is", f"MKCOL {CALENDAR}", 405),
    row("a collection without a parent", f"MKCOL {FILES}none/x/", 409),
    row(
        "a collection of an unknown kind",
        f"MKCOL {FILES}x/",
        403,
        D("valid-resourcetype"),
        xml("D:mkcol", "<D:set><D:prop><D:resourcetype><D:collection/><x/></D:resourcetype></D:prop></D:set>"),
    ),
    row("a collection with a body that is none", f"MKCOL {FILES}x/", 415, body="x", Content_Type="text/plain"),
    row(
        "a calendar of an unknown component",
        f"MKCALENDAR {HOME}x/",
        207,
        body=xml(
            "C:mkcalendar",
            f"<D:set><D:prop>{for_components('VEVIL')}</D:prop></D:set>",
        ),
    ),
    row("PUT over a collection", f"PUT {CALENDAR}", 405, body=event()),
    row("PUT without a parent", f"PUT {FILES}none/x", 409, body="x", Content_Type="text/plain"),
    row("PUT over a principal", f"PUT {PRINCIPAL}", REFUSED, body="x", Content_Type="text/plain"),
    row("PUT of a part", f"PUT {FILE}", 400, body="x", Content_Type="text/plain", Content_Range="bytes 0-0/9"),
)

PROPERTIES: Final[tuple[Row, ...]] = (
    *(
        row(
            f"PROPPATCH of {name}",
            f"PROPPATCH {CALENDAR}",
            207,
            D("cannot-modify-protected-property"),
            set_property(inside),
        )
        for name, inside in {
            "the type": "<D:resourcetype><D:collection/></D:resourcetype>",
            "the ETag": "<D:getetag>x</D:getetag>",
            "the owner": f"<D:owner><D:href>{PRINCIPAL}</D:href></D:owner>",
            "the sync token": "<D:sync-token>x</D:sync-token>",
            "the ctag": "<CS:getctag>x</CS:getctag>",
            "what it is for": for_components("VTODO"),
            "locks": "<D:lockdiscovery/>",
            "a name together with a type": "<D:displayname>changed</D:displayname><D:resourcetype/>",
        }.items()
    ),
    row("PROPPATCH of nothing", f"PROPPATCH {CALENDAR}", (207, 400), body=xml("D:propertyupdate")),
    row(
        "PROPPATCH of 10,000 properties",
        f"PROPPATCH {FILE}",
        400,
        body=set_property("".join(f'<x:p{n} xmlns:x="x:">v</x:p{n}>' for n in range(10_000))),
    ),
    row(
        "PROPPATCH of a megabyte",
        f"PROPPATCH {FILE}",
        (207, 403, 413, 507),
        body=set_property(f'<x xmlns="x:">{"v" * 1_000_000}</x>'),
    ),
    row(
        "PROPPATCH with a time zone that is none",
        f"PROPPATCH {CALENDAR}",
        207,
        C("valid-calendar-data"),
        set_property("<C:calendar-timezone>x</C:calendar-timezone>"),
    ),
    row(
        "PROPPATCH of somebody else's calendar",
        f"PROPPATCH {FOREIGN}",
        403,
        D("need-privileges"),
        set_property("<D:displayname>x</D:displayname>"),
    ),
    row(
        "an ACL without a principal",
        f"ACL {CALENDAR}",
        400,
        body=xml("D:acl", "<D:ace><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>"),
    ),
    row(
        "an ACL without a privilege",
        f"ACL {CALENDAR}",
        400,
        body=xml("D:acl", "<D:ace><D:principal><D:all/></D:principal></D:ace>"),
    ),
    row(
        "an ACL for nobody known",
        f"ACL {CALENDAR}",
        403,
        D("recognized-principal"),
        xml(
            "D:acl",
            "<D:ace><D:principal><D:href>/dav/principals/user/none/</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>",
        ),
    ),
    row(
        "an ACL with an unknown privilege",
        f"ACL {CALENDAR}",
        403,
        D("not-supported-privilege"),
        xml(
            "D:acl",
            "<D:ace><D:principal><D:all/></D:principal><D:grant><D:privilege><D:evil/></D:privilege></D:grant></D:ace>",
        ),
    ),
    row(
        "an ACL for somebody else's calendar",
        f"ACL {FOREIGN}",
        403,
        D("need-privileges"),
        xml(
            "D:acl",
            "<D:ace><D:principal><D:all/></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant></D:ace>",
        ),
    ),
    row(
        "an ACL of 10,000 entries",
        f"ACL {CALENDAR}",
        403,
        D("limited-number-of-aces"),
        xml(
            "D:acl",
            "<D:ace><D:principal><D:authenticated/></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>"
            * 6_000,
        ),
    ),
)

FIELDS: Final[tuple[Row, ...]] = (
    *(
        row(f"If: {value[:40]}", f"PUT {FILE}", status, body="x", Content_Type="text/plain", If=value)
        for value, status in {
            "": 400,
            "x": 400,
            "()": 400,
            "(": 400,
            "(<a>": 400,
            "<x>": 400,
            "([x])": 400,
            '(["x"])': 412,
            "(<urn:x>)": 412,
            "(Not)": 400,
            "<http://[> (<a>)": (400, 412),
            "(" * 5_000: 400,
            "(<a>)" * 2_000: (400, 412),
            '(Not <DAV:no-lock> ["x"])': 412,
            "(\x01)": 400,
            f'<{ORIGIN}{SECRET}> (["x"])': (400, 412),
        }.items()
    ),
    *(
        row(f"If-Match: {value[:40]}", f"PUT {FILE}", status, body="x", Content_Type="text/plain", If_Match=value)
        for value, status in {
            '"x"': 412,
            "x": (400, 412),
            '"': (400, 412),
            'W/"x"': 412,
            ",": (400, 412),
            '"x", ' * 1_000: 412,
            "": (400, 412),
        }.items()
    ),
    row("If-None-Match: *", f"PUT {KEPT}", 412, body=event(uid="kept"), If_None_Match="*"),
    row("If-None-Match with a list of everything", f"PUT {KEPT}", 412, body=event(uid="kept"), If_None_Match='"x", *'),
    row(
        "If-Unmodified-Since long ago",
        f"PUT {FILE}",
        412,
        body="x",
        Content_Type="text/plain",
        If_Unmodified_Since="Thu, 01 Jan 1970 00:00:00 GMT",
    ),
    *(
        row(f"Depth: {value}", f"PROPFIND {HOME}", 400, Depth=value)
        for value in ("2", "-1", "x", "0, 1", "infinity, 0", "9" * 500)
    ),
    row("Depth: 1 for COPY", f"COPY {HOME}Tasks/", 400, Depth="1", Destination=HOME + "x/"),
    row("Depth: 0 for MOVE", f"MOVE {HOME}Tasks/", 400, Depth="0", Destination=HOME + "x/"),
    row("Depth: 1 for LOCK", f"LOCK {FILE}", 400, body=LOCK, Depth="1"),
    *(
        row(f"Overwrite: {value}", f"COPY {FILE}", 400, Destination=FILES + "x", Overwrite=value)
        for value in ("x", "true", "", "T, F")
    ),
    *(
        row(f"Timeout: {value[:30]}", f"LOCK {SECRET}", 403, body=LOCK, Timeout=value)
        for value in ("Second-" + "9" * 400, "x", "Second--1", "Second-")
    ),
    *(
        row(f"Range: {value}", f"GET {FILE}", status, Range=value)
        for value, status in {
            "bytes=9-": 416,
            "bytes=-0": 416,
            "bytes=2-1": (200, 416),
            "bytes=x": (200, 416),
            "bytes=0-0," * 500 + "1-1": (200, 206, 416),
            "bytes=-" + "9" * 400: (200, 206),
            "lines=1-2": 200,
        }.items()
    ),
    row("a date that there is not", f"GET {FILE}", 200, If_Modified_Since="Sun, 99 Foo 2026 25:61:61 GMT"),
    row("a date in the year 99999999999", f"GET {FILE}", 200, If_Modified_Since="Sun, 01 Mar 99999999999 12:00:00 GMT"),
    row("Prefer of nonsense", f"GET {FILE}", 200, Prefer='"; ,,==;' * 200),
    row("Accept of 500 types", f"GET {KEPT}", 200, Accept=", ".join(f"a/b{n};q=0.{n}" for n in range(500))),
    row("Accept-Encoding of nonsense", f"GET {KEPT}", 200, Accept_Encoding=";q=,;;gzip;q=zzz, *;q=-1"),
    row(
        "a charset that there is not",
        f"PROPFIND {HOME}",
        400,
        body=xml("D:propfind", "<D:allprop/>"),
        Content_Type="application/xml; charset=x-evil",
    ),
    row(
        "a content type of something else",
        f"PUT {CALENDAR}x.ics",
        403,
        C("supported-calendar-data"),
        event(),
        Content_Type="text/x-evil",
    ),
    row("a method in a field", f"GET {FILE}", 200, X_HTTP_Method_Override="DELETE"),
    row(
        "an identity in a field",
        f"GET {FILE}",
        401,
        user=None,
        X_Remote_User="ann",
        Remote_User="ann",
        X_Forwarded_User="ann",
    ),
    row(
        "another client in a field",
        f"GET {FILE}",
        200,
        X_Forwarded_For="192.0.2.1",
        Forwarded="for=192.0.2.1;proto=http",
    ),
    row("another host", f"PROPFIND {HOME}", 207, X_Forwarded_Host="evil.example", lacks="evil.example", Depth="0"),
    row("an identifier that ends the line", f"GET {FILE}", 200, X_Request_Id="a%0d%0aX-Evil: 1", lacks="X-Evil"),
    row("TRACE", f"TRACE {FILE}", (405, 501), X_Secret="s3cret", lacks="s3cret"),
    row("TRACE of the server", "TRACE /", (405, 501), X_Secret="s3cret", lacks="s3cret"),
    row("a method that there is not", f"BREW {FILE}", (405, 501)),
    row("a method in small letters", f"propfind {HOME}", (405, 501)),
    row("a method of 1,000 letters", f"{'X' * 1_000} {FILE}", (405, 501)),
    row("a method with markup", f"A!#$%&'*+-.^_`|~ {FILE}", (400, 405, 501)),
    row("PATCH", f"PATCH {KEPT}", (405, 501), body="x", Content_Type="text/plain"),
    row("POST to an event", f"POST {KEPT}", (403, 405, 501), body=event()),
    row(
        "POST without a UID",
        f"POST {CALENDAR};add-member",
        403,
        C("valid-calendar-object-resource"),
        ics("BEGIN:VEVENT", "DTSTAMP:20260101T000000Z", "DTSTART:20260101T000000Z", "END:VEVENT"),
    ),
    row("POST of something else", f"POST {CALENDAR}", (400, 403, 415), body="x", Content_Type="text/plain"),
    row("POST to the outbox of somebody else", "POST /dav/calendars/user/bob/Outbox/", 403, body=ics("METHOD:REQUEST")),
    *(
        row(f"Authorization: {value[:24]}", f"GET {FILE}", 401, user=None, Authorization=value)
        for value in (
            "Basic",
            "Basic !!",
            "Basic \udcff\udcfe",
            "Basic Og==",
            "Bearer x",
            "Digest username=ann",
            "x" * 9_000,
            ",",
            "\x01",
        )
    ),
)

LOCKS: Final[tuple[Row, ...]] = (
    row("a lock without a body", f"LOCK {FILE}", (400, 412)),
    row("a lock without a scope", f"LOCK {FILE}", 400, body=xml("D:lockinfo", "<D:locktype><D:write/></D:locktype>")),
    row(
        "a lock of an unknown type",
        f"LOCK {FILE}",
        (400, 403, 422),
        body=lock(kind="<D:read/>"),
    ),
    row(
        "a lock of both scopes",
        f"LOCK {FILE}",
        400,
        body=lock(scope="<D:exclusive/><D:shared/>"),
    ),
    row(
        "a lock with an owner of a megabyte",
        f"LOCK {FILE}",
        (400, 403, 413),
        body=lock("x" * 1_000_000),
    ),
    row(
        "a lock with an owner that is deep",
        f"LOCK {FILE}",
        400,
        body=lock("<a>" * 100 + "</a>" * 100),
    ),
    row("a lock on what somebody else has", f"LOCK {SECRET}", 403, D("need-privileges"), LOCK),
    row("a lock where nothing may be made", f"LOCK {FOREIGN}x.ics", 403, D("need-privileges"), LOCK),
    row("a lock without a parent", f"LOCK {FILES}none/x", 409, body=LOCK),
    row("a lock that is refreshed and is not there", f"LOCK {FILE}", 412, If=f"(<{TOKEN}>)"),
    row("UNLOCK without a token", f"UNLOCK {FILE}", 400),
    row(
        "UNLOCK with a foreign token",
        f"UNLOCK {FILE}",
        409,
        D("lock-token-matches-request-uri"),
        Lock_Token=f"<{TOKEN}>",
    ),
    row("UNLOCK with nonsense", f"UNLOCK {FILE}", (400, 409), Lock_Token="x"),
    row("UNLOCK with a token of 10,000 characters", f"UNLOCK {FILE}", (400, 409), Lock_Token=f"<{'x' * 10_000}>"),
)

CODINGS: Final[tuple[Row, ...]] = (
    *(
        row(
            f"a bomb of {size // 1_000_000} MB by {coding}",
            f"PUT {FILE}",
            413,
            body=body,
            Content_Type="text/plain",
            Content_Encoding=coding,
        )
        for size in (40_000_000,)
        for coding, body in {"gzip": gzip.compress(bytes(size)), "deflate": zlib.compress(bytes(size))}.items()
    ),
    row(
        "a bomb of XML",
        f"PROPFIND {HOME}",
        413,
        body=gzip.compress(b"<a>" + b" " * 15_000_000 + b"</a>"),
        Content_Encoding="gzip",
        Content_Type="application/xml",
    ),
    row(
        "a bomb in a bomb",
        f"PUT {FILE}",
        415,
        body=gzip.compress(gzip.compress(bytes(40_000_000))),
        Content_Type="text/plain",
        Content_Encoding="gzip, gzip",
    ),
    row(
        "1,000 members",
        f"PUT {FILE}",
        400,
        body=gzip.compress(b"x") * 1_000,
        Content_Type="text/plain",
        Content_Encoding="gzip",
    ),
    row(
        "half of it",
        f"PUT {FILE}",
        400,
        body=gzip.compress(b"x" * 1_000)[:20],
        Content_Type="text/plain",
        Content_Encoding="gzip",
    ),
    row("what is not compressed", f"PUT {FILE}", 400, body="x", Content_Type="text/plain", Content_Encoding="gzip"),
    row("an unknown coding", f"PUT {FILE}", 415, body="x", Content_Type="text/plain", Content_Encoding="zstd"),
    row("a body of 17 MB", f"PUT {FILE}", 413, body=b"x" * 17_000_000, Content_Type="text/plain"),
    row("an event of 3 MB", f"PUT {CALENDAR}x.ics", 403, C("max-resource-size"), event("SUMMARY:" + "x" * 3_000_000)),
)

ROWS: Final = {
    "XML": XML,
    "reports": REPORTS,
    "paths": PATHS,
    "namespace": NAMESPACE,
    "properties": PROPERTIES,
    "fields": FIELDS,
    "locks": LOCKS,
    "codings": CODINGS,
}
