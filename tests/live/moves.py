"""Moves people between the nodes of a cluster for tests, as the command line does, and stops where it is told to.

Each line of standard input is a JSON object: ``names``, ``node``, and acts after which to ``stop``. What is printed is
one JSON object a line: ``stopped`` with the act - it goes on with the next line of input, or is killed -, and at last
``moved`` or ``refused``.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import attrs

from calserver.admin import Refused, database
from calserver.cli.reactor import run_async
from calserver.cluster import Mover, mover_of
from calserver.config import Config

PLACED = "placed"
"""What stands for the transaction of the directory among the acts."""


class Moves:
    """A process that moves people, as a context manager.

    Args:
        config: of a node.
    """

    def __init__(self, config: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def begin(self, names: Sequence[str], node: str, *stop: str) -> None:
        """Begin to move, and stop behind some acts."""
        self._say({"names": names, "node": node, "stop": stop})

    def go_on(self) -> None:
        """Go on after a stop."""
        self._say({})

    def hear(self) -> dict[str, Any]:
        """What it says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "it has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> dict[str, Any]:
        """Go on after a stop until the end; returns what it says then."""
        while True:
            self.go_on()
            said = self.hear()
            if "stopped" not in said:
                return said

    def move(self, names: Sequence[str], node: str) -> list[dict[str, Any]]:
        """Move people; returns what was done."""
        self.begin(names, node)
        found: list[dict[str, Any]] = self.hear()["moved"]
        return found

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.communicate()

    def _say(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()


def say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def stop(act: str) -> None:
    say(stopped=act)
    sys.stdin.readline()


def stopping(mover: Mover, acts: Sequence[str]) -> None:
    """Have a mover stop behind acts."""
    ask, place = mover._caller.ask, mover._accounts.write_now

    async def asked(node: str, act: str, **more: Any) -> Mapping[str, Any]:
        answer = await ask(node, act, **more)
        if act in acts:
            stop(act)
        return answer

    def placed(work: Any) -> Any:
        done = place(work)
        if PLACED in acts:
            stop(PLACED)
        return done

    mover._caller.ask = asked  # type: ignore[method-assign] # the test is told of each step
    mover._accounts.write_now = placed  # type: ignore[method-assign] # the test is told of each step


async def serve(config: Config, reactor: Any) -> None:
    for line in sys.stdin:
        wanted = json.loads(line)
        with database.directory(config) as accounts:
            mover = mover_of(config, accounts, lambda progress: None, reactor)
            stopping(mover, wanted["stop"])
            try:
                moved = await mover.move(wanted["names"], wanted["node"], together=False)
            except Refused as error:
                say(refused=str(error))
            else:
                say(moved=[attrs.asdict(each) for each in moved])


if __name__ == "__main__":
    run_async(lambda reactor: serve(Config.load(Path(sys.argv[1])), reactor))
