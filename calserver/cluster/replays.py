"""The assertions that were used lately, as all processes of a node know them: none is good twice.

Whoever uses one looks what others have used and adds it, under a lock, in a file for the minute that it was made in. So
none can be used once by each worker, nor once more after a restart. Files are removed when nothing is believed any more
that stands in them.
"""

import fcntl
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Final

from calserver.cluster.assertion import SECONDS, Assertion, NotBelieved

_BYTES: Final = 16
"""Of the digest of an assertion."""


class Replays:
    """The memory of a node.

    Args:
        path: where it is: what the names of its files begin with.
        now: seconds since the epoch.

    Raises:
        OSError: there can be no files.
    """

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        self._minutes: dict[int, _Minute] = {}
        self._minute(int(now) // SECONDS, now)

    def use(self, assertion: Assertion, now: float) -> None:
        """Use an assertion that is believed.

        Raises:
            NotBelieved: it was used before.
            OSError: it cannot be remembered.
        """
        mark = sha256(f"{assertion.node}\n{assertion.nonce}".encode()).digest()[:_BYTES]
        if not self._minute(assertion.at // SECONDS, now).add(mark):
            raise NotBelieved("it was used before")

    def close(self) -> None:
        """Close the files."""
        while self._minutes:
            self._minutes.popitem()[1].close()

    def _minute(self, number: int, now: float) -> "_Minute":
        found = self._minutes.get(number)
        if found is None:
            self._forget(now)
            found = self._minutes[number] = _Minute(self._path.with_name(f"{self._path.name}-{number}"))
        return found

    def _forget(self, now: float) -> None:
        """Remove what is too old to be believed, of this process and of those before; clocks may go back a little."""
        oldest = int(now) // SECONDS - 3
        for number in [each for each in self._minutes if each < oldest]:
            self._minutes.pop(number).close()
        for each in self._path.parent.glob(f"{self._path.name}-*"):
            found = re.fullmatch(r".*-(\d+)", each.name)
            if found is not None and int(found[1]) < oldest:
                each.unlink(missing_ok=True)


class _Minute:
    """A file of digests, and what of it has been read."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._known: set[bytes] = set()
        self._read = 0

    def add(self, mark: bytes) -> bool:
        """Add a digest; returns whether it is new."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # for some microseconds, whoever has it
        try:
            self._catch_up()
            if mark in self._known:
                return False
            os.write(self._descriptor, mark)
            self._known.add(mark)
            self._read += _BYTES
            return True
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _catch_up(self) -> None:
        """Read what others have added; what somebody who was killed has begun is taken back."""
        size = os.fstat(self._descriptor).st_size
        if size % _BYTES:
            size -= size % _BYTES
            os.ftruncate(self._descriptor, size)
        data = os.pread(self._descriptor, size - self._read, self._read)
        self._known.update(data[start : start + _BYTES] for start in range(0, len(data), _BYTES))
        self._read = size

    def close(self) -> None:
        os.close(self._descriptor)
