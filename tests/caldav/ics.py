"""Calendar data for tests, with CRLF line ends."""


def ics(*lines: str) -> bytes:
    """A VCALENDAR with these lines in it."""
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.com//tests//EN")
    return "".join(f"{line}\r\n" for line in (*head, *lines, "END:VCALENDAR")).encode()


def event(uid: str = "1", start: str = "DTSTART:20260105T090000Z", *lines: str, name: str = "VEVENT") -> bytes:
    """An object with one component, which lasts an hour and has a summary unless `lines` say otherwise."""
    if not any(line.startswith(("DTEND", "DURATION", "DUE")) for line in lines) and "VALUE=DATE:" not in start:
        lines = ("DURATION:PT1H", *lines)
    if not any(line.startswith("SUMMARY") for line in lines):
        lines = (f"SUMMARY:{name.lower()} {uid}", *lines)
    stamp = "DTSTAMP:20260101T000000Z"
    return ics(f"BEGIN:{name}", f"UID:{uid}", stamp, start, *lines, f"END:{name}")
