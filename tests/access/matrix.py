"""The access matrix: every method on every kind of resource, by everybody.

    .venv/bin/python tests/access/matrix.py

asks a server in memory and writes the table, and the part of docs/access.md that shows it. The table says what is
right and the server has to follow: so look at the difference before it is committed.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs

ROOT: Final = Path(__file__).parent.parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))

from dialogue import Answer  # noqa: E402 - a script finds it only now
from village import PEOPLE, Village, event, furniture, people  # noqa: E402 - the same

from calserver.dav import Lock  # noqa: E402 - the same
from calserver.store import open_store  # noqa: E402 - the same

TABLE: Final = ROOT / "tests" / "data" / "access-matrix.txt"
PAGE: Final = ROOT / "docs" / "access.md"
BEGIN, END = "<!-- the matrix begins -->\n```text\n", "```\n<!-- the matrix ends -->\n"
PARTS: Final = (*PEOPLE, "nobody")

HOME: Final = "calendars/user/ann/"
FILES: Final = "drive/user/ann/"

RESOURCES: Final[Mapping[str, str]] = {
    "the root": "",
    "what holds the homes": "calendars/user/",
    "calendar home": HOME,
    "calendar": HOME + "Default/",
    "event in it": HOME + "Default/own.ics",
    "no event in it": HOME + "Default/none.ics",
    "calendar with a list": HOME + "Work/",
    "event in a calendar with a list": HOME + "Work/work.ics",
    "no event in a calendar with a list": HOME + "Work/none.ics",
    "public calendar": HOME + "Open/",
    "event in a public calendar": HOME + "Open/open.ics",
    "no event in a public calendar": HOME + "Open/none.ics",
    "calendar that tells the public when it is busy": HOME + "Busy/",
    "event in that one": HOME + "Busy/busy.ics",
    "plain collection with a list": HOME + "Projects/",
    "file in a plain collection with a list": HOME + "Projects/plan.txt",
    "calendar in a plain collection with a list": HOME + "Projects/Secret/",
    "event in that calendar": HOME + "Projects/Secret/secret.ics",
    "scheduling Inbox": HOME + "Inbox/",
    "message in the Inbox": HOME + "Inbox/message.ics",
    "scheduling Outbox": HOME + "Outbox/",
    "attachments": HOME + "Attachments/",
    "attachment": HOME + "Attachments/photo.txt",
    "notifications": HOME + "Notifications/",
    "home of files": FILES,
    "file": FILES + "diary.txt",
    "folder with a list": FILES + "Club/",
    "file in a folder with a list": FILES + "Club/songs.txt",
    "file in it that is denied to reader and member": FILES + "Club/gift.txt",
    "no file in a folder with a list": FILES + "Club/none.txt",
    "calendar home of nobody": "calendars/user/zoe/",
    "calendar in the home of nobody": "calendars/user/zoe/Default/",
    "principal": "principals/user/ann/",
    "group of delegates": "principals/user/ann/calendar-proxy-write/",
}
"""Kinds of resources, and one of each, which is Ann's."""


# -- requests ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Asked:
    """A request."""

    method: str
    path: str
    body: bytes | str = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    lock: Lock | None = None


Make = Callable[[str, str, Village], Asked]
"""From the path of a resource, and who asks, to a request."""


def xml(method: str, body: str, **headers: str) -> Make:
    """A request with this body."""
    namespaces = ' xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"'
    start, _, rest = body.partition(">")
    return lambda path, who, village: Asked(method, path, f"{start}{namespaces}>{rest}", headers)


def plain(method: str, below: str = "", **headers: str) -> Make:
    """A request without a body, to something below the resource."""
    return lambda path, who, village: Asked(method, path.rstrip("/") + "/" + below if below else path, b"", headers)


def is_file(path: str) -> bool:
    """Whether files go there, not calendar objects."""
    return path.startswith("drive/") or path.endswith(".txt") or "/Attachments/" in path or "/Projects/plan" in path


def content(path: str, village: Village, method: str = "PUT", below: str = "") -> Asked:
    """A request that stores content which fits there."""
    if is_file(path):
        return Asked(method, path + below, b"new", {"content_type": "text/plain"})
    uid = village.uid_at(path) or "new"
    return Asked(method, path + below, event(uid, "Cake"), {"content_type": "text/calendar"})


def put(path: str, who: str, village: Village) -> Asked:
    """Replace or make content."""
    return content(path, village)


def post(path: str, who: str, village: Village) -> Asked:
    """Add a member."""
    return content(path, village, "POST", ";add-member")


def own(path: str, who: str) -> str:
    """Something that the asker has, and that may be at the path."""
    return f"drive/user/{who}/own.txt" if is_file(path) else f"calendars/user/{who}/Default/own.ics"


def at(path: str) -> dict[str, str]:
    """A Destination."""
    return {"destination": f"http://dav.example.com/dav/{path}"}


def take(method: str) -> Make:
    """COPY or MOVE something to a home of the asker."""

    def make(path: str, who: str, village: Village) -> Asked:
        if path == HOME + "Projects/" or (path.endswith("/") and not is_file(path)):
            return Asked(method, path, b"", at(f"calendars/user/{who}/taken/"))
        return Asked(method, path, b"", at(own(path, who).rpartition("/")[0] + "/taken" + path[-4:].rstrip("/")))

    return make


def bring(method: str) -> Make:
    """COPY or MOVE something that the asker has to a path."""
    return lambda path, who, village: Asked(method, own(path, who), b"", at(path))


def unlock(path: str, who: str, village: Village) -> Asked:
    """End a lock that Ann has."""
    lock = Lock(
        token="urn:x-lock",
        path=path.rstrip("/"),
        principal_id=village.id_of("ann"),
        exclusive=True,
        deep=False,
        owner="",
        expires=datetime(2100, 1, 1, tzinfo=UTC),
    )
    return Asked("UNLOCK", path, b"", {"lock_token": "<urn:x-lock>"}, lock)


def multiget(path: str, who: str, village: Village) -> Asked:
    """Properties of the resource itself, asked of where it is."""
    collection = path if path.endswith("/") else path.rpartition("/")[0] + "/"
    named = path if not path.endswith("/") else path + "work.ics"
    return xml("REPORT", f"<C:calendar-multiget>{PROP}<D:href>/dav/{named}</D:href></C:calendar-multiget>")(
        collection, who, village
    )


PROP: Final = "<D:prop><D:resourcetype/></D:prop>"
_DISPLAYNAME: Final = "<D:prop><D:displayname/></D:prop>"

LINES: Final[Mapping[str, Make]] = {
    "OPTIONS": plain("OPTIONS"),
    "GET": plain("GET"),
    "HEAD": plain("HEAD"),
    "PROPFIND": xml("PROPFIND", f"<D:propfind>{PROP}</D:propfind>", depth="0"),
    "PROPFIND of DAV:acl": xml("PROPFIND", "<D:propfind><D:prop><D:acl/></D:prop></D:propfind>", depth="0"),
    "PROPPATCH": xml(
        "PROPPATCH", '<D:propertyupdate><D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>'
    ),
    "PROPPATCH of members": xml(
        "PROPPATCH", "<D:propertyupdate><D:set><D:prop><D:group-member-set/></D:prop></D:set></D:propertyupdate>"
    ),
    "PUT": put,
    "POST to add a member": post,
    "POST to share": xml(
        "POST",
        "<CS:share><CS:set><D:href>mailto:sam@example.org</D:href><CS:read/></CS:set></CS:share>",
        content_type="application/xml",
    ),
    "MKCOL in it": plain("MKCOL", "new/"),
    "MKCALENDAR in it": plain("MKCALENDAR", "new/"),
    "DELETE": plain("DELETE"),
    "COPY from there": take("COPY"),
    "COPY to there": bring("COPY"),
    "MOVE from there": take("MOVE"),
    "MOVE to there": bring("MOVE"),
    "LOCK": xml(
        "LOCK",
        "<D:lockinfo><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>",
        depth="0",
    ),
    "UNLOCK of the owner's lock": unlock,
    "ACL": xml(
        "ACL",
        "<D:acl><D:ace><D:principal><D:all/></D:principal>"
        "<D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>",
    ),
    "REPORT sync-collection": xml(
        "REPORT", f"<D:sync-collection><D:sync-level>1</D:sync-level>{PROP}</D:sync-collection>"
    ),
    "REPORT calendar-query": xml(
        "REPORT",
        f'<C:calendar-query>{PROP}<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>',
        depth="1",
    ),
    "REPORT calendar-multiget": multiget,
    "REPORT free-busy-query": xml(
        "REPORT",
        '<C:free-busy-query><C:time-range start="20260201T000000Z" end="20260301T000000Z"/></C:free-busy-query>',
        depth="1",
    ),
    "REPORT expand-property": xml("REPORT", '<D:expand-property><D:property name="resourcetype"/></D:expand-property>'),
    "REPORT acl-principal-prop-set": xml(
        "REPORT", f"<D:acl-principal-prop-set>{_DISPLAYNAME}</D:acl-principal-prop-set>"
    ),
    "REPORT principal-match": xml("REPORT", f"<D:principal-match><D:self/>{_DISPLAYNAME}</D:principal-match>"),
    "REPORT principal-property-search": xml(
        "REPORT",
        "<D:principal-property-search><D:property-search><D:prop><D:displayname/></D:prop><D:match>a</D:match>"
        f"</D:property-search>{_DISPLAYNAME}</D:principal-property-search>",
    ),
}
"""What is asked of every resource."""


# -- answers -----------------------------------------------------------------------------------------------------------

YES, NO, NONE, LOGIN, NEVER = "yes", "no", "none", "login", "-"


def outcome(answer: Answer) -> str:
    """What an answer means: what stands in the table."""
    if answer.status == 401:
        return LOGIN
    if b"need-privileges" in answer.body:
        return NO
    if answer.status == 404:
        return NONE
    if answer.status == 207 and b"200 OK" not in answer.body and answer.hrefs:
        return NONE if b"404 Not Found" in answer.body else NEVER
    return YES if answer.status < 300 else NEVER


def ask(village: Village, line: str, path: str, part: str) -> Answer:
    """Ask in the part of somebody, and undo it."""
    uid = PEOPLE.get(part)
    asked = LINES[line](path, uid or "sam", village)
    headers: dict[str, Any] = dict(asked.headers)
    return village.tried(uid, asked.method, asked.path, asked.body, asked.lock, **headers)


def cells(village: Village) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The table as the server has it: resource, line, and the outcome for each part."""
    for resource, path in RESOURCES.items():
        for line in LINES:
            if line == "PROPPATCH of members" and resource != "group of delegates":
                continue
            yield resource, line, {part: outcome(ask(village, line, path, part)) for part in PARTS}


# -- the table ---------------------------------------------------------------------------------------------------------


def read() -> Iterator[tuple[str, str, dict[str, str]]]:
    """The table as it stands in the file, without the lines that are left out."""
    resource = ""
    heads: list[str] = []
    for text in TABLE.read_text(encoding="utf-8").splitlines():
        if not text or text.startswith("#"):
            continue
        if not text.startswith(" "):
            resource, *heads = [each.strip() for each in text.split("|")]
            continue
        line, *found = [each.strip() for each in text.split("|")]
        yield resource, line, dict(zip(heads, found, strict=True))


def not_for_anybody(found: Mapping[str, str]) -> bool:
    """Whether what stands in a line says that not even owner and administrator can do it; it is left out then."""
    return {found["owner"], found["administrator"]} <= {NEVER, NONE, NO}


def write(rows: Iterable[tuple[str, str, dict[str, str]]]) -> str:
    """The text of the table."""
    width = max(map(len, (*LINES, *RESOURCES))) + 2
    lines: list[str] = []
    current = ""
    for resource, line, found in rows:
        if not_for_anybody(found) and line != "GET":
            continue
        if resource != current:
            current = resource
            lines += ["", " | ".join((f"{resource:{width}}", *(f"{part:{len(part)}}" for part in PARTS)))]
        lines.append(" | ".join((f"  {line:{width - 2}}", *(f"{found[part]:{len(part)}}" for part in PARTS))).rstrip())
    return "\n".join(lines[1:]) + "\n"


def shown(table: str) -> str:
    """The page with the table in it."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table + END + after


def measured(folder: Path) -> list[tuple[str, str, dict[str, str]]]:
    """The table as a new server has it, whose store lies in a folder."""
    opened = open_store(f"sqlite:///{folder}/store.sqlite", reactor=None)
    opened.write_now(people)
    opened.write_now(furniture)
    found = list(cells(Village(opened)))
    opened.close()
    return found


def main() -> None:
    """Write the table as the server has it."""
    with tempfile.TemporaryDirectory() as folder:
        table = write(measured(Path(folder)))
    TABLE.write_text(table, encoding="utf-8")
    PAGE.write_text(shown(table), encoding="utf-8")


if __name__ == "__main__":
    main()
