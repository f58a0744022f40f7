"""Guessing passwords is slowed down; typing one's own, right or wrong, is not.

What is counted are *different* wrong passwords: a device that sends the same wrong one for weeks makes one guess, and
is answered without computing a hash. They are counted for an account from one network, for an account from anywhere,
and for a network. Credentials that were right lately are never held up, so nobody can lock the owner's devices out.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from calserver.auth.connection import Address

MOST_KEYS: Final = 100_000
"""Accounts and networks that are counted at a time; the ones quiet for longest are forgotten first."""
ANYWHERE: Final = 10
"""How many times as many wrong passwords an account may see from all networks together as from one."""
RIGHT_SECONDS: Final = 86_400.0
"""How long right credentials are remembered as such."""


class Guesses:
    """Wrong guesses by key within a sliding window."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def add(self, key: Hashable, now: float) -> None:
        """Count one."""
        times = self._times.setdefault(key, deque(maxlen=self._most))
        times.append(now)
        self._times.move_to_end(key)
        if len(self._times) > MOST_KEYS:
            self._times.popitem(last=False)

    def take_back(self, key: Hashable, at: float) -> None:
        """The one that was counted at a time was none."""
        times = self._times.get(key)
        if times is not None and at in times:
            times.remove(at)
            if not times:
                del self._times[key]

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until the next guess may be made."""
        times = self._times.get(key)
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + self._seconds - now)


class Remembered:
    """What was seen lately, with a note; the oldest go first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def add(self, digest: bytes, note: int, now: float) -> None:
        """Remember."""
        self._seen[digest] = (now + self._seconds, note)
        self._seen.move_to_end(digest)
        if len(self._seen) > MOST_KEYS:
            self._seen.popitem(last=False)

    def get(self, digest: bytes, now: float) -> int | None:
        """The note, or None where it was not seen lately."""
        until, note = self._seen.get(digest, (0.0, 0))
        return note if now < until else None

    def forget(self, digest: bytes) -> None:
        """It no longer holds."""
        self._seen.pop(digest, None)


class Throttle:
    """Decides who has to wait.

    Args:
        account_failures: wrong passwords for an account from one network.
        network_failures: wrong passwords from one network.
        seconds: how long each counts.
        now: the clock.
    """

    def __init__(
        self, *, account_failures: int, network_failures: int, seconds: float, now: Callable[[], float]
    ) -> None:
        self._now = now
        self._here = Guesses(account_failures, seconds)
        self._anywhere = Guesses(account_failures * ANYWHERE, seconds)
        self._network = Guesses(network_failures, seconds)
        self._wrong = Remembered(seconds)
        self._right = Remembered(RIGHT_SECONDS)

    def wait(self, account: str, address: Address | None, digest: bytes) -> float:
        """Seconds until credentials may be checked; 0 for those that tell a guesser nothing new."""
        now = self._now()
        if self._right.get(digest, now) is not None or self._wrong.get(digest, now) is not None:
            return 0.0
        account, network = _account(account), _network(address)
        return max(
            self._here.wait((account, network), now),
            self._anywhere.wait(account, now),
            self._network.wait(network, now),
        )

    def known_wrong(self, digest: bytes) -> int | None:
        """The revision of the principal for which these credentials were wrong lately."""
        return self._wrong.get(digest, self._now())

    def begin(self, account: str, address: Address | None, digest: bytes) -> Callable[[], None]:
        """Credentials are about to be checked: a guess, until they turn out to be right.

        Counted only when it fails, an account could see as many at a time as there is room for. Its network is not
        charged in advance: all who share one come at the same time after a restart.

        Returns:
            A function that takes it back.
        """
        now = self._now()
        if self._wrong.get(digest, now) is not None:
            return lambda: None
        account = _account(account)
        counted = ((self._here, (account, _network(address))), (self._anywhere, account))
        for guesses, key in counted:
            guesses.add(key, now)

        def take_back() -> None:
            for guesses, key in counted:
                guesses.take_back(key, now)

        return take_back

    def failed(self, address: Address | None, digest: bytes, revision: int) -> None:
        """Credentials were wrong."""
        now = self._now()
        if self._wrong.get(digest, now) is None:
            self._network.add(_network(address), now)
        self._right.forget(digest)
        self._wrong.add(digest, revision, now)

    def succeeded(self, digest: bytes) -> None:
        """Credentials were right."""
        self._wrong.forget(digest)
        self._right.add(digest, 0, self._now())


def _account(name: str) -> str:
    """One account for a user name and for the mail address that begins with it."""
    return name.casefold().partition("@")[0]


def _network(address: Address | None) -> Hashable:
    """The network that one guesser is likely to have all of."""
    if address is None:
        return None
    if address.version == 4:
        return IPv4Network((int(address) & ~0xFF, 24))
    return IPv6Network((int(address) >> 72 << 72, 56))
