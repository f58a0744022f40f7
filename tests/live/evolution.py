"""Evolution without its windows: the data server where all of GNOME has its calendars from, on a bus of its own."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Self

AGENT = Path(__file__).with_name("evolution_agent.py")
PYTHON = "/usr/bin/python3"
"""The one that the system's bindings are for."""
PROGRAM = "/usr/libexec/evolution-source-registry"
END_SECONDS = 20.0


class EvolutionRefuses(Exception):
    """What Evolution tells its user."""


class Evolution:
    """Evolution on a machine that nobody has used before, as a context manager.

    Args:
        folder: the home directory.
        dbus: the program that makes a session bus for a command.
    """

    def __init__(self, folder: Path, dbus: str) -> None:
        self._folder, self._dbus = folder, dbus

    def __enter__(self) -> Self:
        runtime = self._folder / "run"
        runtime.mkdir(mode=0o700, parents=True)
        ours = {"HOME": str(self._folder), "XDG_RUNTIME_DIR": str(runtime), "GSETTINGS_BACKEND": "memory"}
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TZ")}
        with (self._folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                [self._dbus, "--", PYTHON, str(AGENT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=inherited | ours,
                text=True,
            )
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        finally:
            self._process.kill()
            self._process.stdout.close()
            self._process.wait()

    def does(self, what: str, **asked: Any) -> Any:
        """Have something done (`evolution_agent.Agent`)."""
        self._process.stdin.write(json.dumps({"do": what, **asked}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, (self._folder / "errors").read_text()
        answer = json.loads(line)
        if "error" in answer:
            raise EvolutionRefuses(answer["error"])
        return answer["done"]


class Calendar:
    """A calendar of somebody as Evolution has it."""

    def __init__(self, evolution: Evolution, url: str, user: str, kind: str = "events") -> None:
        self._evolution, self.name = evolution, f"{user}-{kind}"
        self.can = evolution.does("open", name=self.name, url=url, user=user, kind=kind)

    def does(self, what: str, **asked: Any) -> Any:
        return self._evolution.does(what, name=self.name, **asked)

    def refreshed(self) -> list[str]:
        """All components, unfolded, after Evolution has looked what is new."""
        self.does("refresh")
        return [each.replace("\r\n ", "") for each in self.does("texts")]

    def find(self, uid: str, instance: str = "") -> str | None:
        """One of these, by the value of its RECURRENCE-ID where it has one."""
        for each in self.refreshed():
            found = re.search(r"(?m)^RECURRENCE-ID[^\r]*:([^\r]*)\r$", each)
            if f"UID:{uid}\r\n" in each and instance == (found[1] if found else ""):
                return each
        return None
