"""People at work while others are moved: clients that keep a copy of calendars, and threads in which they go on."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from daemon import Answer, Daemon

QUERY = """<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-data/></prop>\
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID">\
<C:text-match collation="i;octet">{}</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter>\
</C:calendar-query>"""
ETAGS = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
SYNC = """<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>{}</sync-level>\
<prop><getetag/></prop></sync-collection>"""


class Client:
    """Keeps a copy of a calendar or home by synchronizing, and changes it; comes again where it is told to.

    Args:
        server: where.
        who: whose client.
        place: what is kept: the path of a collection.
        deep: whether that is all below.
    """

    def __init__(self, server: Daemon, who: str, place: str, *, deep: bool = False) -> None:
        self._connection = server.connect(who)
        self.who, self.place, self._deep = who, place, deep
        self.token = ""
        self.known: dict[str, str] = {}
        """ETags by path, as the last answers have it."""
        self.told: list[int] = []
        """How many changes each answer had."""
        self.statuses: Counter[int] = Counter()
        self.changed = 0
        self.anew = 0
        """How often it has had to begin anew."""

    def request(self, method: str, path: str, body: str = "", **fields: str) -> Answer:
        while True:
            answer = self._connection.request(method, path, body, **fields)
            self.statuses[answer.status] += 1
            if answer.status != 503:
                return answer
            assert "Retry-After" in answer.headers
            time.sleep(0.05)

    def sync(self) -> None:
        answer = self.request("REPORT", self.place, SYNC.format(self.token, "infinite" if self._deep else "1"))
        if answer.status == 403 and "valid-sync-token" in answer.text and self.token:
            self.anew += 1
            self.token = ""
            self.known.clear()
            self.sync()
            return
        assert answer.status == 207, answer
        found = tags(answer)
        for path, tag in found.items():
            if tag is not None:
                self.known[path] = tag
            else:
                self.known.pop(path, None)
        self.told.append(len(found))
        token = re.search(r"<D:sync-token>(.*?)</D:sync-token>", answer.text)
        assert token is not None
        self.token = token[1]

    def put(self, name: str, text: str) -> None:
        answer = self.request("PUT", self.place + name, text, Content_Type="text/calendar")
        assert answer.status in (201, 204), answer
        self.changed += 1

    def find(self, uid: str) -> tuple[str, str]:
        """Path and unfolded text of the event with a UID."""
        answer = self.request("REPORT", self.place, QUERY.format(uid), Depth="1")
        found = re.search(r"<D:href>(.*?)</D:href>.*?<C:calendar-data>(.*?)</C:calendar-data>", answer.text, re.S)
        assert found is not None, answer
        return found[1], found[2].replace("&#13;", "\r").replace("\r\n ", "")

    def listing(self) -> dict[str, str]:
        answer = self.request("PROPFIND", self.place, ETAGS, Depth="infinity" if self._deep else "1")
        assert answer.status == 207
        return {path: tag for path, tag in tags(answer).items() if tag is not None}


def tags(answer: Answer) -> Mapping[str, str | None]:
    """The ETags of what is no collection, by path, as a multistatus tells them; None for what is not there."""
    found = re.findall(r"<D:response><D:href>([^<]*)</D:href>(.*?)</D:response>", answer.text, re.S)
    paths = [path for path, _ in found if not path.endswith("/")]
    assert len(paths) == len(set(paths)), "something is told twice"
    told = {path: re.search(r"<D:getetag>(.*?)</D:getetag>", rest) for path, rest in found if not path.endswith("/")}
    return {path: None if tag is None else tag[1].replace("&quot;", '"') for path, tag in told.items()}


class Going(threading.Thread):
    """Does something again and again, until it is stopped."""

    def __init__(self, act: Callable[[int], None]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._over = threading.Event()
        self.times = 0
        self.problem: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._act(self.times)
                self.times += 1
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.problem = error

    def has(self, times: int) -> bool:
        """Whether it was done that often; raises what went wrong."""
        if self.problem is not None:
            raise self.problem
        return self.times >= times

    def stop(self) -> None:
        self._over.set()
        self.join(60)
        if self.problem is not None:
            raise self.problem
