"""Write calendars out: as one iCalendar file, or each object as it is stored."""

from pathlib import Path

from calserver.admin.calendars import find
from calserver.admin.refused import Refused
from calserver.caldav import webcal
from calserver.store import Principal, Transaction


def to_text(txn: Transaction, principal: Principal, name: str) -> bytes:
    """All objects of a calendar as one VCALENDAR, each time zone once.

    Raises:
        Refused: there is no such calendar.
    """
    calendar = find(txn, principal, name)
    titled = (("X-WR-CALNAME", calendar.display_name),) if calendar.display_name else ()
    return webcal.whole((text for _, text in txn.objects.iterate(calendar.id)), titled)


def to_folder(txn: Transaction, principal: Principal, name: str, folder: Path) -> list[Path]:
    """Each object of a calendar, byte for byte, as a file of its name in a folder, which is made if need be.

    Raises:
        Refused: there is no such calendar, or a file of the name of an object is there.
    """
    calendar = find(txn, principal, name)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for row, text in txn.objects.iterate(calendar.id):
        path = folder / row.name
        try:
            with path.open("xb") as file:
                file.write(text)
        except FileExistsError:
            raise Refused(f"{path} exists; choose an empty folder") from None
        written.append(path)
    return written
