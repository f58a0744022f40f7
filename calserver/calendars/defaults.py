"""The calendars that invitations are put into (RFC 6638 sections 4.3 and 9.2)."""

from collections.abc import Iterable, Mapping
from typing import Final

from calserver.calendars.objects import taken
from calserver.calendars.provision import DEFAULT, TASKS
from calserver.dav import xml
from calserver.names import CS, C
from calserver.store import Collection

DEFAULT_URLS: Final[Mapping[str, str]] = {
    "VEVENT": C("schedule-default-calendar-URL"),
    "VTODO": CS("schedule-default-tasks-URL"),
}
"""The properties of an Inbox that name them, by type of component; they keep the resource id of the calendar."""
_PROVIDED: Final = {"VEVENT": DEFAULT, "VTODO": TASKS}


def default_calendar(inbox: Collection, calendars: Iterable[Collection], component: str) -> Collection | None:
    """The calendar for new invitations of a type.

    It is what the owner chose, as long as it is there, else what was provided, else any that takes such components.

    Args:
        inbox: of the owner.
        calendars: those directly in the owner's home, by name.
        component: ``VEVENT`` or ``VTODO``.
    """
    fitting = [each for each in calendars if each.kind == "calendar" and component in taken(each)]
    chosen = inbox.properties.get(DEFAULT_URLS.get(component, ""))
    resource_id = None if chosen is None else xml.stored_text(chosen)
    for each in fitting:
        if each.resource_id == resource_id:
            return each
    named = [each for each in fitting if each.name == _PROVIDED.get(component)]
    return next(iter((*named, *fitting)), None)
