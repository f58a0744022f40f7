"""Transcripts of requests: who asks what of the server, and what is in the answer.

A transcript is a list of steps, each a line that begins with ``> `` and the lines below it::

    > ann PUT calendars/user/ann/Default/m.ics
                            a request; calendar data without BEGIN:VCALENDAR, or XML
    > answered 403          the status, and lines that are in the body, in this order

Lines beginning with ``#`` say what is shown.
"""

import re
from pathlib import Path

from dialogue import Answer
from office import Office

_HEAD = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//EN"]


def play(office: Office, path: Path) -> None:
    answer: Answer | None = None
    for block in re.split(r"^> ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        first, *rest = block.splitlines()
        lines = [line for line in rest if line.strip() and not line.startswith("#")]
        who, *words = first.split()
        if who == "answered":
            assert answer is not None
            _check(answer, int(words[0]), lines, first)
        else:
            answer = _request(office, who, words[0], words[1], lines)


def _request(office: Office, who: str, method: str, path: str, lines: list[str]) -> Answer:
    is_xml = bool(lines) and lines[0].startswith("<")
    body = lines if is_xml or not lines else [*_HEAD, *lines, "END:VCALENDAR", ""]
    content_type = "application/xml" if is_xml else "text/calendar"
    return office.by(who)(method, path, "\r\n".join(body).encode(), content_type=content_type)


def _check(answer: Answer, status: int, lines: list[str], step: str) -> None:
    body = answer.body.decode().replace("&#13;", "").replace("\r", "").replace("\n ", "")
    assert answer.status == status, f"{step}: {answer.status} {body}"
    at = 0
    for line in lines:
        found = body.find(line, at)
        assert found >= 0, f"{step}: {line!r} is not there or comes earlier:\n{body}"
        at = found + len(line)
