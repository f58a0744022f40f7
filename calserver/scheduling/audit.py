"""Who from elsewhere asked what, and what became of it: one JSON object a line."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from calserver.telemetry import LogFile

log = Logger()


class Audit:
    """Writes it down: into a file, or the log.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, name: str, path: Callable[[str], Path]) -> None:
        self._out = LogFile(path(name)) if name else None

    def note(self, what: str, domain: str, **facts: Any) -> None:
        """Write a line.

        Args:
            what: was asked: ``REQUEST``, ``free-busy`` and so on.
            domain: who vouches for it; empty for nobody.
            facts: anything that can be written as JSON.
        """
        if self._out is None:
            log.info("{what} of {domain}: {facts}", what=what, domain=domain or "nobody", facts=_words(facts))
            return
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "what": what, "domain": domain, **facts}
        self._out.write(json.dumps(line, ensure_ascii=True) + "\n")

    def reopen(self) -> None:
        """Go on in a new file."""
        if self._out is not None:
            self._out.reopen()

    def close(self) -> None:
        """Close the file."""
        if self._out is not None:
            self._out.close()


def _words(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {json.dumps(value, ensure_ascii=True)}" for name, value in facts.items())
