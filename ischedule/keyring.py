"""The keys that a server signs with: a folder with a private key in a file each, and what became of them.

    ring = KeyRing(Path("keys"))
    ring.generate(now)                       # cal1.pem; the first one signs at once
    ring.published(now)                      # the records stand in the DNS
    ring.rotate(now)                         # makes cal2, which has to be published, too; an hour later: cal2 signs
    ring.retire("cal1", now)                 # a day later: its record says so, its private key is gone

A key is new, published, signing, replaced, retired. Its record stays in the DNS from the second to the fourth, so that
what is signed can be verified whenever it arrives, and whatever the caches in between remember. Times are aware.
"""

import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from ischedule.dkim import PrivateKey, generate, load_private_key, private_text, public_key_text

Algorithm = Literal["rsa", "ed25519"]

ALGORITHMS: Final[tuple[Algorithm, ...]] = ("rsa", "ed25519")
STATE: Final = "keys.json"
UNTIL_KNOWN: Final = timedelta(hours=1)
"""How long a record is published before its key signs: until nobody remembers that there was none."""
UNTIL_DONE: Final = timedelta(days=1, hours=1)
"""How long the record of a key stays after it has signed the last time: until nothing of it is under way."""
UNTIL_FORGOTTEN: Final = timedelta(days=30)
"""How long the record of a retired key says so."""
_SELECTOR: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class KeyRefused(Exception):
    """It was not done; the text says why, in a sentence for people."""


@attrs.frozen(kw_only=True)
class Key:
    """A key: its selector, what was published of it (base64, as in ``p=``), and since when it is what it is."""

    selector: str
    algorithm: Algorithm
    public: str
    created: datetime
    published: datetime | None = None
    signing: datetime | None = None
    replaced: datetime | None = None
    retired: datetime | None = None

    @property
    def state(self) -> str:
        """The last thing that happened to it: new, published, signing, replaced or retired."""
        for name in ("retired", "replaced", "signing", "published"):
            if getattr(self, name):
                return name
        return "new"

    def record(self, service: str = "ischedule") -> str:
        """The tag-list to publish (RFC 6376 section 3.6.1); that of a retired key is revoked.

        Args:
            service: what the key may sign; ``*`` for everything, the mail of the domain included.
        """
        restricted = "" if service == "*" else f" s={service};"
        return f"v=DKIM1; k={self.algorithm};{restricted} p={'' if self.retired else self.public}"


class KeyRing:
    """The keys in a folder. Several processes may use it; each sees what another one has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: tuple[int, int] | None = None
        self._keys: tuple[Key, ...] = ()
        self._private: dict[str, PrivateKey] = {}

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys, in the order in which they were made."""
        path = self.folder / STATE
        try:
            found = path.stat()
        except FileNotFoundError:
            return ()
        if self._seen != (found.st_mtime_ns, found.st_ino):
            self._keys = _read(path)
            self._private = {}
            self._seen = (found.st_mtime_ns, found.st_ino)
        return self._keys

    def to_publish(self, now: datetime) -> tuple[Key, ...]:
        """The keys whose records belong into the DNS."""
        return tuple(key for key in self.keys if key.retired is None or now - key.retired < UNTIL_FORGOTTEN)

    def signing_key(self, algorithm: Algorithm | None = None) -> Key:
        """The key that signs: with an algorithm, or with RSA, which everybody understands, if there is one.

        Raises:
            KeyRefused: there is none.
        """
        for wanted in (algorithm,) if algorithm else ALGORITHMS:
            for key in self.keys:
                if key.algorithm == wanted and key.state == "signing":
                    return key
        raise KeyRefused(f"there is no{f' {algorithm}' if algorithm else ''} key that signs in {self.folder}")

    def private_key(self, selector: str) -> PrivateKey:
        """The private key of a selector.

        Raises:
            KeyRefused: there is none, or others can read its file.
        """
        known = {key.selector for key in self.keys}
        if selector not in self._private:
            path = self._file(selector)
            if selector not in known or not path.exists():
                raise KeyRefused(f"there is no private key {selector} in {self.folder}")
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise KeyRefused(f"others can read {path}; its mode must be 0600")
            self._private[selector] = _load(path)
        return self._private[selector]

    def generate(self, now: datetime, algorithm: Algorithm = "rsa", selector: str | None = None) -> Key:
        """Make a key. The first one of all signs at once; another one has to be published and rotated to.

        Raises:
            KeyRefused: the selector is taken, or none.
        """
        with self._changing() as keys:
            key = self._make(keys, now, algorithm, selector)
            keys.append(key)
        return key

    def published(self, now: datetime) -> tuple[Key, ...]:
        """Note that all records stand in the DNS; returns the keys for which this was news."""
        with self._changing() as keys:
            news = [key for key in keys if key.published is None and key.retired is None]
            keys[:] = [attrs.evolve(key, published=now) if key in news else key for key in keys]
        return tuple(attrs.evolve(key, published=now) for key in news)

    def rotate(self, now: datetime, algorithm: Algorithm = "rsa", *, force: bool = False) -> Key:
        """The next step to another key: make it, or, where it has been published for long enough, sign with it.

        Args:
            now: the time.
            algorithm: the kind of key.
            force: sign with it although not everybody can know its record yet.

        Raises:
            KeyRefused: its record has to be published, or not long enough ago.
        """
        with self._changing() as keys:
            waiting = [key for key in keys if key.algorithm == algorithm and key.state in ("new", "published")]
            if not waiting:
                keys.append(self._make(keys, now, algorithm, None))
                return keys[-1]
            chosen = waiting[-1]
            if not force:
                _check_published(chosen, now)
            for position, key in enumerate(keys):
                if key is chosen:
                    keys[position] = attrs.evolve(key, signing=now, published=key.published or now)
                elif key.algorithm == algorithm and key.state == "signing":
                    keys[position] = attrs.evolve(key, replaced=now)
        return next(key for key in self.keys if key.selector == chosen.selector)

    def retire(self, selector: str, now: datetime, *, force: bool = False) -> Key:
        """Revoke a key: its record will say so, its private key is deleted.

        Args:
            selector: which one.
            now: the time.
            force: although something that it has signed may be under way.

        Raises:
            KeyRefused: it signs, is not known, or something may be under way.
        """
        with self._changing() as keys:
            found = [position for position, key in enumerate(keys) if key.selector == selector]
            if not found:
                raise KeyRefused(f"there is no key {selector} in {self.folder}")
            key = keys[found[0]]
            if key.state == "signing":
                raise KeyRefused(f"{selector} is the key that signs; rotate to another one first")
            if key.retired:
                raise KeyRefused(f"{selector} is retired since {_clock(key.retired)}")
            if key.replaced and now - key.replaced < UNTIL_DONE and not force:
                raise KeyRefused(
                    f"what {selector} has signed may be under way until {_clock(key.replaced + UNTIL_DONE)}"
                )
            keys[found[0]] = attrs.evolve(key, retired=now)
        self._file(selector).unlink(missing_ok=True)
        return attrs.evolve(key, retired=now)

    def _make(self, keys: Sequence[Key], now: datetime, algorithm: Algorithm, selector: str | None) -> Key:
        taken = {key.selector for key in keys} | {path.stem for path in self.folder.glob("*.pem")}
        if selector is None:
            selector = next(name for number in range(1, 10_000) if (name := f"cal{number}") not in taken)
        if not _SELECTOR.fullmatch(selector):
            raise KeyRefused(f"{selector} is not a selector: letters, digits and hyphens, in lower case")
        if selector in taken:
            raise KeyRefused(f"there is a key {selector} already")
        private = generate(algorithm)
        _write(self._file(selector), private_text(private), os.O_EXCL)
        public = public_key_text(private)
        return Key(selector=selector, algorithm=algorithm, public=public, created=now, signing=None if keys else now)

    def _file(self, selector: str) -> Path:
        return self.folder / f"{selector}.pem"

    @contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        """The keys, to be changed in place; written when all went well, one process at a time."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = list(self.keys)
            yield keys
            rows = [attrs.asdict(key, value_serializer=_plain) for key in keys]
            draft = self.folder / f"{STATE}.new"
            _write(draft, json.dumps({"keys": rows}, indent=2).encode() + b"\n", os.O_TRUNC)
            draft.rename(self.folder / STATE)
            os.fsync(lock)
        finally:
            os.close(lock)


def _check_published(key: Key, now: datetime) -> None:
    if key.published is None:
        raise KeyRefused(f"the record of {key.selector} has to be published first")
    if now - key.published < UNTIL_KNOWN:
        at = _clock(key.published + UNTIL_KNOWN)
        raise KeyRefused(f"the record of {key.selector} is too new; {key.selector} can sign from {at} on")


def _load(path: Path) -> PrivateKey:
    try:
        return load_private_key(path.read_bytes())
    except ValueError as error:
        raise KeyRefused(f"{path} cannot be used: {error}") from None


def _write(path: Path, content: bytes, how: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> tuple[Key, ...]:
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return tuple(Key(**{name: _value(name, value) for name, value in row.items()}) for row in rows)
    except (ValueError, TypeError, KeyError) as error:
        raise KeyRefused(f"{path} cannot be read: {error}") from None


def _value(name: str, value: str | None) -> Any:
    texts = ("selector", "algorithm", "public")
    return datetime.fromisoformat(value) if value and name not in texts else value


def _plain(instance: object, attribute: object, value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _clock(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
