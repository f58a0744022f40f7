"""Thunderbird without a screen: its own scripts are called from outside (Marionette), as its windows call them."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from daemon import free_port

PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "calendar.timezone.local": "Europe/Berlin",
    "calendar.timezone.useSystemTimezone": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "mail.provider.enabled": False,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "network.proxy.type": 0,
    "services.settings.server": "data:,",
    "signon.rememberSignons": True,
    "toolkit.telemetry.enabled": False,
}
"""Of a profile that asks nobody anything and looks for nothing in the network."""
START_SECONDS = 90.0
SCRIPT_SECONDS = 40.0
WRAPPED = """
const [done] = Array.from(arguments).slice(-1);
const {cal} = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const {CalEvent} = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const {CalTodo} = ChromeUtils.importESModule("resource:///modules/CalTodo.sys.mjs");
const work = async (asked) => { BODY };
work(arguments[0]).then(
  value => done({value}),
  error => done({error: `${error.message ?? error} ${error.stack ?? ""}`}));
"""


class ThunderbirdFails(Exception):
    """What a script of Thunderbird ends with."""


class Thunderbird:
    """Thunderbird with a new profile, as a context manager.

    Args:
        folder: the home directory.
        program: Thunderbird.
    """

    def __init__(self, folder: Path, program: str) -> None:
        self._folder, self._program = folder, program
        self._number = 0

    def __enter__(self) -> Self:
        profile, port = self._folder / "profile", free_port()
        profile.mkdir()
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
        profile.joinpath("user.js").write_text("".join(lines) + f'user_pref("marionette.port", {port});\n')
        command = [self._program, "--headless", "--no-remote", "--marionette", "-remote-allow-system-access"]
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "--profile", str(profile)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | {"HOME": str(self._folder)},
            )
        try:
            self._socket = self._connected(port)
            self._file = self._socket.makefile("rb")
            self._read()
            self._call("WebDriver:NewSession", capabilities={"alwaysMatch": {}})
            self._call("Marionette:SetContext", value="chrome")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def _connected(self, port: int) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), START_SECONDS)
            except OSError:
                assert time.monotonic() < deadline, "Thunderbird does not start"
                assert self._process.poll() is None, self._folder.joinpath("output").read_text()
                time.sleep(0.05)

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        self._socket.close()
        self._process.terminate()
        self._process.wait()

    def _call(self, name: str, **asked: Any) -> Any:
        """Ask Marionette; each message is its length in decimal digits, a colon and JSON."""
        self._number += 1
        text = json.dumps([0, self._number, name, asked]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._read()
        if error is not None:
            raise ThunderbirdFails(f"{error['error']}: {error['message']}")
        return result

    def _read(self) -> Any:
        length = b""
        while (octet := self._file.read(1)) != b":":
            assert octet, self._folder.joinpath("output").read_text()
            length += octet
        return json.loads(self._file.read(int(length)))

    def runs(self, body: str, **asked: Any) -> Any:
        """Run the body of an asynchronous function with the names `cal`, `CalEvent`, `CalTodo` and `asked`."""
        script = WRAPPED.replace("BODY", body)
        done = self._call(
            "WebDriver:ExecuteAsyncScript", script=script, args=[asked], scriptTimeout=int(SCRIPT_SECONDS * 1000)
        )["value"]
        if "error" in done:
            raise ThunderbirdFails(done["error"])
        return done.get("value")


class Calendar:
    """A calendar in the network, as Thunderbird has it.

    Args:
        thunderbird: that has it.
        url: of the collection.
        user: whose it is; the password is known already.
    """

    def __init__(self, thunderbird: Thunderbird, url: str, user: str) -> None:
        self._thunderbird = thunderbird
        self._id = thunderbird.runs(
            """
            const made = cal.manager.createCalendar("caldav", Services.io.newURI(asked.url));
            made.name = asked.user;
            made.setProperty("username", asked.user);
            made.setProperty("cache.enabled", true);
            cal.manager.registerCalendar(made);
            return made.id;
            """,
            url=url,
            user=user,
        )

    def runs(self, body: str, **asked: Any) -> Any:
        """Run something with the name `calendar`."""
        return self._thunderbird.runs(
            f"const calendar = cal.manager.getCalendarById(asked.id); {body}", id=self._id, **asked
        )

    def property(self, name: str) -> Any:
        return self.runs("return calendar.getProperty(asked.name);", name=name)

    def find(self, uid: str) -> str | None:
        """An event or task, unfolded and with its exceptions, after Thunderbird has looked what is new."""
        text: str | None = self.runs(
            """
            calendar.refresh();
            const item = await calendar.getItem(asked.uid);
            if (!item) return null;
            const parts = [item.icalString];
            for (const each of item.recurrenceInfo?.getExceptionIds() ?? []) {
              parts.push(item.recurrenceInfo.getExceptionFor(each).icalString);
            }
            return parts.join("");
            """,
            uid=uid,
        )
        return None if text is None else text.replace("\r\n ", "")

    def adds(self, text: str, kind: str = "CalEvent") -> None:
        self.runs(f"await calendar.addItem(new {kind}(asked.text));", text=text)

    def changes(self, uid: str, body: str) -> None:
        """Change an item: `item` is a copy that may be written to."""
        self.runs(
            f"""
            const old = await calendar.getItem(asked.uid);
            const item = old.clone();
            {body}
            await calendar.modifyItem(item, old);
            """,
            uid=uid,
        )

    def removes(self, uid: str) -> None:
        self.runs("await calendar.deleteItem(await calendar.getItem(asked.uid));", uid=uid)
