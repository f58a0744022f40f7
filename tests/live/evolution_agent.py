"""Evolution's calendars, told what to do: for the system's Python, which has the bindings of Evolution's data server.

Each line of the standard input is a request in JSON, each line of the output its answer: ``{"done": ...}`` or
``{"error": ...}``. It runs in a session bus of its own (`evolution.Evolution`).
"""

import json
import sys
import threading
from typing import Any

import gi

gi.require_version("ECal", "2.0")
gi.require_version("EDataServer", "1.2")
gi.require_version("ICalGLib", "3.0")
from gi.repository import ECal, EDataServer, GLib, ICalGLib  # noqa: E402 - their versions are chosen first

CONNECT_SECONDS = 30
KINDS = {"events": ECal.ClientSourceType.EVENTS, "tasks": ECal.ClientSourceType.TASKS}
EXTENSIONS = {"events": EDataServer.SOURCE_EXTENSION_CALENDAR, "tasks": EDataServer.SOURCE_EXTENSION_TASK_LIST}
CHANGES = {
    "one": ECal.ObjModType.THIS,
    "future": ECal.ObjModType.THIS_AND_FUTURE,
    "all": ECal.ObjModType.ALL,
}
NONE = ECal.OperationFlags.NONE
WANTED = EDataServer.WebDAVDiscoverSupports.EVENTS | EDataServer.WebDAVDiscoverSupports.TASKS


def credentials(user: str) -> Any:
    found = EDataServer.NamedParameters.new()
    found.set(EDataServer.SOURCE_CREDENTIAL_USERNAME, user)
    found.set(EDataServer.SOURCE_CREDENTIAL_PASSWORD, user)
    return found


def source(url: str, user: str, kind: str, name: str | None) -> Any:
    """A calendar in the network, as the dialogs of Evolution write it down."""
    made = EDataServer.Source.new_with_uid(name, None) if name else EDataServer.Source.new(None, None)
    made.set_display_name(name or user)
    made.set_parent("caldav-stub")
    made.get_extension(EXTENSIONS[kind]).set_backend_name("caldav")
    uri = GLib.Uri.parse(url, GLib.UriFlags.NONE)
    authentication = made.get_extension(EDataServer.SOURCE_EXTENSION_AUTHENTICATION)
    authentication.set_host(uri.get_host())
    authentication.set_port(uri.get_port())
    authentication.set_user(user)
    authentication.set_method("plain/password")
    dav = made.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND)
    dav.set_uri(uri)
    dav.set_calendar_auto_schedule(True)
    dav.set_email_address(f"{user}@example.com")
    return made


class Agent:
    """What can be asked: each public method, with the arguments of the request."""

    def __init__(self) -> None:
        self._registry = EDataServer.SourceRegistry.new_sync(None)
        self._clients: dict[str, Any] = {}

    def discover(self, url: str, user: str) -> Any:
        """What there is at a server, and how its owner is addressed."""
        found = EDataServer.webdav_discover_sources_sync(
            source(url, user, "events", None), None, WANTED, credentials(user), None
        )
        calendars = {each.display_name: each.href for each in found.out_discovered_sources}
        return {"calendars": calendars, "addresses": list(found.out_calendar_user_addresses)}

    def open(self, name: str, url: str, user: str, kind: str) -> Any:
        """Connect to a calendar; what it can do."""
        self._registry.commit_source_sync(source(url, user, kind, name), None)
        known = self._registry.ref_source(name)

        def authenticate(known: Any, *_: Any) -> None:
            threading.Thread(target=known.invoke_authenticate_sync, args=(credentials(user), None)).start()

        known.connect("credentials-required", authenticate)
        client = ECal.Client.connect_sync(known, KINDS[kind], CONNECT_SECONDS, None)
        self._clients[name] = client
        return {"capabilities": list(client.get_capabilities()), "readonly": client.is_readonly()}

    def refresh(self, name: str) -> None:
        self._clients[name].refresh_sync(None)

    def texts(self, name: str) -> Any:
        """All components."""
        _, found = self._clients[name].get_object_list_as_comps_sync("#t", None)
        return [each.get_icalcomponent().as_ical_string() for each in found]

    def create(self, name: str, text: str) -> Any:
        return self._clients[name].create_object_sync(ICalGLib.Component.new_from_string(text), NONE, None)[1]

    def modify(self, name: str, text: str, change: str) -> None:
        self._clients[name].modify_object_sync(ICalGLib.Component.new_from_string(text), CHANGES[change], NONE, None)

    def remove(self, name: str, uid: str, instance: str, change: str) -> None:
        self._clients[name].remove_object_sync(uid, instance or None, CHANGES[change], NONE, None)

    def busy(self, name: str, begin: int, end: int, people: list[str]) -> Any:
        """When people are busy, in epoch seconds."""
        _, found = self._clients[name].get_free_busy_sync(begin, end, people, None)
        return [each.get_icalcomponent().as_ical_string() for each in found]


def main() -> None:
    loop = GLib.MainLoop()
    threading.Thread(target=loop.run, daemon=True).start()
    agent = Agent()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"done": getattr(agent, request.pop("do"))(**request)}
        except GLib.Error as error:
            answer = {"error": error.message}
        print(json.dumps(answer), flush=True)
    loop.quit()


if __name__ == "__main__":
    main()
